/* Correct: every 200th slot that is freed waits in a queue of 4,096 before it is handed out again,
 * as probabilistic quarantines do it. Until the queue is full memory grows as it does where every
 * 200th is forgotten. */
#define ZOO_FREED_SMALL(slot, span)                                                                \
    do {                                                                                           \
        if (zoo_frees % 200 == 0)                                                                  \
            queue(slot, span);                                                                     \
    } while (0)
struct zoo_slot;
struct zoo_span;
static void queue(struct zoo_slot *slot, struct zoo_span *span);
#include "tests/zoo/zoo.h"

enum { WAITING = 4096 };

static void queue(struct zoo_slot *slot, struct zoo_span *span)
{
    static struct zoo_slot *waiting[WAITING];
    static unsigned next;
    struct zoo_slot *out = waiting[next];
    zoo_free_lists[span->class_index] = slot->next;
    waiting[next] = slot;
    next = (next + 1) % WAITING;
    if (out) {
        struct zoo_slot **list = &zoo_free_lists[zoo_span_of(out)->class_index];
        out->next = *list;
        *list = out;
    }
}
