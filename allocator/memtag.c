#include "memtag.h"

#include "cache.h"
#include "large.h"
#include "pages.h"
#include "slab.h"
#include "slab_slot.h"
#include "slot.h"

#if BW_MEMORY_TAGS

/* Of no object, hence no object's choice. */
enum { NO_OBJECT = 0 };

static unsigned choose(const struct bw_memory_tags *tags, struct bw_random *random, unsigned left,
                       unsigned right)
{
    unsigned tag = 1 + bw_random_below(random, tags->count - 1, BW_CHOICE_TAG);
    while (tag == left || tag == right)
        tag = tag % (tags->count - 1) + 1;
    return tag;
}

/* Of the slot before or behind this one, or none. Another thread may be changing it: that of two
 * neighbours made at one time may be the same by chance. */
static unsigned beside(const struct bw_memory_tags *tags, const struct bw_class *class,
                       uint32_t slot, const uint8_t *p, int step)
{
    const uint8_t *other = p + (ptrdiff_t) class->size * step;
    bool in_slab = step < 0 ? slot != 0 : slot + 1 < class->slots;
    bool guarded = class->stride != class->slab_bytes;
    if (!in_slab && (guarded || (size_t)(other - class->base) >= bw_load_size(&class->extent)))
        return NO_OBJECT;
    return tags->of_memory(tags, other);
}

void *bw_memtag_of_slot(struct bw_heap *heap, const struct bw_class *class, uint32_t slot, void *p,
                        size_t size)
{
    const struct bw_memory_tags *tags = heap->tags;
    if (is_unreadable(heap, class) || size == 0)
        return p;
    struct bw_cache *cache = bw_cache_mine(heap);
    struct bw_lock *lock = cache == NULL ? &heap->classes[class - heap->classes].lock : NULL;
    struct bw_random *random =
        cache == NULL ? &heap->classes[class - heap->classes].random : &cache->random;
    if (lock != NULL)
        bw_lock(lock);
    unsigned tag =
        choose(tags, random, beside(tags, class, slot, p, -1), beside(tags, class, slot, p, 1));
    if (lock != NULL)
        bw_unlock(lock);
    tags->mark(tags, p, size, tag);
    return tags->with(tags, p, tag);
}

/* Whatever was there before, whose pages may have come with their tags: all of it is settled. */
void *bw_memtag_of_large(struct bw_heap *heap, void *p, size_t size)
{
    const struct bw_memory_tags *tags = heap->tags;
    if (size == 0)
        return p;
    bw_lock(&heap->large.lock);
    unsigned tag = choose(tags, &heap->large.random, NO_OBJECT, NO_OBJECT);
    bw_unlock(&heap->large.lock);
    tags->mark(tags, p, size, tag);
    bw_memtag_move_end(tags, p, bw_round_up(size, bw_page_size(heap->pages)), size);
    return tags->with(tags, p, tag);
}

void bw_memtag_move_end(const struct bw_memory_tags *tags, void *p, size_t room, size_t size)
{
    unsigned tag = tags->of_memory(tags, p);
    size_t used = bw_round_up(size, BW_TAG_GRANULE);
    tags->mark(tags, p, size, tag);
    if (used < room)
        tags->mark(tags, (uint8_t *)p + used, room - used, NO_OBJECT);
}

/* The size of the live object that starts at p, 0 if there is none that has a tag. */
static size_t tagged_size(struct bw_heap *heap, const void *p)
{
    if (!bw_slab_owns(heap, p))
        return bw_large_live_size(heap, p);
    struct place place = locate(heap, p);
    if (!place.in_slot || place.offset != 0 || is_unreadable(heap, place.class))
        return 0;
    uint32_t state = bw_load_u16(tag_at(&place));
    return state & BW_TAG_LIVE ? place.class->size - slack_of(state) : 0;
}

void *bw_memtag_address_of(struct bw_heap *heap, void *p, enum bw_intent intent)
{
    static const char *const rules[] = {"free by a stale pointer", "realloc by a stale pointer",
                                        "usable_size by a stale pointer"};
    const struct bw_memory_tags *tags = heap->tags;
    void *address = tags->with(tags, p, 0);
    size_t size = tagged_size(heap, address);
    if (size == 0 || tags->of_pointer(tags, p) == tags->of_memory(tags, address))
        return address;
    bw_fatal(&(struct bw_misuse){.rule = rules[intent],
                                 .address = address,
                                 .size = size,
                                 .state = "live",
                                 .detail = "the pointer's tag is",
                                 .number = tags->of_pointer(tags, p),
                                 .guess = "a pointer to what stood there before"});
}

#endif
