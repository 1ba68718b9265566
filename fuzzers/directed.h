/* Directed programs: experiments that random programs do not reach, one line each in directed.def.
 *
 * A builder puts the ops of a program in stages: it is called again after each stage was executed,
 * sees the results, and can aim (at a size class's edge that it found, at the next system call). It
 * returns false when the program is complete, or when there is none (then `reason` says why). What
 * has been put by then is an ordinary program: judged by all oracles, confirmed in a fresh child,
 * minimised and reproduced without its builder. So a builder judges nothing; what it wants to be
 * noticed is a property. A program is a function of the run's seed, the profile and what the
 * subject answered. Host only; memory belongs to struct assay_directed. */
#ifndef ASSAY_DIRECTED_H
#define ASSAY_DIRECTED_H

#include "oracles/profile.h"
#include "traces/core/random.h"
#include "traces/event.h"
#include "traces/runner/environment.h"

enum {
    ASSAY_DIRECTED_NOTES = 64,
    ASSAY_DIRECTED_MAX_OPS = 1 << 19,
    ASSAY_DIRECTED_MAX_OBJECTS = 1 << 18
};

struct assay_directed {
    struct assay_event *events; /* of executed stages with their results */
    size_t n, room;
    uint32_t objects; /* the last number given */
    uint16_t thread;  /* that makes the ops that are put, */
    uint16_t process; /* and its process */
    unsigned stage;
    uint64_t missing; /* APIs that the subject lacks */
    const struct assay_profile *profile;
    struct assay_random draw;
    const char *reason;                  /* set: the program cannot be made */
    uint64_t note[ASSAY_DIRECTED_NOTES]; /* the builder's own, zero at stage 0 */
};

enum assay_directed_flag {
    ASSAY_DIRECTED_RACES = 1 << 0,   /* threads run side by side, and are preempted */
    ASSAY_DIRECTED_MAPPING = 1 << 1, /* has REFUSE ops */
    ASSAY_DIRECTED_TWICE = 1 << 3,   /* two processes whose answers are compared; one stage */
    ASSAY_DIRECTED_TURNS = 1 << 2,   /* threads and processes are real, one op at a time */
    ASSAY_DIRECTED_AFRESH = 1 << 4,  /* each stage is a program and process of its own */
};

struct assay_directed_info {
    const char *name, *what;
    bool (*build)(struct assay_directed *d, unsigned argument);
    unsigned argument, flags;
};
/* Returns the number of directed programs, in the order of directed.def. */
size_t assay_directed_list(const struct assay_directed_info **ret_rows);
struct assay_environment assay_directed_environment(const struct assay_directed_info *info);

/* Empties d for the next program; its memory is kept. number: of the program in the list. */
void assay_directed_begin(struct assay_directed *d, uint64_t seed, size_t number, uint64_t missing,
                          const struct assay_profile *profile);
void assay_directed_free(struct assay_directed *d);

#endif
