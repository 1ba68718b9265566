/* What the builders of directed programs share: one line per op. Nobody else includes this. */
#ifndef ASSAY_DIRECTED_BUILD_H
#define ASSAY_DIRECTED_BUILD_H

#include "fuzzers/directed.h"

#define ASSAY_DIRECTED_BUILDER(name)                                                               \
    bool assay_directed_build_##name(struct assay_directed *d, unsigned argument)

/* Every op goes through here: object numbers are the caller's. Returns its index in d->events. */
size_t assay_directed_put(struct assay_directed *d, struct assay_event op);
/* Returns the object's number. A bearing op of any kind; born is filled in. */
uint32_t assay_directed_bear(struct assay_directed *d, struct assay_event op);
uint32_t assay_directed_malloc(struct assay_directed *d, uint64_t size);
/* Returns the number of what the resize bears. */
uint32_t assay_directed_realloc(struct assay_directed *d, uint32_t object, uint64_t size);
void assay_directed_release(struct assay_directed *d, uint32_t object);
/* With the size that it was born with, and the alignment, where there is such a function for it. */
void assay_directed_release_sized(struct assay_directed *d, uint32_t object,
                                  const struct assay_event *birth);
/* Its usable size, where the subject tells it. */
void assay_directed_ask(struct assay_directed *d, uint32_t object);
/* Verifies the object's content; 0: of all that live. */
void assay_directed_check(struct assay_directed *d, uint32_t object);
/* The executed event that bore the object; NULL: there is none. */
const struct assay_event *assay_directed_birth(const struct assay_directed *d, uint32_t object);

static inline bool assay_directed_offers(const struct assay_directed *d, enum assay_op kind)
{
    return (d->missing >> kind & 1) == 0;
}
/* As assay_directed_bear; 0 where the subject has no such function. */
static inline uint32_t assay_directed_call(struct assay_directed *d, enum assay_op kind,
                                           uint32_t object, uint64_t arg, uint64_t size)
{
    const struct assay_event op = {
        .kind = (uint8_t)kind, .object = object, .arg = arg, .size = size};
    return assay_directed_offers(d, kind) ? assay_directed_bear(d, op) : 0;
}
/* True, with the reason set, if the subject has no such function. */
static inline bool lacks(struct assay_directed *d, enum assay_op kind)
{
    if (assay_directed_offers(d, kind))
        return false;
    d->reason = "the subject lacks this function";
    return true;
}

#endif
