/* C29, C31-C33: memory and mappings over passes, under a limit, and when system calls fail. */
#include "oracles/oracle.h"

#include <signal.h>

/* Caches and quarantines fill in the first passes, a bounded number of objects or bytes, and then
 * stand still: growth is blamed when it goes on, at the pace of the passes, over three doublings,
 * and behind so many deaths that no queue of the kind is still filling. One that is bounded in
 * bytes may be: while it fills, what it takes stands at new places, and memory grows by all of it.
 */
enum {
    FIRST_LOG2 = 5,         /* 2^5 passes come before any verdict */
    PASSES_PER_MAPPING = 4, /* fewer come and go in turns that are longer than three doublings */
    LOST_SHARE = 64,        /* who gives back in time loses less than this part until then; */
    LOST_SHARE_EQUAL =
        1024, /* of one size what was freed is at hand, and nobody was seen to lose any */
    RESIDENT_SLACK = 64 * 1024,
    MAPPINGS_SLACK = 16,
    ENOUGH_BYTES = 512 << 20, /* more than a queue that is bounded in bytes keeps */
    ENOUGH_MAPPINGS = 8192,   /* and one of places whose memory was given back */
    ENOUGH_OBJECTS = 8192,    /* and one that takes some of what dies only, */
    ENOUGH_LARGE = 2048,      /* of what has mappings of its own fewer; */
    LEAST_EACH = 16,          /* bytes that a queue may note down of each */
    LEAST_OBJECT = 64,        /* with its head and what is cut off before it, one takes so much */
    SPACE_SLACK = 16 << 20
};
#define ENOUGH_SPACE (UINT64_C(4) << 30) /* and of places that are reserved */

static bool keeps_pace(uint64_t now, uint64_t before)
{
    return before > 0 && 2 * now >= 3 * before && now <= 4 * before;
}

/* Some queue of freed objects may be filling still: growth is the last doubling's. */
static bool may_fill(const struct assay_resources *r, uint64_t what, uint64_t growth)
{
    const struct assay_fresh_sizes *fresh = &r->fresh;
    if (what == ASSAY_MEASURE_RESIDENT && r->turned && growth >= r->turned_bytes / 2 / 4)
        return true;
    if (what != ASSAY_MEASURE_RESIDENT && fresh->mapped_bytes > 0)
        return fresh->mapped_bytes < ENOUGH_BYTES;
    /* of what is small some come back; or: half of it died since the doubling before */
    return fresh->least_bytes < ENOUGH_BYTES &&
           (what != ASSAY_MEASURE_RESIDENT || growth >= fresh->least_bytes / 2 / 4);
}

/* Some queue may take one freed object in so many, until it holds as many as it can, or threads
 * fill a first piece of memory of their own before anything is merged in it (glibc, 132 KiB):
 * growth is that of three doublings. Nothing but more of them than it may hold tells it from a leak
 * of one in so many. */
static bool may_sample(const struct assay_case *c, uint64_t what, uint64_t growth)
{
    const struct assay_resources *r = c->resources;
    bool mappings = what == ASSAY_MEASURE_MAPPINGS;
    uint64_t objects = c->profile->keeps_objects ? 2 * (uint64_t)c->profile->keeps_objects
                       : mappings                ? ENOUGH_LARGE
                                                 : ENOUGH_OBJECTS;
    uint64_t mean = r->deaths ? r->requested_bytes / r->deaths : 0;
    return r->deaths > 0 &&
           growth < (mappings ? objects : objects * (mean > LEAST_OBJECT ? mean : LEAST_OBJECT));
}

/* Nothing was handed out twice, but memory is given back. */
static bool gives_back(const struct assay_resources *r, uint64_t what, unsigned k)
{
    const uint64_t *after = &r->after[ASSAY_MEASURE_RESIDENT][k - 1];
    return what == ASSAY_MEASURE_MAPPINGS && (r->measured[ASSAY_MEASURE_RESIDENT] >> k & 1) &&
           (r->measured[ASSAY_MEASURE_RESIDENT] >> (k - 1) & 1) &&
           after[1] < after[0] + r->requested_bytes / 2 / LOST_SHARE;
}

/* After 1, 2 and 4 passes: so much more than was asked for that no cache can be meant by it, at the
 * pace of the passes. Of who loses that much there will be no thirty-second pass. */
static bool bursts(const struct assay_resources *r, uint64_t what)
{
    const uint64_t *after = r->after[what];
    return what == ASSAY_MEASURE_RESIDENT && r->reused && (r->measured[what] & 7) == 7 &&
           after[0] < after[1] && keeps_pace(after[2] - after[1], after[1] - after[0]) &&
           after[2] - after[0] >= ENOUGH_BYTES && after[2] - after[0] >= 4 * r->requested_bytes;
}

static bool by_threads(const struct assay_case *c)
{
    return c->resources->threads > 0 && assay_case_judges(c, ASSAY_PROPERTY_C29);
}

/* The first thread stays. Unless its objects stand where others stood, what it asked for since the
 * last measurement, and the C library for each thread that it began, may all be in a piece of
 * memory of its own that is not used up yet. */
static uint64_t of_first_thread(const struct assay_resources *r)
{
    enum { LIBRARY_BYTES = 512 };
    if (r->first_reuses)
        return 0;
    return (r->first_bytes + r->first_bytes / 4 + r->first_objects * LEAST_OBJECT +
            r->threads * LIBRARY_BYTES) /
           2;
}

/* What is measured after 2^k passes, against the passes before. */
static enum assay_outcome judge_growth(const struct assay_case *c, bool enough,
                                       struct assay_verdict *v)
{
    const struct assay_resources *r = c->resources;
    uint64_t passes = c->event->size, what = c->event->arg;
    if (c->live_bytes == 0 && what < ASSAY_MEASURES && passes == 4 && bursts(r, what)) {
        v->offset = what;
        return assay_violated(v, ASSAY_RELATION_OTHER, r->after[what][1], r->after[what][2]);
    }
    if (c->live_bytes != 0 || what >= ASSAY_MEASURES || passes < 1 << FIRST_LOG2 ||
        (passes & (passes - 1)) != 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    unsigned k = (unsigned)__builtin_ctzll(passes);
    if (k >= ASSAY_PASSES_LOG2 || (r->measured[what] >> (k - 3) & 15) != 15)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    const uint64_t *after = &r->after[what][k - 3];
    uint64_t slack = what == ASSAY_MEASURE_RESIDENT   ? RESIDENT_SLACK
                     : what == ASSAY_MEASURE_MAPPINGS ? MAPPINGS_SLACK
                                                      : SPACE_SLACK;
    if (what != ASSAY_MEASURE_SPACE && slack < after[2] / 100)
        slack = after[2] / 100;
    uint64_t share = r->one_size ? LOST_SHARE_EQUAL : LOST_SHARE;
    if (what == ASSAY_MEASURE_RESIDENT && slack < r->requested_bytes / 2 / share)
        slack = r->requested_bytes / 2 / share;
    if (what == ASSAY_MEASURE_RESIDENT && r->turned && slack < r->deaths / 2 * LEAST_EACH)
        slack = r->deaths / 2 * LEAST_EACH;
    if (what == ASSAY_MEASURE_RESIDENT && by_threads(c) && slack < of_first_thread(r))
        slack = of_first_thread(r);
    if (what == ASSAY_MEASURE_MAPPINGS && slack < passes / 2 / PASSES_PER_MAPPING)
        slack = passes / 2 / PASSES_PER_MAPPING;
    if (after[3] < after[2] + slack)
        return ASSAY_OUTCOME_HOLDS;
    bool goes_on = after[0] < after[1] && after[1] < after[2] &&
                   keeps_pace(after[3] - after[2], after[2] - after[1]) &&
                   keeps_pace(after[2] - after[1], after[1] - after[0]);
    bool gone = gives_back(r, what, k) && after[3] - after[0] >= ENOUGH_MAPPINGS;
    bool reused = r->reused || (r->turned && after[3] - after[2] < r->turned_bytes / 2 / 4);
    enough = (enough && !may_fill(r, what, after[3] - after[2]) &&
              !may_sample(c, what, after[3] - after[0])) ||
             gone || (what == ASSAY_MEASURE_RESIDENT && after[3] - after[0] >= ENOUGH_BYTES) ||
             (what == ASSAY_MEASURE_SPACE && after[3] - after[0] >= ENOUGH_SPACE);
    if (!goes_on || !enough || (!reused && !gone))
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* it fills, or nobody can tell yet */
    v->offset = what;
    return assay_violated(v, ASSAY_RELATION_OTHER, after[2], after[3]);
}

enum assay_outcome assay_oracle_C31(const struct assay_case *c, struct assay_verdict *v)
{
    if (by_threads(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    return judge_growth(c, assay_growth_behind(c->event->size, c->resources->deaths), v);
}

/* Caches, arenas and what hangs on them are made for so many threads at once and used again. */
enum assay_outcome assay_oracle_C29(const struct assay_case *c, struct assay_verdict *v)
{
    if (!by_threads(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    bool mappings = c->event->arg == ASSAY_MEASURE_MAPPINGS;
    uint64_t enough = mappings ? ASSAY_GROWTH_THREADS_MAPPINGS : ASSAY_GROWTH_THREADS;
    return judge_growth(c, c->resources->threads >= enough, v);
}

/* All of the largest is not asked for: what is freed may stay cut up, or in caches. */
enum assay_outcome assay_oracle_C32(const struct assay_case *c, struct assay_verdict *v)
{
    const struct assay_resources *r = c->resources;
    if (c->scarcity != ASSAY_SCARCITY_LIMIT || c->live_bytes != 0 || c->bytes == 0 || c->overflow ||
        c->bytes > r->largest_alone / 2)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->succeeded)
        return ASSAY_OUTCOME_HOLDS;
    if (!r->reused)
        return ASSAY_OUTCOME_NOT_APPLICABLE; /* one that hands nothing out twice */
    return assay_violated(v, ASSAY_RELATION_NULL, c->bytes, c->event->error);
}

/* Who stops deliberately while memory ends may do so by its profile; without one, where the system
 * grants no more mappings, and while system calls fail, where it has never worked yet, and when it
 * cannot give memory back. A fault or a hang never is deliberate, and what comes behind the
 * failures is no answer to them. */
static bool stop_is_excused(const struct assay_case *c)
{
    const struct assay_resources *r = c->resources;
    int signal = c->event->signal;
    /* mmap, mremap, brk: the bits of enum assay_mapping_call */
    enum { ASK_FOR_MEMORY = 1 << 0 | 1 << 1 | 1 << 5 };
    bool deliberate = signal == SIGABRT || signal == SIGTRAP || signal == SIGILL;
    if (c->hung || !deliberate || c->scarcity == ASSAY_SCARCITY_OVER)
        return false;
    if (c->profile->survives_mapping_failure != ASSAY_ANSWER_UNKNOWN)
        return c->profile->survives_mapping_failure == ASSAY_ANSWER_NO;
    if (c->scarcity == ASSAY_SCARCITY_LIMIT && !r->limited)
        return true; /* the system grants no more mappings */
    return c->scarcity == ASSAY_SCARCITY_CALLS &&
           (!r->warm || (r->calls & ~(uint32_t)ASK_FOR_MEMORY) != 0);
}

/* Half of what was live and more is free again, and requests like those that were freed, and
 * somewhat smaller ones, go on being refused. */
static bool starves(const struct assay_case *c)
{
    enum { IN_ROW = 64, SMALLER = 16, LEAST = 1 << 20 };
    const struct assay_resources *r = c->resources;
    return r->limited && r->refused_in_row >= IN_ROW && r->refused_smaller >= SMALLER &&
           r->freed_bytes >= LEAST && r->freed_bytes >= c->live_bytes &&
           c->bytes == r->last_freed && r->reused;
}

enum assay_outcome assay_oracle_C33(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->scarcity)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    enum assay_relation stopped = assay_case_stopped(c);
    if (stopped != ASSAY_RELATION_NONE)
        return stop_is_excused(c) ? ASSAY_OUTCOME_NOT_APPLICABLE
                                  : assay_violated(v, stopped, 0, c->event->signal);
    if (!(ASSAY_ON_BEARING >> c->kind & 1) || c->bytes == 0 || c->overflow ||
        assay_case_oversize(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (assay_case_no_memory(c))
        return assay_violated(v, ASSAY_RELATION_NOT_NULL, ASSAY_ADDRESS_NULL, c->event->address);
    if (c->succeeded)
        return ASSAY_OUTCOME_HOLDS;
    if ((c->scarcity == ASSAY_SCARCITY_OVER && assay_case_within_budget(c)) || starves(c))
        return assay_violated(v, ASSAY_RELATION_NULL, c->bytes, c->event->error);
    if (assay_case_errno_promised(c) && c->event->error != ENOMEM)
        return assay_violated(v, ASSAY_RELATION_WRONG_ERRNO, ENOMEM, c->event->error);
    return ASSAY_OUTCOME_HOLDS;
}
