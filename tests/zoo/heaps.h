/* The correct allocator of zoo.h with a heap for each thread: small slots come from and go back to
 * lists without a lock, what other threads free waits in the heap's mailbox, and the heap of a
 * thread that ended is the next one's. An animal defines one ZOO_* macro otherwise and includes
 * this. */
#define ZOO_SHORTCUT(bytes, alignment) zoo_heap_take(bytes, alignment)
#define ZOO_IGNORED(p)                 zoo_heap_give(p)
#define ZOO_SPAN_FIELDS                struct zoo_heap *heap; /* NULL: of all threads */
#define ZOO_BEGINS()                   pthread_key_create(&zoo_heap_key, zoo_heap_end)
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
static pthread_key_t zoo_heap_key;
struct zoo_heap;
static void zoo_heap_end(void *heap);
static void *zoo_heap_take(size_t bytes, size_t alignment);
static bool zoo_heap_give(void *p);
#include "tests/zoo/zoo.h"

enum { ZOO_MAILBOX = 32 };

struct zoo_heap {
    struct zoo_heap *next; /* of those that no thread has */
    struct zoo_slot *lists[ZOO_CLASSES];
    _Atomic(struct zoo_slot *) mailbox[ZOO_MAILBOX];
};

static struct zoo_heap *volatile zoo_idle_heaps;   /* whose threads ended */
static struct zoo_slot *zoo_overflow[ZOO_CLASSES]; /* of full mailboxes */
static __thread struct zoo_heap *zoo_heap;
static __thread bool zoo_heap_ended;

#ifndef ZOO_HEAP_POP /* what a thread does that begins */
#define ZOO_HEAP_POP() zoo_heap_pop_locked()
#endif
#ifndef ZOO_HEAP_PUSH /* and one that ends */
#define ZOO_HEAP_PUSH(heap) zoo_heap_push_locked(heap)
#endif
#ifndef ZOO_MAIL /* puts a slot into a place that is empty; false: it was not */
#define ZOO_MAIL(place, slot) zoo_mail(place, slot)
#endif

static __attribute__((unused)) bool zoo_mail(_Atomic(struct zoo_slot *) *place,
                                             struct zoo_slot *slot)
{
    struct zoo_slot *empty = NULL;
    return atomic_compare_exchange_strong(place, &empty, slot);
}

static struct zoo_heap *zoo_heap_pop(void)
{
    struct zoo_heap *heap = zoo_idle_heaps;
    if (heap)
        zoo_idle_heaps = heap->next;
    return heap;
}

static __attribute__((unused)) struct zoo_heap *zoo_heap_pop_locked(void)
{
    pthread_mutex_lock(&zoo_lock);
    struct zoo_heap *heap = zoo_heap_pop();
    pthread_mutex_unlock(&zoo_lock);
    return heap;
}

static void zoo_heap_push(struct zoo_heap *heap)
{
    heap->next = zoo_idle_heaps;
    zoo_idle_heaps = heap;
}

static __attribute__((unused)) void zoo_heap_push_locked(struct zoo_heap *heap)
{
    pthread_mutex_lock(&zoo_lock);
    zoo_heap_push(heap);
    pthread_mutex_unlock(&zoo_lock);
}

/* What is called behind its end a thread does with the lock. */
static void zoo_heap_end(void *heap)
{
    zoo_heap_ended = true;
    zoo_heap = NULL;
    ZOO_HEAP_PUSH(heap);
}

static struct zoo_heap *zoo_heap_own(void)
{
    if (zoo_heap || zoo_heap_ended)
        return zoo_heap;
    struct zoo_heap *heap = ZOO_HEAP_POP();
    if (!heap)
        heap = zoo_map(sizeof *heap);
    zoo_heap = heap;
    if (heap)
        pthread_setspecific(zoo_heap_key, heap);
    return heap;
}

static void zoo_heap_put(struct zoo_heap *heap, struct zoo_slot *slot)
{
    struct zoo_slot **list = &heap->lists[zoo_span_of(slot)->class_index];
    slot->next = *list;
    *list = slot;
}

/* What waits for it, or for anybody, or a span of its own. */
static void zoo_heap_fill(struct zoo_heap *heap, uint32_t class_index)
{
    for (unsigned i = 0; i < ZOO_MAILBOX; i++) {
        struct zoo_slot *slot = atomic_exchange(&heap->mailbox[i], NULL);
        if (slot)
            zoo_heap_put(heap, slot);
    }
    if (heap->lists[class_index])
        return;
    pthread_mutex_lock(&zoo_lock);
    struct zoo_slot *others = zoo_free_lists[class_index];
    zoo_free_lists[class_index] = NULL;
    heap->lists[class_index] = zoo_overflow[class_index];
    zoo_overflow[class_index] = NULL;
    if (!heap->lists[class_index] && zoo_new_span(class_index)) {
        heap->lists[class_index] = zoo_free_lists[class_index];
        zoo_span_of(heap->lists[class_index])->heap = heap;
    }
    zoo_free_lists[class_index] = others;
    pthread_mutex_unlock(&zoo_lock);
}

static void *zoo_heap_take(size_t bytes, size_t alignment)
{
    size_t room = alignment > 16 ? bytes + alignment : bytes;
    struct zoo_heap *heap = room <= ZOO_SMALL_MAX && room >= bytes ? zoo_heap_own() : NULL;
    if (!heap)
        return NULL;
    uint32_t class_index = zoo_class_of(room);
    if (!heap->lists[class_index])
        zoo_heap_fill(heap, class_index);
    struct zoo_slot *slot = heap->lists[class_index];
    if (!slot)
        return NULL;
    heap->lists[class_index] = slot->next;
    return (void *)(((uintptr_t)slot + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

/* What a full mailbox has no room for is for whoever comes. */
static bool zoo_heap_give(void *p)
{
    struct zoo_span *span = zoo_span_of(p);
    struct zoo_heap *heap = span->heap;
    if (span->class_index == ZOO_CLASSES || !heap)
        return false;
    struct zoo_slot *slot = (struct zoo_slot *)zoo_slot_of(span, p);
    if (heap == zoo_heap_own()) {
        zoo_heap_put(heap, slot);
        return true;
    }
    for (unsigned i = 0; i < ZOO_MAILBOX; i++)
        if (!atomic_load(&heap->mailbox[i]) && ZOO_MAIL(&heap->mailbox[i], slot))
            return true;
    pthread_mutex_lock(&zoo_lock);
    slot->next = zoo_overflow[span->class_index];
    zoo_overflow[span->class_index] = slot;
    pthread_mutex_unlock(&zoo_lock);
    return true;
}
