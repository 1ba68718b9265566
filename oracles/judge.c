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
#include "oracles/judge/bear.h"
#include "oracles/judge/misuse.h"
#include "oracles/judge/rows.h"

static void learn_usable(struct assay_object *object, const struct assay_event *event)
{
    if (!object || (object->flags & ASSAY_OBJECT_USABLE_KNOWN) || event->value < object->requested)
        return;
    uint64_t more = event->value - object->requested;
    object->usable_extra = more > INT32_MAX ? INT32_MAX : (int32_t)more;
    object->flags |= ASSAY_OBJECT_USABLE_KNOWN;
}

static inline __attribute__((always_inline)) void remember(struct assay_judge_ground *ground,
                                                           const struct assay_case *c, bool changes,
                                                           uint32_t number)
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
        assay_judge_program(judge, event, object);
    if (__builtin_expect(assay_judge_is_misuse(event, object, kind, op_class), 0)) {
        assay_judge_misuse(judge, event, object, false);
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
        c.exact = assay_judge_exact(judge, kind, event->thread);
        c.forked = judge->ground.forked;
    }

    c.refused_now = bearing && !c.succeeded && (c.bytes != 0 || event->error == ENOMEM);
    bool changes = (bearing && !c.refused_now) || (releasing && open);
    c.refused_after = c.refused_now || (c.refused && !changes);
    if (__builtin_expect(c.refused_now && !c.scarcity && assay_event_mappings_end(event), 0) &&
        judge->model.live_count >= ASSAY_LIVE_AT_MAPPINGS_END)
        c.scarcity = ASSAY_SCARCITY_LIMIT; /* one of the system's own making */

    judge->model.op_index = judge->op_index;
    uint64_t released = releasing && open ? object->requested : 0;
    if (__builtin_expect(c.scarcity && c.refused_now, 0))
        assay_resources_look(&judge->resources, &judge->model);
    if (__builtin_expect(event->signal != 0, 0))
        c.succeeded = false;
    else if (op_class == ASSAY_CLASS_ALLOCATE && c.succeeded)
        assay_judge_bear(judge, &c, event->born);
    else if (resizing)
        assay_judge_resize(judge, &c, event->object);
    else if (releasing && open)
        assay_model_end(&judge->model, event->object, ASSAY_OBJECT_FREED);
    if ((ASSAY_ON_SIZED >> kind & 1) && open)
        object->flags |= ASSAY_OBJECT_SIZED;
    if (kind == ASSAY_OP_STATISTICS)
        assay_judge_count_used(judge, &c);
    if (kind == ASSAY_OP_GOOD_SIZE) {
        judge->good_asked = event->size;
        judge->good_size = event->value;
    }
    if (kind == ASSAY_OP_MALLOC && __builtin_expect(judge->good_asked == event->size, 0)) {
        c.good_size = judge->good_size;
        c.good_told = judge->good_told;
        if ((event->flags & ASSAY_FLAG_USABLE) && event->usable_extra > 0 &&
            c.bytes + (uint64_t)event->usable_extra == c.good_size)
            judge->good_told = c.good_size;
    }

    if (__builtin_expect(event->signal != 0, 0)) {
        struct assay_case copy = c;
        assay_judge_stop(judge, &copy);
        return;
    }
    if (__builtin_expect(!judge->tainted && !(event->flags & ASSAY_FLAG_PREEXISTING), 1)) {
        judge->calls += bearing || releasing;
        assay_judge_run(judge, &c, kind, ASSAY_ROWS_LEGAL,
                        bearing && c.succeeded ? event->born : event->object);
    }
    if (__builtin_expect(c.scarcity != ASSAY_SCARCITY_NONE, 0)) {
        struct assay_case copy = c;
        if (!judge->tainted && !(event->flags & ASSAY_FLAG_PREEXISTING))
            assay_judge_resources(judge, &copy,
                                  bearing && c.succeeded ? event->born : event->object);
        assay_resources_note(&judge->resources, &judge->model, released,
                             bearing && c.succeeded ? c.bytes : 0, c.refused_now ? c.bytes : 0);
    }
    if (kind == ASSAY_OP_USABLE_SIZE && open)
        learn_usable(object, event);
    remember(&judge->ground, &c, changes, event->object);
    if (__builtin_expect(judge->context == ASSAY_CONTEXT_FIRST, 0)) {
        judge->context = ASSAY_CONTEXT_NONE;
        judge->special = judge->forked;
    }
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
            assay_judge_system(judge, event);                                                      \
        if (ASSAY_CLASS_##op_class == ASSAY_CLASS_CONTROL)                                         \
            assay_judge_note_place(judge, event);                                                  \
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

void assay_judge_before(struct assay_judge *judge, const struct assay_event *op)
{
    judge->current = op;
}

/* What the op before left behind comes to its end, or marks this one. */
static __attribute__((noinline, cold)) bool settle(struct assay_judge *judge)
{
    bool misuse = judge->misuse_next;
    assay_judge_flush(judge);
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
            assay_judge_take_evidence(judge, event);
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
    assay_judge_flush(judge);
    if (judge->judged >> ASSAY_PROPERTY_T05 & 1)
        assay_judge_leaks(judge);
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
