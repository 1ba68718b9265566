/* A program whose every allocation call is known: the program makes them, the tests expect them. */
#ifndef ASSAY_TESTS_KNOWN_CALLS_H
#define ASSAY_TESTS_KNOWN_CALLS_H

#include <stddef.h>

enum {
    KNOWN_BEGIN = 1000001, /* malloc of this size and its free stand before the first round */
    KNOWN_END = 1000003,   /* and these after the last */
    KNOWN_SLOTS = 8,
};

/* The sizes of round r. A round is: free(slot), malloc -> slot, calloc -> tmp, realloc(slot),
 * reallocarray(tmp), posix_memalign(64) -> x, aligned_alloc(32) -> y, malloc_usable_size(slot),
 * free(x), free(y), free(tmp). */
static inline size_t known_malloc(size_t r)
{
    return r % 997 + 1;
}
static inline size_t known_count(size_t r)
{
    return r % 7 + 1;
}
static inline size_t known_element(size_t r)
{
    return r % 31 + 1;
}
static inline size_t known_realloc(size_t r)
{
    return r * 13 % 5003 + 1;
}
static inline size_t known_aligned(size_t r)
{
    return 32 * (r % 20 + 1);
}

enum { KNOWN_CALLS_PER_ROUND = 11 };

#endif
