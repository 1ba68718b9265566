/* The plain generator: endless legal programs from a seed, in pieces of any length.
 *
 * Program k of a run is a function of (seed, k, mode, limits) only, so a run keeps numbers instead
 * of programs and any of them can be made again. Each program draws its own configuration (a swarm:
 * some op kinds off, its own sizes, its own phases), because bugs hide from a mixture that always
 * has everything. Where the limits allow more than 4,096 live objects, one program in 128 goes
 * beyond them, at more ops than others have. With limits.misuse some programs end in a marked
 * double free. Host side memory is the struct itself; allocates nothing. */
#ifndef ASSAY_GENERATE_H
#define ASSAY_GENERATE_H

#include "fuzzers/live.h"
#include "traces/core/random.h"

enum assay_generate_mode {
    ASSAY_GENERATE_SWARM, /* 64 to 4,096 ops of ever different kinds */
    ASSAY_GENERATE_MIX,   /* the committed mix of tests/bench/mix.def, 65,536 ops a program */
};

enum {
    ASSAY_GENERATE_MIX_OPS = 65536,
    ASSAY_GENERATE_MAX_OBJECTS = ASSAY_GENERATE_MIX_OPS,
    ASSAY_GENERATE_MAX_LIVE = 8192,
    ASSAY_GENERATE_CROWD_OPS = 24576 /* most ops of a program that holds a crowd */
};

enum { ASSAY_GENERATE_SAMPLERS = 4, ASSAY_GENERATE_QUEUE = 8 };
enum { ASSAY_MIX_GUIDE_SHIFT = 10, ASSAY_MIX_GUIDES = 128 };

/* For picks from i << ASSAY_MIX_GUIDE_SHIFT on: the first row of the mix that can be meant. */
struct assay_mix_guide {
    uint32_t row, below_row; /* and the weight of those before it */
};

struct assay_generator {
    struct assay_random random;
    struct assay_program_limits limits; /* of the run */
    struct assay_program_limits now;    /* of this program */
    enum assay_generate_mode mode;
    struct assay_live live;
    struct assay_live_object objects[ASSAY_GENERATE_MAX_LIVE + 1];
    size_t ops_left;
    bool misuse; /* this program ends in one */
    struct assay_mix_guide mix[ASSAY_MIX_GUIDES];
    /* the swarm */
    uint8_t samplers[ASSAY_GENERATE_SAMPLERS];
    uint64_t fixed_sizes[4];
    uint32_t size_bits; /* the samplers but SAMPLE_LARGE draw up to 1 << this */
    uint64_t size_cap;
    uint32_t large_bits; /* of the largest that SAMPLE_LARGE draws, 17 or more */
    uint32_t refuse_in_1024, touch_in_1024;
    uint32_t live_wanted;
    bool crowd; /* grows to thousands of live objects first */
    uint8_t allocating[8], resizing[2], releasing[3];
    uint32_t allocating_count, resizing_count, releasing_count;
    /* the phase */
    uint32_t phase, phase_left, order;
    uint32_t chain_object;                          /* object that a chain follows, 0 = none */
    struct assay_event queue[ASSAY_GENERATE_QUEUE]; /* proposals that come next */
    uint32_t queued, queue_at;
};

void assay_generate_init(struct assay_generator *generator, enum assay_generate_mode mode,
                         const struct assay_program_limits *limits);
/* Starts program number `index` of the run with this seed. */
void assay_generate_start(struct assay_generator *generator, uint64_t seed, uint64_t index);
/* Writes the next ops, at most capacity; *ret_last is true when the program ends with them. */
size_t assay_generate_fill(struct assay_generator *generator, struct assay_event *ops,
                           size_t capacity, bool *ret_last);

#endif
