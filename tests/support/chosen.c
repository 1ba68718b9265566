/* Functions under a prefix that are chosen when the library is loaded, as the C library chooses
 * those of strings by the processor. */
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

static void *chosen_malloc(size_t bytes)
{
    return malloc(bytes);
}

static void chosen_free(void *p)
{
    free(p);
}

static __attribute__((used)) void *(*choose_malloc(void))(size_t)
{
    return chosen_malloc;
}

static __attribute__((used)) void (*choose_free(void))(void *)
{
    return chosen_free;
}

EXPORT void *ch_malloc(size_t bytes) __attribute__((ifunc("choose_malloc")));
EXPORT void ch_free(void *p) __attribute__((ifunc("choose_free")));
