/* The judge: looks the operand up once, brings the model up to the event, and calls the oracles
 * that subscribe to the op's kind. One function per kind is generated from ops.def; properties.def
 * decides, at compile time, which oracles each calls.
 *
 * Rules that are not in the catalogue:
 * - Events that the C library made or that were not executed are left out; objects that were live
 *   when the capture began enter the model unjudged.
 * - After a misuse the program is no longer legal: until the next reset only SECURITY rows are
 *   judged, whether the misuse was noticed or not (nobody can tell whether it was neutralised).
 *   An unmarked op on a dead or interior address counts as misuse too.
 * - A failed content fact waits for its EVIDENCE event, which decides relation and blame.
 * - One judge is one process; the caller feeds it the events of that process. */
#include "oracles/judge.h"

#include <signal.h>
#include <string.h>

#include "oracles/model/representable.h"
#include "oracles/oracle.h"

enum { PENDING_MAX = 4 };

/* What is known of the heap's recent past: the ground of C23 and S01. */
struct ground {
    uint64_t last_call;      /* op index of the last op that changed the heap */
    uint64_t last_refused;   /* of the last refused request, valid with refused */
    uint64_t last_checked;   /* of the last passed check, valid with checked */
    uint32_t checked_object; /* its object, 0 = all */
    bool refused, checked;   /* since last_call */
    bool forked;             /* since last_call; everything had been checked before */
};

struct pending {
    struct assay_violation violation;
    struct ground ground; /* as it was when the fact was established */
    uint8_t fact;
};

/* How often the same properties applied in a row: one addition per op in place of one per property.
 */
struct tally {
    uint64_t applied; /* bit per property */
    uint64_t ops;
};

struct assay_judge {
    struct assay_judge_config config;
    uint64_t judged; /* bit per property */
    struct assay_model model;
    uint64_t op_index;
    uint64_t good_asked,
        good_size;   /* the last good size and what it is of; asked UINT64_MAX: none */
    uint64_t widest; /* by which bounds of an object were rounded, for C37 */
    struct ground ground;
    struct assay_resources resources;
    uint8_t context; /* enum assay_context, of ops of context_thread */
    uint16_t context_thread;
    bool forked;          /* this process has forked, or was */
    uint64_t before_fork; /* bit per kind: one was seen before the first fork */
    bool special;         /* context or forked: ops of it have a property of their own */
    bool tainted;         /* a misuse happened */
    bool misuse_next;     /* a MISUSE record announced the next op */
    bool unsettled;       /* the op before left something behind: pending, last or misuse_next */
    const struct assay_event *current; /* given to before(), not yet to after() */
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
    struct assay_event last; /* the last event that failed a fact, for further EVIDENCE */
    struct ground last_ground;
    struct tally tallies[ASSAY_OP_COUNT][2];    /* [kind][with a sweep] */
    uint64_t tallied;                           /* bit per kind: a tally of it holds something */
    uint64_t evaluations[ASSAY_PROPERTY_COUNT]; /* those of earlier tallies */
    uint64_t violations[ASSAY_PROPERTY_COUNT];
    uint64_t calls;
};

_Static_assert(ASSAY_PROPERTY_COUNT <= 64, "properties are kept as bits of a word");
_Static_assert(ASSAY_OP_COUNT <= 64, "op kinds are kept as bits of a word");

static const uint64_t subscribed[ASSAY_PROPERTY_COUNT] = {
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    [ASSAY_PROPERTY_##ID] = (ops),
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
};

static uint32_t size_band(uint64_t bytes)
{
    return bytes ? 64 - (uint32_t)__builtin_clzll(bytes) : 0;
}

static void emit(struct assay_judge *judge, const struct assay_violation *violation)
{
    judge->violations[violation->property]++;
    if (judge->config.report)
        judge->config.report(judge->config.report_self, violation);
}

/* ---- content facts and their evidence ---- */

/* Nothing but refused requests can have touched the object since it was known to be whole. */
static bool blame_refusal(const struct assay_judge *judge, const struct ground *ground,
                          uint32_t number)
{
    const struct assay_object *object = assay_model_get(&judge->model, number);
    if (!ground->refused || !object)
        return false;
    if (object->birth == ground->last_call)
        return true;
    return ground->checked && ground->last_checked < ground->last_refused &&
           (ground->checked_object == 0 || ground->checked_object == number);
}

static void set_band(const struct assay_judge *judge, struct assay_violation *violation)
{
    const struct assay_object *object = assay_model_get(&judge->model, violation->object);
    if (object)
        violation->size_band = size_band(object->requested);
}

static void flush_pending(struct assay_judge *judge)
{
    unsigned count = judge->pending_count;
    judge->pending_count = 0;
    for (unsigned i = 0; i < count; i++)
        emit(judge, &judge->pending[i].violation);
}

static void take_evidence(struct assay_judge *judge, const struct assay_event *evidence)
{
    struct pending further, *found = NULL;
    unsigned at = 0;
    for (; at < judge->pending_count; at++)
        if (judge->pending[at].fact & evidence->failed) {
            found = &judge->pending[at];
            break;
        }
    if (!found) {
        /* A sweep may find several damaged objects: one EVIDENCE each. */
        if (!(evidence->failed & judge->last.failed & ASSAY_FACT_SIBLINGS) || judge->tainted ||
            !(judge->judged >> ASSAY_PROPERTY_C08 & 1))
            return;
        further = (struct pending){.fact = ASSAY_FACT_SIBLINGS, .ground = judge->last_ground};
        further.violation.property = ASSAY_PROPERTY_C08;
        further.violation.kind = judge->last.kind;
        further.violation.op_index = judge->op_index ? judge->op_index - 1 : 0;
        further.violation.event = judge->last;
        found = &further;
    }
    struct assay_violation violation = found->violation;
    enum assay_property proved = found->ground.forked ? ASSAY_PROPERTY_C30
                                 : blame_refusal(judge, &found->ground, evidence->object)
                                     ? ASSAY_PROPERTY_C23
                                     : ASSAY_PROPERTY_NONE;
    if (found != &further)
        judge->pending[at] = judge->pending[--judge->pending_count];
    assay_content_blame(&violation, evidence, &judge->model, judge->judged, proved);
    set_band(judge, &violation);
    emit(judge, &violation);
}

/* ---- running oracles ---- */

static __attribute__((noinline)) void violated(struct assay_judge *judge,
                                               const struct assay_case *c, unsigned property,
                                               const struct assay_verdict *v, uint32_t number)
{
    struct assay_violation violation = {
        .property = (uint16_t)property,
        .kind = c->kind,
        .relation = v->relation,
        .object = number,
        .other = v->other,
        .size_band = size_band(c->bytes),
        .op_index = c->op_index,
        .expected = v->expected,
        .seen = v->seen,
        .offset = v->offset,
        .event = *c->event,
    };
    const struct assay_object *operand = c->operand ? c->operand : c->dead;
    if (operand && !assay_event_bears(c->event))
        violation.size_band = size_band(operand->requested);
    if (v->fact == 0) {
        emit(judge, &violation);
        return;
    }
    if (judge->pending_count == PENDING_MAX)
        flush_pending(judge);
    /* Operands are looked at before the call, siblings after it. */
    struct ground ground = judge->ground;
    if (v->fact == ASSAY_FACT_SIBLINGS) {
        ground.refused = c->refused_after;
        if (c->refused_now)
            ground.last_refused = c->op_index;
    }
    judge->unsettled = true;
    judge->pending[judge->pending_count++] =
        (struct pending){.violation = violation, .fact = v->fact, .ground = ground};
    judge->last = *c->event;
    judge->last_ground = ground;
}

typedef enum assay_outcome (*oracle_function)(const struct assay_case *, struct assay_verdict *);

static const oracle_function oracles[ASSAY_PROPERTY_COUNT] = {
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    [ASSAY_PROPERTY_##ID] = assay_oracle_##ID,
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
};

/* Asks the oracles of these properties again, now for their evidence. */
static __attribute__((noinline, cold)) void
report(struct assay_judge *judge, const struct assay_case *c, uint64_t properties, uint32_t number)
{
    for (; properties != 0; properties &= properties - 1) {
        unsigned property = (unsigned)__builtin_ctzll(properties);
        struct assay_verdict v = {0};
        if (oracles[property](c, &v) == ASSAY_OUTCOME_VIOLATED)
            violated(judge, c, property, &v, number);
    }
}

static __attribute__((noinline)) void start_tally(struct assay_judge *judge, unsigned kind,
                                                  bool sweep, uint64_t applied)
{
    struct tally *tally = &judge->tallies[kind][sweep];
    for (uint64_t rest = tally->applied; rest != 0; rest &= rest - 1)
        judge->evaluations[__builtin_ctzll(rest)] += tally->ops;
    *tally = (struct tally){.applied = applied, .ops = 1};
    judge->tallied |= UINT64_C(1) << kind;
}

static void end_tallies(struct assay_judge *judge)
{
    for (uint64_t rest = judge->tallied; rest != 0; rest &= rest - 1)
        for (unsigned sweep = 0; sweep < 2; sweep++)
            start_tally(judge, (unsigned)__builtin_ctzll(rest), sweep, 0);
    judge->tallied = 0;
}

static inline __attribute__((always_inline)) void count(struct assay_judge *judge, unsigned kind,
                                                        bool sweep, uint64_t applied)
{
    struct tally *tally = &judge->tallies[kind][sweep];
    if (__builtin_expect(tally->applied == applied, 1))
        tally->ops++;
    else
        start_tally(judge, kind, sweep, applied);
}

/* Which rows an op is judged by. */
enum rows { ROWS_LEGAL, ROWS_MISUSE, ROWS_PROGRAM };

static inline __attribute__((always_inline)) enum rows rows_of(enum assay_severity severity)
{
    return severity == ASSAY_SEVERITY_SECURITY  ? ROWS_MISUSE
           : severity == ASSAY_SEVERITY_PROGRAM ? ROWS_PROGRAM
                                                : ROWS_LEGAL;
}

/* Calls every oracle that subscribes to `kind` (a constant where this is inlined). An oracle is
 * pure, so one that is not judged in this stream may run: its bit is dropped. */
static inline __attribute__((always_inline)) void run_oracles(struct assay_judge *judge,
                                                              const struct assay_case *c,
                                                              unsigned kind, enum rows rows,
                                                              uint32_t number)
{
    uint64_t applied = 0, wrong = 0;
    struct assay_verdict unused;
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    if (((ops) >> kind & 1) && rows_of(ASSAY_SEVERITY_##severity) == rows &&                       \
        !((needs)&ASSAY_HAS_RESOURCES)) {                                                          \
        enum assay_outcome outcome = assay_oracle_##ID(c, &unused);                                \
        applied |= (uint64_t)(outcome != ASSAY_OUTCOME_NOT_APPLICABLE) << ASSAY_PROPERTY_##ID;     \
        wrong |= (uint64_t)(outcome == ASSAY_OUTCOME_VIOLATED) << ASSAY_PROPERTY_##ID;             \
    }
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
    count(judge, kind, c->event->checked & ASSAY_FACT_SIBLINGS, applied & judge->judged);
    if (__builtin_expect((wrong & judge->judged) != 0, 0)) {
        struct assay_case copy = *c; /* so that the case itself can live in registers */
        report(judge, &copy, wrong & judge->judged, number);
    }
}

/* Rows of programs that measure or live in scarcity: no other op pays for them. */
static __attribute__((noinline, cold)) void
judge_resources(struct assay_judge *judge, const struct assay_case *c, uint32_t number)
{
    for (uint64_t rest = judge->judged; rest != 0; rest &= rest - 1) {
        unsigned property = (unsigned)__builtin_ctzll(rest);
        struct assay_verdict v = {0};
        if (!(subscribed[property] >> c->kind & 1) ||
            !(assay_property_info(property)->needs & ASSAY_HAS_RESOURCES))
            continue;
        enum assay_outcome outcome = oracles[property](c, &v);
        judge->evaluations[property] += outcome != ASSAY_OUTCOME_NOT_APPLICABLE;
        if (outcome == ASSAY_OUTCOME_VIOLATED)
            violated(judge, c, property, &v, number);
    }
}

/* ---- one op ---- */

static inline __attribute__((always_inline)) bool is_misuse(const struct assay_event *event,
                                                            const struct assay_object *object,
                                                            unsigned kind, unsigned op_class)
{
    if (event->flags & ASSAY_FLAG_MISUSE)
        return true;
    if (op_class == ASSAY_CLASS_ALLOCATE || assay_op_of_heap(kind) || kind == ASSAY_OP_CHECK)
        return false;
    if (event->place != ASSAY_PLACE_OBJECT)
        return event->place != ASSAY_PLACE_NULL && event->place != ASSAY_PLACE_WILD;
    if (!object)
        return false;
    if (object->state == ASSAY_OBJECT_FREED)
        return true;
    if (op_class == ASSAY_CLASS_ACCESS)
        return (kind == ASSAY_OP_STORE && object->state == ASSAY_OBJECT_LIVE &&
                event->arg >= object->requested) ||
               (kind == ASSAY_OP_WRITE && object->state == ASSAY_OBJECT_LIVE &&
                (event->arg > object->requested || event->size > object->requested - event->arg));
    return assay_op_has_offset(kind) && kind != ASSAY_OP_OBJECT_SIZE && event->arg != 0;
}

static __attribute__((noinline)) void judge_misuse(struct assay_judge *judge,
                                                   const struct assay_event *event,
                                                   const struct assay_object *object, bool hung)
{
    struct assay_case c = {
        .event = event,
        .profile = &judge->config.profile,
        .judged = judge->judged,
        .op_index = judge->op_index,
        .last_call = judge->ground.last_call,
        .kind = event->kind,
        .hung = hung,
    };
    bool straight = event->place == ASSAY_PLACE_OBJECT &&
                    (!assay_op_has_offset(event->kind) || event->arg == 0);
    if (object && straight)
        *(object->state == ASSAY_OBJECT_LIVE ? &c.operand : &c.dead) = object;
    judge->tainted = true;
    run_oracles(judge, &c, event->kind, ROWS_MISUSE, event->object);
}

/* A sized release with a size that may be given and that nobody has to remember: of an empty
 * object, or between the requested and the usable. */
static bool by_size(const struct assay_case *c)
{
    return (ASSAY_ON_SIZED >> c->kind & 1) && c->operand &&
           (c->event->size == 0 || c->event->size != c->operand->requested);
}

/* The property that has the first word on an op because of where it is made. */
static __attribute__((noinline, cold)) uint8_t exact_property(const struct assay_judge *judge,
                                                              unsigned kind, uint16_t thread)
{
    bool fork = kind == ASSAY_OP_FORK || (judge->forked && judge->before_fork >> kind & 1);
    unsigned property = fork ? ASSAY_PROPERTY_C30 : ASSAY_PROPERTY_NONE;
    if (kind == ASSAY_OP_THREAD_EXIT || kind == ASSAY_OP_EXIT)
        property = ASSAY_PROPERTY_C35;
    if (judge->context_thread == thread && judge->context == ASSAY_CONTEXT_FIRST)
        property = ASSAY_PROPERTY_C27;
    else if (judge->context_thread == thread && judge->context > ASSAY_CONTEXT_LOOP)
        property = ASSAY_PROPERTY_C35;
    return judge->judged >> property & 1 ? (uint8_t)property : ASSAY_PROPERTY_NONE;
}

/* CONTEXT, FORK and the ends of threads: where the ops that follow are made. */
static __attribute__((noinline, cold)) void note_place(struct assay_judge *judge,
                                                       const struct assay_event *event)
{
    switch (event->kind) {
    case ASSAY_OP_CONTEXT:
        judge->context = event->arg < ASSAY_CONTEXT_COUNT ? (uint8_t)event->arg : 0;
        judge->context_thread = event->thread;
        break;
    case ASSAY_OP_FORK:
        if (!judge->forked)
            judge->before_fork = judge->tallied;
        judge->forked = true;
        judge->ground.forked = judge->ground.checked && judge->ground.checked_object == 0;
        judge->context = ASSAY_CONTEXT_NONE;
        break;
    case ASSAY_OP_THREAD_EXIT:
        judge->resources.used = true;
        judge->resources.threads++;
        if (judge->context_thread == event->thread)
            judge->context = ASSAY_CONTEXT_NONE;
        break;
    default: break;
    }
    judge->special = judge->forked || judge->context != ASSAY_CONTEXT_NONE;
}

/* A legal op ended the program. Of an object that survived a failed resize, C13 says that it can be
 * freed; where memory ends, C33 says that nobody dies of it; of a first call, a forked process and
 * a handler C27, C30 and C35; of an object of another thread C28; of every other, C26. */
static __attribute__((noinline)) void judge_stop(struct assay_judge *judge,
                                                 const struct assay_case *c)
{
    uint32_t number = c->event->object ? c->event->object : c->event->born;
    bool survivor = c->operand && (c->operand->flags & ASSAY_OBJECT_SURVIVOR);
    if (judge->tainted || !judge->config.legal)
        return;
    unsigned property = survivor && assay_case_judges(c, ASSAY_PROPERTY_C13) ? ASSAY_PROPERTY_C13
                        : by_size(c) && assay_case_judges(c, ASSAY_PROPERTY_C24)
                            ? ASSAY_PROPERTY_C24
                        : c->scarcity ? ASSAY_PROPERTY_C33
                        : c->exact    ? c->exact
                        : c->foreign  ? ASSAY_PROPERTY_C28
                                      : ASSAY_PROPERTY_C26;
    if (!assay_case_judges(c, property))
        return;
    judge->evaluations[property]++;
    report(judge, c, UINT64_C(1) << property, number);
}

static inline __attribute__((always_inline)) void fill_record(struct assay_object *object,
                                                              const struct assay_case *c)
{
    const struct assay_event *event = c->event;
    /* What had to be refused cannot be as large as it says: only its first byte is its own. */
    bool impossible = c->overflow || assay_case_oversize(c);
    bool usable = (event->flags & ASSAY_FLAG_USABLE) && !impossible;
    uint64_t most = impossible ? 0 : UINT64_C(0xffffffffffff);
    uint64_t alignment = assay_power_of_two(c->alignment) ? c->alignment : 0;
    if (c->operand && c->profile->realloc_keeps_alignment == ASSAY_ANSWER_YES)
        alignment = c->operand->alignment_log2 ? UINT64_C(1) << c->operand->alignment_log2 : 0;
    object->address = event->address;
    object->requested_and_owner = (c->bytes > most ? most : c->bytes) | (uint64_t)event->thread
                                                                            << 48;
    object->usable_extra = usable ? event->usable_extra : 0;
    object->birth = c->op_index > UINT32_MAX ? UINT32_MAX : (uint32_t)c->op_index;
    object->death = 0;
    object->api = c->kind;
    object->alignment_log2 = alignment > 1 ? (uint8_t)__builtin_ctzll(alignment) : 0;
    object->flags = usable ? ASSAY_OBJECT_USABLE_KNOWN | ASSAY_OBJECT_EXTENT_USABLE : 0;
    if (event->flags & ASSAY_FLAG_PREEXISTING)
        object->flags |= ASSAY_OBJECT_PREEXISTING;
}

static __attribute__((noinline, cold)) uint8_t
describe_overlap(const struct assay_judge *judge, struct assay_index_conflict conflict,
                 uint64_t address, uint64_t bytes)
{
    const struct assay_object *other =
        assay_model_get(&judge->model, conflict.requested ? conflict.requested : conflict.usable);
    uint8_t flags = 0;
    if (other->address == address)
        flags |= ASSAY_OVERLAP_SAME_START;
    if (other->address == address && other->requested == 0 && bytes == 0)
        flags |= ASSAY_OVERLAP_BOTH_EMPTY;
    if (other->flags & ASSAY_OBJECT_SURVIVOR)
        flags |= ASSAY_OVERLAP_SURVIVOR;
    return flags;
}

/* Whose bytes do the bounds of a new object reach, or whose bounds reach its bytes? */
struct reach {
    const struct assay_object *objects;
    uint32_t number, found;
    unsigned mantissa;
};

static bool reaches(const struct assay_object *a, const struct assay_object *b, unsigned mantissa)
{
    uint64_t from, to;
    assay_representable_bounds(a->address, assay_object_span(a), mantissa, &from, &to);
    return from < b->address + assay_object_span(b) && b->address < to;
}

static bool reaches_other(void *self, uint32_t number)
{
    struct reach *reach = self;
    const struct assay_object *mine = &reach->objects[reach->number],
                              *other = &reach->objects[number];
    if (number == reach->number ||
        (!reaches(mine, other, reach->mantissa) && !reaches(other, mine, reach->mantissa)))
        return true;
    reach->found = number;
    return false;
}

/* Looks at both sides of the object, as far as its own bounds and those of small objects reach;
 * bounds that are rounded by more than two pages are those of large ones. */
static __attribute__((noinline)) uint32_t find_rounded(struct assay_judge *judge, uint32_t number)
{
    unsigned mantissa = judge->config.profile.cheri_mantissa;
    const struct assay_object *object = &judge->model.objects[number];
    struct reach reach = {judge->model.objects, number, 0, mantissa};
    uint64_t from, to, span = assay_object_span(object); /* may go beyond the last address */
    assay_representable_bounds(object->address, span, mantissa, &from, &to);
    uint64_t own = to - from > span ? to - from - span : 0;
    judge->widest = own > judge->widest ? own : judge->widest;
    uint64_t most = UINT64_C(2) * ASSAY_PAGE_BYTES;
    uint64_t small = judge->widest < most ? judge->widest : most;
    uint64_t end = span < UINT64_MAX - object->address ? object->address + span : UINT64_MAX;
    assay_index_each(&judge->model.index, from > small ? from - small : 0, object->address,
                     judge->widest, reaches_other, &reach);
    if (reach.found == 0)
        assay_index_each(&judge->model.index, end,
                         to < UINT64_MAX - small ? to + small : UINT64_MAX, judge->widest,
                         reaches_other, &reach);
    return reach.found;
}

/* The new object's place is too small for it, and the one that stood there last, in a slot as
 * small, was freed by a sized release, while the same request got a place that is large enough
 * elsewhere: the slot went back to another class. */
static __attribute__((noinline, cold)) bool misplaced(const struct assay_judge *judge,
                                                      uint32_t number)
{
    const struct assay_object *objects = judge->model.objects, *own = &objects[number];
    const struct assay_object *last = NULL;
    bool proof = false;
    for (uint32_t i = 1; i <= judge->model.highest; i++) {
        const struct assay_object *other = &objects[i];
        if (i == number || other->state == ASSAY_OBJECT_UNBORN)
            continue;
        if (other->state == ASSAY_OBJECT_FREED && other->address == own->address &&
            (!last || other->death >= last->death))
            last = other;
        proof |= other->address != own->address && other->requested == own->requested &&
                 other->api == own->api && other->usable_extra >= 0;
    }
    if (!proof || !last || !(last->flags & ASSAY_OBJECT_SIZED))
        return false;
    /* a slot that is large enough, handed out twice, is an overlap and nothing else */
    return (int64_t)last->requested + last->usable_extra < (int64_t)own->requested;
}

static inline __attribute__((always_inline)) void bear(struct assay_judge *judge,
                                                       struct assay_case *c, uint32_t number)
{
    struct assay_object *object = assay_model_get(&judge->model, number);
    struct assay_index_conflict conflict;
    if (!object || object->state == ASSAY_OBJECT_LIVE)
        return;
    fill_record(object, c);
    assay_model_bear(&judge->model, number, &conflict);
    if (__builtin_expect((conflict.requested | conflict.usable) != 0, 0)) {
        c->overlap = conflict.requested;
        c->overlap_usable = conflict.usable;
        c->overlap_flags = describe_overlap(judge, conflict, c->event->address, c->bytes);
    }
    if (__builtin_expect(conflict.requested != 0 || object->usable_extra < 0, 0))
        c->misplaced = misplaced(judge, number);
    if (__builtin_expect(judge->config.profile.cheri_mantissa != 0, 0))
        c->overlap_rounded = find_rounded(judge, number);
}

/* A resize that came to its end. The operand's index entry goes first, so that growing in place is
 * no overlap. A resize that was refused where a trace was taken and is granted here bears no
 * number: then the operand keeps its own. */
static inline __attribute__((always_inline)) void resize(struct assay_judge *judge,
                                                         struct assay_case *c, uint32_t number)
{
    struct assay_model *model = &judge->model;
    if (c->operand) {
        struct assay_object *object = assay_model_get(model, number);
        bool failed = !c->succeeded && (c->bytes != 0 || c->event->error == ENOMEM);
        if (failed && object->state == ASSAY_OBJECT_LIVE) {
            object->flags |= ASSAY_OBJECT_SURVIVOR;
            return;
        }
        if (failed) {
            struct assay_index_conflict conflict;
            object->flags |= ASSAY_OBJECT_SURVIVOR;
            assay_model_revive(model, number, &conflict);
            if (conflict.requested) {
                c->overlap = conflict.requested;
                c->overlap_flags = ASSAY_OVERLAP_SURVIVOR;
            }
            return;
        }
        bool ambiguous = !c->succeeded && c->profile->realloc_zero != ASSAY_ZERO_RESIZE_FREES;
        enum assay_object_state state = ambiguous ? ASSAY_OBJECT_AMBIGUOUS : ASSAY_OBJECT_FREED;
        if (object->state == ASSAY_OBJECT_LIVE)
            assay_model_end(model, number, state);
        else
            object->state = (uint8_t)state;
    }
    if (c->succeeded)
        bear(judge, c, c->operand && c->event->born == 0 ? number : c->event->born);
}

static void learn_usable(struct assay_object *object, const struct assay_event *event)
{
    if (!object || (object->flags & ASSAY_OBJECT_USABLE_KNOWN) || event->value < object->requested)
        return;
    uint64_t more = event->value - object->requested;
    object->usable_extra = more > INT32_MAX ? INT32_MAX : (int32_t)more;
    object->flags |= ASSAY_OBJECT_USABLE_KNOWN;
}

/* What statistics may say of what lives: not less than was asked for, and not more than that with
 * what a class, a header, an alignment and a page take. */
static __attribute__((noinline)) void count_used(const struct assay_judge *judge,
                                                 struct assay_case *c)
{
    enum { HEADER_BYTES = 64, LARGE_BYTES = 16384, LEAST_SLACK = 64 << 10, PERCENT = 100 };
    const struct assay_profile *profile = &judge->config.profile;
    uint64_t least = 0, most = 0;
    for (uint32_t i = 1; i <= judge->model.highest; i++) {
        const struct assay_object *object = &judge->model.objects[i];
        if (object->state != ASSAY_OBJECT_LIVE)
            continue;
        uint64_t bytes = object->requested;
        bool usable = object->flags & ASSAY_OBJECT_USABLE_KNOWN && object->usable_extra > 0;
        least += bytes;
        most += usable ? assay_object_usable(object) : bytes + bytes / 4;
        most += HEADER_BYTES + (bytes >= LARGE_BYTES ? (uint64_t)ASSAY_PAGE_BYTES : 0) +
                (object->alignment_log2 ? UINT64_C(1) << object->alignment_log2 : 0);
    }
    bool apart = profile->statistics_mapped == ASSAY_ANSWER_YES, whole = c->event->arg != 0;
    uint64_t slack =
        profile->statistics_slack > LEAST_SLACK ? profile->statistics_slack : LEAST_SLACK;
    slack += least / PERCENT;
    bool counts_all = whole || profile->statistics_mapped == ASSAY_ANSWER_NO;
    bool counts_once = !whole || apart;
    c->used_least = counts_all && least > slack ? least - slack : 0;
    c->used_most = counts_once && profile->statistics_slack ? most + slack : 0;
}

static inline __attribute__((always_inline)) void
remember(struct ground *ground, const struct assay_case *c, bool changes, uint32_t number)
{
    if (c->refused_now) {
        ground->refused = true;
        ground->last_refused = c->op_index;
    } else if (changes) {
        ground->last_call = c->op_index;
        ground->refused = ground->checked = ground->forked = false;
    } else if (c->kind == ASSAY_OP_CHECK && c->event->checked != 0 && c->event->failed == 0) {
        ground->checked = true;
        ground->last_checked = c->op_index;
        ground->checked_object = number;
    }
}

/* What the program did, whatever the allocator answered. */
static __attribute__((noinline)) void judge_program(struct assay_judge *judge,
                                                    const struct assay_event *event,
                                                    const struct assay_object *object)
{
    struct assay_case c = {
        .event = event,
        .profile = &judge->config.profile,
        .judged = judge->judged,
        .op_index = judge->op_index,
        .kind = event->kind,
    };
    bool straight = !assay_op_has_offset(event->kind) || event->arg == 0;
    if (object && object->state == ASSAY_OBJECT_AMBIGUOUS)
        return;
    if (object && straight && object->state != ASSAY_OBJECT_UNBORN)
        *(object->state == ASSAY_OBJECT_FREED ? &c.dead : &c.operand) = object;
    run_oracles(judge, &c, event->kind, ROWS_PROGRAM, event->object);
}

/* T05 is known at the end of the stream only. */
static void judge_leaks(struct assay_judge *judge)
{
    for (uint32_t number = 1; number <= judge->model.highest; number++) {
        const struct assay_object *object = &judge->model.objects[number];
        bool doubtful = object->state == ASSAY_OBJECT_AMBIGUOUS;
        if (object->state == ASSAY_OBJECT_UNBORN || doubtful ||
            (object->flags & ASSAY_OBJECT_PREEXISTING))
            continue;
        const struct assay_event event = {.kind = object->api,
                                          .born = number,
                                          .size = object->requested,
                                          .arg = object->api == ASSAY_OP_CALLOC,
                                          .address = object->address};
        struct assay_case c = {.event = &event,
                               .profile = &judge->config.profile,
                               .operand = object,
                               .judged = judge->judged,
                               .op_index = object->birth,
                               .bytes = object->requested,
                               .kind = object->api};
        judge->evaluations[ASSAY_PROPERTY_T05]++;
        report(judge, &c, UINT64_C(1) << ASSAY_PROPERTY_T05, number);
    }
}

static inline __attribute__((always_inline)) void judge_op(struct assay_judge *judge,
                                                           const struct assay_event *event,
                                                           unsigned kind, unsigned op_class)
{
    bool resizing = op_class == ASSAY_CLASS_RESIZE, releasing = op_class == ASSAY_CLASS_RELEASE;
    bool bearing = op_class == ASSAY_CLASS_ALLOCATE || resizing;
    bool pointer = !assay_op_of_heap(kind) && op_class != ASSAY_CLASS_ALLOCATE;
    struct assay_object *object = NULL;
    if (pointer && event->place == ASSAY_PLACE_OBJECT)
        object = assay_model_get(&judge->model, event->object);
    bool told = (event->flags & ASSAY_FLAG_END) && object && object->state != ASSAY_OBJECT_LIVE;
    if (__builtin_expect(judge->config.program, 0) && pointer && !told)
        judge_program(judge, event, object);
    if (__builtin_expect(is_misuse(event, object, kind, op_class), 0)) {
        judge_misuse(judge, event, object, false);
        if (!releasing || !object || object->state != ASSAY_OBJECT_LIVE || event->arg != 0)
            return;
    }
    bool open = object && (object->state == ASSAY_OBJECT_LIVE ||
                           (resizing && object->state == ASSAY_OBJECT_RESIZING));
    struct assay_case c;
    assay_case_clear(&c);
    c.event = event;
    c.profile = &judge->config.profile;
    c.operand = open ? object : NULL;
    c.judged = judge->judged;
    c.op_index = judge->op_index;
    c.last_call = judge->ground.last_call;
    c.live_bytes = judge->model.live_bytes;
    c.kind = (uint8_t)kind;
    c.scarcity = judge->resources.scarcity;
    c.resources = &judge->resources;
    c.refused = judge->ground.refused;
    if (resizing && (event->flags & ASSAY_FLAG_BEGIN)) {
        if (open)
            assay_model_end(&judge->model, event->object, ASSAY_OBJECT_RESIZING);
        return;
    }
    if (bearing) {
        uint64_t bytes = event->size; /* assay_event_bytes(), for a kind known here */
        if (kind == ASSAY_OP_CALLOC || kind == ASSAY_OP_REALLOCARRAY)
            c.overflow = __builtin_mul_overflow(event->size, event->arg, &bytes);
        c.bytes = c.overflow ? UINT64_MAX : bytes;
        c.alignment = ASSAY_ON_ALIGNED >> kind & 1 ? assay_event_alignment(event) : 0;
        c.succeeded = event->address != ASSAY_ADDRESS_NULL;
    }
    if (pointer)
        c.null_operand =
            event->place == ASSAY_PLACE_NULL || (event->place == ASSAY_PLACE_OBJECT &&
                                                 (!object || object->state == ASSAY_OBJECT_UNBORN));
    if ((resizing || releasing) && open)
        c.foreign = object->owner != event->thread && (judge->judged >> ASSAY_PROPERTY_C28 & 1);
    if (__builtin_expect(judge->special, 0)) {
        c.exact = exact_property(judge, kind, event->thread);
        c.forked = judge->ground.forked;
    }

    c.refused_now = bearing && !c.succeeded && (c.bytes != 0 || event->error == ENOMEM);
    bool changes = (bearing && !c.refused_now) || (releasing && open);
    c.refused_after = c.refused_now || (c.refused && !changes);

    judge->model.op_index = judge->op_index;
    uint64_t released = releasing && open ? object->requested : 0;
    if (__builtin_expect(c.scarcity && c.refused_now, 0))
        assay_resources_look(&judge->resources, &judge->model);
    if (__builtin_expect(event->signal != 0, 0))
        c.succeeded = false;
    else if (op_class == ASSAY_CLASS_ALLOCATE && c.succeeded)
        bear(judge, &c, event->born);
    else if (resizing)
        resize(judge, &c, event->object);
    else if (releasing && open)
        assay_model_end(&judge->model, event->object, ASSAY_OBJECT_FREED);
    if ((ASSAY_ON_SIZED >> kind & 1) && open)
        object->flags |= ASSAY_OBJECT_SIZED;
    if (kind == ASSAY_OP_STATISTICS)
        count_used(judge, &c);
    if (kind == ASSAY_OP_GOOD_SIZE) {
        judge->good_asked = event->size;
        judge->good_size = event->value;
    }
    if (kind == ASSAY_OP_MALLOC && __builtin_expect(judge->good_asked == event->size, 0))
        c.good_size = judge->good_size;

    if (__builtin_expect(event->signal != 0, 0)) {
        struct assay_case copy = c;
        judge_stop(judge, &copy);
        return;
    }
    if (__builtin_expect(!judge->tainted && !(event->flags & ASSAY_FLAG_PREEXISTING), 1)) {
        judge->calls += bearing || releasing;
        run_oracles(judge, &c, kind, ROWS_LEGAL,
                    bearing && c.succeeded ? event->born : event->object);
    }
    if (__builtin_expect(c.scarcity != ASSAY_SCARCITY_NONE, 0)) {
        struct assay_case copy = c;
        if (!judge->tainted && !(event->flags & ASSAY_FLAG_PREEXISTING))
            judge_resources(judge, &copy, bearing && c.succeeded ? event->born : event->object);
        assay_resources_note(&judge->resources, &judge->model, released,
                             bearing && c.succeeded ? c.bytes : 0, c.refused_now);
    }
    if (kind == ASSAY_OP_USABLE_SIZE && open)
        learn_usable(object, event);
    remember(&judge->ground, &c, changes, event->object);
    if (__builtin_expect(judge->context == ASSAY_CONTEXT_FIRST, 0)) {
        judge->context = ASSAY_CONTEXT_NONE;
        judge->special = judge->forked;
    }
}

static __attribute__((noinline, cold)) void judge_system(struct assay_judge *judge,
                                                         const struct assay_event *event)
{
    struct assay_resources *r = &judge->resources;
    if (event->kind != ASSAY_OP_MEASURE) {
        assay_resources_take(r, &judge->model, event);
        return;
    }
    const struct assay_case c = {.event = event,
                                 .profile = &judge->config.profile,
                                 .judged = judge->judged,
                                 .op_index = judge->op_index,
                                 .live_bytes = judge->model.live_bytes,
                                 .kind = ASSAY_OP_MEASURE,
                                 .scarcity = r->scarcity,
                                 .resources = r};
    assay_resources_measure(r, &judge->model, event);
    if (!judge->tainted)
        judge_resources(judge, &c, 0);
}

/* One function per op kind. Kinds that no executor serves yet pass by. */
typedef void (*judge_function)(struct assay_judge *, const struct assay_event *);

#define ASSAY_OP(number, NAME, name, op_class, arg)                                                \
    static __attribute__((flatten)) void judge_##NAME(struct assay_judge *judge,                   \
                                                      const struct assay_event *event)             \
    {                                                                                              \
        if (ASSAY_ON_ANY >> (number)&1)                                                            \
            judge_op(judge, event, number, ASSAY_CLASS_##op_class);                                \
        if (ASSAY_ON_SYSTEM >> (number)&1)                                                         \
            judge_system(judge, event);                                                            \
        if (ASSAY_CLASS_##op_class == ASSAY_CLASS_CONTROL)                                         \
            note_place(judge, event);                                                              \
    }
#include "traces/ops.def"
#undef ASSAY_OP

static void judge_nothing(struct assay_judge *judge, const struct assay_event *event)
{
    (void)judge;
    (void)event;
}

static const judge_function judges[ASSAY_OP_COUNT] = {
    [ASSAY_OP_NONE] = judge_nothing,
#define ASSAY_OP(number, NAME, name, op_class, arg) [number] = judge_##NAME,
#include "traces/ops.def"
#undef ASSAY_OP
};

/* ---- the sink ---- */

void assay_judge_before(struct assay_judge *judge, const struct assay_event *op)
{
    judge->current = op;
}

/* What the op before left behind comes to its end, or marks this one. */
static __attribute__((noinline, cold)) bool settle(struct assay_judge *judge)
{
    bool misuse = judge->misuse_next;
    flush_pending(judge);
    judge->last.failed = 0;
    judge->misuse_next = judge->unsettled = false;
    return misuse;
}

static __attribute__((noinline, cold)) void judge_marked(struct assay_judge *judge,
                                                         const struct assay_event *event)
{
    struct assay_event marked = *event;
    marked.flags |= ASSAY_FLAG_MISUSE;
    judges[event->kind](judge, &marked);
}

static inline __attribute__((always_inline)) void after(struct assay_judge *judge,
                                                        const struct assay_event *event)
{
    bool misuse = false;
    bool mark = event->kind == ASSAY_OP_MISUSE || event->kind == ASSAY_OP_EVIDENCE;
    if (__builtin_expect(mark || event->kind >= ASSAY_OP_COUNT, 0)) {
        if (event->kind == ASSAY_OP_EVIDENCE) {
            take_evidence(judge, event);
            return;
        }
        settle(judge);
        judge->misuse_next = judge->unsettled = event->kind == ASSAY_OP_MISUSE;
    } else {
        if (__builtin_expect(judge->unsettled, 0))
            misuse = settle(judge);
        if (__builtin_expect(event->flags & (ASSAY_FLAG_SKIPPED | ASSAY_FLAG_LIBRARY), 0))
            ;
        else if (__builtin_expect(misuse, 0))
            judge_marked(judge, event);
        else
            judges[event->kind](judge, event);
    }
    judge->op_index++;
    judge->current = NULL;
}

void assay_judge_after(struct assay_judge *judge, const struct assay_event *event)
{
    after(judge, event);
}

void assay_judge_end(struct assay_judge *judge)
{
    flush_pending(judge);
    if (judge->judged >> ASSAY_PROPERTY_T05 & 1)
        judge_leaks(judge);
    judge->current = NULL;
}

void assay_judge_crash(struct assay_judge *judge, int signal)
{
    static const struct assay_event nothing;
    struct assay_event event = judge->current ? *judge->current : nothing;
    struct assay_object *object = NULL;
    flush_pending(judge);
    event.signal = (uint8_t)signal;
    judge->current = NULL;
    unsigned op_class = assay_op_info(event.kind)->op_class;
    if (judge->misuse_next)
        event.flags |= ASSAY_FLAG_MISUSE;
    if (event.place == ASSAY_PLACE_OBJECT)
        object = assay_model_get(&judge->model, event.object);
    if (event.kind < ASSAY_OP_COUNT && is_misuse(&event, object, event.kind, op_class)) {
        judge_misuse(judge, &event, object, signal == 0);
        return;
    }
    struct assay_case c = {
        .event = &event,
        .profile = &judge->config.profile,
        .operand = object,
        .judged = judge->judged,
        .op_index = judge->op_index,
        .kind = event.kind,
        .scarcity = judge->resources.scarcity,
        .resources = &judge->resources,
        .hung = signal == 0,
        .exact = exact_property(judge, event.kind, event.thread),
    };
    bool given_up = op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE;
    if (object && object->state == ASSAY_OBJECT_LIVE && given_up)
        c.foreign = object->owner != event.thread && (judge->judged >> ASSAY_PROPERTY_C28 & 1);
    assay_event_bytes(&event, &c.bytes);
    judge_stop(judge, &c);
}

void assay_judge_reset(struct assay_judge *judge)
{
    flush_pending(judge);
    end_tallies(judge);
    assay_model_reset(&judge->model);
    judge->op_index = judge->widest = 0;
    judge->good_asked = UINT64_MAX;
    judge->ground = (struct ground){.last_call = UINT64_MAX};
    judge->tainted = judge->misuse_next = judge->unsettled = false;
    assay_resources_reset(&judge->resources);
    judge->context = ASSAY_CONTEXT_NONE;
    judge->special = judge->forked = false;
    judge->last.failed = 0;
    judge->current = NULL;
}

static void sink_before(void *self, const struct assay_event *op)
{
    assay_judge_before(self, op);
}

static void sink_after(void *self, const struct assay_event *event)
{
    after(self, event);
}

static void sink_end(void *self)
{
    assay_judge_end(self);
}

struct assay_sink assay_judge_sink(struct assay_judge *judge)
{
    return (struct assay_sink){judge,
                               sink_before,
                               sink_after,
                               sink_end,
                               (const char *)judge->model.objects,
                               sizeof *judge->model.objects};
}

/* ---- life and counters ---- */

size_t assay_judge_bytes(const struct assay_judge_config *config)
{
    return sizeof(struct assay_judge) + 128 +
           assay_model_bytes(config->max_objects, config->max_live);
}

static bool judges_property(const struct assay_judge_config *config, unsigned property)
{
    const struct assay_property_info *info = assay_property_info(property);
    if (property == ASSAY_PROPERTY_NONE || property >= ASSAY_PROPERTY_COUNT)
        return false;
    if (info->severity == ASSAY_SEVERITY_PROGRAM &&
        (!config->program || (property == ASSAY_PROPERTY_T05 && !config->leaks)))
        return false;
    if (property == ASSAY_PROPERTY_C37 && config->profile.cheri_mantissa == 0)
        return false;
    if (property == ASSAY_PROPERTY_C36 && config->profile.deterministic != ASSAY_ANSWER_YES)
        return false;
    /* what they are about, beside the calls at which they are judged */
    uint64_t there = ~config->missing_apis;
    if ((property == ASSAY_PROPERTY_C24 && !(there & ASSAY_ON_SIZED)) ||
        (property == ASSAY_PROPERTY_C25 && !(there & ASSAY_ON(GOOD_SIZE))))
        return false;
    return (info->needs & ~config->has) == 0 && (subscribed[property] & ~config->missing_apis) != 0;
}

struct assay_judge *assay_judge_create(struct assay_arena *arena,
                                       const struct assay_judge_config *config)
{
    struct assay_judge *judge = assay_arena_take(arena, sizeof *judge, 64);
    if (!judge || !assay_model_create(&judge->model, arena, config->max_objects, config->max_live))
        return NULL;
    judge->config = *config;
    if (config->profile.budget_object_bytes == 0)
        judge->config.profile.budget_object_bytes = ASSAY_DEFAULT_BUDGET_OBJECT;
    if (config->profile.budget_live_bytes == 0)
        judge->config.profile.budget_live_bytes = ASSAY_DEFAULT_BUDGET_LIVE;
    if (config->profile.cheri_mantissa < 5 || config->profile.cheri_mantissa > 32)
        judge->config.profile.cheri_mantissa = 0;
    judge->ground.last_call = judge->good_asked = UINT64_MAX;
    for (unsigned i = 1; i < ASSAY_PROPERTY_COUNT; i++)
        if (judges_property(&judge->config, i))
            judge->judged |= UINT64_C(1) << i;
    return judge;
}

uint64_t assay_judge_evaluations(const struct assay_judge *judge, unsigned property)
{
    if (property >= ASSAY_PROPERTY_COUNT)
        return 0;
    uint64_t sum = judge->evaluations[property];
    for (uint64_t rest = judge->tallied; rest != 0; rest &= rest - 1) {
        const struct tally *tally = judge->tallies[__builtin_ctzll(rest)];
        for (unsigned sweep = 0; sweep < 2; sweep++)
            if (tally[sweep].applied >> property & 1)
                sum += tally[sweep].ops;
    }
    return sum;
}

uint64_t assay_judge_violations(const struct assay_judge *judge, unsigned property)
{
    return property < ASSAY_PROPERTY_COUNT ? judge->violations[property] : 0;
}

bool assay_judge_judges(const struct assay_judge *judge, unsigned property)
{
    return property < ASSAY_PROPERTY_COUNT && (judge->judged >> property & 1);
}

uint64_t assay_judge_calls(const struct assay_judge *judge)
{
    return judge->calls;
}

const struct assay_model *assay_judge_model(const struct assay_judge *judge)
{
    return &judge->model;
}
