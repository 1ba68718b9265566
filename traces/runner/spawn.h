/* Starts assay-runner with a subject preloaded: where it is, what its environment says, and what
 * happens between fork and exec. Host only; knows nothing of what host and runner share. */
#ifndef ASSAY_SPAWN_H
#define ASSAY_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "traces/core/error.h"
#include "traces/runner/supervise.h"

struct assay_spawn {
    const char *preload; /* path of the subject, "" for none */
    bool frozen;         /* address-space randomisation off; the seed goes into the environment */
    uint64_t seed;
    int shared_fd; /* inherited; its number is the runner's only argument */
    int output_fd; /* the child's standard output and error */
    const struct assay_supervisor *supervisor; /* of its system calls; may be NULL */
};

/* Returns the child's process id. *ret_path_fd: a descriptor to keep open until the child is
 * closed, -1 if none. ret_layout_frozen lies in memory that the child shares: it clears it where
 * the kernel refuses. Errors: ASSAY_E_SYSTEM and its kin; nothing is left then. */
pid_t assay_spawn_runner(const struct assay_spawn *spawn, int *ret_path_fd,
                         uint8_t *ret_layout_frozen, struct assay_error *err);

#endif
