/* The events around one op of a trace, for people: numbered as 'assay replay --subject recorded'
 * counts them, per process image, so that its findings can be looked at. Not the text form that is
 * read back. Host only. */
#ifndef ASSAY_AROUND_H
#define ASSAY_AROUND_H

#include <stdint.h>
#include <stdio.h>

#include "traces/core/error.h"

struct assay_around {
    const char *path;
    long process;    /* its images, or -1: the first image of the trace */
    uint64_t at;     /* the op */
    uint64_t events; /* so many before it and behind it */
};

/* Returns 0; ASSAY_E_NOT_FOUND when no image has so many ops, and what assay_replay_open() says. */
int assay_around_print(const struct assay_around *around, FILE *out, struct assay_error *err);

#endif
