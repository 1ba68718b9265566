/* A replay's source, as its two files share it: replay_scan.c learns what a trace holds and sorts
 * it by image, replay_source.c reads an image. Nobody else includes this. */
#ifndef ASSAY_REPLAY_SCAN_H
#define ASSAY_REPLAY_SCAN_H

#include "tools/replay_source.h"

enum {
    ASSAY_REPLAY_BATCH = 4096,
    ASSAY_REPLAY_BLOCK = 256,
    ASSAY_REPLAY_PROCESSES = 65536,
    ASSAY_REPLAY_IMAGES = 4096
};

/* What re-creates an object in a forked child. */
struct assay_replay_birth {
    uint64_t size, arg, address;
    uint32_t site;
    uint8_t kind, family, state;
};

/* A trace of several images is sorted into a nameless file: each image is a chain of blocks. */
struct assay_replay_block {
    uint32_t next, count; /* next: block number, 0 = last */
    struct assay_event events[ASSAY_REPLAY_BLOCK];
};

struct assay_replay_scanned {
    struct assay_replay_image shown;
    int32_t parent;   /* the image that forked it, -1 = none */
    uint64_t fork_at; /* events of the parent before that */
    uint32_t first_block, last_block;
    struct assay_replay_block *open; /* while sorting */
    bool after_gap;                  /* it starts behind lost blocks */
    uint64_t live;
};

struct assay_replay_forked {
    int32_t image;
    uint64_t at;
};

struct assay_replay_source {
    struct assay_trace_reader *reader;
    struct assay_replay_scanned *images;
    size_t image_count;
    struct assay_replay_image *shown; /* the chosen ones */
    uint32_t *chosen;                 /* their indices in images */
    size_t shown_count;
    struct assay_replay_forked *forks; /* by process: where it was forked */
    int32_t *by_process;               /* the image that a process is in */
    uint32_t *execs;                   /* by process */
    int sorted_fd;                     /* -1: one image, read straight from the trace */
    uint32_t blocks;
    uint64_t events;
    uint32_t max_object, threads;
    bool has_access, has_misuse, has_address, as_recorded;
    bool lossy, gaps; /* events are missing; blocks in the middle are */
    /* the image being read */
    uint32_t lineage[ASSAY_REPLAY_IMAGES]; /* ancestors, oldest first, the image last */
    size_t lineage_count, lineage_at;
    uint64_t read_of_lineage; /* events read of the one at lineage_at */
    uint32_t next_block;
    struct assay_replay_birth *births;
    uint32_t inherited; /* next object to re-create, 0 = none left */
    bool misuse_next;
    bool at_gap; /* nothing more is to be had of it as it was recorded */
    struct assay_event *batch;
    struct assay_replay_block block;
    struct assay_event buffer[ASSAY_REPLAY_BATCH];
    size_t batch_count, batch_at;
    struct assay_replay_left_out left_out;
    struct assay_replay_taken taken;
};

/* Reads the whole trace once: images, objects, threads, facts; sort: each image's events go into
 * the file of sorted_fd. */
int assay_replay_scan(struct assay_replay_source *source, bool sort, struct assay_error *err);
/* Makes that file and fills it. */
int assay_replay_sort(struct assay_replay_source *source, struct assay_error *err);

#endif
