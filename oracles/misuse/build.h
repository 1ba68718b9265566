/* What the builders of misuse programs share: one line per op. Nobody else includes this. */
#ifndef ASSAY_MISUSE_BUILD_H
#define ASSAY_MISUSE_BUILD_H

#include "oracles/misuse/misuse.h"

#define SETUP          ASSAY_MOMENT_SETUP
#define MISUSE         ASSAY_MOMENT_MISUSE
#define OWN_FREE       ASSAY_MOMENT_OWN_FREE
#define NEIGHBOUR_FREE ASSAY_MOMENT_NEIGHBOUR_FREE
#define NEXT_MALLOC    ASSAY_MOMENT_NEXT_MALLOC
#define LATER          ASSAY_MOMENT_LATER

/* Objects of a set-up, and allocations that look for an effect afterwards: as many as bring a slot
 * back also where it is not the first to be handed out (of large objects fewer). */
enum { OBJECTS = 16, OBSERVERS = 128, FEW = 16, WORD = 8 };

/* Every op goes through here. Returns its index. */
size_t assay_misuse_put(struct assay_misuse *m, struct assay_event op, struct assay_mark mark);
/* Returns the object's number. */
uint32_t assay_misuse_malloc(struct assay_misuse *m, uint64_t size, enum assay_moment moment);
void assay_misuse_release(struct assay_misuse *m, uint32_t object, enum assay_moment moment);
/* bytes: 1 to 8, of the word, low first. */
void assay_misuse_store(struct assay_misuse *m, uint32_t object, uint64_t offset, uint64_t word,
                        unsigned bytes, enum assay_moment moment);
size_t assay_misuse_read(struct assay_misuse *m, uint32_t object, uint64_t offset,
                         struct assay_mark mark);
/* A word that tells trial, object and place. */
uint64_t assay_misuse_word(const struct assay_misuse *m, uint32_t object, uint64_t offset);
/* The object's words, or the first, middle and last ones of an object beyond 256 bytes. */
void assay_misuse_fill(struct assay_misuse *m, uint32_t object, uint64_t size);
void assay_misuse_check(struct assay_misuse *m, uint32_t object, uint64_t size,
                        struct assay_mark mark);
/* count filled objects of one size; returns the first number. */
uint32_t assay_misuse_objects(struct assay_misuse *m, unsigned count, uint64_t size);
/* Allocations after a misuse, to see what they get. */
void assay_misuse_observe(struct assay_misuse *m, unsigned count, uint64_t size);
/* The same of many sizes, two of each: what was freed may come back as something larger. */
void assay_misuse_observe_sizes(struct assay_misuse *m);
/* What the last executed stages told. 0: it was refused. */
uint64_t assay_misuse_address(const struct assay_misuse *m, uint32_t object);
/* The object among [first, first + count) that stands nearest behind (or before) another; *ret_next
 * is that other one. False: no two are within a page. */
bool assay_misuse_neighbours(const struct assay_misuse *m, uint32_t first, unsigned count,
                             bool before, uint32_t *ret_object, uint32_t *ret_next);

static inline bool lacks(struct assay_misuse *m, enum assay_op kind)
{
    if (!(m->missing >> kind & 1))
        return false;
    m->reason = "the subject lacks this function";
    return true;
}

#endif
