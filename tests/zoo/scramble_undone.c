/* A freed slot is scrambled in place of cleared, and unscrambled when it is handed out again, which
 * may be a thousand allocations later. */
#include <stddef.h>
struct zoo_slot;
static void scramble(struct zoo_slot *slot, size_t bytes);
#define HARD_CLEARED(slot_bytes) (scramble(slot, slot_bytes), sizeof *slot)
#define HARD_TAKEN(slot, slot_bytes)                                                               \
    scramble((struct zoo_slot *)(void *)(slot), (slot_bytes) - sizeof(uint64_t))
#include "tests/zoo/hardened.h"

static void scramble(struct zoo_slot *slot, size_t bytes)
{
    uint64_t *word = (uint64_t *)(void *)slot;
    for (size_t i = 1; i < bytes / sizeof *word; i++)
        word[i] = ~word[i];
}
