/* expect exit 0: nothing */
#include <new>

/* The new handler may give up by throwing: new throws that, a nothrow new returns NULL. */
static int calls;

static void handler()
{
    if (++calls % 3 == 0)
        throw std::bad_alloc();
}

template <typename New> static bool throws(New make)
{
    try {
        make();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

int main()
{
    static volatile std::size_t n = std::size_t{1} << 62;
    const std::align_val_t a{64};
    if (operator new(n, std::nothrow) != nullptr || !throws([] { operator new(n); }))
        return 1;
    std::set_new_handler(handler);
    if (!throws([] { operator new(n); }) || !throws([] { operator new[](n); }))
        return 2;
    if (!throws([=] { operator new(n, a); }) || !throws([=] { operator new[](n, a); }) ||
        calls != 12)
        return 3;
    if (operator new(n, std::nothrow) != nullptr || operator new[](n, std::nothrow) != nullptr)
        return 4;
    if (operator new(n, a, std::nothrow) != nullptr || operator new[](n, a, std::nothrow) !=
                                                           nullptr)
        return 5;
    return calls == 24 ? 0 : 6;
}
