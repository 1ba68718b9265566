/* C36: programs that are run twice. */
#include "fuzzers/directed/experiments.h"

enum { OPS = 1500, LIVE = 64 };

static uint32_t bear_some(struct assay_directed *d, uint64_t most)
{
    static const uint8_t kinds[] = {ASSAY_OP_MALLOC, ASSAY_OP_MALLOC, ASSAY_OP_MALLOC,
                                    ASSAY_OP_CALLOC, ASSAY_OP_POSIX_MEMALIGN};
    uint8_t kind = kinds[assay_random_below(&d->draw, sizeof kinds)];
    if (d->missing >> kind & 1)
        kind = ASSAY_OP_MALLOC;
    return assay_directed_bear(
        d, (struct assay_event){
               .kind = kind,
               .size = 1 + assay_random_below(&d->draw, most >> assay_random_below(&d->draw, 12)),
               .arg = kind == ASSAY_OP_CALLOC ? 1
                      : kind == ASSAY_OP_POSIX_MEMALIGN
                          ? UINT64_C(8) << assay_random_below(&d->draw, 8)
                          : 0});
}

/* Objects come, are resized and go at random, as the run's seed wants it. */
ASSAY_DIRECTED_BUILDER(repeated)
{
    uint32_t objects[LIVE], n = 0;
    uint64_t most = argument == REPEATED_LARGE ? UINT64_C(1) << 20 : UINT64_C(1) << 13;
    if (d->stage > 0)
        return false;
    if (d->profile->deterministic != ASSAY_ANSWER_YES) {
        d->reason = "the profile does not promise that equal calls get equal answers";
        return false;
    }
    for (unsigned i = 0; i < OPS; i++) {
        size_t at = n ? (size_t)assay_random_below(&d->draw, n) : 0;
        uint64_t what = assay_random_below(&d->draw, 8);
        if (n == 0 || (n < LIVE && what < 4)) {
            objects[n++] = bear_some(d, most);
        } else if (what < 5 && !(d->missing >> ASSAY_OP_REALLOC & 1)) {
            objects[at] =
                assay_directed_realloc(d, objects[at], 1 + assay_random_below(&d->draw, most >> 3));
        } else {
            assay_directed_release(d, objects[at]);
            objects[at] = objects[--n];
        }
    }
    return true;
}
