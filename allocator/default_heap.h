/* The one heap of the drop-in, made at the first call, which may come from the dynamic loader
 * before any constructor has run. */
#ifndef BW_DEFAULT_HEAP_H
#define BW_DEFAULT_HEAP_H

#include "bw_sync.h"
#include "constants.h"
#include "heap.h"
#include "thread.h"

#define BW_EXPORT __attribute__((visibility("default")))

/* NULL where there is no room for a heap: the next call tries again. Keeps errno. */
struct bw_heap *bw_default_heap_make(void);

static inline struct bw_heap *bw_default_heap(void)
{
    struct bw_heap *made = bw_load_pointer(&bw_constants.heap);
    return __builtin_expect(made != NULL, 1) ? made : bw_default_heap_make();
}

/* In a public function: where it was called from. */
#define BW_NOTE_CALLER()                                                                           \
    do {                                                                                           \
        if (bw_policy_sites)                                                                       \
            bw_thread()->caller = __builtin_return_address(0);                                     \
    } while (0)

#endif
