/* Outputs are whole or not there: written beside their place and renamed into it. */
#ifndef ASSAY_WHOLE_FILE_H
#define ASSAY_WHOLE_FILE_H

#include <stdio.h>

#include "traces/core/error.h"

/* write is given the temporary file and self. Errors name path; an old file of that name stays. */
int assay_whole_file(const char *path, void (*write)(FILE *out, const void *self), const void *self,
                     struct assay_error *err);

#endif
