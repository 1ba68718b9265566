/* Freed slots go to a stack without a lock, and without a count of its changes: a pop that was
 * interrupted puts a next in place that others took in the meantime. Seen as argobots issue 178 and
 * rpmalloc issue 32. */
#define ZOO_SHORTCUT(bytes, alignment) race_pop(bytes, alignment)
#define ZOO_IGNORED(p)                 race_push(p)
#include <stdbool.h>
#include <stddef.h>
static void *race_pop(size_t bytes, size_t alignment);
static bool race_push(void *p);
#include "tests/zoo/zoo.h"

#include <stdatomic.h>

static _Atomic(struct zoo_slot *) race_stacks[ZOO_CLASSES];

static void *race_pop(size_t bytes, size_t alignment)
{
    size_t room = alignment > 16 ? bytes + alignment : bytes;
    if (room > ZOO_SMALL_MAX)
        return NULL;
    _Atomic(struct zoo_slot *) *stack = &race_stacks[zoo_class_of(room)];
    struct zoo_slot *first = atomic_load(stack);
    while (first && !atomic_compare_exchange_weak(stack, &first, first->next))
        continue;
    return (void *)(((uintptr_t)first + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

static bool race_push(void *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES)
        return false;
    struct zoo_slot *slot = (struct zoo_slot *)zoo_slot_of(span, p);
    slot->next = atomic_load(&race_stacks[span->class_index]);
    while (!atomic_compare_exchange_weak(&race_stacks[span->class_index], &slot->next, slot))
        continue;
    return true;
}
