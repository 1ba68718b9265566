/* The correct allocator of zoo.h with promises of security: a keyed canary behind each small
 * object and its size before the next slot, looked at by free; freed memory is cleared, or
 * unreadable; slots come back in the order in which they were freed, and mappings some frees later.
 * An animal defines one HARD_* macro otherwise. */
#ifndef HARD_IS_INTACT /* what free wants of the eight bytes behind an object */
#define HARD_IS_INTACT(found, expected) ((found) == (expected))
#endif
#ifndef HARD_SIZE /* what is looked at of the size at the end of a slot */
#define HARD_SIZE(word) (word)
#endif
#ifndef HARD_CLEARED /* bytes of a freed slot */
#define HARD_CLEARED(slot_bytes) (slot_bytes)
#endif
#ifndef HARD_QUEUE /* what a freed slot is put behind */
#define HARD_QUEUE(slot, class_index) hard_put_last(slot, class_index)
#endif
#ifndef HARD_TAKEN /* a slot is handed out */
#define HARD_TAKEN(slot, slot_bytes) ((void)0)
#endif
#ifndef HARD_HOLDS /* mappings that stay unreadable for a while */
#define HARD_HOLDS(bytes) ((bytes) <= 1 << 20)
#endif
#define ZOO_REQUEST(bytes)                       ((bytes) <= ZOO_SMALL_MAX ? (bytes) + HARD_SEAL_BYTES : (bytes))
#define ZOO_PLACE(p, bytes, alignment)           hard_seal(p, bytes)
#define ZOO_ROOM(p, span, bytes)                 hard_size(p, bytes)
#define ZOO_BACK_SLOT(p, span)                   hard_check(p, span)
#define ZOO_FREED_SMALL(slot, span)              hard_freed(slot, span)
#define ZOO_RESIZE_STAYS(p, span, usable, bytes) false
#define ZOO_UNMAP_LARGE(mapping, bytes)          hard_hold(mapping, bytes)
enum { HARD_SEAL_BYTES = 16 }; /* the canary, and at the end of the slot the object's size */
#include <stddef.h>
struct zoo_slot;
struct zoo_span;
static void *hard_seal(char *p, size_t bytes);
static size_t hard_size(const void *p, size_t bytes);
static char *hard_check(const void *p, const struct zoo_span *span);
static void hard_freed(struct zoo_slot *slot, const struct zoo_span *span);
static void hard_hold(char *mapping, size_t bytes);
#include "tests/zoo/zoo.h"

enum { HARD_HELD = 8 };
static uint64_t hard_secret;
static struct zoo_slot *hard_last[ZOO_CLASSES]; /* of a list; NULL: not known */
static struct {
    char *mapping;
    size_t bytes;
} hard_held[HARD_HELD];
static unsigned hard_next;

static uint64_t hard_canary(const void *p)
{
    if (!hard_secret && getentropy(&hard_secret, sizeof hard_secret) != 0)
        hard_secret = (uintptr_t)&hard_secret;
    return ((uintptr_t)p ^ hard_secret) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t *hard_size_at(const void *p, const struct zoo_span *span)
{
    return (uint64_t *)(void *)(zoo_slot_of(span, p) + span->slot_bytes - sizeof(uint64_t));
}

static void *hard_seal(char *p, size_t bytes)
{
    const struct zoo_span *span = zoo_span_of(p);
    uint64_t size = bytes - HARD_SEAL_BYTES, canary = hard_canary(p);
    if (span->class_index == ZOO_CLASSES)
        return p;
    memset(zoo_slot_of(span, p), 0, sizeof(struct zoo_slot)); /* the link */
    HARD_TAKEN(zoo_slot_of(span, p), span->slot_bytes);
    memcpy(p + size, &canary, sizeof canary);
    *hard_size_at(p, span) = size;
    if (!zoo_free_lists[span->class_index])
        hard_last[span->class_index] = NULL;
    return p;
}

static size_t hard_size(const void *p, size_t bytes)
{
    uint64_t size = HARD_SIZE(*hard_size_at(p, zoo_span_of(p)));
    if (size > bytes - HARD_SEAL_BYTES)
        zoo_die("overflow\n");
    return size;
}

static char *hard_check(const void *p, const struct zoo_span *span)
{
    char *slot = zoo_slot_of(span, p);
    size_t room = (size_t)(slot + span->slot_bytes - (const char *)p);
    uint64_t found;
    memcpy(&found, (const char *)p + hard_size(p, room), sizeof found);
    if (!HARD_IS_INTACT(found, hard_canary(p)))
        zoo_die("overflow\n");
    return slot;
}

/* The slot stands first in its list. */
static __attribute__((unused)) void hard_put_last(struct zoo_slot *slot, uint32_t class_index)
{
    struct zoo_slot *last = hard_last[class_index];
    hard_last[class_index] = slot;
    if (!slot->next)
        return;
    for (last = last ? last : slot->next; last->next; last = last->next)
        continue;
    zoo_free_lists[class_index] = slot->next;
    slot->next = NULL;
    last->next = slot;
}

static void hard_freed(struct zoo_slot *slot, const struct zoo_span *span)
{
    memset(slot + 1, 0, HARD_CLEARED(span->slot_bytes) - sizeof *slot);
    HARD_QUEUE(slot, span->class_index);
}

static void hard_hold(char *mapping, size_t bytes)
{
    unsigned at = hard_next++ % HARD_HELD;
    if (hard_held[at].mapping)
        munmap(hard_held[at].mapping, hard_held[at].bytes);
    hard_held[at].mapping = NULL;
    if (!HARD_HOLDS(bytes) || madvise(mapping, bytes, MADV_DONTNEED) != 0 ||
        mprotect(mapping, bytes, PROT_NONE) != 0) {
        munmap(mapping, bytes);
        return;
    }
    hard_held[at].mapping = mapping;
    hard_held[at].bytes = bytes;
}
