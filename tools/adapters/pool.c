/* An adapter for a pool: fixed-size slots from one region, as embedded and game allocators have
 * them.
 *
 * Run it with   assay replay FILE --subject adapter:pool.c
 * The pool offers two functions and a reset; everything else is left NULL, so the runner never
 * calls it and says that those properties were not judged. Requests that no slot can hold get
 * memory of their own from the system. */
#include "assay_subject.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

enum { SLOT_BYTES = 256, SLOTS = 1 << 20, HEADER_BYTES = 4096 };

static char *pool;
static uint32_t next_fresh;
static void *free_list; /* the first word of a free slot points to the next */

static int pool_setup(void)
{
    pool = mmap(NULL, (size_t)SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pool == MAP_FAILED;
}

/* Everything at once; the runner has freed what was live, large objects included. */
static void pool_reset(void)
{
    next_fresh = 0;
    free_list = NULL;
}

static int is_slot(const void *p)
{
    return (uintptr_t)p - (uintptr_t)pool < (uintptr_t)SLOTS * SLOT_BYTES;
}

static void *large_alloc(size_t size)
{
    if (size > PTRDIFF_MAX - HEADER_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    char *map =
        mmap(NULL, size + HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    *(size_t *)map = size + HEADER_BYTES;
    return map + HEADER_BYTES;
}

static void *pool_alloc(size_t size)
{
    if (size > SLOT_BYTES)
        return large_alloc(size);
    void *slot = free_list;
    if (slot) {
        free_list = *(void **)slot;
        return slot;
    }
    if (next_fresh == SLOTS) {
        errno = ENOMEM;
        return NULL;
    }
    return pool + (size_t)next_fresh++ * SLOT_BYTES;
}

static void pool_free(void *p)
{
    if (!p)
        return;
    if (!is_slot(p)) {
        char *map = (char *)p - HEADER_BYTES;
        int saved = errno;
        munmap(map, *(size_t *)map);
        errno = saved;
        return;
    }
    *(void **)p = free_list;
    free_list = p;
}

const struct assay_subject assay_subject = {
    .name = "pool",
    .setup = pool_setup,
    .reset = pool_reset,
    .malloc = pool_alloc,
    .free = pool_free,
};
