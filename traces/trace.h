/* The trace file: writer, reader, recovery. The byte format is traces/FORMAT.md.
 *
 * A writer fills '<path>.partial' and renames it to '<path>' when closed; every whole block of a
 * .partial file can be read after a crash. Damaged blocks are passed over. A reader trusts nothing:
 * declared sizes are capped, checksums tested, strings bounded. Host side (zstd, malloc). The
 * runner never includes this. */
#ifndef ASSAY_TRACE_H
#define ASSAY_TRACE_H

#include <stdio.h>

#include "traces/core/error.h"
#include "traces/event.h"

struct assay_trace_writer;
struct assay_trace_reader;

/* Strings may be NULL (= unknown); --scrub leaves command and host NULL. */
struct assay_trace_meta {
    uint64_t has;        /* ASSAY_HAS_* bits */
    const char *method;  /* "ebpf", "preload", "import:text", "fuzz", ... */
    const char *command; /* command line, words joined by spaces, quoted as a shell would need */
    const char *host;
    const char *kernel;     /* release, and the settings that matter: "6.18 overcommit=0 thp=madvise
                               max_map_count=65530" */
    const char *allocator;  /* path of the library that served the calls */
    const char *build_id;   /* hex */
    const char *clock;      /* "tsc", "monotonic", "counter" */
    uint64_t start_unix_ns; /* wall clock at start; 0 = unknown or scrubbed */
};

/* Loss counters and totals; the footer. */
struct assay_trace_totals {
    uint64_t events;        /* filled by the writer */
    uint64_t dropped;       /* events lost: a trace with dropped > 0 is lossy */
    uint64_t nested;        /* calls inside another call, suppressed */
    uint64_t unknown_frees; /* frees of pointers never seen allocated, kept as ASSAY_PLACE_WILD */
    uint64_t library_calls; /* calls by the C library itself */
    uint64_t repaired;      /* allocation at a live address: its free was pulled forward */
    uint32_t threads;       /* over all processes */
    uint32_t processes;
    uint32_t objects;     /* highest object number */
    uint32_t fragment;    /* 1: what was cut off or damaged is missing, also after a repair */
    uint64_t lost_blocks; /* damaged ones; an ASSAY_OP_GAP event stands where they were */
};

/* A call site. */
struct assay_trace_site {
    uint64_t address;   /* return address */
    uint64_t offset;    /* in module, 0 if module is NULL */
    const char *module; /* path, or NULL */
};

struct assay_trace_options {
    bool no_addresses;     /* leave the address column out */
    bool no_callers;       /* leave the site column out */
    int level;             /* zstd level, 0 = 3 */
    uint32_t time_unit_ns; /* times are rounded down to a multiple of it, 0 = 64; 1 = exact */
};

/* Where a trace that is written to this path ends up: behind symbolic links, and only where a
 * regular file is or may come; a device or a pipe would be replaced, not written to, and so would
 * what /dev/stdout stands for. ret_target is malloc'ed. Errors: ASSAY_E_SYSTEM, ASSAY_E_MEMORY. */
int assay_trace_target(const char *path, char **ret_target, struct assay_error *err);
/* Returns 0 and *ret_writer; ASSAY_E_SYSTEM, ASSAY_E_PERMISSION, ASSAY_E_MEMORY. */
int assay_trace_create(const char *path, const struct assay_trace_meta *meta,
                       const struct assay_trace_options *options,
                       struct assay_trace_writer **ret_writer, struct assay_error *err);
/* Interns a call site; returns its index (> 0), 0 when the table is full. */
uint32_t assay_trace_site(struct assay_trace_writer *writer, const struct assay_trace_site *site);
int assay_trace_append(struct assay_trace_writer *writer, const struct assay_event *events,
                       size_t n, struct assay_error *err);
/* To be called now and then by who waits for events: writes out those that have waited for a
 * second, few of them (small blocks take more bytes per event) for five, so that a crash loses no
 * more. */
int assay_trace_tick(struct assay_trace_writer *writer, uint64_t now_ns, struct assay_error *err);
/* Writes the footer, syncs, renames; events, and threads, processes and objects that are 0, are
 * filled with what was appended (totals may be NULL); frees the writer also on failure (then the
 * .partial file stays). */
int assay_trace_close(struct assay_trace_writer *writer, const struct assay_trace_totals *totals,
                      struct assay_error *err);
/* Frees the writer and removes the .partial file. */
void assay_trace_abandon(struct assay_trace_writer *writer);
/* Removes '<path>.partial', which a failed close leaves behind: for writers whose input is still
 * there. */
void assay_trace_discard(const char *path);

/* Opens a complete trace, or an incomplete one (see assay_trace_complete). "-" is standard input.
 */
int assay_trace_open(const char *path, struct assay_trace_reader **ret_reader,
                     struct assay_error *err);
/* Reads up to n events. Returns how many, 0 at the end (of the last whole block for an incomplete
 * trace), or ASSAY_E_*. For damaged blocks with whole ones behind them comes one ASSAY_OP_GAP; from
 * there on objects that the lost blocks bore appear unborn and call sites that they named are 0. */
long assay_trace_read(struct assay_trace_reader *reader, struct assay_event *events, size_t n,
                      struct assay_error *err);
int assay_trace_rewind(struct assay_trace_reader *reader, struct assay_error *err);
const struct assay_trace_meta *assay_trace_meta(const struct assay_trace_reader *reader);
/* From the footer; for an incomplete trace what has been counted so far by reading, and fragment.
 */
const struct assay_trace_totals *assay_trace_totals(const struct assay_trace_reader *reader);
/* False without a footer, and once a damaged block has been met. */
bool assay_trace_complete(const struct assay_trace_reader *reader);
/* For who has read an incomplete trace to its end: 0, or ASSAY_E_TRUNCATED with a line if no block
 * of it is whole. */
int assay_trace_check_rest(const struct assay_trace_reader *reader, struct assay_error *err);
uint64_t assay_trace_file_bytes(const struct assay_trace_reader *reader);
/* Times in the file are multiples of this. */
uint32_t assay_trace_time_unit_ns(const struct assay_trace_reader *reader);
/* Stored bytes of one column over the blocks read so far; NULL name and 0 past the last. */
uint64_t assay_trace_column_bytes(const struct assay_trace_reader *reader, unsigned column,
                                  const char **ret_name);
/* NULL if there is no such site. Sites are known once the block that uses them has been read. */
const struct assay_trace_site *assay_trace_get_site(const struct assay_trace_reader *reader,
                                                    uint32_t site);
void assay_trace_free(struct assay_trace_reader *reader);

#endif
