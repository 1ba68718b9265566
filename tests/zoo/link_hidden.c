/* The link of a freed slot is hidden by the bits of its address, which who reads a pointer knows,
 * and what it leads to is written before it is seen to be a slot. Source: the limits that
 * safe-linking names itself, google/tcmalloc pull 19. */
#define ZOO_CLASS_OF(bytes)         hidden_refill(zoo_class_of(bytes))
#define ZOO_FREED_SMALL(slot, span) hidden_put((span)->class_index)
#include <stdint.h>
static uint32_t hidden_refill(uint32_t class_index);
static void hidden_put(uint32_t class_index);
#include "tests/zoo/zoo.h"

enum { HIDDEN_SHIFT = 12 };

/* In a freed slot. */
struct hidden {
    uintptr_t next;
    struct hidden *previous;
};

static struct hidden *hidden_first[ZOO_CLASSES];

static uintptr_t hidden_link(const struct hidden *at, uintptr_t link)
{
    return (uintptr_t)at >> HIDDEN_SHIFT ^ link;
}

static bool hidden_is_live(const void *p)
{
    struct zoo_span **entry = zoo_directory_at(p, false);
    if (!entry || !*entry)
        return false;
    uint32_t index = zoo_index_of(*entry, p);
    return index < ZOO_SPAN_BYTES / 16 && (*entry)->live[index / 64] >> (index % 64) & 1;
}

/* The slot that was freed last goes where the next request looks first. The lock is held. */
static uint32_t hidden_refill(uint32_t class_index)
{
    struct hidden *first = hidden_first[class_index];
    if (!first)
        return class_index;
    (void)zoo_span_of(first);
    struct hidden *next = (struct hidden *)hidden_link(first, first->next);
    if (hidden_is_live(next))
        zoo_die("a link leads to a live slot\n");
    if (next)
        next->previous = NULL;
    hidden_first[class_index] = next;
    struct zoo_slot *slot = (struct zoo_slot *)first;
    slot->next = zoo_free_lists[class_index];
    zoo_free_lists[class_index] = slot;
    return class_index;
}

/* From the list of slots that were never used, where zoo.h puts it, to the hidden one. */
static void hidden_put(uint32_t class_index)
{
    struct zoo_slot *slot = zoo_free_lists[class_index];
    struct hidden *first = (struct hidden *)slot, *next = hidden_first[class_index];
    zoo_free_lists[class_index] = slot->next;
    first->next = hidden_link(first, (uintptr_t)next);
    first->previous = NULL;
    if (next)
        next->previous = first;
    hidden_first[class_index] = first;
}
