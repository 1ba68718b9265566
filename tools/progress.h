/* Progress: one status line with rate and end on a terminal, else a plain line at most every 10 s.
 *
 * Always to stderr, never to stdout. Owned by the caller (no memory of its own). update() is cheap
 * enough for a loop that runs some 10^5 times a second. ASSAY_PROGRESS=0 in the environment or
 * --quiet silence it. Not thread-safe. */
#ifndef ASSAY_PROGRESS_H
#define ASSAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct assay_progress {
    const char *what, *unit;
    uint64_t total, total_ns; /* the end by count or by time; 0 = not known */
    uint64_t start_ns, drawn_ns, done;
    bool terminal, silent, drawn;
};

/* what: "replay", unit: "events". total: how many there will be, total_ns: how long it will run; 0
 * = not known. */
void assay_progress_begin(struct assay_progress *progress, const char *what, const char *unit,
                          uint64_t total, uint64_t total_ns, bool quiet);
/* The same, and shows it at once: of one that has several parts, which may be short. */
void assay_progress_part(struct assay_progress *progress, const char *what, const char *unit,
                         uint64_t total, bool quiet);
/* done: so far; note (may be NULL): a few words at the line's end ("2 findings"). */
void assay_progress_update(struct assay_progress *progress, uint64_t done, const char *note);
/* Takes the status line off the terminal; results follow on a clean line. */
void assay_progress_end(struct assay_progress *progress);

#endif
