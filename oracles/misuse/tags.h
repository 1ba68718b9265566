/* A slab with memory tags, in software: every granule of memory and every pointer has a tag, and an
 * access with another tag is noticed. Answers S27 for any granule and number of bits (MTE 16 bytes
 * and 4 bits, HWASan 16 and 8, SPARC ADI 64 and 4) without the hardware. Pure in its draw. */
#ifndef ASSAY_TAGS_H
#define ASSAY_TAGS_H

#include <stdbool.h>
#include <stdint.h>

enum assay_tags_access {
    ASSAY_TAGS_SAME_GRANULE, /* behind the object, in its last granule */
    ASSAY_TAGS_NEXT,         /* in the granule behind, a neighbour's */
    ASSAY_TAGS_BEFORE,
    ASSAY_TAGS_FAR,          /* in any other object */
    ASSAY_TAGS_FREED,        /* after its free */
    ASSAY_TAGS_REUSED,       /* and when its slot was handed out again, */
    ASSAY_TAGS_REUSED_TWICE, /* freed and handed out once more */
    ASSAY_TAGS_ACCESSES
};

enum assay_tags_policy {
    ASSAY_TAGS_RANDOM,  /* each tag is equally likely */
    ASSAY_TAGS_EXCLUDE, /* never 0, the neighbours' or the slot's last one */
    ASSAY_TAGS_POLICIES
};

struct assay_tags {
    uint32_t granule; /* bytes, a power of two */
    uint32_t bits;    /* 1 to 8 */
};

/* A slot gets its tag when it is freed (and at the start), and keeps it when it is handed out.
 * Returns true if the access was noticed. size: of the objects, in bytes. */
bool assay_tags_trial(const struct assay_tags *tags, enum assay_tags_policy policy,
                      enum assay_tags_access access, uint32_t size, uint64_t draw);

#endif
