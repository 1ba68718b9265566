/* The correct allocator of zoo.h with a promise of what an attacker gets: what was freed is in
 * doubly linked lists, and no link of a freed slot is followed before both neighbours were seen to
 * point back. An animal defines one LINKED_* macro otherwise. */
#ifndef LINKED_IS_SOUND /* what is looked at before a slot is unlinked */
#define LINKED_IS_SOUND(link) ((link)->next->previous == (link) && (link)->previous->next == (link))
#endif
#ifndef LINKED_AT /* where the links of a freed slot stand */
#define LINKED_AT(slot, class_index)   ((struct linked *)(slot))
#define LINKED_SLOT(link, class_index) ((struct zoo_slot *)(link))
#endif
#define ZOO_CLASS_OF(bytes)         linked_refill(zoo_class_of(bytes))
#define ZOO_FREED_SMALL(slot, span) linked_put((span)->class_index)
#include <stdint.h>
static uint32_t linked_refill(uint32_t class_index);
static void linked_put(uint32_t class_index);
#include "tests/zoo/zoo.h"

/* In a freed slot, and the head of each list. */
struct linked {
    struct linked *next, *previous;
};
_Static_assert(sizeof(struct linked) <= 16, "the smallest slot has room for it");

static struct linked linked_heads[ZOO_CLASSES];

static struct linked *linked_head(uint32_t class_index)
{
    struct linked *head = &linked_heads[class_index];
    if (!head->next)
        head->next = head->previous = head;
    return head;
}

/* The slot that was freed last goes where the next request looks first. The lock is held. */
static uint32_t linked_refill(uint32_t class_index)
{
    struct linked *head = linked_head(class_index), *link = head->next;
    if (link == head)
        return class_index;
    if (!LINKED_IS_SOUND(link))
        zoo_die("links are damaged\n");
    struct linked *next = link->next, *previous = link->previous;
    next->previous = previous;
    previous->next = next;
    struct zoo_slot *slot = LINKED_SLOT(link, class_index);
    slot->next = zoo_free_lists[class_index];
    zoo_free_lists[class_index] = slot;
    return class_index;
}

/* From the list of slots that were never used, where zoo.h puts it, to the linked one. */
static void linked_put(uint32_t class_index)
{
    struct zoo_slot *slot = zoo_free_lists[class_index];
    struct linked *head = linked_head(class_index), *link = LINKED_AT(slot, class_index);
    zoo_free_lists[class_index] = slot->next;
    link->next = head->next;
    link->previous = head;
    head->next->previous = link;
    head->next = link;
}
