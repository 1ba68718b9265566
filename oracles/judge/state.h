/* What the parts of the judge share: its state, and the functions between the parts. Private to
 * oracles/judge.c and oracles/judge/; what others see of a judge is oracles/judge.h. All parts are
 * compiled as one unit (see CMakeLists.txt), so that an op is judged without a call. */
#ifndef ASSAY_JUDGE_STATE_H
#define ASSAY_JUDGE_STATE_H

#include "oracles/oracle.h"

enum { ASSAY_JUDGE_PENDING = 4 };

/* What is known of the heap's recent past: the ground of C23 and S01. */
struct assay_judge_ground {
    uint64_t last_call;      /* op index of the last op that changed the heap */
    uint64_t last_refused;   /* of the last refused request, valid with refused */
    uint64_t last_checked;   /* of the last passed check, valid with checked */
    uint32_t checked_object; /* its object, 0 = all */
    bool refused, checked;   /* since last_call */
    bool forked;             /* since last_call; everything had been checked before */
};

struct assay_judge_pending {
    struct assay_violation violation;
    struct assay_judge_ground ground; /* as it was when the fact was established */
    uint8_t fact;
};

/* How often the same properties applied in a row: one addition per op in place of one per property.
 */
struct assay_judge_tally {
    uint64_t applied; /* bit per property */
    uint64_t ops;
};

struct assay_judge {
    struct assay_judge_config config;
    uint64_t judged; /* bit per property */
    struct assay_model model;
    uint64_t op_index;
    uint64_t good_asked,
        good_size;      /* the last good size and what it is of; asked UINT64_MAX: none */
    uint64_t good_told; /* the last that came true with more than was asked for; 0: none */
    uint64_t widest;    /* by which bounds of an object were rounded, for C37 */
    struct assay_judge_ground ground;
    struct assay_resources resources;
    uint8_t context; /* enum assay_context, of ops of context_thread */
    uint16_t context_thread;
    bool forked;          /* this process has forked, or was */
    uint64_t before_fork; /* bit per kind: one was seen before the first fork */
    bool special;         /* context or forked: ops of it have a property of their own */
    bool tainted;         /* a misuse happened */
    bool no_mappings;     /* the system grants no more, when the process stops */
    uint16_t beside;      /* until the crash that follows: the thread that died in a loop */
    bool misuse_next;     /* a MISUSE record announced the next op */
    bool unsettled;       /* the op before left something behind: pending, last or misuse_next */
    const struct assay_event *current; /* given to before(), not yet to after() */
    struct assay_judge_pending pending[ASSAY_JUDGE_PENDING];
    unsigned pending_count;
    struct assay_event last; /* the last event that failed a fact, for further EVIDENCE */
    struct assay_judge_ground last_ground;
    struct assay_judge_tally tallies[ASSAY_OP_COUNT][2]; /* [kind][with a sweep] */
    uint64_t tallied;                           /* bit per kind: a tally of it holds something */
    uint64_t evaluations[ASSAY_PROPERTY_COUNT]; /* those of earlier tallies */
    uint64_t violations[ASSAY_PROPERTY_COUNT];
    uint64_t calls;
};

_Static_assert(ASSAY_PROPERTY_COUNT <= 64, "properties are kept as bits of a word");
_Static_assert(ASSAY_OP_COUNT <= 64, "op kinds are kept as bits of a word");

/* Bit per op kind: what a property is judged at. */
extern const uint64_t assay_judge_subscribed[ASSAY_PROPERTY_COUNT];

/* evidence.c: asks one oracle; a violation is reported, or waits for its EVIDENCE event. */
enum assay_outcome assay_judge_ask(struct assay_judge *judge, const struct assay_case *c,
                                   unsigned property, uint32_t number);
/* Asks the oracles of these properties (bit per property) again, now for their evidence. */
void assay_judge_report(struct assay_judge *judge, const struct assay_case *c, uint64_t bits,
                        uint32_t number);
void assay_judge_take_evidence(struct assay_judge *judge, const struct assay_event *evidence);
/* What still waits for evidence is reported as it is. */
void assay_judge_flush(struct assay_judge *judge);

/* life.c: another set of properties applied to an op of this kind. */
void assay_judge_start_tally(struct assay_judge *judge, unsigned kind, bool sweep,
                             uint64_t applied);

/* misuse.c: SECURITY rows; nothing else is judged from here on. */
void assay_judge_misuse(struct assay_judge *judge, const struct assay_event *event,
                        const struct assay_object *object, bool hung);
/* What the program did, whatever the allocator answered. */
void assay_judge_program(struct assay_judge *judge, const struct assay_event *event,
                         const struct assay_object *object);
/* T05 is known at the end of the stream only. */
void assay_judge_leaks(struct assay_judge *judge);

/* stop.c: the property that has the first word on an op because of where it is made, or NONE. */
uint8_t assay_judge_exact(const struct assay_judge *judge, unsigned kind, uint16_t thread);
/* CONTEXT, FORK and the ends of threads: where the ops that follow are made. */
void assay_judge_note_place(struct assay_judge *judge, const struct assay_event *event);
/* A legal op ended the program. */
void assay_judge_stop(struct assay_judge *judge, const struct assay_case *c);

/* place.c: enum assay_overlap_flag of a new object at this place. */
uint8_t assay_judge_describe_overlap(const struct assay_judge *judge,
                                     struct assay_index_conflict conflict, uint64_t address,
                                     uint64_t bytes);
/* The live object whose bytes the bounds of this one reach, or the other way round; 0 = none. */
uint32_t assay_judge_find_rounded(struct assay_judge *judge, uint32_t number);
/* The place is too small, and a sized free is to blame. */
bool assay_judge_misplaced(const struct assay_judge *judge, uint32_t number);

/* resources.c: rows of programs that measure or live in scarcity: no other op pays for them. */
void assay_judge_resources(struct assay_judge *judge, const struct assay_case *c, uint32_t number);
/* Fills used_least and used_most. */
void assay_judge_count_used(const struct assay_judge *judge, struct assay_case *c);
/* MEASURE, LIMIT and REFUSE. */
void assay_judge_system(struct assay_judge *judge, const struct assay_event *event);

#endif
