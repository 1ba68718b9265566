/* expect ABRT: bulwark: operator new failed, and no C\+\+ library is loaded that could throw
 * std::bad_alloc */
#include "death.h"

int main(void)
{
    /* No C++ library: there is nobody to throw std::bad_alloc. */
    HIDE(_Znwm(SIZE_MAX / 2));
    return 0;
}
