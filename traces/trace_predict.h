/* Where will the allocator put the next object? Says an address in few bits; used by both sides of
 * the trace file.
 *
 * What allocators share: the last object freed in a thread is handed out again for the next request
 * of its size, else memory is carved off in address order, else a size has its own run with a
 * constant stride. Nothing here need be right: a miss costs bytes only. State is of fixed size and
 * starts anew in every block. Internal to traces/trace_*.c. */
#ifndef ASSAY_TRACE_PREDICT_H
#define ASSAY_TRACE_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

#define PREDICT_BINS  4096 /* a power of two */
#define PREDICT_DEPTH 64

enum predict_code {
    PREDICT_IN_PLACE = 0, /* a resize that did not move */
    PREDICT_NEXT = 1,     /* where the last object that was carved off ends */
    PREDICT_STRIDE = 2,   /* one stride after the last object of this size */
    PREDICT_RAW = 3,      /* the address is in the VALUE column */
    PREDICT_FREED = 4,    /* + how many objects of this size were freed since */
    PREDICT_DELTA = 128   /* + zigzag(distance from PREDICT_NEXT's place / 16) */
};

struct predict_bin {
    uint64_t last, stride;
    uint32_t generation; /* another one than the predictor's: the bin is empty */
    uint32_t top, n;     /* freed[(top - 1 - depth) % PREDICT_DEPTH] */
    uint64_t freed[PREDICT_DEPTH];
};

struct predict {
    uint64_t next;
    uint32_t generation;
    struct predict_bin bins[PREDICT_BINS];
};

/* All-zero is fine, too. */
void predict_reset(struct predict *predict);
/* Bytes that an object of this size is thought to take, in units of 16. */
uint32_t predict_units(uint64_t bytes);
/* Both sides call exactly one of encode and decode per object born, with the same other arguments.
 * operand is the address of the object that was resized, 0 for none. */
uint64_t predict_encode(struct predict *predict, uint32_t context, uint32_t units, uint64_t operand,
                        uint64_t address);
uint64_t predict_decode(struct predict *predict, uint32_t context, uint32_t units, uint64_t operand,
                        uint64_t code, uint64_t raw);
void predict_freed(struct predict *predict, uint32_t context, uint32_t units, uint64_t address);

#endif
