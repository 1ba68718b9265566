#include "oracles/misuse/tags.h"

#include "traces/core/random.h"

enum { SLOTS = 32, PICKED = SLOTS / 2, TAGS_MAX = 256 };

struct slab {
    const struct assay_tags *tags;
    enum assay_tags_policy policy;
    struct assay_random random;
    uint8_t tag[SLOTS];
    bool tagged[SLOTS];
};

static bool excluded(const struct slab *slab, unsigned slot, unsigned tag)
{
    if (slab->policy == ASSAY_TAGS_RANDOM)
        return false;
    bool before = slot > 0 && slab->tagged[slot - 1] && slab->tag[slot - 1] == tag;
    bool behind = slot + 1 < SLOTS && slab->tagged[slot + 1] && slab->tag[slot + 1] == tag;
    return tag == 0 || before || behind || (slab->tagged[slot] && slab->tag[slot] == tag);
}

static void retag(struct slab *slab, unsigned slot)
{
    uint8_t free_tags[TAGS_MAX];
    unsigned count = 0;
    for (unsigned tag = 0; tag < 1u << slab->tags->bits; tag++)
        if (!excluded(slab, slot, tag))
            free_tags[count++] = (uint8_t)tag;
    /* with one or two bits nothing may be left: then the exclusion cannot be kept */
    slab->tag[slot] =
        (uint8_t)(count ? free_tags[assay_random_below(&slab->random, count)]
                        : assay_random_below(&slab->random, UINT64_C(1) << slab->tags->bits));
    slab->tagged[slot] = true;
}

bool assay_tags_trial(const struct assay_tags *tags, enum assay_tags_policy policy,
                      enum assay_tags_access access, uint32_t size, uint64_t draw)
{
    struct slab slab = {.tags = tags, .policy = policy};
    uint32_t slot_bytes = (size + tags->granule - 1) & ~(tags->granule - 1);
    assay_random_seed(&slab.random, draw);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        retag(&slab, slot);
    uint8_t pointer = slab.tag[PICKED];
    unsigned at = PICKED;
    switch (access) {
    case ASSAY_TAGS_SAME_GRANULE:
        at += size == slot_bytes;
        break; /* no slack: it is the next one */
    case ASSAY_TAGS_NEXT: at++; break;
    case ASSAY_TAGS_BEFORE: at--; break;
    case ASSAY_TAGS_FAR:
        do
            at = (unsigned)assay_random_below(&slab.random, SLOTS);
        while (at + 1 >= PICKED && at <= PICKED + 1);
        break;
    case ASSAY_TAGS_REUSED_TWICE: retag(&slab, PICKED); __attribute__((fallthrough));
    case ASSAY_TAGS_FREED:
    case ASSAY_TAGS_REUSED: /* handed out as it is */
    default: retag(&slab, PICKED); break;
    }
    return slab.tag[at] != pointer;
}
