/* The reference model: every object of a stream by number, what was promised for it, whether it
 * lives, and (through the index) where it stands.
 *
 * Pure bookkeeping: it judges nothing and never reads a subject's memory. Arena memory only; the
 * caller feeds it births and deaths in stream order. One model is one process: a fork copies it.
 * Records are 32 bytes, so that a long replay touches little memory. */
#ifndef ASSAY_MODEL_H
#define ASSAY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracles/model/index.h"
#include "traces/core/arena.h"

enum assay_object_state {
    ASSAY_OBJECT_UNBORN,
    ASSAY_OBJECT_LIVE,
    ASSAY_OBJECT_RESIZING, /* between the two halves of a resize: given up, not yet replaced */
    ASSAY_OBJECT_FREED,
    ASSAY_OBJECT_AMBIGUOUS, /* realloc(p, 0) gave NULL and no profile says whether p lives on */
};

enum assay_object_flag {
    ASSAY_OBJECT_USABLE_KNOWN = 1 << 0,
    ASSAY_OBJECT_EXTENT_USABLE = 1 << 1, /* usable was known at birth: the index holds it */
    ASSAY_OBJECT_SURVIVOR = 1 << 2,      /* a resize of it failed */
    ASSAY_OBJECT_PREEXISTING = 1 << 3,
    ASSAY_OBJECT_SIZED = 1 << 4, /* freed by free_sized or free_aligned_sized */
};

struct assay_object {
    uint64_t address;
    union {
        struct {
            uint64_t requested : 48; /* saturated */
            uint64_t owner : 16;     /* thread that allocated it */
        };
        uint64_t requested_and_owner; /* for one store: a load right behind two would wait */
    };
    int32_t usable_extra;   /* usable - requested, valid with USABLE_KNOWN */
    uint32_t birth, death;  /* op index, saturated */
    uint8_t api;            /* enum assay_op that bore it */
    uint8_t state;          /* enum assay_object_state */
    uint8_t alignment_log2; /* alignment asked for, 0 = none */
    uint8_t flags;          /* enum assay_object_flag */
};
_Static_assert(sizeof(struct assay_object) == 32, "two records to a cache line");

struct assay_model {
    struct assay_object *objects; /* by number, 0 unused */
    uint32_t max_objects;
    uint32_t highest; /* highest number used since the last reset */
    uint32_t live_count;
    uint64_t live_bytes; /* sum of max(requested, 1) over live objects */
    uint64_t op_index;   /* position of the op being judged */
    struct assay_index index;
};

size_t assay_model_bytes(uint32_t max_objects, uint32_t max_live);
/* Returns false if the arena is too small. */
bool assay_model_create(struct assay_model *model, struct assay_arena *arena, uint32_t max_objects,
                        uint32_t max_live);
/* Forgets all objects, in time proportional to how many there were. */
void assay_model_reset(struct assay_model *model);

static inline struct assay_object *assay_model_get(const struct assay_model *model, uint32_t number)
{
    return number != 0 && number <= model->max_objects ? &model->objects[number] : NULL;
}

static inline uint64_t assay_object_usable(const struct assay_object *object)
{
    return (uint64_t)((int64_t)object->requested + object->usable_extra);
}

/* Bytes that the object may not share with another: requested, at least one. */
static inline uint64_t assay_object_span(const struct assay_object *object)
{
    return object->requested ? object->requested : 1;
}

/* The record is filled in (address, requested, ...); it becomes live and is put into the index.
 * *ret_conflict tells which live objects it shares bytes with. */
void assay_model_bear(struct assay_model *model, uint32_t number,
                      struct assay_index_conflict *ret_conflict);
/* A live object ends; state is what it becomes. */
void assay_model_end(struct assay_model *model, uint32_t number, enum assay_object_state state);
/* A given-up object lives on (its resize failed). */
void assay_model_revive(struct assay_model *model, uint32_t number,
                        struct assay_index_conflict *ret_conflict);

#endif
