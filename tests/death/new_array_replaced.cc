/* expect exit 0: nothing */
#include <cstdlib>
#include <new>

/* A program replaces new and delete of arrays only: the other forms of arrays call them, those of
 * one object do not. */
static int made, deleted;

void *operator new[](std::size_t n)
{
    made++;
    return static_cast<char *>(std::malloc(n + 64)) + 64;
}

void operator delete[](void *p) noexcept
{
    deleted++;
    std::free(static_cast<char *>(p) - 64);
}

int main()
{
    operator delete[](operator new[](8));
    operator delete[](operator new[](8), 8);
    operator delete[](operator new[](8, std::nothrow), std::nothrow);
    operator delete(operator new(8));
    operator delete(operator new(8), 8);
    operator delete(operator new(8, std::nothrow), std::nothrow);
    return made == 3 && deleted == 3 ? 0 : 1;
}
