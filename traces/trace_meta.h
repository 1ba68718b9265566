/* The META and FOOT payloads: pairs of key and value, both text. Internal to traces/trace_*.c.
 *
 * Unknown keys are passed over: that is how minor versions add some. */
#ifndef ASSAY_TRACE_META_H
#define ASSAY_TRACE_META_H

#include "traces/core/bytes.h"
#include "traces/trace.h"

#define TRACE_META_STRINGS 7

struct trace_meta {
    struct assay_trace_meta meta;
    uint32_t time_unit_ns;
    char *strings[TRACE_META_STRINGS]; /* what meta points to */
};

/* Each returns the number of bytes put into payload (room TRACE_META_MAX). */
size_t trace_meta_encode(const struct assay_trace_meta *meta, uint32_t time_unit_ns,
                         uint8_t *payload);
size_t trace_totals_encode(const struct assay_trace_totals *totals, uint8_t *payload);

/* 0, ASSAY_E_FORMAT, ASSAY_E_MEMORY. */
int trace_meta_decode(const uint8_t *payload, size_t n, struct trace_meta *ret_meta);
void trace_meta_clear(struct trace_meta *meta);
int trace_totals_decode(const uint8_t *payload, size_t n, struct assay_trace_totals *ret_totals);

/* Counts an event into events, threads, processes and objects. */
void trace_totals_count(struct assay_trace_totals *totals, const struct assay_event *event);

/* Names of has bits, joined by spaces, into text (room 256); and back: unknown names are passed
 * over. */
void trace_has_print(uint64_t has, char text[256]);
uint64_t trace_has_parse(const char *text);

/* One row per string of the meta, in the order of trace_meta.strings. */
struct trace_meta_string {
    const char *key;
    size_t offset; /* of the const char * in struct assay_trace_meta */
};
extern const struct trace_meta_string trace_meta_strings[TRACE_META_STRINGS];
/* NULL if not known. */
const char *trace_meta_string_get(const struct assay_trace_meta *meta, unsigned row);
/* Keeps a copy of value[0..n). 0, ASSAY_E_FORMAT if the row was set before, ASSAY_E_MEMORY. */
int trace_meta_string_set(struct trace_meta *meta, unsigned row, const char *value, size_t n);

struct trace_total {
    const char *key;
    size_t offset, bytes; /* of the 8- or 4-byte number in struct assay_trace_totals */
};
#define TRACE_TOTALS 11
extern const struct trace_total trace_totals[TRACE_TOTALS];
uint64_t trace_total_get(const struct assay_trace_totals *totals, unsigned row);
/* False if the value does not fit. */
bool trace_total_set(struct assay_trace_totals *totals, unsigned row, uint64_t value);

#endif
