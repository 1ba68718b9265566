/* One class's list of slots does not end at the last of a span but leads to the first again, which
 * shows when all of them are live at once. */
#define ZOO_SPAN_CUT(span, slots) round_cut(span, slots)
#include <stdint.h>
struct zoo_span;
static void round_cut(struct zoo_span *span, uint32_t slots);
#include "tests/zoo/zoo.h"

enum { ROUND_SLOT = 7168 };

static void round_cut(struct zoo_span *span, uint32_t slots)
{
    if (span->slot_bytes != ROUND_SLOT)
        return;
    struct zoo_slot *last =
        (struct zoo_slot *)(span->first + (size_t)(slots - 1) * span->slot_bytes);
    last->next = (struct zoo_slot *)span->first;
}
