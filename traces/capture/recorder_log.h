/* What the preload recorder writes and the host reads: one control page per capture, one log file
 * per thread, in a directory of the capture's own.
 *
 * A log is a header page and 32-byte records behind it, in the order of the thread's calls. A
 * record counts when header.head has passed it, so that a record is seen whole or not at all, also
 * when the process dies between two instructions. `busy` is set while a stamp has been taken whose
 * record is not yet counted: with a membarrier between reading the clock and reading busy, the host
 * knows up to which stamp nothing can be missing. Only fixed-width types: no pointers. */
#ifndef ASSAY_RECORDER_LOG_H
#define ASSAY_RECORDER_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#define ASSAY_RECORDER_DIRECTORY "ASSAY_RECORDER_DIRECTORY"   /* environment */
#define ASSAY_RECORDER_MAGIC     UINT64_C(0x31676f6c79617373) /* "ssaylog1" */

enum { ASSAY_LOG_HEADER_BYTES = 4096, RECORDER_BIRTHS = 32768 };

struct recorder_control {
    uint64_t magic;
    uint32_t use_counter; /* stamps come from `counter`, not from the TSC */
    uint32_t no_callers;  /* nobody will ask for maps */
    uint32_t full_fence;  /* the host has no membarrier: fence after busy */
    _Atomic uint32_t next_log, next_image, next_fork;
    _Alignas(64) _Atomic uint64_t counter;
    _Alignas(64) _Atomic uint64_t dropped; /* by threads that have no log */
    _Atomic uint64_t library;              /* free(NULL) of the C library, by threads that ended */
    /* by number of the FORK record, the latest: number << 32 | pid of the child */
    _Alignas(64) _Atomic uint64_t born[RECORDER_BIRTHS];
};

enum recorder_image_kind {
    RECORDER_IMAGE_STARTED, /* a program that exec started */
    RECORDER_IMAGE_FORKED   /* a copy of image `parent` */
};

struct recorder_log_header {
    uint64_t magic;
    uint32_t pid, tid, parent_pid;
    uint32_t image, parent_image, kind; /* enum recorder_image_kind */
    uint32_t fork;   /* FORKED: number in the parent's FORK record, 0 = it wrote none */
    uint32_t thread; /* number of the thread's first log: calls after its end open another */
    _Atomic uint32_t ready;
    uint64_t next_malloc;               /* address of the malloc that the recorder calls */
    _Alignas(64) _Atomic uint64_t head; /* records that count */
    _Atomic uint64_t busy;
    _Atomic uint64_t dropped, nested;
};
_Static_assert(sizeof(struct recorder_log_header) <= ASSAY_LOG_HEADER_BYTES, "one page");

/* what:   48 bits operand or result, 6 bits kind, 2 bits phase, 8 bits errno
 * caller: 48 bits return address, 7 bits log2 of arg + 1 (0: arg is 0), 3 bits family,
 *         1 bit packed (size = count << 32 | element size), 1 bit wide (the record before this one
 *         is an EXTEND whose size is this one's arg) */
struct recorder_record {
    uint64_t stamp, what, size, caller;
};
_Static_assert(sizeof(struct recorder_record) == 32, "32 bytes");

enum {
    RECORDER_KIND_SHIFT = 48,
    RECORDER_PHASE_SHIFT = 54,
    RECORDER_ERROR_SHIFT = 56,
    RECORDER_LOG2_SHIFT = 48,
    RECORDER_FAMILY_SHIFT = 55,
    RECORDER_PACKED_SHIFT = 58,
    RECORDER_WIDE_SHIFT = 59,
};
#define RECORDER_ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

/* A kind beside enum assay_op. */
enum { RECORDER_KIND_EXTEND = 63 };

#endif
