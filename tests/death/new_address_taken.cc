/* expect exit 0: nothing */
#include <new>

/* The address of new, where the program has a fixed place, is that of its own stub. */
static void *(*volatile take)(std::size_t) = operator new;
static void (*volatile give)(void *) noexcept = operator delete[];

int main()
{
    const std::align_val_t a{64};
    operator delete(take(8));
    operator delete(take(8), 8);
    give(operator new[](8));
    operator delete(operator new(8), 8);
    operator delete(operator new(8, std::nothrow), std::nothrow);
    operator delete[](operator new[](8), 8);
    operator delete[](operator new[](8, std::nothrow), std::nothrow);
    operator delete[](operator new[](8, a), 8, a);
    return 0;
}
