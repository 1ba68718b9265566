/* A pipe as a file. Internal to traces/trace_*.c. */
#ifndef ASSAY_TRACE_SPOOL_H
#define ASSAY_TRACE_SPOOL_H

#include <stdint.h>

#include "traces/core/error.h"

/* Copies what is to be read of `from` to a file without a name, as a pipe cannot be read twice.
 * `name` is for messages. *ret_fd is the caller's. Errors: ASSAY_E_FORMAT for what does not start
 * as a trace (found in the first bytes: nobody waits for the end of /dev/zero), ASSAY_E_LIMIT
 * beyond most_bytes, ASSAY_E_SYSTEM. */
int trace_spool(int from, const char *name, uint64_t most_bytes, int *ret_fd,
                struct assay_error *err);

#endif
