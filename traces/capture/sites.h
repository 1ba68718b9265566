/* Return address -> index in the trace's site table, per process; modules from its memory map.
 *
 * Sites are interned by module and offset, so that the same call in ten processes at ten addresses
 * is one site. Host side, malloc. */
#ifndef ASSAY_CAPTURE_SITES_H
#define ASSAY_CAPTURE_SITES_H

#include "traces/capture/pointer_map.h"
#include "traces/trace.h"

struct assay_site_range {
    uint64_t start, end, offset;
    uint32_t module;
};

/* One process's view. Zero-initialised is empty. */
struct assay_site_view {
    struct assay_site_range *ranges; /* sorted by start, never overlapping */
    size_t n, capacity;
    struct assay_pointer_map cache; /* return address -> site */
    struct assay_pointer_map asked; /* pages that need_maps was called for */
};

struct assay_site_table;

/* writer NULL: numbers sites itself. */
struct assay_site_table *assay_site_table_create(struct assay_trace_writer *writer, bool scrub);
void assay_site_table_free(struct assay_site_table *table);

/* Adds [start, end) of path; replaces what it covers. False: out of memory. */
bool assay_site_view_add(struct assay_site_view *view, struct assay_site_table *table,
                         uint64_t start, uint64_t end, uint64_t offset, const char *path);
bool assay_site_view_copy(const struct assay_site_view *view, struct assay_site_view *to);
void assay_site_view_clear(struct assay_site_view *view);

/* The site of a return address; need_maps (may be NULL) is called once per unknown page. Returns 0
 * when memory or the table is exhausted. */
uint32_t assay_site_find(struct assay_site_table *table, struct assay_site_view *view,
                         uint64_t caller,
                         void (*need_maps)(void *self, uint32_t pid, uint64_t address), void *self,
                         uint32_t pid);

#endif
