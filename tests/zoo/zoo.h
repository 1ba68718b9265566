/* A compact and correct allocator, and the places where a zoo animal may go wrong.
 *
 * Size classes in 64 KiB spans, free lists threaded through the freed slots, an out-of-line bitmap
 * per span that knows what is live, larger objects in mappings of their own, one lock. Each animal
 * is a file of a few lines that defines one ZOO_* macro otherwise than below and includes this; its
 * .ini says by which property it must be caught. Not an allocator to use: memory of small objects
 * is never given back. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* C23; glibc 2.36 does not declare them */
void free_sized(void *p, size_t bytes);
void free_aligned_sized(void *p, size_t alignment, size_t bytes);

#define ZOO_EXPORT __attribute__((visibility("default")))

enum {
    ZOO_SPAN_BYTES = 1 << 16,
    ZOO_CHUNK_BYTES = 1 << 22,
    ZOO_HEADER_BYTES = 1024, /* of a span */
    ZOO_PAGE = 4096,
    ZOO_SMALL_MAX = 16384,
    ZOO_CLASSES = 8 + 7 * 4, /* 16..128 by 16, then four to each doubling up to 16 KiB */
    ZOO_LEAF_BITS = 15
};

#ifndef ZOO_SPAN_FIELDS /* what an animal has to know of the slots of a span */
#define ZOO_SPAN_FIELDS
#endif

struct zoo_slot {
    struct zoo_slot *next;
};

/* At the start of a span, and of a large object's mapping. */
struct zoo_span {
    uint32_t class_index; /* ZOO_CLASSES: one large object */
    uint32_t slot_bytes;
    char *first; /* first slot, or the large object */
    size_t mapping_bytes;
    char *mapping;
    uint64_t live[ZOO_SPAN_BYTES / 16 / 64];
    ZOO_SPAN_FIELDS
};
_Static_assert(sizeof(struct zoo_span) <= ZOO_HEADER_BYTES, "the header has its room");

static pthread_mutex_t zoo_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zoo_slot *zoo_free_lists[ZOO_CLASSES];
static uint64_t zoo_frees, zoo_births; /* of small objects, ever: what some animals wait for */
static char *zoo_chunk, *zoo_chunk_end;
/* 64 KiB granule of an address -> its span: two levels over 47 bits. */
static struct zoo_span **zoo_directory[1 << (47 - 16 - ZOO_LEAF_BITS)];

/* ---- where animals differ ---------------------------------------------------------------------
 */

#ifndef ZOO_REQUEST /* bytes that a request is rounded to before a class is chosen */
#define ZOO_REQUEST(bytes) (bytes)
#endif
#define ZOO_LIMIT ((size_t)PTRDIFF_MAX - ZOO_CHUNK_BYTES)
#ifndef ZOO_TOO_LARGE /* requests that are refused at once */
#define ZOO_TOO_LARGE(bytes, alignment) ((bytes) > ZOO_LIMIT || (alignment) > ZOO_LIMIT)
#endif
#ifndef ZOO_CLASS_OF /* the size class of a small request */
#define ZOO_CLASS_OF(bytes) zoo_class_of(bytes)
#endif
#ifndef ZOO_PLACE /* where an object begins in its slot, or in its large room */
#define ZOO_PLACE(slot, bytes, alignment) (slot)
#endif
#ifndef ZOO_FIRST_SLOT /* where the slots of a span begin */
#define ZOO_FIRST_SLOT ZOO_HEADER_BYTES
#endif
#ifndef ZOO_SPAN_CUT /* a new span is cut into slots, and all are in its class's list */
#define ZOO_SPAN_CUT(span, slots) ((void)0)
#endif
#ifndef ZOO_MAP_LARGE /* the mapping of a large object */
#define ZOO_MAP_LARGE(bytes) zoo_map_aligned(bytes)
#endif
#ifndef ZOO_UNMAP_LARGE
#define ZOO_UNMAP_LARGE(mapping, bytes) munmap(mapping, bytes)
#endif
#ifndef ZOO_KEPT_LARGE /* a freed large object stays where it is */
#define ZOO_KEPT_LARGE(p) false
#endif
#ifndef ZOO_REFUSE /* what a refusal leaves behind */
#define ZOO_REFUSE(bytes) (errno = ENOMEM)
#endif
#define ZOO_REFUSED() (ZOO_LEAVE(), errno = ENOMEM, (void *)NULL)
#ifndef ZOO_NO_MEMORY /* what comes of a request for which there is none; the lock is held */
#define ZOO_NO_MEMORY() ZOO_REFUSED()
#endif
#ifndef ZOO_NO_CHUNK /* no mapping for spans could be had */
#define ZOO_NO_CHUNK() return false
#endif
#ifndef ZOO_OVERFLOWS /* of count * size into *product */
#define ZOO_OVERFLOWS(count, size, product) __builtin_mul_overflow(count, size, product)
#endif
#ifndef ZOO_ALIGN_TO /* where an aligned object begins in its slot */
#define ZOO_ALIGN_TO(alignment, bytes) (alignment)
#endif
#ifndef ZOO_LARGE_ALIGNMENT /* of an object in a mapping of its own */
#define ZOO_LARGE_ALIGNMENT(alignment) (alignment)
#endif
#ifndef ZOO_COPY_BYTES /* how much a moving realloc takes along */
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    ((old_usable) < (new_bytes) ? (old_usable) : (new_bytes))
#endif
#ifndef ZOO_COPY_FROM /* and from where */
#define ZOO_COPY_FROM(p, span) (p)
#endif
#ifndef ZOO_CLEAR_BYTES /* how much calloc clears */
#define ZOO_CLEAR_BYTES(p, bytes, span) ((span)->class_index == ZOO_CLASSES ? 0 : (bytes))
#endif
#ifndef ZOO_ROOM /* of an object in a slot, from p on */
#define ZOO_ROOM(p, span, bytes) (bytes)
#endif
#ifndef ZOO_USABLE /* what malloc_usable_size answers */
#define ZOO_USABLE(p, span, usable) (usable)
#endif
#ifndef ZOO_USABLE_NULL
#define ZOO_USABLE_NULL() 0
#endif
#ifndef ZOO_BACK_SLOT /* what goes back to which list when p is freed */
#define ZOO_BACK_SLOT(p, span) zoo_slot_of(span, p)
#endif
#ifndef ZOO_BACK_CLASS
#define ZOO_BACK_CLASS(span) ((span)->class_index)
#endif
#ifndef ZOO_IGNORED /* pointers that free passes over */
#define ZOO_IGNORED(p) false
#endif
#ifndef ZOO_FREED_SMALL /* after a slot went back to its list */
#define ZOO_FREED_SMALL(slot, span) ((void)0)
#endif
#ifndef ZOO_FREED_LARGE /* after a large object was unmapped */
#define ZOO_FREED_LARGE() ((void)0)
#endif
#ifndef ZOO_DOUBLE_FREE /* a slot that is not live is freed */
#define ZOO_DOUBLE_FREE(span) zoo_die("double free\n")
#endif
#ifndef ZOO_RESIZE_STARTS /* before anything of a realloc */
#define ZOO_RESIZE_STARTS(p, span, slot) ((void)0)
#endif
#ifndef ZOO_RESIZE_STAYS /* the object keeps its place */
#define ZOO_RESIZE_STAYS(p, span, usable, bytes) ((bytes) <= (usable) && (bytes) >= (usable) / 2)
#endif
#ifndef ZOO_RESIZE_ALIGNMENT /* of an object that moves */
#define ZOO_RESIZE_ALIGNMENT(p, usable, bytes) 16
#endif
#ifndef ZOO_RESIZE_MOVED /* p was copied and is about to be freed */
#define ZOO_RESIZE_MOVED(p) ((void)0)
#endif
#ifndef ZOO_RESIZE_NULL /* realloc(NULL, bytes) */
#define ZOO_RESIZE_NULL(bytes) malloc(bytes)
#endif
#ifndef ZOO_RESIZE_ZERO /* realloc(p, 0) */
#define ZOO_RESIZE_ZERO(p) zoo_resize_zero(p)
#endif
#ifndef ZOO_RESIZE_ARRAY /* a product that fits */
#define ZOO_RESIZE_ARRAY(p, bytes) realloc(p, bytes)
#endif
#ifndef ZOO_RESIZE_FAILED /* the new object of a realloc could not be had */
#define ZOO_RESIZE_FAILED(p) ((void)0)
#endif
#ifndef ZOO_PAGES /* how memory is mapped */
#define ZOO_PAGES (MAP_PRIVATE | MAP_ANONYMOUS)
#endif
#ifndef ZOO_PROTECTION
#define ZOO_PROTECTION (PROT_READ | PROT_WRITE)
#endif
#ifndef ZOO_BEGINS /* what the library's constructor does more, */
#define ZOO_BEGINS() ((void)0)
#endif
#ifndef ZOO_ENDS /* and its destructor */
#define ZOO_ENDS() ((void)0)
#endif
#ifndef ZOO_FORKS /* before a fork, */
#define ZOO_FORKS() pthread_mutex_lock(&zoo_lock)
#endif
#ifndef ZOO_FORKED_PARENT /* and behind it */
#define ZOO_FORKED_PARENT() pthread_mutex_unlock(&zoo_lock)
#endif
#ifndef ZOO_FORKED_CHILD
#define ZOO_FORKED_CHILD() pthread_mutex_unlock(&zoo_lock)
#endif
#ifndef ZOO_ENTER /* around what an allocation looks up and changes, */
#define ZOO_ENTER() pthread_mutex_lock(&zoo_lock)
#endif
#ifndef ZOO_LEAVE
#define ZOO_LEAVE() pthread_mutex_unlock(&zoo_lock)
#endif
#ifndef ZOO_FREE_ENTERS /* and a release */
#define ZOO_FREE_ENTERS() pthread_mutex_lock(&zoo_lock)
#endif
#ifndef ZOO_FREE_LEAVES
#define ZOO_FREE_LEAVES() pthread_mutex_unlock(&zoo_lock)
#endif
#ifndef ZOO_SHORTCUT /* what a request gets without all that; NULL = nothing */
#define ZOO_SHORTCUT(bytes, alignment) NULL
#endif
#ifndef ZOO_CALLED /* at the start of every call: the alignment asked for, 0 = a free */
#define ZOO_CALLED(p, alignment) ((void)0)
#endif
#ifndef ZOO_ALLOCATION_STARTS
#define ZOO_ALLOCATION_STARTS(bytes) ((void)0)
#endif
#ifndef ZOO_ALLOCATED
#define ZOO_ALLOCATED(p) ((void)0)
#endif
#ifndef ZOO_CALLOC /* a product that fits */
#define ZOO_CALLOC(bytes) malloc(bytes)
#endif
#ifndef ZOO_ZERO_BYTES /* what a request for nothing becomes */
#define ZOO_ZERO_BYTES() zoo_take(1)
#endif
#ifndef ZOO_MEMALIGN_BAD /* alignments that posix_memalign refuses, */
#define ZOO_MEMALIGN_BAD(alignment)                                                                \
    ((alignment) % sizeof(void *) != 0 || (alignment) == 0 || ((alignment) & ((alignment)-1)) != 0)
#endif
#ifndef ZOO_MEMALIGN_CODE /* with what code, */
#define ZOO_MEMALIGN_CODE EINVAL
#endif
#ifndef ZOO_MEMALIGN_FAILED /* and what else it does then */
#define ZOO_MEMALIGN_FAILED(out) ((void)0)
#endif
#ifndef ZOO_ALIGNED_ALLOC
#define ZOO_ALIGNED_ALLOC(alignment, bytes) memalign(alignment, bytes)
#endif
#ifndef ZOO_PVALLOC_ROUND
#define ZOO_PVALLOC_ROUND(bytes) (((bytes) + ZOO_PAGE - 1) & ~(size_t)(ZOO_PAGE - 1))
#endif
#ifndef ZOO_PVALLOC_WRAPS
#define ZOO_PVALLOC_WRAPS(bytes, rounded) ((rounded) < (bytes))
#endif
#ifndef ZOO_FREE_SIZED
#define ZOO_FREE_SIZED(p, bytes) free(p)
#endif
#ifndef ZOO_FREE_ALIGNED_SIZED
#define ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes) free(p)
#endif

/* ---- the allocator ----------------------------------------------------------------------------
 */

static _Noreturn __attribute__((unused)) void zoo_die(const char *line)
{
    ssize_t written = write(2, line, strlen(line));
    (void)written;
    __builtin_trap();
}

static void zoo_before_fork(void)
{
    ZOO_FORKS();
}

static void zoo_after_fork_in_parent(void)
{
    ZOO_FORKED_PARENT();
}

static void zoo_after_fork_in_child(void)
{
    ZOO_FORKED_CHILD();
}

static __attribute__((constructor)) void zoo_start(void)
{
    pthread_atfork(zoo_before_fork, zoo_after_fork_in_parent, zoo_after_fork_in_child);
    ZOO_BEGINS();
}

static __attribute__((destructor)) void zoo_end(void)
{
    ZOO_ENDS();
}

static uint32_t zoo_class_of(size_t bytes)
{
    if (bytes <= 128)
        return bytes ? (uint32_t)((bytes - 1) / 16) : 0;
    unsigned top = 63 - (unsigned)__builtin_clzl(bytes - 1); /* 7 for 129..256 */
    return 8 + (top - 7) * 4 + (uint32_t)((bytes - 1) >> (top - 2) & 3);
}

static uint32_t zoo_class_bytes(uint32_t class_index)
{
    if (class_index < 8)
        return (class_index + 1) * 16;
    uint32_t doubling = (class_index - 8) / 4, quarter = (class_index - 8) % 4;
    return (128u << doubling) + (quarter + 1) * (32u << doubling);
}

static void *zoo_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, ZOO_PROTECTION, ZOO_PAGES, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static struct zoo_span **zoo_directory_at(const void *p, bool make)
{
    uintptr_t granule = (uintptr_t)p >> 16;
    if (granule >> (47 - 16))
        return NULL;
    struct zoo_span ***leaf = &zoo_directory[granule >> ZOO_LEAF_BITS];
    if (!*leaf && make)
        *leaf = zoo_map(sizeof(void *) << ZOO_LEAF_BITS);
    return *leaf ? *leaf + (granule & ((1 << ZOO_LEAF_BITS) - 1)) : NULL;
}

static struct zoo_span *zoo_span_of(const void *p)
{
    struct zoo_span **entry = zoo_directory_at(p, false);
    if (!entry || !*entry)
        zoo_die("not a pointer of this allocator\n");
    return *entry;
}

/* Maps with slack and trims, so that the result is 64 KiB-aligned. */
static char *zoo_map_aligned(size_t bytes)
{
    char *p = zoo_map(bytes + ZOO_SPAN_BYTES);
    if (!p)
        return NULL;
    char *aligned =
        (char *)(((uintptr_t)p + ZOO_SPAN_BYTES - 1) & ~(uintptr_t)(ZOO_SPAN_BYTES - 1));
    if (aligned != p)
        munmap(p, (size_t)(aligned - p));
    if (aligned != p + ZOO_SPAN_BYTES)
        munmap(aligned + bytes, (size_t)(p + ZOO_SPAN_BYTES - aligned));
    return aligned;
}

static bool zoo_new_span(uint32_t class_index)
{
    if (zoo_chunk == zoo_chunk_end) {
        char *chunk = zoo_map_aligned(ZOO_CHUNK_BYTES);
        if (!chunk)
            ZOO_NO_CHUNK();
        zoo_chunk = chunk;
        zoo_chunk_end = chunk + ZOO_CHUNK_BYTES;
    }
    struct zoo_span *span = (struct zoo_span *)zoo_chunk;
    struct zoo_span **entry = zoo_directory_at(span, true);
    if (!entry)
        return false;
    *entry = span;
    zoo_chunk += ZOO_SPAN_BYTES;
    span->class_index = class_index;
    span->slot_bytes = zoo_class_bytes(class_index);
    span->first = (char *)span + ZOO_FIRST_SLOT;
    uint32_t slots = (ZOO_SPAN_BYTES - ZOO_HEADER_BYTES) / span->slot_bytes;
    for (uint32_t i = slots; i-- > 0;) {
        struct zoo_slot *slot = (struct zoo_slot *)(span->first + (size_t)i * span->slot_bytes);
        slot->next = zoo_free_lists[class_index];
        zoo_free_lists[class_index] = slot;
    }
    ZOO_SPAN_CUT(span, slots);
    return true;
}

static uint32_t zoo_index_of(const struct zoo_span *span, const void *p)
{
    return (uint32_t)((const char *)p - span->first) / span->slot_bytes;
}

static char *zoo_slot_of(const struct zoo_span *span, const void *p)
{
    return span->first + (size_t)zoo_index_of(span, p) * span->slot_bytes;
}

static void *zoo_take_small(size_t bytes)
{
    uint32_t class_index = ZOO_CLASS_OF(bytes);
    if (!zoo_free_lists[class_index] && !zoo_new_span(class_index))
        return NULL;
    struct zoo_slot *slot = zoo_free_lists[class_index];
    struct zoo_span *span = zoo_span_of(slot);
    uint32_t index = zoo_index_of(span, slot);
    zoo_free_lists[class_index] = slot->next;
    span->live[index / 64] |= UINT64_C(1) << (index % 64);
    zoo_births++;
    return slot;
}

static void *zoo_take_large(size_t bytes, size_t alignment)
{
    size_t room = (bytes + ZOO_HEADER_BYTES + alignment + ZOO_PAGE - 1) & ~(size_t)(ZOO_PAGE - 1);
    char *mapping = ZOO_MAP_LARGE(room);
    if (!mapping)
        return NULL;
    struct zoo_span *span = (struct zoo_span *)mapping;
    uintptr_t first = ((uintptr_t)mapping + ZOO_HEADER_BYTES + alignment - 1) & ~(alignment - 1);
    struct zoo_span **entry = zoo_directory_at((void *)first, true);
    if (!entry) {
        ZOO_UNMAP_LARGE(mapping, room);
        return NULL;
    }
    span->class_index = ZOO_CLASSES;
    span->first = (char *)first;
    span->mapping = mapping;
    span->mapping_bytes = room;
    *entry = span;
    return span->first;
}

/* Small memory comes in slots of 16 bytes' alignment, large memory as aligned as wanted. */
static void *zoo_take_locked(size_t bytes, size_t alignment)
{
    char *p;
    if (alignment > 16 && bytes + alignment <= ZOO_SMALL_MAX) {
        size_t used = ZOO_ALIGN_TO(alignment, bytes);
        p = zoo_take_small(bytes + alignment);
        p = (char *)(((uintptr_t)p + used - 1) & ~(used - 1));
    } else if (alignment > 16 || bytes > ZOO_SMALL_MAX) {
        p = zoo_take_large(bytes, ZOO_LARGE_ALIGNMENT(alignment < 16 ? 16 : alignment));
    } else {
        p = zoo_take_small(bytes);
    }
    return p ? ZOO_PLACE(p, bytes, alignment) : NULL;
}

static void *zoo_take_aligned(size_t bytes, size_t alignment)
{
    void *p = NULL;
    size_t request = ZOO_REQUEST(bytes);
    ZOO_CALLED(NULL, alignment);
    if (!ZOO_TOO_LARGE(request, alignment)) {
        p = ZOO_SHORTCUT(request, alignment);
        if (p)
            return p;
        ZOO_ENTER();
        ZOO_ALLOCATION_STARTS(bytes);
        p = zoo_take_locked(request, alignment);
        if (!p)
            return ZOO_NO_MEMORY();
        ZOO_ALLOCATED(p);
        ZOO_LEAVE();
        return p;
    }
    ZOO_REFUSE(bytes);
    return NULL;
}

static void *zoo_take(size_t bytes)
{
    return zoo_take_aligned(bytes, 16);
}

static size_t zoo_usable_of(const struct zoo_span *span, const void *p)
{
    if (span->class_index == ZOO_CLASSES)
        return (size_t)(span->mapping + span->mapping_bytes - (const char *)p);
    size_t bytes = (size_t)(zoo_slot_of(span, p) + span->slot_bytes - (const char *)p);
    return ZOO_ROOM(p, span, bytes);
}

static void zoo_give_back(void *p)
{
    ZOO_FREE_ENTERS();
    struct zoo_span *span = zoo_span_of(p);
    if (span->class_index == ZOO_CLASSES) {
        if (!ZOO_KEPT_LARGE(p)) {
            *zoo_directory_at(p, false) = NULL;
            ZOO_UNMAP_LARGE(span->mapping, span->mapping_bytes);
        }
        ZOO_FREED_LARGE();
    } else {
        uint32_t index = zoo_index_of(span, p);
        uint64_t bit = UINT64_C(1) << (index % 64);
        if (!(span->live[index / 64] & bit))
            ZOO_DOUBLE_FREE(span);
        span->live[index / 64] &= ~bit;
        struct zoo_slot *slot = (struct zoo_slot *)ZOO_BACK_SLOT(p, span);
        slot->next = zoo_free_lists[ZOO_BACK_CLASS(span)];
        zoo_free_lists[ZOO_BACK_CLASS(span)] = slot;
        zoo_frees++;
        ZOO_FREED_SMALL(slot, span);
    }
    ZOO_FREE_LEAVES();
}

/* ---- the API ----------------------------------------------------------------------------------
 */

ZOO_EXPORT void *malloc(size_t bytes)
{
    return bytes ? zoo_take(bytes) : ZOO_ZERO_BYTES();
}

ZOO_EXPORT void free(void *p)
{
    ZOO_CALLED(p, 0);
    if (p && !ZOO_IGNORED(p))
        zoo_give_back(p);
}

ZOO_EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (ZOO_OVERFLOWS(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = ZOO_CALLOC(bytes);
    if (p) {
        const struct zoo_span *span = zoo_span_of(p);
        (void)span;
        memset(p, 0, ZOO_CLEAR_BYTES(p, bytes, span));
    }
    return p;
}

static __attribute__((unused)) void *zoo_resize_zero(void *p)
{
    int saved = errno; /* an animal's free may change it; a refusal would be meant by that */
    free(p);
    errno = saved;
    return NULL;
}

ZOO_EXPORT void *realloc(void *p, size_t bytes)
{
    if (!p)
        return ZOO_RESIZE_NULL(bytes);
    if (bytes == 0)
        return ZOO_RESIZE_ZERO(p);
    struct zoo_span *span = zoo_span_of(p);
    size_t usable = zoo_usable_of(span, p);
    ZOO_RESIZE_STARTS(p, span, usable);
    if (ZOO_RESIZE_STAYS(p, span, usable, bytes))
        return p;
    void *moved = zoo_take_aligned(bytes, ZOO_RESIZE_ALIGNMENT(p, usable, bytes));
    if (!moved) {
        ZOO_RESIZE_FAILED(p);
        return NULL;
    }
    memcpy(moved, ZOO_COPY_FROM(p, span), ZOO_COPY_BYTES(usable, bytes));
    ZOO_RESIZE_MOVED(p);
    free(p);
    return moved;
}

ZOO_EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (ZOO_OVERFLOWS(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return ZOO_RESIZE_ARRAY(p, bytes);
}

ZOO_EXPORT void *memalign(size_t alignment, size_t bytes)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    return zoo_take_aligned(bytes ? bytes : 1, alignment);
}

ZOO_EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    return ZOO_ALIGNED_ALLOC(alignment, bytes);
}

ZOO_EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    int saved = errno;
    if (ZOO_MEMALIGN_BAD(alignment)) {
        ZOO_MEMALIGN_FAILED(out);
        return ZOO_MEMALIGN_CODE;
    }
    void *p = zoo_take_aligned(bytes ? bytes : 1, alignment);
    errno = saved;
    if (!p) {
        ZOO_MEMALIGN_FAILED(out);
        return ENOMEM;
    }
    *out = p;
    return 0;
}

ZOO_EXPORT void *valloc(size_t bytes)
{
    return memalign(ZOO_PAGE, bytes);
}

ZOO_EXPORT void *pvalloc(size_t bytes)
{
    size_t rounded = ZOO_PVALLOC_ROUND(bytes);
    if (ZOO_PVALLOC_WRAPS(bytes, rounded)) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(ZOO_PAGE, rounded ? rounded : ZOO_PAGE);
}

ZOO_EXPORT void free_sized(void *p, size_t bytes)
{
    (void)bytes;
    ZOO_FREE_SIZED(p, bytes);
}

ZOO_EXPORT void free_aligned_sized(void *p, size_t alignment, size_t bytes)
{
    (void)alignment;
    (void)bytes;
    ZOO_FREE_ALIGNED_SIZED(p, alignment, bytes);
}

ZOO_EXPORT size_t malloc_usable_size(void *p)
{
    if (!p)
        return ZOO_USABLE_NULL();
    const struct zoo_span *span = zoo_span_of(p);
    return ZOO_USABLE(p, span, zoo_usable_of(span, p));
}
