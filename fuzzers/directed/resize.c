/* Chains of resizes. */
#include "fuzzers/directed/experiments.h"

enum { LADDERS = 4, SMALLEST = 24, LARGEST = 4 << 20 };

/* Objects climb side by side through all sizes, by a little more than half each time, and stand in
 * each other's way; or come down the same steps. */
ASSAY_DIRECTED_BUILDER(ladder)
{
    uint32_t objects[LADDERS];
    uint64_t from = argument == LADDER_UP ? SMALLEST : LARGEST;
    if (d->stage > 0 || lacks(d, ASSAY_OP_REALLOC))
        return false;
    for (int i = 0; i < LADDERS; i++)
        objects[i] = assay_directed_malloc(d, from);
    for (uint64_t size = SMALLEST; size <= LARGEST; size += size / 2 + 8)
        for (int i = 0; i < LADDERS; i++) {
            uint64_t to = argument == LADDER_UP ? size : (uint64_t)LARGEST * SMALLEST / size;
            objects[i] = assay_directed_realloc(d, objects[i], to + (unsigned)i);
        }
    assay_directed_check(d, 0);
    for (int i = 0; i < LADDERS; i++)
        assay_directed_release(d, objects[i]);
    return true;
}
