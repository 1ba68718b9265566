/* The registry of trace formats: what `assay import` reads and what `assay export` will write.
 *
 * An importer reads one file and writes one trace file; it leaves nothing under the final name when
 * it fails. Rows are in formats/formats.def. Host side. */
#ifndef ASSAY_FORMAT_H
#define ASSAY_FORMAT_H

#include <stdio.h>

#include "traces/trace.h"

struct assay_import {
    const char *from, *to; /* paths; from may be "-" */
    struct assay_trace_options options;
    /* results */
    uint64_t events;
    struct assay_trace_totals totals;
    char note[600]; /* what people should know about the result, "" for nothing */
};

struct assay_format {
    const char *name, *summary;
    int (*import)(struct assay_import *import, struct assay_error *err);
    int (*export)(struct assay_trace_reader *reader, FILE *out, struct assay_error *err);
};

/* Every row; ends with name NULL. */
extern const struct assay_format assay_formats[];
/* NULL if there is no such row. */
const struct assay_format *assay_format_by_name(const char *name);
/* Looks at the file's first bytes. Returns NULL and fills err when it cannot be read or no format
 * knows it. */
const struct assay_format *assay_format_guess(const char *path, struct assay_error *err);

/* Declared here, one per row. */
int assay_text_import(struct assay_import *import, struct assay_error *err);
int assay_text_export(struct assay_trace_reader *reader, FILE *out, struct assay_error *err);
int assay_trace_import(struct assay_import *import, struct assay_error *err);

#endif
