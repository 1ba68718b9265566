/* The fixed memory layout between a host (session.c) and its runner (runner.c).
 *
 * One memfd: this header, the judge's configuration blob and report area, then a ring of chunks.
 * The host fills and submits chunks in order, the runner executes them in place; two counters say
 * how far each is, and are futex words. Both sides spin a little before they sleep. Everything is
 * plain data; the host trusts nothing that the runner's side wrote (it shares its address space
 * with the subject): counters are bounded before use. */
#ifndef ASSAY_SHARED_H
#define ASSAY_SHARED_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "traces/event.h"
#include "traces/runner/bindings.h"
#include "traces/runner/crash.h"
#include "traces/runner/mapping_faults.h"

#define ASSAY_SHARED_MAGIC UINT64_C(0x316e727961737361) /* "assayrn1" */

enum {
    ASSAY_SHARED_CHUNKS = 4,
    ASSAY_CHUNK_EVENTS = 4096,
    ASSAY_CHUNK_EVIDENCE = 256,
    ASSAY_SHARED_SPINS = 400
};

enum assay_boot { ASSAY_BOOT_STARTING, ASSAY_BOOT_READY, ASSAY_BOOT_FAILED };

struct assay_chunk {
    uint32_t count; /* events to execute, by the host */
    uint32_t last_of_program;
    uint32_t evidence_count; /* by the runner */
    uint32_t retold; /* by the runner: of threads that a crash ended, events are in their order */
    struct assay_event events[ASSAY_CHUNK_EVENTS];
    struct assay_event evidence[ASSAY_CHUNK_EVIDENCE];
};

struct assay_shared {
    uint64_t magic, bytes;
    /* configuration, written by the host before the runner starts */
    uint32_t touch, order, max_objects;
    uint8_t content_full, ask_usable, usable_writable, judge, want_results, bare, adapter, frozen,
        prefault, mapping_calls, preempted, stepped;
    uint64_t seed;
    uint64_t missing_apis;
    struct assay_bindings bindings;
    uint64_t blob_offset, blob_bytes, report_offset, report_bytes, chunks_offset;

    /* written by the runner */
    _Alignas(64) _Atomic uint32_t boot;
    char boot_error[500];
    uint64_t found_missing; /* APIs that the subject's table lacks */
    struct assay_crash_record crash;
    _Atomic uint64_t executed_ops, skipped_ops, library_calls;
    _Atomic uint64_t run_ns, run_events; /* thread time spent executing */
    _Atomic uint64_t peak_rss_bytes;

    struct assay_mapping_line mapping; /* and by the supervisor */

    _Alignas(64) _Atomic uint64_t progress; /* op index in the program */
    _Atomic int32_t forked; /* process id of the child that executes ops now, 0 = none */

    _Alignas(64) _Atomic uint32_t submitted; /* chunks, by the host */
    _Atomic uint32_t runner_sleeps;
    _Alignas(64) _Atomic uint32_t executed; /* chunks, by the runner */
    _Atomic uint32_t host_sleeps;
};

static inline struct assay_chunk *assay_shared_chunk(struct assay_shared *shared, uint32_t number)
{
    struct assay_chunk *chunks =
        (struct assay_chunk *)(void *)((char *)shared + shared->chunks_offset);
    return &chunks[number % ASSAY_SHARED_CHUNKS];
}

static inline void assay_futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static inline void assay_futex_wait(_Atomic uint32_t *word, uint32_t value, long timeout_ns)
{
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ns ? &timeout : NULL, NULL, 0);
}

static inline void assay_spin(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
