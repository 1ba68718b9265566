/* expect SEGV: nothing */
#include "death.h"

int main(void)
{
    PUT(malloc(0), 0, 1);
    return 0;
}
