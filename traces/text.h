/* The text form of a trace: one event per line, nothing lost; for people, diffs, goldens and
 * scripts.
 *
 *   malloc size=48 born=1 address=0x55d0 time=1280 site=3
 *   free object=1 address=0x55d0 time=1344
 *
 * A line is the op's name, then key=value for each field that is not zero, in any order. Meta lines
 * start with '%', comments with '#'. The whole grammar is in traces/FORMAT.md. Host side. */
#ifndef ASSAY_TEXT_H
#define ASSAY_TEXT_H

#include <stdio.h>

#include "traces/trace.h"

#define ASSAY_TEXT_EVENT_MAX 640 /* bytes of the longest line, terminator included */
#define ASSAY_TEXT_MAGIC     "%assay-text 1"

/* Returns the length. line has room for ASSAY_TEXT_EVENT_MAX bytes; no newline is added. */
size_t assay_text_format(const struct assay_event *event, char *line);
/* Parses a line that assay_text_format made, or one written by hand. The line is cut up. Returns 0
 * or ASSAY_E_FORMAT with a text like "'zise' is not a field". */
int assay_text_parse(char *line, struct assay_event *ret_event, struct assay_error *err);

/* Writes text with backslash, control and non-ASCII bytes as \xNN; the result needs no quotes. */
void assay_text_escape(FILE *out, const char *text);
/* Undoes it in place. Returns false if malformed. */
bool assay_text_unescape(char *text);

/* The whole reader as text, up to head events (0 = all). Reads from where the reader stands. */
int assay_text_write(struct assay_trace_reader *reader, FILE *out, uint64_t head,
                     struct assay_error *err);

#endif
