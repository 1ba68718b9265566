/* Turns: one total order, each op made by the thread and the process that it names, and in the
 * context that it names.
 *
 * Threads start and end where the program says so (joined, so that what comes later finds them
 * gone) and hand each other the turn: what is executed is as fixed as in serial order, results are
 * in place, and the op in progress is known. Two things go on beside the turn: ops of a LOOP, whose
 * results nobody is told, and nothing else.
 *
 * FORK, of the main thread: the child executes the ops of its process in the same chunk (shared
 * memory), up to the chunk's end, and its parent waits. A child that crashes leaves the crash
 * record; then its parent ends too. One that hangs, or takes too much memory, is seen by the host,
 * which is told its process id; a child may fork in turn. Where fork() fails the FORK and what its
 * child was to do are skipped. CONTEXT: see enum assay_context. Of ops that cannot be executed (a
 * child's without its fork, a context where there is none) nothing happens: they are skipped, for a
 * program that is being minimised loses any of them.
 *
 * Allocates nothing; what the C library allocates for a thread is counted. */
#ifndef ASSAY_TURNS_H
#define ASSAY_TURNS_H

#include "traces/runner/executor.h"
#include "traces/runner/shared.h"

enum { ASSAY_TURNS_THREADS = 16 /* at once */, ASSAY_TURNS_LOOP = 64 /* ops */ };

struct assay_turns;

size_t assay_turns_bytes(void);
/* NULL if the arena is too small. base executes everything but loops. */
struct assay_turns *assay_turns_create(struct assay_arena *arena, struct assay_executor *base,
                                       struct assay_shared *shared);
void assay_turns_run(struct assay_turns *turns, struct assay_chunk *chunk,
                     const struct assay_sink *sink);
/* At a program's end: lets all threads exit. */
void assay_turns_stop(struct assay_turns *turns);

#endif
