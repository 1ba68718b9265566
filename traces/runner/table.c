/* The subject's table, from the symbols that the dynamic linker bound: LD_PRELOAD comes before the
 * C library, so plain references to malloc are references to the subject. No dlsym: it allocates
 * its error text. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "traces/runner/runner.h"

/* Names of our own for the symbols, so that no compiler knows what they do. */
#define SUBJECT(type, name, parameters)                                                            \
    extern type subject_##name parameters __asm__(#name) __attribute__((weak))
SUBJECT(void *, malloc, (size_t));
SUBJECT(void *, calloc, (size_t, size_t));
SUBJECT(void *, realloc, (void *, size_t));
SUBJECT(void *, reallocarray, (void *, size_t, size_t));
SUBJECT(void, free, (void *));
SUBJECT(void, free_sized, (void *, size_t));
SUBJECT(void, free_aligned_sized, (void *, size_t, size_t));
SUBJECT(void *, aligned_alloc, (size_t, size_t));
SUBJECT(int, posix_memalign, (void **, size_t, size_t));
SUBJECT(void *, memalign, (size_t, size_t));
SUBJECT(void *, valloc, (size_t));
SUBJECT(void *, pvalloc, (size_t));
SUBJECT(size_t, malloc_usable_size, (void *));
SUBJECT(size_t, malloc_object_size, (void *));
SUBJECT(int, malloc_trim, (size_t));

extern const struct assay_subject assay_subject __attribute__((weak));

struct assay_subject assay_runner_subject(bool adapter, uint64_t missing)
{
    struct assay_subject table;
    memset(&table, 0, sizeof table);
    if (adapter) {
        const struct assay_subject *volatile from = &assay_subject;
        if (from)
            table = *from;
        return table;
    }
#define TAKE(KIND, name)                                                                           \
    if (!(missing >> ASSAY_OP_##KIND & 1))                                                         \
    table.name = subject_##name
    TAKE(MALLOC, malloc);
    TAKE(CALLOC, calloc);
    TAKE(REALLOC, realloc);
    TAKE(REALLOCARRAY, reallocarray);
    TAKE(FREE, free);
    TAKE(FREE_SIZED, free_sized);
    TAKE(FREE_ALIGNED_SIZED, free_aligned_sized);
    TAKE(ALIGNED_ALLOC, aligned_alloc);
    TAKE(POSIX_MEMALIGN, posix_memalign);
    TAKE(MEMALIGN, memalign);
    TAKE(VALLOC, valloc);
    TAKE(PVALLOC, pvalloc);
    TAKE(USABLE_SIZE, malloc_usable_size);
    TAKE(OBJECT_SIZE, malloc_object_size);
    TAKE(TRIM, malloc_trim);
#undef TAKE
    return table;
}
