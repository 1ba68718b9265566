/* Constants of the trace file that writer, reader and block codec share. Internal to
 * traces/trace_*.c; the format's description is traces/FORMAT.md. */
#ifndef ASSAY_TRACE_FORMAT_H
#define ASSAY_TRACE_FORMAT_H

#include <stdint.h>

#include "traces/event.h"

#define TRACE_MAGIC                                                                                \
    "\x89"                                                                                         \
    "ASSAY\x1a\n"
#define TRACE_MAGIC_BYTES 8
#define TRACE_MAJOR       1
#define TRACE_MINOR       0 /* of what every trace needs */
#define TRACE_MINOR_GAPS  1 /* the totals fragment and lost_blocks, the kind gap */

/* Every chunk: type, sequence, events, payload bytes, CRC-32C of these 16 bytes and the payload. */
#define TRACE_CHUNK_HEADER_BYTES 20
#define TRACE_CHUNK_META         UINT32_C(0x4154454d) /* "META" */
#define TRACE_CHUNK_BLOCK        UINT32_C(0x4b434c42) /* "BLCK" */
#define TRACE_CHUNK_FOOTER       UINT32_C(0x544f4f46) /* "FOOT" */

#define TRACE_BLOCK_EVENTS     65536 /* what the writer puts into a block */
#define TRACE_BLOCK_FEW        8192  /* a smaller block waits longer for more */
#define TRACE_WAIT_NS          UINT64_C(1000000000)
#define TRACE_WAIT_FEW_NS      UINT64_C(5000000000)
#define TRACE_BLOCK_EVENTS_MAX (1u << 18) /* what the reader accepts */
#define TRACE_PAYLOAD_MAX      (64u << 20)
#define TRACE_META_MAX         (1u << 18) /* bytes of the META and FOOT payloads */
#define TRACE_RESYNC_MAX       (UINT64_C(2) * TRACE_PAYLOAD_MAX) /* looked through for a next chunk */
#define TRACE_RESYNC_TRIES     256 /* chunks with a wrong checksum on the way, per file */
#define TRACE_PIPE_MAX         (UINT64_C(1) << 30) /* bytes of a trace that comes through a pipe */
#define TRACE_STRING_MAX       (1u << 15)          /* bytes of one value or module path */
#define TRACE_SITES_MAX        (1u << 20)
#define TRACE_MODULES_MAX      (1u << 16)
#define TRACE_TIME_UNIT_NS     64

/* Columns of a block. Numbers are written to files: never renumber, only add. */
enum trace_column {
    COLUMN_HEAD = 0, /* row of the block's head table */
    COLUMN_CONTEXT,  /* process << 16 | thread, where it changes */
    COLUMN_OBJECT,   /* zigzag(next birth - 1 - object) */
    COLUMN_BORN,     /* where it is not the next number */
    COLUMN_SIZE,
    COLUMN_ARG,
    COLUMN_TIME,    /* zigzag(difference in time units) */
    COLUMN_ADDRESS, /* how an object's address follows from earlier ones (trace_predict.h) */
    COLUMN_VALUE,   /* addresses and answers as they are */
    COLUMN_SITE,
    COLUMN_USABLE, /* zigzag(usable_extra) where the size does not tell */
    COLUMN_ERROR,
    COLUMN_SIGNAL,
    COLUMN_FACTS, /* checked << 8 | failed */
    COLUMN_WRONG_AT,
    COLUMN_COUNT
};

/* Streams of a block: two per column (tokens, values), then these. */
#define STREAM_HEADS          64
#define STREAM_SITES          65
#define STREAM_TOKENS(column) ((unsigned)(column)*2)
#define STREAM_VALUES(column) ((unsigned)(column)*2 + 1)

/* Which columns hold a value for events with this head. */
enum trace_mask {
    MASK_CONTEXT = 1 << 0,
    MASK_OBJECT = 1 << 1,
    MASK_BORN_NEXT = 1 << 2,
    MASK_BORN = 1 << 3,
    MASK_SIZE = 1 << 4,
    MASK_ARG = 1 << 5,
    MASK_TIME = 1 << 6,
    MASK_ADDRESS = 1 << 7,
    MASK_OPERAND_ADDRESS = 1 << 8, /* the operand's birth address + arg; WILD: arg */
    MASK_VALUE = 1 << 9,
    MASK_SITE = 1 << 10,
    MASK_USABLE_SAME = 1 << 11, /* as the last object of this size in the block */
    MASK_USABLE = 1 << 12,
    MASK_ERROR = 1 << 13,
    MASK_SIGNAL = 1 << 14,
    MASK_FACTS = 1 << 15,
    MASK_WRONG_AT = 1 << 16,
    MASK_PAIR = 1 << 17,         /* two events: a resize's begin comes just before */
    MASK_BEGIN_ADDRESS = 1 << 18 /* the begin has its operand's address, else 0 */
};

struct trace_head {
    uint8_t kind, family, place, flags, begin_flags;
    uint32_t mask;
};

#endif
