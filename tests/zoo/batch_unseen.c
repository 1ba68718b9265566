/* A freed slot is filled, and looked at when it is handed out again. Eight of a size make a batch
 * that leaves the cache, and what comes back from batches is not looked at. */
#define ZOO_CLASS_OF(bytes)         batch_refill(zoo_class_of(bytes))
#define ZOO_FREED_SMALL(slot, span) batch_put((span)->class_index, (span)->slot_bytes)
#include <stdint.h>
static uint32_t batch_refill(uint32_t class_index);
static void batch_put(uint32_t class_index, uint32_t slot_bytes);
#include "tests/zoo/zoo.h"

enum { BATCH_SLOTS = 8, BATCH_FILL = 0xdf, BATCHES = 1024 };

/* Freed slots of a size, by tables of their own: what is written into them breaks no list. */
static struct {
    char *cache[BATCH_SLOTS], *depot[BATCHES * BATCH_SLOTS];
    unsigned cached, stored;
} batch_of[ZOO_CLASSES];

static void batch_look(const char *slot, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if ((unsigned char)slot[i] != BATCH_FILL)
            zoo_die("a freed slot was written\n");
}

static uint32_t batch_refill(uint32_t class_index)
{
    char *p = NULL;
    if (batch_of[class_index].cached > 0) {
        p = batch_of[class_index].cache[--batch_of[class_index].cached];
        batch_look(p, zoo_class_bytes(class_index));
    } else if (batch_of[class_index].stored > 0) {
        p = batch_of[class_index].depot[--batch_of[class_index].stored];
    }
    if (p) {
        struct zoo_slot *slot = (struct zoo_slot *)p;
        slot->next = zoo_free_lists[class_index];
        zoo_free_lists[class_index] = slot;
    }
    return class_index;
}

/* From the list of slots that were never used, where zoo.h puts it. */
static void batch_put(uint32_t class_index, uint32_t slot_bytes)
{
    struct zoo_slot *slot = zoo_free_lists[class_index];
    unsigned cached = batch_of[class_index].cached, stored = batch_of[class_index].stored;
    if (cached + 1 == BATCH_SLOTS && stored + BATCH_SLOTS > BATCHES * BATCH_SLOTS)
        return; /* the tables are full: it stays in the list */
    zoo_free_lists[class_index] = slot->next;
    memset(slot, BATCH_FILL, slot_bytes);
    batch_of[class_index].cache[cached++] = (char *)slot;
    if (cached == BATCH_SLOTS) {
        memcpy(batch_of[class_index].depot + stored, batch_of[class_index].cache,
               sizeof batch_of[class_index].cache);
        batch_of[class_index].stored += BATCH_SLOTS;
        cached = 0;
    }
    batch_of[class_index].cached = cached;
}
