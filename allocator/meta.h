/* The heap and its out-of-line metadata. No pointer to anything here is ever stored in memory that
 * a program owns, and no offset from an object leads here: heap and slab records stand in a
 * reservation of their own, with unreadable gaps of random size around each part.
 *
 * Invariants, for every slot of a carved slab: it is live (its tag says so), free (its bit is set)
 * or held: in a thread's cache or quarantine, or on its way there; never two of them; a slot that
 * is not live reads as zero (zero_on_free); `free_count` of the slab counts the free slots; the
 * slab is on the list that its count says (full: none), or owned by one cache, which alone takes
 * slots of it.
 */
#ifndef BW_META_H
#define BW_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bulwark.h"
#include "bw_sync.h"
#include "fatal.h"
#include "note.h"
#include "random.h"
#include "sizeclass.h"

enum { BW_SLAB_SLOTS_MAX = 256, BW_SLAB_WORDS = BW_SLAB_SLOTS_MAX / 64 };

enum bw_list {
    BW_LIST_NONE,
    BW_LIST_PARTIAL,
    BW_LIST_EMPTY,
    BW_LIST_PURGED,
    BW_LIST_COUNT,
    BW_LIST_OWNED = BW_LIST_COUNT /* a state, no list */
};

/* What is known of a slot: 0 = never handed out (since its pages were given back), else the slack
 * (slot size less requested size) of its last object, plus 1, and whether that is live. Tags are
 * read and written without a lock, by whoever has the slot. */
enum { BW_TAG_LIVE = 0x8000, BW_TAG_SLACK = 0x7fff };

/* One slab: a bit per free slot, under the class's lock, and a tag per slot. Then a note of each,
 * where the variant keeps them. */
struct bw_slab {
    uint32_t next, prev; /* index + 1 on the list; 0 = none */
    uint16_t free_count;
    uint8_t list;
    uint64_t free[BW_SLAB_WORDS];
    uint16_t tags[];
};

struct bw_class {
    /* Geometry: constant once the heap is made. */
    uint32_t size, stride;      /* stride - slab_bytes is guard */
    uint64_t stride_reciprocal; /* of stride / 4096, times 2^32, rounded up */
    uint64_t slot_reciprocal;   /* of size / 16, the same */
    uint8_t *base;              /* slab i stands at base + i * stride */
    uint8_t *meta;              /* and its record at meta + i * meta_stride */
    size_t extent;              /* carved * stride; grows under the lock, read without it */
    uint32_t meta_stride, slots;
    uint32_t slab_bytes, slab_max;
    uint32_t batch; /* slots that a cache takes or gives at a time */
    uint32_t quarantine_max;

    struct bw_lock lock
        __attribute__((aligned(64))); /* guards what follows, and the slab records */
    /* What the system gave: survives a reset. */
    uint32_t guarded; /* slabs [0, guarded) have their guard */
    uint32_t carved;  /* slabs [0, carved) are in use */
    size_t committed, meta_committed;
    /* State. */
    uint32_t lists[BW_LIST_COUNT]; /* first slab, index + 1 */
    uint32_t empty_count;
    size_t kept_max;         /* bytes of empty slabs; beyond it they are given back */
    struct bw_random random; /* for what is no cache's */
} __attribute__((aligned(64)));

/* What a thread keeps of one class. An id is slab * 256 + slot. */
struct bw_bin {
    uint32_t ready_count; /* ready[0, ready_count): to be handed out */
    uint32_t room;        /* freed[room, batch): soon free; only a full quarantine leaves room */
    uint32_t quarantine_length;
    uint32_t patrol;  /* the entry of the quarantine that was looked at last */
    uint32_t owned;   /* slab, index + 1, that `ready` is filled from; 0 = none */
    uint32_t refills; /* of ready */
    uint32_t ready[BW_BATCH_MAX];
    uint32_t freed[BW_BATCH_MAX];
    uint32_t quarantine[bw_policy_quarantine_slots_max];
};

/* Where a thread's look over the heap stands: it goes round and round, a little at a time. */
struct bw_hand {
    uint32_t index; /* of the class */
    uint32_t slab, slot;
    uint32_t turns; /* of classes whose slots fill pages */
    uint32_t due;   /* bytes handed out since it moved last */
};

/* Belongs to one thread at a time, which alone touches its bins: no lock. Stands in a reservation
 * of its own. */
struct bw_cache {
    struct bw_cache *next; /* of the heap */
    const void *owner; /* the thread's bw_thread(), NULL = nobody's; under the heap's cache_lock */
    uint64_t touched;  /* a bit per class whose bin is not empty */
    uint64_t nonce;
    struct bw_random random;
    struct bw_hand hand;
    struct bw_bin bins[BW_CLASS_COUNT];
};

/* Large objects stand in random cells of a window, which is reserved as a whole. The kernel's page
 * tables of a cell go when it is closed; those of a whole GiB, a page each, stay. */
#define BW_LARGE_WINDOW ((size_t)1 << BW_WINDOW_SHIFT)
#define BW_LARGE_CELL   ((size_t)1 << BW_CELL_SHIFT)
enum { BW_LARGE_CELLS = BW_LARGE_WINDOW / BW_LARGE_CELL };

struct bw_large_object {
    uintptr_t address; /* 0 = no entry */
    size_t size;       /* requested */
    size_t usable;     /* readable bytes, whole pages */
    uint32_t before;   /* unreadable bytes on each side, at least */
    size_t after;
    uint32_t tail; /* of `after`: guards in the mapping of the object, which may grow into all of
                    * them but one page. 0: its pages cannot become a spare's */
    uint32_t first_cell, cells; /* of the window; no cells = a mapping of its own */
    uint32_t live;              /* or in quarantine, or leaving: large.c */
    uint8_t ready;              /* readable */
    struct bw_note notes[BW_NOTES];
};

struct bw_large {
    const struct bw_pages *pages; /* as the heap */
    struct bw_lock lock;
    struct bw_large_object *table;       /* open addressing by address, at most half full */
    uint32_t capacity, count;            /* capacity a power of two, 0 before the first object */
    uintptr_t window;                    /* 0 = none: address space is limited */
    uint64_t cells[BW_LARGE_CELLS / 64]; /* taken */
    uint32_t quarantine_length;
    uintptr_t quarantine[bw_policy_large_quarantine_objects];
    uint32_t spare_count;
    size_t spare_bytes; /* the sum of usable over the spares */
    struct bw_large_object spares[bw_policy_large_spare_objects]; /* oldest first */
    struct bw_random random;
};

struct bw_heap {
    const struct bw_pages *pages;      /* where all memory comes from */
    const struct bw_memory_tags *tags; /* NULL: memory has none */
    uint8_t *slab_start;               /* class i owns [i, i + 1) << class_shift from here */
    size_t slab_reserved;
    unsigned class_shift;
    bool bit_instructions; /* popcnt, pdep */
    bool deterministic;
    bool sparse;      /* what is not committed is not reserved either: bw_pages_extend */
    uint32_t spilled; /* a class was full: objects may stand in a larger class than they need */
    uint64_t secret;  /* of the canaries */
    struct bw_key key;
    uint64_t serial; /* no two heaps of a process have the same */
    struct bw_lock cache_lock;
    struct bw_cache *caches;
    struct bw_class classes[BW_CLASS_COUNT];
    size_t kept_more; /* what the classes' kept_max have grown by, about */
    struct bw_large large;
    bool forked;          /* this process is a child of the one that made it */
    struct bw_heap *next; /* of all heaps, for fork */
    void *reserved;       /* the reservation that this struct stands in */
    size_t reserved_bytes;
};

static inline struct bw_slab *bw_slab_record(const struct bw_class *class, uint32_t index)
{
    return (struct bw_slab *)(class->meta + (size_t)index * class->meta_stride);
}

/* A look over the heap for damage. */
enum bw_sweep_part { BW_SWEEP_QUARANTINE, BW_SWEEP_SLOTS };
struct bw_sweep {
    bool settled;  /* other threads may be at work: only slots that none can be working on */
    bool partly;   /* of a long slot only the first hand_bytes */
    bool wary;     /* the program may have taken pages away, from a child (MADV_DONTFORK) or from
                      itself:     what cannot be read is passed over */
    size_t budget; /* bytes that may still be read */
    const char *reason;      /* what is wrong, NULL: nothing */
    struct bw_misuse misuse; /* the damaged object; no rule where the metadata are wrong */
};

/* What a caller wants of an object: it decides the words of the message. */
enum bw_intent { BW_INTENT_FREE, BW_INTENT_REALLOC, BW_INTENT_ASK };

/* What free_sized and free_aligned_sized claim. */
struct bw_claim {
    size_t size;      /* BW_SIZE_UNKNOWN = not claimed */
    size_t alignment; /* 0 = not claimed */
};

_Noreturn void bw_not_an_object(enum bw_intent intent, const void *p, size_t size,
                                const char *state, const char *detail, size_t number);
_Noreturn void bw_freed_object(enum bw_intent intent, const void *p, size_t size,
                               const char *state);
/* Damage as words; end and slack of the canary as canary.h has them. */
struct bw_misuse bw_overflow_of(uint64_t secret, const uint8_t *p, size_t size, const uint8_t *end,
                                size_t slack, const uint8_t *behind);
struct bw_misuse bw_stale_write_of(const uint8_t *p, size_t size, size_t bytes, const char *state,
                                   const uint8_t *before);
void bw_check_claim(const struct bw_claim *claim, const void *p, size_t size, unsigned class_index,
                    bool spilled);

#endif
