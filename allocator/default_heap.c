#include "default_heap.h"

#include <errno.h>

#include "mutant.h"
#include "statistics.h"

static struct bw_lock making;

struct bw_heap *bw_default_heap_make(void)
{
    static bool options_are_read;
    bw_lock(&making);
    if (bw_load_pointer(&bw_constants.heap) == NULL) {
        bw_mutant_choose();
        if (!options_are_read)
            bw_options_read(&bw_constants.options);
        options_are_read = true;
        uint64_t seed = bw_constants.options.seed;
        struct bw_heap *heap =
            bw_heap_make(&(struct bw_config){.deterministic = seed != 0, .seed = seed});
        if (heap != NULL) {
            bw_store_pointer(&bw_constants.heap, heap);
            (void)bw_constants_seal();
        }
    }
    bw_unlock(&making);
    return bw_load_pointer(&bw_constants.heap);
}

/* After the program's own exit handlers and the destructors of what was loaded later. */
__attribute__((destructor)) static void look_over(void)
{
    struct bw_heap *heap = bw_load_pointer(&bw_constants.heap);
    if (heap == NULL)
        return;
    if (bw_constants.options.statistics)
        bw_statistics_print(heap);
    bool bounded = bw_constants.options.sweep == 1 && bw_policy_sweep_bytes != 0;
    if (bw_constants.options.sweep != 0)
        bw_heap_sweep_for(heap, bounded ? bw_policy_sweep_bytes : SIZE_MAX, "at exit");
}
