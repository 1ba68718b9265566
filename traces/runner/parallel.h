/* Partial order: the threads of a trace as threads of the runner, free-running within a chunk.
 *
 * An op waits only for the last op on its operand by another thread (the happens-before edges of
 * the trace) and for the start of its own thread; a chunk is a barrier. Each op is stamped before
 * and after, fenced, so that a live interval is never over-stated; when all are done the chunk is
 * rewritten in the order of the stamps (a resize as begin and end) and given to the sink by the
 * main thread. Content is verified by the thread that executes the op; siblings are not swept.
 * MEASURE is made by the main thread while all others wait.
 *
 * Preempted threads (preempt.h) are stamped by one shared counter, not by the processors' clocks:
 * what overlaps there overlaps for certain. */
#ifndef ASSAY_PARALLEL_H
#define ASSAY_PARALLEL_H

#include "traces/runner/executor.h"
#include "traces/runner/shared.h"

enum { ASSAY_PARALLEL_THREADS = 256, ASSAY_PARALLEL_EVENTS = ASSAY_CHUNK_EVENTS / 2 };

struct assay_parallel;

size_t assay_parallel_bytes(const struct assay_executor_config *config);
/* NULL if the arena is too small. base becomes the executor of thread 0 and of what is not
 * parallel. */
struct assay_parallel *assay_parallel_create(struct assay_arena *arena, struct assay_executor *base,
                                             const struct assay_executor_config *config,
                                             struct assay_shared *shared);
/* Executes and rewrites a chunk of at most ASSAY_PARALLEL_EVENTS events; threads beyond
 * ASSAY_PARALLEL_THREADS share one. Returns wall nanoseconds of the execution alone. */
uint64_t assay_parallel_run(struct assay_parallel *parallel, struct assay_chunk *chunk,
                            const struct assay_sink *sink);
/* In the crash handler, by the thread that crashed: what was done by then is written into the chunk
 * in its order, the op that crashed last, as one in progress. */
void assay_parallel_crashed(struct assay_parallel *parallel);
/* Between two programs, or at the end: lets all threads exit. */
void assay_parallel_stop(struct assay_parallel *parallel);

#endif
