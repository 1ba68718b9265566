/* Bytes <-> programs, total in both directions that matter.
 *
 * decode: every input is a legal program (or, with misuse allowed, one that ends in a marked
 * misuse) of at least 64 ops; parameters are read from the input's tail, 4-byte op records from its
 * front, exact values by a varint escape; what the records leave short of 64 ops is made from a
 * seed in the tail. encode: decode(encode(p)) == p for every program within the limits, so captured
 * seeds are exact; a program shorter than 64 ops is marked in the tail and decodes to just its ops,
 * so minimised programs return to a corpus too. Allocates nothing: the caller brings the event
 * buffer. Used by the engine, the isolated fuzzer and the corpus tools. */
#ifndef ASSAY_PROGRAM_H
#define ASSAY_PROGRAM_H

#include "traces/event.h"

enum { ASSAY_PROGRAM_MIN_OPS = 64, ASSAY_PROGRAM_MAX_OPS = 4096 };

struct assay_program_limits {
    uint64_t missing_apis; /* bit per enum assay_op: never generated */
    uint64_t max_object_bytes;
    uint64_t max_live_bytes;
    uint32_t max_live_objects;
    bool misuse; /* a program may end in a double free, marked ASSAY_FLAG_MISUSE */
};

struct assay_program {
    struct assay_event *ops; /* caller's buffer */
    size_t capacity;         /* in events, >= ASSAY_PROGRAM_MAX_OPS */
    size_t count;
    uint32_t objects; /* highest object number */
};

/* 1 MiB objects, 64 MiB and 2,048 objects live, no misuse, every API. */
void assay_program_limits_default(struct assay_program_limits *limits);

void assay_program_decode(const uint8_t *data, size_t size,
                          const struct assay_program_limits *limits, struct assay_program *program);
/* Looks at the op half only, so an executed program encodes as well. Returns bytes written, or 0 if
 * capacity is too small or the program has an op that no input decodes to. */
size_t assay_program_encode(const struct assay_program *program,
                            const struct assay_program_limits *limits, uint8_t *data,
                            size_t capacity);

#endif
