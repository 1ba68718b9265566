/* A trace as programs to replay: one per process image, in the order of their first event.
 *
 * A forked process inherits its parent's live objects: they are re-created, same numbers and sizes,
 * before its own first op; an exec starts a fresh image. Resizes become one op, calls of the C
 * library itself and what cannot be repeated elsewhere (a free of a pointer that the trace never
 * saw allocated, the application's own double free) are left out and counted; ops marked as misuse
 * stay. Host only. */
#ifndef ASSAY_REPLAY_SOURCE_H
#define ASSAY_REPLAY_SOURCE_H

#include "traces/trace.h"

struct assay_replay_image {
    uint16_t process;
    uint32_t exec; /* how many times the process had exec'd */
    uint64_t events;
    uint32_t max_live; /* most objects live at once, as far as it is known without the forks */
};

struct assay_replay_left_out {
    uint64_t library;  /* calls of the C library */
    uint64_t unknown;  /* operand never seen allocated */
    uint64_t dead;     /* the application's own use of a freed object */
    uint64_t refused;  /* a resize that was refused when the trace was taken */
    uint64_t reserved; /* kinds that nothing executes yet */
};

/* What has been read of an image. */
struct assay_replay_taken {
    uint64_t events;    /* of its own, of those that struct assay_replay_image counts */
    uint64_t inherited; /* objects of its parent's that were re-created for it, by an op each */
};

struct assay_replay_source;

/* Opens and scans. Errors as assay_trace_open, and ASSAY_E_LOSSY unless allow_lossy. process: only
 * this one, -1 = all. */
int assay_replay_open(const char *path, bool allow_lossy, long process,
                      struct assay_replay_source **ret_source, struct assay_error *err);
const struct assay_trace_meta *assay_replay_meta(const struct assay_replay_source *source);
const struct assay_trace_totals *assay_replay_totals(const struct assay_replay_source *source);
size_t assay_replay_images(const struct assay_replay_source *source,
                           const struct assay_replay_image **ret_images);
uint64_t assay_replay_events(const struct assay_replay_source *source); /* of all images */
uint32_t assay_replay_max_object(const struct assay_replay_source *source);
uint32_t assay_replay_threads(const struct assay_replay_source *source);
bool assay_replay_has_access(const struct assay_replay_source *source);
bool assay_replay_has_misuse(const struct assay_replay_source *source);
/* Events are missing: lost in the capture, cut off or damaged. */
bool assay_replay_lossy(const struct assay_replay_source *source);
/* Some of them in the middle: damaged blocks. */
bool assay_replay_has_gaps(const struct assay_replay_source *source);
/* From the next image on: as it was recorded, with both halves of a resize, the program's own
 * mistakes and the C library's calls; inherited objects are PREEXISTING at their addresses. It ends
 * before the first damaged block, since what lives behind it is not known. For who judges the
 * recording itself. */
void assay_replay_as_recorded(struct assay_replay_source *source);
/* Starts an image from its beginning. */
int assay_replay_begin(struct assay_replay_source *source, size_t image, struct assay_error *err);
/* Fills up to n events; returns how many, 0 at the image's end, or ASSAY_E_*. */
long assay_replay_next(struct assay_replay_source *source, struct assay_event *events, size_t n,
                       struct assay_error *err);
/* NULL if there is no such call site. */
const struct assay_trace_site *assay_replay_site(const struct assay_replay_source *source,
                                                 uint32_t site);
/* Of the current image so far. */
struct assay_replay_taken assay_replay_taken(const struct assay_replay_source *source);
/* What was left out of the current image so far. */
struct assay_replay_left_out assay_replay_left_out(const struct assay_replay_source *source);
void assay_replay_close(struct assay_replay_source *source);

#endif
