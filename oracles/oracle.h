/* What an oracle sees and says: the whole interface of one oracle on one page.
 *
 * An oracle is a function `enum assay_outcome assay_oracle_<ID>(const struct assay_case *, struct
 * assay_verdict *)`, pure in what the case holds: the event, the model's records of the objects
 * concerned (as they were before the op), the profile. It never reads a subject's memory; what
 * memory looked like is in event->checked and event->failed. To add one: a row in properties.def
 * (which names the op kinds it subscribes to) and the function in a file of conformance/ or
 * security/. The judge calls it for those kinds only, on legal ops (SECURITY rows: on misuse). */
#ifndef ASSAY_ORACLE_H
#define ASSAY_ORACLE_H

#include <errno.h>

#include "oracles/judge.h"
#include "oracles/model/model.h"
#include "oracles/model/resources.h"

#define ASSAY_ON(NAME) (UINT64_C(1) << ASSAY_OP_##NAME)
#define ASSAY_ON_ALIGNED                                                                           \
    (ASSAY_ON(ALIGNED_ALLOC) | ASSAY_ON(POSIX_MEMALIGN) | ASSAY_ON(MEMALIGN) | ASSAY_ON(VALLOC) |  \
     ASSAY_ON(PVALLOC))
#define ASSAY_ON_ALLOCATE (ASSAY_ON(MALLOC) | ASSAY_ON(CALLOC) | ASSAY_ON_ALIGNED)
#define ASSAY_ON_RESIZE   (ASSAY_ON(REALLOC) | ASSAY_ON(REALLOCARRAY) | ASSAY_ON(REZALLOC))
#define ASSAY_ON_BEARING  (ASSAY_ON_ALLOCATE | ASSAY_ON_RESIZE)
#define ASSAY_ON_RELEASE  (ASSAY_ON(FREE) | ASSAY_ON(FREE_SIZED) | ASSAY_ON(FREE_ALIGNED_SIZED))
#define ASSAY_ON_SIZED    (ASSAY_ON(FREE_SIZED) | ASSAY_ON(FREE_ALIGNED_SIZED))
#define ASSAY_ON_QUERY                                                                             \
    (ASSAY_ON(USABLE_SIZE) | ASSAY_ON(OBJECT_SIZE) | ASSAY_ON(TRIM) | ASSAY_ON(GOOD_SIZE) |        \
     ASSAY_ON(STATISTICS) | ASSAY_ON(HEAP_WALK))
#define ASSAY_ON_ACCESS (ASSAY_ON(READ) | ASSAY_ON(WRITE) | ASSAY_ON(CHECK))
#define ASSAY_ON_ANY    (ASSAY_ON_BEARING | ASSAY_ON_RELEASE | ASSAY_ON_QUERY | ASSAY_ON_ACCESS)

#define ASSAY_ON_SYSTEM                                                                            \
    (ASSAY_ON(MEASURE) | ASSAY_ON(LIMIT) | ASSAY_ON(REFUSE) | ASSAY_ON(TURNOVER))

enum {
    ASSAY_PAGE_BYTES = 4096,
    ASSAY_DEFAULT_ALIGNMENT = 16,
};
#define ASSAY_DEFAULT_BUDGET_LIVE   (UINT64_C(256) << 20)
#define ASSAY_DEFAULT_BUDGET_OBJECT (UINT64_C(64) << 20)

enum assay_outcome {
    ASSAY_OUTCOME_NOT_APPLICABLE, /* the property's precondition does not hold for this op */
    ASSAY_OUTCOME_HOLDS,
    ASSAY_OUTCOME_VIOLATED,
};

struct assay_verdict {
    uint8_t relation; /* enum assay_relation */
    uint8_t fact;     /* the enum assay_fact that failed: the EVIDENCE event that follows is its */
    uint32_t other;
    uint64_t expected, seen, offset;
};

/* How a new object collides with a live one. */
enum assay_overlap_flag {
    ASSAY_OVERLAP_SAME_START = 1 << 0,
    ASSAY_OVERLAP_BOTH_EMPTY = 1 << 1, /* two objects of size 0 at one address */
    ASSAY_OVERLAP_SURVIVOR = 1 << 2,   /* the other survived a failed resize */
};

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded" /* so that a test can tell a field that is not cleared */
struct assay_case {
    const struct assay_event *event;
    const struct assay_profile *profile; /* budgets are filled in */
    const struct assay_object *operand;  /* live operand, NULL = none or a null pointer */
    const struct assay_object *dead;     /* operand that is dead already (misuse) */
    const struct assay_resources *resources;
    uint64_t judged; /* bit per property that is judged for this stream */
    uint64_t op_index;
    uint64_t last_call;  /* index of the last op that changed the heap, UINT64_MAX = none yet */
    uint64_t bytes;      /* requested; UINT64_MAX on overflow */
    uint64_t alignment;  /* asked for, 0 = none */
    uint64_t live_bytes; /* before the op */
    uint64_t good_size;  /* what was answered just before for a request of this size, 0 = nothing */
    uint64_t good_told;  /* the good size of an earlier malloc, all of which was usable there */
    uint64_t used_least, used_most; /* STATISTICS: what lives takes so many bytes; most: 0 = open */
    uint32_t overlap;               /* live object that shares requested bytes with the new one */
    uint32_t overlap_usable;        /* live object that shares usable bytes only */
    uint32_t overlap_rounded; /* live object that shares its bytes with the new one's bounds, or the
                                 other way round, as capabilities would round them */
    uint8_t overlap_flags;    /* of overlap, else of overlap_usable */
    uint8_t kind;
    uint8_t scarcity;  /* enum assay_scarcity */
    uint8_t exact;     /* C27, C30 or C35: what C01 and C26 say of others, this one says of an op of
                          this context; 0 = none */
    bool overflow;     /* the product does not fit */
    bool succeeded;    /* bearing ops: the result is not a null pointer */
    bool null_operand; /* release, resize, query: of a null pointer */
    bool foreign;      /* release, resize: by a thread that does not own it, and C28 is judged */
    bool refused;      /* only refused requests came since the heap last changed */
    bool refused_now;  /* this op is a refused request */
    bool refused_after; /* as refused, this op included */
    bool hung;          /* the op never came back */
    bool misplaced;     /* too small a place, to which a sized free is to blame: C24 */
    bool forked;        /* the heap has not changed since a fork, at which all was whole */
    uint8_t spare[6];
};
#pragma GCC diagnostic pop

/* Every field. As one initialiser the whole would stand in memory, and clearing it there costs more
 * than judging many an op; like this it is registers. */
static inline __attribute__((always_inline)) void assay_case_clear(struct assay_case *c)
{
    c->event = NULL;
    c->profile = NULL;
    c->operand = c->dead = NULL;
    c->resources = NULL;
    c->judged = c->op_index = c->last_call = c->bytes = c->alignment = c->live_bytes = 0;
    c->good_size = c->good_told = c->used_least = c->used_most = 0;
    c->overlap = c->overlap_usable = c->overlap_rounded = 0;
    c->overlap_flags = c->kind = c->scarcity = c->exact = 0;
    c->overflow = c->succeeded = c->null_operand = c->foreign = false;
    c->refused = c->refused_now = c->refused_after = false;
    c->hung = c->misplaced = c->forked = false;
    for (unsigned i = 0; i < sizeof c->spare; i++)
        c->spare[i] = 0;
}

#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    enum assay_outcome assay_oracle_##ID(const struct assay_case *c, struct assay_verdict *v);
#include "oracles/properties.def"
#undef ASSAY_PROPERTY

static inline bool assay_case_judges(const struct assay_case *c, enum assay_property property)
{
    return (c->judged >> property) & 1;
}

static inline bool assay_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline enum assay_outcome assay_violated(struct assay_verdict *v,
                                                enum assay_relation relation, uint64_t expected,
                                                uint64_t seen)
{
    v->relation = (uint8_t)relation;
    v->expected = expected;
    v->seen = seen;
    return ASSAY_OUTCOME_VIOLATED;
}

/* The new object stands on a live one. */
static inline enum assay_outcome assay_overlap_violated(const struct assay_case *c,
                                                        struct assay_verdict *v)
{
    v->other = c->overlap;
    return assay_violated(v,
                          c->overlap_flags & ASSAY_OVERLAP_SAME_START
                              ? ASSAY_RELATION_OVERLAP_SAME_START
                              : ASSAY_RELATION_OVERLAP_PARTIAL,
                          0, c->event->address);
}

/* A fact that the executor found wrong; relation and offset follow in the EVIDENCE event. */
static inline enum assay_outcome assay_fact_violated(struct assay_verdict *v, enum assay_fact fact)
{
    v->relation = ASSAY_RELATION_CONTENT_UNKNOWN;
    v->fact = (uint8_t)fact;
    return ASSAY_OUTCOME_VIOLATED;
}

/* The alignment argument is one that the API must serve. */
bool assay_case_alignment_valid(const struct assay_case *c);
/* The request must be granted: sizes and alignment are valid and under the profile's budget. */
bool assay_case_within_budget(const struct assay_case *c);
/* size over PTRDIFF_MAX, or size + alignment wraps: must be refused. */
bool assay_case_oversize(const struct assay_case *c);
/* C24 says it: the memory came back to a wrong class by a sized free. */
static inline bool assay_case_misplaced(const struct assay_case *c)
{
    return c->misplaced && assay_case_judges(c, ASSAY_PROPERTY_C24);
}
/* errno (or the returned code) of a refused request is promised to be ENOMEM. */
bool assay_case_errno_promised(const struct assay_case *c);

/* The fact by which a refused resize is seen to have damaged its operand, 0 = none. Usable bytes
 * count when the object was looked at after the call, that is when its prefix was. */
static inline uint8_t assay_case_refusal_damage(const struct assay_case *c)
{
    if (c->succeeded || !c->operand || !(c->event->checked & ASSAY_FACT_PREFIX))
        return 0;
    return c->event->failed & ASSAY_FACT_PREFIX ? ASSAY_FACT_PREFIX
                                                : c->event->failed & ASSAY_FACT_USABLE;
}

/* Memory ends, and what was handed out cannot be touched: a failure that was taken for an address.
 */
static inline bool assay_case_no_memory(const struct assay_case *c)
{
    uint8_t own = ASSAY_FACT_CONTENT | ASSAY_FACT_ZERO | ASSAY_FACT_USABLE;
    return c->scarcity && c->succeeded && !c->operand && (c->event->failed & ASSAY_FACT_READABLE) &&
           (c->event->failed & own);
}

/* What the property of a context says: the op comes back, with memory where that is within budget.
 */
enum assay_outcome assay_case_in_context(const struct assay_case *c, enum assay_property property,
                                         struct assay_verdict *v);

/* How the op ended the program (crash, abort, hang), or NONE. */
enum assay_relation assay_case_stopped(const struct assay_case *c);

struct assay_model;
/* Content damage: which property is to blame, once the EVIDENCE is known. In: the violation as the
 * oracle saw it (object, event), and the property to blame if only refused requests or a fork can
 * have done it, else 0. Fills relation, other, offset, expected, seen; may change property. */
void assay_content_blame(struct assay_violation *violation, const struct assay_event *evidence,
                         const struct assay_model *model, uint64_t judged,
                         enum assay_property proved);

#endif
