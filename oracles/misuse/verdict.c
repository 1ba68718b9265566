/* What came of a misuse: a pure function of events, marks, mappings and the child's end.
 *
 * In the order of the ops: the first of a detection and a hard effect is the verdict. A soft effect
 * (the program's own write reached a neighbour) is one only where the misuse is never noticed. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/misuse/misuse.h"
#include "traces/core/error.h"

enum { NEAR_BYTES = 16, NEAR_MOST = 64 };
#define EVERY_BYTE UINT64_C(0x0101010101010101)

struct live {
    uint64_t from, to;
    uint32_t object;
};

struct judging {
    const struct assay_misuse *m;
    struct assay_misuse_verdict *v;
    struct live *live;
    size_t live_count;
    enum assay_effect soft;
    size_t soft_at;
};

const char *assay_moment_name(unsigned moment)
{
    static const char *const names[ASSAY_MOMENT_COUNT] = {
        "setup", "misuse", "own free", "neighbour's free", "next malloc", "later"};
    return moment < ASSAY_MOMENT_COUNT ? names[moment] : "unknown";
}

const char *assay_effect_name(unsigned effect)
{
    static const char *const names[ASSAY_EFFECT_COUNT] = {
        "none",       "overlap",  "foreign",   "write",     "arbitrary write",
        "corrupt",    "leak",     "pointer",   "reclaimed", "adjacent",
        "accessible", "answered", "unnoticed", "metadata",  "executable",
        "lost",       "hang",     "memory"};
    return effect < ASSAY_EFFECT_COUNT ? names[effect] : "unknown";
}

uint32_t assay_misuse_own_effects(enum assay_property row)
{
    switch (row) {
    case ASSAY_PROPERTY_S15: return UINT32_C(1) << ASSAY_EFFECT_OVERLAP;
    case ASSAY_PROPERTY_S16: return UINT32_C(1) << ASSAY_EFFECT_FOREIGN;
    case ASSAY_PROPERTY_S17:
        return UINT32_C(1) << ASSAY_EFFECT_WRITE | UINT32_C(1) << ASSAY_EFFECT_ARBITRARY;
    case ASSAY_PROPERTY_S18: return UINT32_C(1) << ASSAY_EFFECT_ARBITRARY;
    default: return 0;
    }
}

const char *assay_how_name(unsigned how)
{
    static const char *const names[ASSAY_HOW_COUNT] = {"none", "abort", "fault", "access", "exit"};
    return how < ASSAY_HOW_COUNT ? names[how] : "unknown";
}

static bool decided(const struct judging *j)
{
    return j->v->outcome != ASSAY_MISUSE_VOID;
}

static void effect(struct judging *j, enum assay_effect effect, bool soft, size_t at)
{
    if (effect == ASSAY_EFFECT_NONE)
        return;
    j->v->effects |= UINT32_C(1) << effect;
    if (soft) {
        if (j->soft == ASSAY_EFFECT_NONE) {
            j->soft = effect;
            j->soft_at = at;
        }
    } else if (!decided(j)) {
        j->v->outcome = ASSAY_MISUSE_EFFECT;
        j->v->effect = effect;
        j->v->at = at;
    }
}

static void noticed(struct judging *j, enum assay_how how, size_t at)
{
    struct assay_misuse_verdict *v = j->v;
    if (v->how != ASSAY_HOW_NONE)
        return;
    v->how = how;
    v->moment = (enum assay_moment)j->m->marks[at].moment;
    if (!decided(j)) {
        v->outcome = ASSAY_MISUSE_DETECTED;
        v->at = at;
    }
}

static void give_up(struct judging *j, uint32_t object)
{
    for (size_t i = 0; i < j->live_count; i++)
        if (j->live[i].object == object) {
            j->live[i] = j->live[--j->live_count];
            return;
        }
}

static bool meets(uint64_t from, uint64_t to, uint64_t other_from, uint64_t other_to)
{
    return from < other_to && other_from < to;
}

static void bear(struct judging *j, const struct assay_event *event, bool after, size_t at)
{
    uint64_t bytes;
    if (!assay_event_bytes(event, &bytes) || event->address == ASSAY_ADDRESS_NULL)
        return;
    uint64_t from = event->address, to = from + (bytes ? bytes : 1);
    if (after && (event->failed & ASSAY_FACT_FOREIGN))
        effect(j, ASSAY_EFFECT_FOREIGN, false, at);
    for (size_t i = 0; i < j->live_count && after; i++)
        if (meets(from, to, j->live[i].from, j->live[i].to)) {
            effect(j, ASSAY_EFFECT_OVERLAP, false, at);
            break;
        }
    j->live[j->live_count++] = (struct live){from, to, event->born};
}

/* What the program holds, by its own account: a second free, or one of another pointer, gives up
 * nothing. */
static void account(struct judging *j, const struct assay_event *event,
                    const struct assay_mark *mark, size_t at)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    bool offset = event->arg != 0 && event->kind != ASSAY_OP_REALLOCARRAY &&
                  event->kind != ASSAY_OP_FREE_ALIGNED_SIZED;
    bool whole = event->place == ASSAY_PLACE_OBJECT && event->object && !offset;
    if (op_class == ASSAY_CLASS_RELEASE && whole)
        give_up(j, event->object);
    if (op_class == ASSAY_CLASS_RESIZE && whole && event->address)
        give_up(j, event->object);
    if (assay_event_bears(event))
        bear(j, event, mark->moment != ASSAY_MOMENT_SETUP, at);
}

static bool points_into_process(const struct assay_misuse *m, uint64_t word)
{
    for (size_t i = 0; i < m->map_count; i++)
        if (word >= m->maps[i].from && word < m->maps[i].to)
            return true;
    return false;
}

/* Neighbours: no further object of their size fits between. What is between is rounding and header.
 */
static bool is_near(const struct judging *j, const struct assay_event *event, uint32_t other)
{
    uint64_t from = event->address, to = from + event->size;
    for (size_t i = 0; i < j->live_count; i++) {
        const struct live *l = &j->live[i];
        if (l->object != other)
            continue;
        uint64_t gap = l->from >= to ? l->from - to : from >= l->to ? from - l->to : 0;
        uint64_t smaller = event->size < l->to - l->from ? event->size : l->to - l->from;
        uint64_t room = smaller > NEAR_MOST ? NEAR_MOST : smaller;
        return gap <= NEAR_BYTES || gap < room;
    }
    return false;
}

/* True if what was expected of the op is so. */
static bool fulfilled(const struct judging *j, const struct assay_event *event,
                      const struct assay_mark *mark)
{
    switch (mark->expect) {
    case ASSAY_EXPECT_SAME: return event->value == mark->word;
    case ASSAY_EXPECT_DIFFERENT: return event->value != mark->word;
    case ASSAY_EXPECT_UNTAGGED: return event->value >> 32 != mark->word >> 32;
    case ASSAY_EXPECT_NO_POINTER: return !points_into_process(j->m, event->value);
    case ASSAY_EXPECT_FILLED: return event->value == (event->value & 0xff) * EVERY_BYTE;
    case ASSAY_EXPECT_ZERO: return event->value == 0;
    case ASSAY_EXPECT_NOT_AT:
        return event->address == ASSAY_ADDRESS_NULL ||
               !meets(event->address, event->address + event->size, mark->word,
                      mark->word + mark->other);
    case ASSAY_EXPECT_APART:
        return event->address == ASSAY_ADDRESS_NULL || !is_near(j, event, mark->other);
    case ASSAY_EXPECT_NO_WX:
        for (size_t i = 0; i < j->m->map_count; i++)
            if (j->m->maps[i].writable && j->m->maps[i].executable)
                return false;
        return true;
    case ASSAY_EXPECT_FAULT:
    case ASSAY_EXPECT_DEATH: return false; /* it was executed */
    default: return true;
    }
}

/* False: the program would have ended here. */
static bool look(struct judging *j, size_t i)
{
    const struct assay_event *event = &j->m->events[i];
    const struct assay_mark *mark = &j->m->marks[i];
    if (event->signal) {
        if (mark->moment == ASSAY_MOMENT_MISUSE || mark->expect == ASSAY_EXPECT_FAULT) {
            noticed(j, ASSAY_HOW_ACCESS, i);
            return false;
        }
        if (mark->expect == ASSAY_EXPECT_SAME)
            effect(j, ASSAY_EFFECT_LOST, mark->soft, i);
        return true;
    }
    if (!fulfilled(j, event, mark))
        effect(j, (enum assay_effect)mark->effect, mark->soft, i);
    account(j, event, mark, i);
    return true;
}

static void break_off(struct assay_misuse_verdict *v, size_t at)
{
    v->reason = "the child ended before the misuse";
    v->broke_off = true;
    v->at = at;
}

static void look_at_end(struct judging *j, const struct assay_misuse_end *end)
{
    size_t at = end->at < j->m->n ? end->at : j->m->n - 1;
    bool setup = j->m->marks[at].moment == ASSAY_MOMENT_SETUP;
    if (setup && end->state != ASSAY_SESSION_OVERWRITTEN) {
        if (!decided(j))
            break_off(j->v, at);
        return;
    }
    switch (end->state) {
    case ASSAY_SESSION_CRASHED:
        noticed(j,
                end->signal == SIGABRT || end->signal == SIGTRAP || end->signal == SIGILL
                    ? ASSAY_HOW_ABORT
                    : ASSAY_HOW_FAULT,
                at);
        break;
    case ASSAY_SESSION_EXITED: noticed(j, ASSAY_HOW_EXIT, at); break;
    case ASSAY_SESSION_HUNG: effect(j, ASSAY_EFFECT_HANG, false, at); break;
    case ASSAY_SESSION_MEMORY: effect(j, ASSAY_EFFECT_MEMORY, false, at); break;
    case ASSAY_SESSION_OVERWRITTEN: effect(j, ASSAY_EFFECT_CORRUPT, false, at); break;
    default: break;
    }
}

static const char *why_void(const struct assay_misuse *m, size_t executed)
{
    bool misused = false;
    if (m->reason)
        return m->reason;
    for (size_t i = 0; i < executed; i++) {
        if (m->events[i].flags & ASSAY_FLAG_SKIPPED)
            return "an op could not be executed";
        misused |= m->marks[i].moment != ASSAY_MOMENT_SETUP;
    }
    return misused ? NULL : "the misuse was not reached";
}

void assay_misuse_judge(const struct assay_misuse *m, const struct assay_misuse_end *end,
                        struct assay_misuse_verdict *ret_verdict)
{
    bool died = end->state != ASSAY_SESSION_RUNNING && end->state != ASSAY_SESSION_ENDED;
    size_t executed = died && end->at < m->n ? end->at : m->n;
    struct judging j = {.m = m, .v = ret_verdict};
    bool goes_on = true;
    size_t begun = died && executed < m->n ? executed + 1 : executed;
    *ret_verdict = (struct assay_misuse_verdict){.reason = why_void(m, begun)};
    if (ret_verdict->reason && died && !m->reason && m->n > 0)
        break_off(ret_verdict, end->at < m->n ? end->at : m->n - 1);
    if (m->n == 0 || ret_verdict->reason)
        return;
    j.live = calloc(m->n + 1, sizeof *j.live);
    ASSAY_CHECK(j.live);
    for (size_t i = 0; i < executed && goes_on; i++)
        goes_on = look(&j, i);
    if (died && goes_on)
        look_at_end(&j, end);
    free(j.live);
    if (decided(&j) || ret_verdict->reason)
        return;
    ret_verdict->outcome =
        j.soft == ASSAY_EFFECT_NONE ? ASSAY_MISUSE_NEUTRALISED : ASSAY_MISUSE_EFFECT;
    ret_verdict->effect = j.soft;
    ret_verdict->at = j.soft == ASSAY_EFFECT_NONE ? executed - 1 : j.soft_at;
}
