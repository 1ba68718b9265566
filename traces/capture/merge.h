/* The host's side of the recorder: finds the logs of a capture's processes, merges them by stamp,
 * and feeds an assembler.
 *
 * Draining works beside the running command: everything up to a watermark is taken, the files give
 * their blocks back behind it. Nothing that the logs say is trusted further than that a wrong
 * record makes a wrong event. Host side; owns the spill directory. */
#ifndef ASSAY_CAPTURE_MERGE_H
#define ASSAY_CAPTURE_MERGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "traces/capture/assemble.h"
#include "traces/core/error.h"

struct assay_merge;

struct assay_merge_options {
    const char *directory; /* parent of the spill directory; NULL: /dev/shm if it has 1 GiB free,
                              else $TMPDIR, else /tmp */
    bool no_callers;
    bool use_counter; /* stamps from a shared counter even where a TSC is good (tests) */
};

/* Makes the spill directory with its control page, calibrates the clock, removes directories of
 * captures that died. */
int assay_merge_create(const struct assay_merge_options *options, struct assay_merge **ret_merge,
                       struct assay_error *err);

/* Value of ASSAY_RECORDER_DIRECTORY for the command. */
const char *assay_merge_directory(const struct assay_merge *merge);
/* "tsc" or "counter". */
const char *assay_merge_clock(const struct assay_merge *merge);

/* Path of the library that serves the first process's malloc. False: no process has been seen. */
bool assay_merge_allocator(struct assay_merge *merge, char *path, size_t bytes);

/* The assembler to feed; it asks back through assay_merge_need_maps with self = merge. */
void assay_merge_feed_to(struct assay_merge *merge, struct assay_assembler *assembler);
void assay_merge_need_maps(void *self, uint32_t pid, uint64_t address);

/* Takes what can be taken now; with `all` everything that is there, in stamp order. */
int assay_merge_drain(struct assay_merge *merge, bool all, struct assay_error *err);

/* After drain(all): the root's end (status as waitpid gives it), and the losses. */
int assay_merge_finish(struct assay_merge *merge, int root_status, struct assay_error *err);

/* Processes that loaded the recorder, and records lost, so far. */
unsigned assay_merge_processes(const struct assay_merge *merge);
uint64_t assay_merge_dropped(struct assay_merge *merge);

/* Removes the spill directory. */
void assay_merge_free(struct assay_merge *merge);

#endif
