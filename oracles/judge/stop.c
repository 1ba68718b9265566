/* An op that ended the process, or is made where one may: who has the word on it. */
#include "oracles/judge/misuse.h"

/* A sized release with a size that may be given and that nobody has to remember: of an empty
 * object, or between the requested and the usable. */
static bool by_size(const struct assay_case *c)
{
    return (ASSAY_ON_SIZED >> c->kind & 1) && c->operand &&
           (c->event->size == 0 || c->event->size != c->operand->requested);
}

__attribute__((noinline, cold)) uint8_t assay_judge_exact(const struct assay_judge *judge,
                                                          unsigned kind, uint16_t thread)
{
    bool fork = kind == ASSAY_OP_FORK || (judge->forked && judge->before_fork >> kind & 1);
    unsigned property = fork ? ASSAY_PROPERTY_C30 : ASSAY_PROPERTY_NONE;
    if (kind == ASSAY_OP_THREAD_EXIT || kind == ASSAY_OP_EXIT)
        property = ASSAY_PROPERTY_C35;
    if (kind == ASSAY_OP_CONTEXT) /* the C library calls, as others may at their start */
        property = ASSAY_PROPERTY_C27;
    if (judge->context_thread == thread && judge->context == ASSAY_CONTEXT_FIRST)
        property = ASSAY_PROPERTY_C27;
    else if (judge->context_thread == thread && judge->context > ASSAY_CONTEXT_LOOP)
        property = ASSAY_PROPERTY_C35;
    return judge->judged >> property & 1 ? (uint8_t)property : ASSAY_PROPERTY_NONE;
}

__attribute__((noinline, cold)) void assay_judge_note_place(struct assay_judge *judge,
                                                            const struct assay_event *event)
{
    switch (event->kind) {
    case ASSAY_OP_CONTEXT:
        if (event->arg == ASSAY_CONTEXT_CROWDED)
            break;
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

/* Gigabytes that are cleared by hand take as long as memory does: slow is no hang. A tebibyte and
 * more no machine has for one object. */
static bool clears_beyond_budget(const struct assay_case *c)
{
    const uint64_t most = UINT64_C(1) << 40;
    return c->kind == ASSAY_OP_CALLOC && !c->overflow && c->bytes < most &&
           c->bytes > c->profile->budget_object_bytes;
}

/* A legal op ended the program. Of a sized release whose size is not the one of the object's birth
 * it is C24; of an object that survived a failed resize, C13 says that it can be freed; where
 * memory ends, C33 says that nobody dies of it; of a first call, a forked process and a handler
 * C27, C30 and C35; of an object of another thread C28; of every other, C26. */
__attribute__((noinline)) void assay_judge_stop(struct assay_judge *judge,
                                                const struct assay_case *c)
{
    uint32_t number = c->event->object ? c->event->object : c->event->born;
    bool survivor = c->operand && (c->operand->flags & ASSAY_OBJECT_SURVIVOR);
    if (judge->tainted || !judge->config.legal || (c->hung && clears_beyond_budget(c)))
        return;
    unsigned property = by_size(c) && assay_case_judges(c, ASSAY_PROPERTY_C24) ? ASSAY_PROPERTY_C24
                        : survivor && assay_case_judges(c, ASSAY_PROPERTY_C13) ? ASSAY_PROPERTY_C13
                        : c->scarcity                                          ? ASSAY_PROPERTY_C33
                        : c->exact                                             ? c->exact
                        : c->foreign                                           ? ASSAY_PROPERTY_C28
                                                                               : ASSAY_PROPERTY_C26;
    if (!assay_case_judges(c, property))
        return;
    judge->evaluations[property]++;
    assay_judge_report(judge, c, UINT64_C(1) << property, number);
}

void assay_judge_no_mappings(struct assay_judge *judge)
{
    judge->no_mappings = true;
}

/* The end of mappings is a scarcity of the system's own making. True if the stop is excused by it;
 * what is not is C33, and where that is not judged what it is in plenty. */
static bool excused_by_mappings(struct assay_case *c)
{
    struct assay_verdict unused = {0};
    uint8_t before = c->scarcity;
    c->scarcity = ASSAY_SCARCITY_LIMIT;
    if (assay_case_judges(c, ASSAY_PROPERTY_C33))
        return false;
    bool excused = assay_oracle_C33(c, &unused) != ASSAY_OUTCOME_VIOLATED;
    c->scarcity = before;
    return excused;
}

void assay_judge_beside(struct assay_judge *judge, uint16_t thread)
{
    judge->beside = thread;
}

/* What the process ended in. */
static struct assay_event last_op(struct assay_judge *judge)
{
    struct assay_event event = judge->current ? *judge->current : (struct assay_event){0};
    if (judge->beside)
        event = (struct assay_event){.kind = ASSAY_OP_CONTEXT,
                                     .arg = ASSAY_CONTEXT_LOOP,
                                     .thread = judge->beside,
                                     .process = event.process};
    return event;
}

void assay_judge_crash(struct assay_judge *judge, int signal)
{
    struct assay_event event = last_op(judge);
    bool beside = judge->beside != 0;
    struct assay_object *object = NULL;
    judge->beside = 0;
    assay_judge_flush(judge);
    event.signal = (uint8_t)signal;
    judge->current = NULL;
    unsigned op_class = assay_op_info(event.kind)->op_class;
    if (judge->misuse_next)
        event.flags |= ASSAY_FLAG_MISUSE;
    if (event.place == ASSAY_PLACE_OBJECT)
        object = assay_model_get(&judge->model, event.object);
    if (event.kind < ASSAY_OP_COUNT &&
        assay_judge_is_misuse(&event, object, event.kind, op_class)) {
        assay_judge_misuse(judge, &event, object, signal == 0);
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
        .exact = beside ? ASSAY_PROPERTY_NONE : assay_judge_exact(judge, event.kind, event.thread),
    };
    bool given_up = op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE;
    if (object && object->state == ASSAY_OBJECT_LIVE && given_up)
        c.foreign = object->owner != event.thread && (judge->judged >> ASSAY_PROPERTY_C28 & 1);
    c.overflow = !assay_event_bytes(&event, &c.bytes);
    bool bearing = op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE;
    bool excused = judge->no_mappings && bearing && c.scarcity < ASSAY_SCARCITY_LIMIT &&
                   judge->model.live_count >= ASSAY_LIVE_AT_MAPPINGS_END && excused_by_mappings(&c);
    judge->no_mappings = false;
    if (!excused)
        assay_judge_stop(judge, &c);
}
