/* The bare loop: the same calls as an executor makes, with nothing around them but the object
 * table.
 *
 * It is the measure that overhead_ns is taken against: one load or store of a pointer per operand,
 * no checks, no results written back, no sink. */
#ifndef ASSAY_BARE_H
#define ASSAY_BARE_H

#include "traces/core/arena.h"
#include "traces/event.h"
#include "traces/runner/assay_subject.h"

struct assay_bare {
    struct assay_subject subject;
    uint64_t missing;
    uint32_t max_objects;
    void **objects;
};

size_t assay_bare_bytes(uint32_t max_objects);
/* Returns false if the arena is too small. */
bool assay_bare_create(struct assay_bare *bare, struct assay_arena *arena,
                       const struct assay_subject *subject, uint32_t max_objects);
void assay_bare_run(struct assay_bare *bare, const struct assay_event *events, size_t n);
/* Frees what is live. */
void assay_bare_reset(struct assay_bare *bare);

#endif
