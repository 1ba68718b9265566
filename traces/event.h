/* The vocabulary: one event is one 64-byte line, op + result + facts.
 *
 * An *op* is what a client asks for; a *result* is what the allocator did; *facts* are what the
 * executor saw of memory. A generated program holds ops only (the result half is zero). Every
 * column of the pipeline speaks this struct and nothing else: sources make ops, executors add
 * result and facts, judges read, outputs print. Allocates nothing; the names table is in event.c.
 * The file form is traces/FORMAT.md. */
#ifndef ASSAY_EVENT_H
#define ASSAY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum assay_op {
    ASSAY_OP_NONE = 0,
#define ASSAY_OP(number, NAME, name, op_class, arg) ASSAY_OP_##NAME = number,
#include "traces/ops.def"
#undef ASSAY_OP
    ASSAY_OP_COUNT = 45
};

enum assay_op_class {
    ASSAY_CLASS_NONE,
    ASSAY_CLASS_ALLOCATE,
    ASSAY_CLASS_RELEASE,
    ASSAY_CLASS_RESIZE,
    ASSAY_CLASS_QUERY,
    ASSAY_CLASS_ACCESS,
    ASSAY_CLASS_CONTROL,
    ASSAY_CLASS_SYSTEM,
    ASSAY_CLASS_RECORD
};

/* Where an operand pointer points. OBJECT with a dead object is use after free / double free;
 * OBJECT with arg != 0 is an interior (or outside) address; all others are named places, arg is
 * added to them. */
enum assay_place {
    ASSAY_PLACE_OBJECT = 0, /* object + arg; object 0 here means: the op has no pointer operand */
    ASSAY_PLACE_NULL,       /* a null pointer */
    ASSAY_PLACE_SMALL,      /* the integer arg (< 65536) as a pointer */
    ASSAY_PLACE_STACK,      /* a local of the executor's thread */
    ASSAY_PLACE_GLOBAL,     /* 4 KiB of zeroed static storage */
    ASSAY_PLACE_FORGED, /* static storage with a plausible chunk header before it (house of spirit)
                         */
    ASSAY_PLACE_GUARD,  /* a PROT_NONE page */
    ASSAY_PLACE_WILD, /* the address in arg itself; in a capture: a pointer that the trace never saw
                         allocated */
    ASSAY_PLACE_UNINITIALISED, /* the word found in a fresh, never written object */
    ASSAY_PLACE_COUNT
};

enum assay_family {
    ASSAY_FAMILY_MALLOC,
    ASSAY_FAMILY_NEW,
    ASSAY_FAMILY_NEW_ARRAY,
    ASSAY_FAMILY_SIZED,
    ASSAY_FAMILY_ALIGNED,
    ASSAY_FAMILY_COUNT
};

/* Where the ops that follow a CONTEXT op run: those of its thread, up to the end that is named.
 * Only programs that are executed in turns have them (traces/runner/turns.h). */
enum assay_context {
    ASSAY_CONTEXT_NONE = 0, /* where they stand: ends a fork handler */
    ASSAY_CONTEXT_FIRST,    /* the next op: the first call of its process or thread */
    ASSAY_CONTEXT_LOOP,     /* the next size ops, again and again, until the thread's next turn;
                               they carry FLAG_LIBRARY: nobody is told their results */
    ASSAY_CONTEXT_KEY,      /* a thread-key destructor, in round size (0 to 3), until THREAD_EXIT */
    ASSAY_CONTEXT_ATEXIT,   /* an exit handler, registered here; of a forked process, until EXIT */
    ASSAY_CONTEXT_ATEXIT_FIRST, /* the same, registered before all others: it is the last to run */
    ASSAY_CONTEXT_PREPARE,      /* pthread_atfork's prepare handler, until FORK */
    ASSAY_CONTEXT_PARENT,       /* its parent handler, directly behind FORK and the child's ops */
    ASSAY_CONTEXT_CHILD,        /* its child handler, the child's first ops */
    ASSAY_CONTEXT_CROWDED,      /* from here on: size is of enum assay_crowd, of the main thread */
    ASSAY_CONTEXT_COUNT
};

/* Registrations of a process with which the C library has no room left that it need not ask malloc
 * for: then it asks while it serves an allocator that registers something itself. FULL: the next
 * one asks; BEYOND: the program's own did. */
enum assay_crowd {
    ASSAY_CROWD_KEYS = 1 << 0, /* thread keys: the next one's values need memory in each thread */
    ASSAY_CROWD_FORK_FULL = 1 << 1, /* handlers of fork */
    ASSAY_CROWD_FORK_BEYOND = 1 << 2,
    ASSAY_CROWD_EXIT_BEYOND = 1 << 3, /* handlers of exit */
    ASSAY_CROWD_ALL = (1 << 4) - 1
};

enum assay_flag {
    ASSAY_FLAG_BEGIN = 1 << 0, /* first half of a resize: the operand is given up; no result yet */
    ASSAY_FLAG_END = 1 << 1,   /* second half: result known. Neither bit: the call is one event */
    ASSAY_FLAG_LIBRARY = 1 << 2, /* made by the C library itself: counted, kept out of the model */
    ASSAY_FLAG_MISUSE = 1 << 3,  /* an injected misuse: the program is no longer legal */
    ASSAY_FLAG_SKIPPED = 1 << 4, /* not executed: the subject lacks this API */
    ASSAY_FLAG_PREEXISTING =
        1 << 5, /* the object was live when the capture began; size may be a lower bound */
    ASSAY_FLAG_USABLE = 1 << 6,   /* usable_extra was asked for and holds an answer */
    ASSAY_FLAG_EXECUTED = 1 << 7, /* the result half is filled in */
};

/* Facts, as bits in event.checked (the executor looked) and event.failed (and found it wrong). */
enum assay_fact {
    ASSAY_FACT_CONTENT =
        1 << 0, /* known bytes of the operand object keep their pattern (before the op) */
    ASSAY_FACT_PREFIX = 1 << 1, /* the resized object's first min(old, new) bytes came along */
    ASSAY_FACT_ZERO = 1 << 2,   /* the new object is zero (calloc) */
    ASSAY_FACT_FOREIGN =
        1 << 3, /* the result lies outside arenas, stacks and images; failed: it does not. Checked
                   at a null pointer: the system grants this process no more mappings */
    ASSAY_FACT_OUT = 1 << 4,      /* posix_memalign left *out alone on failure */
    ASSAY_FACT_USABLE = 1 << 5,   /* bytes [requested, usable) kept a pattern written there */
    ASSAY_FACT_READABLE = 1 << 6, /* the accessed bytes did not fault */
    ASSAY_FACT_SIBLINGS = 1 << 7, /* sweep: another live object was verified; failed: see the
                                     EVIDENCE event that follows */
};

struct assay_event {
    /* op: what was asked (32 bytes) */
    uint8_t kind;     /* enum assay_op */
    uint8_t family;   /* enum assay_family */
    uint8_t place;    /* enum assay_place of the pointer operand */
    uint8_t flags;    /* enum assay_flag bits */
    uint16_t thread;  /* dense index within the process, 0 = main */
    uint16_t process; /* dense index within the stream, 0 = first */
    uint32_t object;  /* operand: number of an object, 0 = none */
    uint32_t born;    /* number given to the object that this op bears if it succeeds, 0 = none.
                         Numbers are unique in a    stream, start at 1 and rise by birth; a resize
                         always    bears a new number */
    uint64_t size;    /* bytes requested (element size for calloc, reallocarray); access length */
    uint64_t arg;     /* by kind: see ops.def (element count, alignment, offset) */
    /* result: what the allocator did (24 bytes) */
    union {
        uint64_t address; /* address returned (allocate, resize); operand's address as observed
                             (release) */
        uint64_t value;   /* answer of a query; what a read of up to 8 bytes saw; posix_memalign's
                             address is in address, its code in error */
    };
    uint64_t time;        /* ns since the stream's start; 0 where the stream has no time */
    uint32_t site;        /* caller or stack: index into the trace's site table, 0 = unknown */
    int32_t usable_extra; /* malloc_usable_size(result) - requested, saturated; valid with
                             ASSAY_FLAG_USABLE. Of a posix_memalign that failed: errno after it (set
                             to 0 before it) */
    /* result and facts (8 bytes) */
    uint8_t
        error; /* errno after the call (set to 0 before it); posix_memalign: the returned code */
    uint8_t signal;    /* signal that ended the op, 0 = none */
    uint8_t checked;   /* enum assay_fact bits */
    uint8_t failed;    /* enum assay_fact bits, a subset of checked */
    uint32_t wrong_at; /* first wrong byte's offset, saturated; valid if failed. An EVIDENCE event
                          follows: object = the damaged object, arg = first wrong offset (64 bits),
                          size = bytes expected there, value = the 8 bytes that stand there, born =
                          whose pattern they are (0 = nobody's), failed = the fact that failed */
};
_Static_assert(sizeof(struct assay_event) == 64, "an event is one cache line");

/* What a stream has beside size and alignment (which every stream has). A property whose needs are
 * not in has is not judged. */
enum assay_has {
    ASSAY_HAS_ORDER = 1 << 0, /* one total order that respects causality */
    ASSAY_HAS_ADDRESS = 1 << 1,
    ASSAY_HAS_USABLE = 1 << 2,
    ASSAY_HAS_ERRNO = 1 << 3,
    ASSAY_HAS_CONTENT = 1 << 4, /* facts from a touch unit */
    ASSAY_HAS_ACCESS = 1 << 5,
    ASSAY_HAS_CALLER = 1 << 6,
    ASSAY_HAS_THREAD = 1 << 7,
    ASSAY_HAS_TIME = 1 << 8,
    ASSAY_HAS_MAPS = 1 << 9,
    ASSAY_HAS_SIGNAL = 1 << 10,    /* crashes and hangs of the subject are seen */
    ASSAY_HAS_FOREIGN = 1 << 11,   /* results were tested against arena, stacks and images */
    ASSAY_HAS_RESOURCES = 1 << 12, /* MEASURE, LIMIT, REFUSE and TURNOVER are executed */
    ASSAY_HAS_CONTEXT = 1 << 13,   /* ops were made where CONTEXT and FORK say */
    ASSAY_HAS_COUNT = 14
};

/* What the executor puts into every failed allocation's address: results are compared with this,
 * never with 0. */
#define ASSAY_ADDRESS_NULL UINT64_C(0)

/* arg of a MEASURE. */
enum assay_measure {
    ASSAY_MEASURE_RESIDENT,
    ASSAY_MEASURE_MAPPINGS,
    ASSAY_MEASURE_SPACE,
    ASSAY_MEASURES
};

struct assay_op_info {
    const char *name; /* "malloc" */
    const char *arg;  /* what arg holds, "" if nothing */
    enum assay_op_class op_class;
};

/* By kind; the last is what unknown kinds are. */
extern const struct assay_op_info assay_op_infos[ASSAY_OP_COUNT + 1];
/* Never NULL; unknown kinds have name "unknown". */
static inline const struct assay_op_info *assay_op_info(unsigned kind)
{
    return &assay_op_infos[kind < ASSAY_OP_COUNT ? kind : ASSAY_OP_COUNT];
}
/* Returns the kind, or ASSAY_OP_NONE. */
enum assay_op assay_op_by_name(const char *name, size_t length);
const char *assay_place_name(unsigned place);
const char *assay_family_name(unsigned family);
const char *assay_context_name(unsigned context);
/* Name of one ASSAY_HAS_* bit ("order", "address", ...), by bit index. */
const char *assay_has_name(unsigned bit);

/* Requested bytes of an allocating or resizing op: size, or size * arg for calloc and reallocarray.
 * Returns false when the product overflows (then *ret_bytes is SIZE_MAX). */
static inline bool assay_event_bytes(const struct assay_event *event, uint64_t *ret_bytes)
{
    if (event->kind != ASSAY_OP_CALLOC && event->kind != ASSAY_OP_REALLOCARRAY) {
        *ret_bytes = event->size;
        return true;
    }
    if (__builtin_mul_overflow(event->size, event->arg, ret_bytes)) {
        *ret_bytes = UINT64_MAX;
        return false;
    }
    return true;
}

/* A refusal, while the system grants the process no more mappings. */
static inline bool assay_event_mappings_end(const struct assay_event *event)
{
    return event->address == ASSAY_ADDRESS_NULL && (event->checked & ASSAY_FACT_FOREIGN);
}

/* Alignment asked for by an aligned op (page size 4096 for valloc/pvalloc), 0 for the others. */
static inline uint64_t assay_event_alignment(const struct assay_event *event)
{
    switch (event->kind) {
    case ASSAY_OP_ALIGNED_ALLOC:
    case ASSAY_OP_POSIX_MEMALIGN:
    case ASSAY_OP_MEMALIGN: return event->arg;
    case ASSAY_OP_VALLOC:
    case ASSAY_OP_PVALLOC: return 4096;
    default: return 0;
    }
}

/* True if no allocator can satisfy the request: the product wraps, 2^48 bytes or an alignment of
 * 2^48 and more, posix_memalign with an alignment that POSIX forbids. */
static inline bool assay_event_refused(const struct assay_event *event)
{
    const uint64_t beyond = UINT64_C(1) << 48;
    uint64_t bytes, alignment = assay_event_alignment(event);
    bool power = alignment != 0 && (alignment & (alignment - 1)) == 0;
    if (!assay_event_bytes(event, &bytes) || bytes >= beyond)
        return true;
    if (event->kind == ASSAY_OP_POSIX_MEMALIGN && (alignment % sizeof(void *) != 0 || !power))
        return true;
    return alignment >= beyond && power;
}

/* True for the op kinds whose arg is an offset that is added to their operand pointer: arg of the
 * others that take one is a count or an alignment, or a place within the object. */
static inline bool assay_op_has_offset(unsigned kind)
{
    return kind == ASSAY_OP_REALLOC || kind == ASSAY_OP_FREE || kind == ASSAY_OP_FREE_SIZED ||
           kind == ASSAY_OP_USABLE_SIZE || kind == ASSAY_OP_OBJECT_SIZE ||
           kind == ASSAY_OP_REZALLOC;
}
/* True for the queries that are about the heap as a whole: they have no pointer operand. */
static inline bool assay_op_of_heap(unsigned kind)
{
    return kind == ASSAY_OP_TRIM || (kind >= ASSAY_OP_GOOD_SIZE && kind <= ASSAY_OP_HEAP_WALK);
}
/* True for the op kinds of class ALLOCATE and RESIZE. */
static inline bool assay_event_bears(const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    return op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE;
}

#endif
