/* expect exit 0: nothing */
#include <cstdlib>
#include <new>

/* A program replaces new and delete of one object, and the aligned ones: the standard says that
 * this suffices. Its objects are no objects of the library. */
static const std::size_t shift = 64, too_much = std::size_t{1} << 62;
static int made, deleted;

static void *make(std::size_t n)
{
    char *p = n < too_much ? static_cast<char *>(std::malloc(n + shift)) : nullptr;
    if (p == nullptr)
        throw std::bad_alloc();
    made++;
    return p + shift;
}

void *operator new(std::size_t n)
{
    return make(n);
}

void operator delete(void *p) noexcept
{
    if (p != nullptr) {
        std::free(static_cast<char *>(p) - shift);
        deleted++;
    }
}

void *operator new(std::size_t n, std::align_val_t)
{
    return make(n);
}

void operator delete(void *p, std::align_val_t) noexcept
{
    operator delete(p);
}

int main()
{
    const std::align_val_t a{64};
    operator delete(operator new(8));
    operator delete(operator new(8), 8);
    operator delete(operator new(8, std::nothrow), std::nothrow);
    operator delete[](operator new[](8));
    operator delete[](operator new[](8), 8);
    operator delete[](operator new[](8, std::nothrow), std::nothrow);
    operator delete(operator new(8, a), a);
    operator delete(operator new(8, a), 8, a);
    operator delete(operator new(8, a, std::nothrow), a, std::nothrow);
    operator delete[](operator new[](8, a), a);
    operator delete[](operator new[](8, a), 8, a);
    operator delete[](operator new[](8, a, std::nothrow), a, std::nothrow);
    if (made != 12 || deleted != 12)
        return 1;
    if (operator new(too_much, std::nothrow) != nullptr || operator new[](too_much, std::nothrow) !=
                                                               nullptr)
        return 2;
    if (operator new(too_much, a, std::nothrow) != nullptr || operator new[](too_much, a,
                                                                             std::nothrow) !=
                                                                  nullptr)
        return 3;
    return made == 12 ? 0 : 4;
}
