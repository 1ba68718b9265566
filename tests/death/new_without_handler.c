/* expect ABRT: nothing */
#include "death.h"

int main(void)
{
    /* No C++ library: there is nobody to throw std::bad_alloc. */
    HIDE(_Znwm(SIZE_MAX / 2));
    return 0;
}
