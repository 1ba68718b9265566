/* Loaded by new_in_plugin.c. */
#include <new>

extern "C" int plugin_run(std::size_t n)
{
    int failed = 0;
    try {
        operator new(n);
    } catch (const std::bad_alloc &) {
        failed++;
    }
    if (operator new(n, std::nothrow) == nullptr)
        failed++;
    std::set_new_handler([] { throw std::bad_alloc(); });
    if (operator new[](n, std::nothrow) == nullptr)
        failed++;
    return failed;
}
