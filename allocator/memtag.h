/* Memory tags, for machines that compare a tag in a pointer with a tag of the memory at each access
 * (Arm MTE), and for a model of one: a provider, as that of pages. A build with BW_MEMORY_TAGS asks
 * it; without, which is the rule, nothing here costs an instruction.
 *
 * A live object's granules carry a random tag, never that of the two slots beside it; all other
 * memory carries 0, an object's slack too. So a stale pointer, one that goes past an end, and one
 * that goes to a neighbour do not match, whatever is random. What is handed out carries the tag in
 * the pointer; objects of size 0, which nothing can read, have none. Inside of the allocator
 * addresses are plain: the provider lets its accesses pass. */
#ifndef BW_MEMTAG_H
#define BW_MEMTAG_H

#include "meta.h"

#ifndef BW_MEMORY_TAGS
#define BW_MEMORY_TAGS 0
#endif

enum { BW_TAG_GRANULE = 16 /* bytes that share one */ };

/* Stands longer than the heaps that use it. Every function may be called by several threads at
 * once. Addresses are plain but where it says otherwise. */
struct bw_memory_tags {
    unsigned count; /* of tags, 0 among them: 4 at least */
    /* The pointer to p that carries `tag`. p may carry one. */
    void *(*with)(const struct bw_memory_tags *tags, const void *p, unsigned tag);
    unsigned (*of_pointer)(const struct bw_memory_tags *tags, const void *p);
    /* Of the granule of committed memory that p points into. */
    unsigned (*of_memory)(const struct bw_memory_tags *tags, const void *p);
    /* All granules that [p, p + bytes) touches, which are committed, carry `tag` from now on. */
    void (*mark)(const struct bw_memory_tags *tags, void *p, size_t bytes, unsigned tag);
};

/* The slow parts of what follows. */
void *bw_memtag_address_of(struct bw_heap *heap, void *p, enum bw_intent intent);
void *bw_memtag_of_slot(struct bw_heap *heap, const struct bw_class *class, uint32_t slot, void *p,
                        size_t size);
void *bw_memtag_of_large(struct bw_heap *heap, void *p, size_t size);
void bw_memtag_move_end(const struct bw_memory_tags *tags, void *p, size_t room, size_t size);

static inline const struct bw_memory_tags *bw_memtags(const struct bw_heap *heap)
{
    return BW_MEMORY_TAGS ? heap->tags : NULL;
}

/* The address of what the program calls p. Where a live object stands there whose tag is another,
 * that ends in bw_fatal; what is no live object is left to others. */
static inline void *bw_memtag_enter(struct bw_heap *heap, void *p, enum bw_intent intent)
{
    return bw_memtags(heap) == NULL || p == NULL ? p : bw_memtag_address_of(heap, p, intent);
}

/* The address of a pointer that was just handed out, or NULL. */
static inline void *bw_memtag_plain(const struct bw_heap *heap, void *p)
{
    const struct bw_memory_tags *tags = bw_memtags(heap);
    return tags == NULL || p == NULL ? p : tags->with(tags, p, 0);
}

/* A new object of `size` bytes in the slot at p, the pointer to it. */
static inline void *bw_memtag_slot(struct bw_heap *heap, const struct bw_class *class,
                                   uint32_t slot, void *p, size_t size)
{
    return bw_memtags(heap) == NULL ? p : bw_memtag_of_slot(heap, class, slot, p, size);
}

/* The same of a large object. */
static inline void *bw_memtag_large(struct bw_heap *heap, void *p, size_t size)
{
    return bw_memtags(heap) == NULL || p == NULL ? p : bw_memtag_of_large(heap, p, size);
}

/* A live object, which has `room` bytes at p, is of another size now. */
static inline void bw_memtag_resize(const struct bw_heap *heap, void *p, size_t room, size_t size)
{
    if (bw_memtags(heap) != NULL)
        bw_memtag_move_end(bw_memtags(heap), p, room, size);
}

/* Committed memory that is no object's any more. */
static inline void bw_memtag_end(const struct bw_heap *heap, void *p, size_t bytes)
{
    const struct bw_memory_tags *tags = bw_memtags(heap);
    if (tags != NULL)
        tags->mark(tags, p, bytes, 0);
}

#endif
