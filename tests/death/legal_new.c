/* expect exit 0: nothing */
#include "death.h"

/* Every form of new with every form of delete that the standard allows for it. */
int main(void)
{
    static const size_t sizes[] = {0, 1, 24, 200, 5000, 130000, 300000};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = sizes[i];
        _ZdlPv(HIDE(_Znwm(n)));
        _ZdlPvm(HIDE(_Znwm(n)), n);
        _ZdlPvRKSt9nothrow_t(HIDE(_ZnwmRKSt9nothrow_t(n, "")), "");
        _ZdaPv(HIDE(_Znam(n)));
        _ZdaPvm(HIDE(_Znam(n)), n);
        _ZdaPvRKSt9nothrow_t(HIDE(_ZnamRKSt9nothrow_t(n, "")), "");
        for (size_t alignment = 32; alignment <= 65536; alignment *= 4) {
            char *p = HIDE(_ZnwmSt11align_val_t(n, alignment));
            if ((uintptr_t)p % alignment != 0)
                return 1;
            _ZdlPvSt11align_val_t(p, alignment);
            _ZdlPvmSt11align_val_t(HIDE(_ZnwmSt11align_val_t(n, alignment)), n, alignment);
            _ZdaPvmSt11align_val_t(HIDE(_ZnamSt11align_val_t(n, alignment)), n, alignment);
            _ZdlPvSt11align_val_tRKSt9nothrow_t(
                HIDE(_ZnwmSt11align_val_tRKSt9nothrow_t(n, alignment, "")), alignment, "");
            _ZdaPvSt11align_val_tRKSt9nothrow_t(
                HIDE(_ZnamSt11align_val_tRKSt9nothrow_t(n, alignment, "")), alignment, "");
            free(HIDE(aligned_alloc(alignment, n)));
            free(HIDE(realloc(HIDE(aligned_alloc(alignment, n)), n + 1)));
            free_aligned_sized(HIDE(aligned_alloc(alignment, n)), alignment, n);
            free_sized(HIDE(realloc(HIDE(aligned_alloc(alignment, n + 1)), n + 2)), n + 2);
        }
    }
    _ZdlPv(NULL), _ZdaPvm(NULL, 3);
    return _ZnwmRKSt9nothrow_t(SIZE_MAX / 2, "") == NULL ? 0 : 2;
}
