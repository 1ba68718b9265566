/* The one emitter: JSON Lines to stdout with a schema name on each object, or people's text; never
 * both on stdout. */
#ifndef ASSAY_EMIT_H
#define ASSAY_EMIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct assay_emit {
    bool json;
};

/* With --json: prints the object as one line with "schema": schema first, and takes the reference.
 * Else drops it. */
void assay_emit_object(struct assay_emit *emit, const char *schema, json_t *object);
/* The stream for people's text of results: stdout, or stderr with --json. */
FILE *assay_emit_text(struct assay_emit *emit);

#endif
