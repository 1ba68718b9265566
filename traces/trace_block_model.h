/* What encoder and decoder of a block share: what both know after each event, and the directory of
 * streams. Internal to traces/trace_block_*.c. */
#ifndef ASSAY_TRACE_BLOCK_MODEL_H
#define ASSAY_TRACE_BLOCK_MODEL_H

#include "traces/object_map.h"
#include "traces/trace.h"
#include "traces/trace_columns.h"
#include "traces/trace_format.h"
#include "traces/trace_predict.h"

#define STREAMS_MAX  128
#define USABLE_SLOTS 1024 /* a power of two */

/* Follows the stream of events. */
struct block_model {
    uint32_t next_born, base_born;
    uint32_t context;
    uint64_t ticks;
    uint32_t time_unit_ns;
    struct assay_object_map births; /* live objects: address, predict_units */
    struct predict predict;
    struct {
        uint64_t bytes;
        int32_t extra;
        bool known;
    } usable[USABLE_SLOTS];
};

/* Which streams a block has, in the order of their bytes. */
struct block_directory {
    struct {
        unsigned id;
        size_t raw, stored;
        bool packed;
    } rows[STREAMS_MAX];
    unsigned n;
};

static inline uint32_t block_context_of(const struct assay_event *event)
{
    return (uint32_t)event->process << 16 | event->thread;
}

static inline bool block_bears(const struct assay_event *event)
{
    return event->born != 0 && assay_event_bears(event);
}

void block_model_start(struct block_model *model, uint32_t base_born);
/* To be called after each event, with all its fields known. */
int block_model_after(struct block_model *model, const struct assay_event *event);
/* The operand's address as it should be observed, 0 if that is not known. */
uint64_t block_operand_address(const struct block_model *model, const struct assay_event *event);
/* Size of an event's object as predict_* takes it. */
uint32_t block_units_of(const struct assay_event *event);
/* True if objects of this size are known to have *ret_extra usable bytes more. */
bool block_usable_expected(const struct block_model *model, uint64_t bytes, int32_t *ret_extra);
void block_usable_learn(struct block_model *model, uint64_t bytes, int32_t extra);
/* Makes a malloc'ed buffer at least n bytes large. */
int block_reserve(uint8_t **buffer, size_t *room, size_t n);

#endif
