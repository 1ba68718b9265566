/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    PUT(aligned_alloc(65536, 0), 0, 1);
    return 0;
}
