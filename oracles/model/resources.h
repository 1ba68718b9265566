/* What is kept of a program that measures itself (MEASURE), or for which memory ends (LIMIT) or
 * system calls fail (REFUSE): the ground of C29 and C31 to C33. Plain bookkeeping, as the model is.
 */
#ifndef ASSAY_RESOURCES_H
#define ASSAY_RESOURCES_H

#include "oracles/model/model.h"
#include "traces/event.h"

enum assay_scarcity {
    ASSAY_SCARCITY_NONE,
    ASSAY_SCARCITY_OVER, /* there was some, and it was lifted */
    ASSAY_SCARCITY_LIMIT,
    ASSAY_SCARCITY_CALLS
};

enum { ASSAY_PASSES_LOG2 = 24 };

/* Growth over passes is blamed only behind so much of it: so many objects died, so many passes went
 * by (allocators that give back what is old, or in turns, fill for a thousand), or so many threads.
 */
enum {
    ASSAY_GROWTH_DEATHS = 16384,
    ASSAY_GROWTH_MANY_DEATHS = 1 << 20, /* in fewer passes */
    ASSAY_GROWTH_PASSES = 2048,
    ASSAY_GROWTH_THREADS = 1024,
    ASSAY_GROWTH_THREADS_MAPPINGS = 8192 /* quarantines of several arenas split more and more */
};

static inline bool assay_growth_behind(uint64_t passes, uint64_t deaths)
{
    return deaths >= ASSAY_GROWTH_DEATHS &&
           (passes >= ASSAY_GROWTH_PASSES || deaths >= ASSAY_GROWTH_MANY_DEATHS);
}

/* Who has used up the system's mappings with fewer objects has lost some. */
enum { ASSAY_LIVE_AT_MAPPINGS_END = 2048 };

struct assay_resources {
    uint8_t scarcity; /* enum assay_scarcity: now */
    bool used;
    bool limited;   /* a LIMIT is in force */
    bool warm;      /* a request had been granted before the first system call failed */
    bool reused;    /* an object stood where an earlier one had stood */
    bool refused;   /* system calls failed at some time */
    uint32_t calls; /* kinds that fail or did since they began to, a bit per enum
                       assay_mapping_call; 0: none fails now */
    /* measurements */
    uint64_t after[ASSAY_MEASURES][ASSAY_PASSES_LOG2]; /* 2^k passes, */
    uint32_t measured[ASSAY_MEASURES];                 /* where bit k is set */
    uint64_t deaths;                                   /* of objects, before the last one */
    uint64_t turned, turned_bytes;                     /* came and went in TURNOVER ops, */
    uint64_t turned_least, turned_most;                /* of these sizes */
    uint64_t threads;                                  /* that ended so far */
    /* of the kinds (doublings) of sizes that are handed out at new places only, as those are of
     * which a queue that fills takes all */
    struct assay_fresh_sizes {
        uint64_t least_bytes;  /* of the one with least, from the smallest up; UINT64_MAX: none */
        uint64_t mapped_bytes; /* of the large one with most, from the largest down */
    } fresh;
    uint64_t requested_bytes;            /* of all objects so far; looked at where memory grew, */
    uint64_t first_bytes, first_objects; /* of them the first thread's, */
    bool first_reuses;                   /* which stand where others stood */
    bool one_size;                       /* as is whether all were of one */
    /* since the last LIMIT */
    uint64_t largest_alone;           /* granted while nothing else was live */
    uint64_t freed_bytes, last_freed; /* since the last granted request */
    uint64_t refused_in_row;          /* since the last granted request, and the last free; */
    uint64_t refused_smaller;         /* of these by an eighth smaller than what was freed last */
};

/* Where the fit is sought by classes, as TLSF does, what is free may not be found by its own size.
 */
static inline bool assay_resources_smaller(const struct assay_resources *r, uint64_t bytes)
{
    return bytes <= r->last_freed - r->last_freed / 8 && bytes >= r->last_freed / 2;
}

void assay_resources_reset(struct assay_resources *r);
/* A LIMIT, REFUSE or TURNOVER op. */
void assay_resources_take(struct assay_resources *r, const struct assay_model *model,
                          const struct assay_event *event);
void assay_resources_measure(struct assay_resources *r, const struct assay_model *model,
                             const struct assay_event *event);
/* Brings `reused` up to date. */
void assay_resources_look(struct assay_resources *r, const struct assay_model *model);
/* Behind a call in scarcity: bytes that were released, granted, or refused. */
void assay_resources_note(struct assay_resources *r, const struct assay_model *model,
                          uint64_t released, uint64_t granted, uint64_t refused);

#endif
