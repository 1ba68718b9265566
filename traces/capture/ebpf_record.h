/* What the BPF programs and the host share: the functions that are probed, and one record per call.
 *
 * Read by clang for BPF and by the host compiler: plain C types only. */
#ifndef ASSAY_CAPTURE_EBPF_RECORD_H
#define ASSAY_CAPTURE_EBPF_RECORD_H

/* How a function takes its operands, in the order of its arguments. */
enum assay_ebpf_shape {
    ASSAY_EBPF_SIZE,            /* (size) */
    ASSAY_EBPF_COUNT_SIZE,      /* (count, size) */
    ASSAY_EBPF_ALIGN_SIZE,      /* (alignment, size) */
    ASSAY_EBPF_SIZE_ALIGN,      /* (size, alignment) */
    ASSAY_EBPF_OUT,             /* (&pointer, alignment, size), code returned */
    ASSAY_EBPF_RESIZE,          /* (pointer, size) */
    ASSAY_EBPF_RESIZE_COUNT,    /* (pointer, count, size) */
    ASSAY_EBPF_QUERY,           /* (pointer), answer returned */
    ASSAY_EBPF_FREE,            /* (pointer) from here on: releases, recorded at entry */
    ASSAY_EBPF_FREE_SIZE,       /* (pointer, size) */
    ASSAY_EBPF_FREE_ALIGN,      /* (pointer, alignment) */
    ASSAY_EBPF_FREE_SIZE_ALIGN, /* (pointer, size, alignment) */
    ASSAY_EBPF_FREE_ALIGN_SIZE, /* (pointer, alignment, size) */
};

/* A probe's attach cookie: function index << 8 | shape. */
#define ASSAY_EBPF_COOKIE(function, shape) ((unsigned long long)(function) << 8 | (shape))

enum assay_ebpf_type {
    ASSAY_EBPF_CALL,         /* a call that is over, or a release at its start */
    ASSAY_EBPF_BEGIN,        /* a resize starts */
    ASSAY_EBPF_END,          /* a resize is over */
    ASSAY_EBPF_THREAD_START, /* thread = the starter, other = the started */
    ASSAY_EBPF_THREAD_EXIT,  /* other = 1 when it was the last of its process, arg = wait status */
    ASSAY_EBPF_FORK,         /* other = the child process, arg = 1 when it shares memory (vfork),
                                caller = the child's id in its own pid namespace */
    ASSAY_EBPF_EXEC,         /* other = thread id of the caller before */
};

struct assay_ebpf_record {
    unsigned long long time;    /* CLOCK_MONOTONIC, ns */
    unsigned long long address; /* result; operand of a release, BEGIN, query */
    unsigned long long size;
    unsigned long long arg;    /* count or alignment; answer of a query */
    unsigned long long caller; /* return address */
    unsigned int process;      /* thread-group id, as the first pid namespace has it */
    unsigned int thread;
    unsigned int other;
    unsigned short function; /* index into the host's table */
    unsigned char type;      /* enum assay_ebpf_type */
    unsigned char error;     /* code that posix_memalign returned */
};

/* Counters that the programs keep; the host reads them while they run. */
struct assay_ebpf_counters {
    unsigned long long dropped;    /* records that found no room in the ring, exact */
    unsigned long long nested;     /* calls inside another call, suppressed */
    unsigned long long unfollowed; /* tasks that could not be followed: out of kernel memory */
    unsigned long long abandoned;  /* calls that never returned (longjmp out of an allocator) */
    unsigned long long unreadable; /* posix_memalign results that could not be read */
    unsigned long long records;
};

#endif
