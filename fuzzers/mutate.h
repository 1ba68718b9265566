/* Programs from programs: what a search that keeps programs makes of them.
 *
 * A mutant is a function of (seed, index, a, b, limits): pieces of both parents put together
 * (spliced, inserted, left out, repeated), then single ops changed (a size to a boundary, another
 * kind, another operand, one op more or less). Every op passes through assay_live_fit, so a mutant
 * is as legal as a generated program, whatever its parents were; an operand that is not there any
 * more is replaced by a live one, of its size if there is one. At most ASSAY_PROGRAM_MAX_OPS ops,
 * so that each mutant has an encoding. Memory is the struct itself; allocates nothing. */
#ifndef ASSAY_MUTATE_H
#define ASSAY_MUTATE_H

#include "fuzzers/live.h"
#include "traces/core/random.h"

struct assay_mutator {
    struct assay_program_limits limits;
    struct assay_random random;
    struct assay_live live; /* at the mutant's end, when it is made */
    struct assay_live_object objects[ASSAY_PROGRAM_MAX_OPS + 1];
    uint16_t places[ASSAY_PROGRAM_MAX_OPS + 1];   /* in the list, by the mutant's numbers */
    uint32_t heirs[2][ASSAY_PROGRAM_MAX_OPS + 1]; /* the mutant's number of a parent's object */
    uint64_t bytes[ASSAY_PROGRAM_MAX_OPS + 1];    /* of the mutant's objects, by number */
    const struct assay_program *parents[2];
    uint32_t edit_in_1024;
    struct assay_event *ops; /* being written */
    size_t count;
};

void assay_mutate_init(struct assay_mutator *mutator, const struct assay_program_limits *limits);
/* Writes the mutant into ops (room for ASSAY_PROGRAM_MAX_OPS) and returns its length, at least
 * ASSAY_PROGRAM_MIN_OPS. a and b, which may be the same, are programs that a decoder made. */
size_t assay_mutate(struct assay_mutator *mutator, uint64_t seed, uint64_t index,
                    const struct assay_program *a, const struct assay_program *b,
                    struct assay_event *ops);
/* Writes the program as it is, and what it leaves live. Returns its length, at least 1. */
size_t assay_mutate_copy(struct assay_mutator *mutator, const struct assay_program *program,
                         struct assay_event *ops);

#endif
