/* From raw call records to events: the stage that both capture sources feed.
 *
 * A source hands over records in causal order (an allocation at its return, a release at its call,
 * a resize as begin and end). The assembler numbers objects by birth, turns pointers into objects
 * per process, numbers threads and processes densely, merges the two halves of a resize when
 * nothing stands between them, interns call sites by module and offset, counts, and appends to a
 * trace writer. It judges nothing: a double free, a free of a pointer that it never saw, an
 * allocation at a live address all go into the trace as they are. Host side; owns its tables. */
#ifndef ASSAY_ASSEMBLE_H
#define ASSAY_ASSEMBLE_H

#include "traces/core/error.h"
#include "traces/event.h"
#include "traces/trace.h"

/* One call, or half a resize, or a step in the life of a thread or process. By kind:
 *
 * - allocate: result, size, arg (count, alignment), error
 * - release: pointer; size and arg where the API has them
 * - resize: with ASSAY_FLAG_BEGIN pointer, size, arg (reallocarray's count), caller; with
 *   ASSAY_FLAG_END result and error (the rest is taken from the begin of that thread); with neither
 *   flag all of it, when the source knows that nothing stood between
 * - query: pointer, result (the answer)
 * - THREAD_START: arg = tid of the new thread; optional, a thread's first record does it too
 * - THREAD_EXIT
 * - FORK: arg = pid of the child, which inherits the live set
 * - EXEC: the live set is dropped; a pid not seen before is taken as a child of pid `arg` (0:
 *   unknown) that ran nothing before
 * - EXIT: arg = status; the pid may be used again
 *
 * ASSAY_FLAG_LIBRARY: counted (totals.library_calls), not written. */
struct assay_raw {
    uint64_t time; /* ns since the capture's start; rising within a thread */
    uint64_t pointer, result, size, arg;
    uint64_t caller;   /* return address, 0 = unknown */
    uint32_t pid, tid; /* any keys that are unique among live processes; the kernel's will do. A
                          process's main thread has tid == pid */
    uint8_t kind, family, flags, error;
};

struct assay_assembler_options {
    bool scrub;      /* sites have no module */
    bool no_callers; /* sites are not interned at all */
    /* Records wait until this much time has passed behind them; an allocation at a live address
     * pulls the release of that address forward if it stands within the window (counted as
     * repaired). For sources that order by stamps; 0 for a ring that is in causal order. */
    uint64_t repair_window_ns;
    /* Called for a caller that no known module holds, at most once per page of address space and
     * process: may call assay_assembler_module or assay_assembler_maps. May be NULL. */
    void (*need_maps)(void *self, uint32_t pid, uint64_t address);
    void *self;
};

struct assay_assembler;

/* writer stays the caller's; NULL counts and writes nothing (tests). */
int assay_assembler_create(struct assay_trace_writer *writer,
                           const struct assay_assembler_options *options,
                           struct assay_assembler **ret_assembler, struct assay_error *err);

/* 0 or the writer's error, ASSAY_E_MEMORY, ASSAY_E_LIMIT (65535 processes, threads of one process,
 * or 2^32 objects). */
int assay_assembler_feed(struct assay_assembler *assembler, const struct assay_raw *records,
                         size_t n, struct assay_error *err);
/* Passes on what has been assembled; to be called now and then, see assay_trace_tick. */
int assay_assembler_tick(struct assay_assembler *assembler, uint64_t now_ns,
                         struct assay_error *err);

/* Tells of an executable mapping [start, end) of `path` at file offset `offset` in process pid.
 * Later tellings replace what they cover. */
int assay_assembler_module(struct assay_assembler *assembler, uint32_t pid, uint64_t start,
                           uint64_t end, uint64_t offset, const char *path,
                           struct assay_error *err);

/* As assay_assembler_module for every executable mapping in the text of a /proc/PID/maps. */
int assay_assembler_maps(struct assay_assembler *assembler, uint32_t pid, const char *text,
                         size_t bytes, struct assay_error *err);

/* Adds to the loss counters. */
void assay_assembler_lost(struct assay_assembler *assembler, uint64_t dropped, uint64_t nested);

/* So far; totals.events counts events, not records. */
const struct assay_trace_totals *assay_assembler_totals(const struct assay_assembler *assembler);

/* Feeds what still waits; a resize whose end never came stays a begin. Returns as feed. */
int assay_assembler_finish(struct assay_assembler *assembler, struct assay_trace_totals *ret_totals,
                           struct assay_error *err);

void assay_assembler_free(struct assay_assembler *assembler);

#endif
