/* Outputs are whole or not there: written beside their place and renamed into it. */
#ifndef ASSAY_WHOLE_FILE_H
#define ASSAY_WHOLE_FILE_H

#include <stdio.h>

#include "traces/core/error.h"

/* write is given the temporary file and self. Errors name path; an old file of that name stays. */
int assay_whole_file(const char *path, void (*write)(FILE *out, const void *self), const void *self,
                     struct assay_error *err);

/* Whether such a file could be written, asked before a long run and not at its end. */
int assay_whole_file_ready(const char *path, struct assay_error *err);

/* Makes a folder with those above it, where they are not there. Returns 1 if it was made, 0 if it
 * stood there. */
int assay_make_folder(const char *path, struct assay_error *err);

#endif
