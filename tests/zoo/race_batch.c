/* A thread's cache is filled with a batch of the common list, whose head was read before the lock
 * was taken: two threads get the same batch. */
#define ZOO_SHORTCUT(bytes, alignment) race_cached(bytes, alignment)
#define ZOO_IGNORED(p)                 race_returned(p)
#define ZOO_BEGINS()                   pthread_key_create(&race_key, race_end)
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
static pthread_key_t race_key;
static void race_end(void *unused);
static void *race_cached(size_t bytes, size_t alignment);
static bool race_returned(void *p);
#include "tests/zoo/zoo.h"

enum { RACE_BATCH = 8, RACE_MOST = 2 * RACE_BATCH };
static struct zoo_slot *volatile race_common[ZOO_CLASSES];
static __thread struct {
    struct zoo_slot *first;
    unsigned count;
} race_caches[ZOO_CLASSES];
static __thread bool race_watched; /* its caches go back when it ends */

static void race_refill(uint32_t class_index)
{
    struct zoo_slot *first = race_common[class_index], *last = first;
    if (!first)
        return;
    pthread_mutex_lock(&zoo_lock);
    unsigned count = 1;
    for (; count < RACE_BATCH && last->next; count++)
        last = last->next;
    race_common[class_index] = last->next;
    last->next = NULL;
    race_caches[class_index].first = first;
    race_caches[class_index].count = count;
    pthread_mutex_unlock(&zoo_lock);
}

static void *race_cached(size_t bytes, size_t alignment)
{
    size_t room = alignment > 16 ? bytes + alignment : bytes;
    if (room > ZOO_SMALL_MAX)
        return NULL;
    uint32_t class_index = zoo_class_of(room);
    if (!race_caches[class_index].first)
        race_refill(class_index);
    struct zoo_slot *slot = race_caches[class_index].first;
    if (slot) {
        race_caches[class_index].first = slot->next;
        race_caches[class_index].count--;
    }
    return (void *)(((uintptr_t)slot + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

/* What a cache has more than `left` goes back, under the lock. */
static void race_spill(uint32_t class_index, unsigned left)
{
    pthread_mutex_lock(&zoo_lock);
    while (race_caches[class_index].count > left && race_caches[class_index].first) {
        struct zoo_slot *slot = race_caches[class_index].first;
        race_caches[class_index].first = slot->next;
        race_caches[class_index].count--;
        slot->next = race_common[class_index];
        race_common[class_index] = slot;
    }
    pthread_mutex_unlock(&zoo_lock);
}

static bool race_returned(void *p)
{
    const struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES)
        return false;
    struct zoo_slot *slot = (struct zoo_slot *)zoo_slot_of(span, p);
    slot->next = race_caches[span->class_index].first;
    race_caches[span->class_index].first = slot;
    if (++race_caches[span->class_index].count > RACE_MOST)
        race_spill(span->class_index, RACE_BATCH);
    if (!race_watched)
        race_watched = pthread_setspecific(race_key, race_caches) == 0;
    return true;
}

static void race_end(void *unused)
{
    (void)unused;
    race_watched = false;
    for (uint32_t i = 0; i < ZOO_CLASSES; i++)
        race_spill(i, 0);
}
