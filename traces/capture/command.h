/* What a command is before it runs: where it lies, and whether the loader will load it.
 * Host side. */
#ifndef ASSAY_CAPTURE_COMMAND_H
#define ASSAY_CAPTURE_COMMAND_H

#include <stddef.h>

#include "traces/core/error.h"

/* 0 if a preloaded library can serve `path` (for a script: its interpreter), else
 * ASSAY_E_UNSUPPORTED with the reason (statically linked, set-user-ID, another machine's), or
 * ASSAY_E_NOT_FOUND, ASSAY_E_PERMISSION, ASSAY_E_SYSTEM. */
int assay_capture_preloadable(const char *path, struct assay_error *err);

#endif
