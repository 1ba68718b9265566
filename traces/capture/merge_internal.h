/* What the parts of the merge share. Internal to traces/capture/merge*.c.
 *
 *   merge.c        the order of stamps: watermark, merging, the end
 *   merge_spill.c  the directory of the logs, its control page, clocks
 *   merge_logs.c   a log: found, read, given back
 *   merge_feed.c   a record: whose it is, and what the assembler is told
 *   merge_maps.c   which module holds an address */
#ifndef ASSAY_CAPTURE_MERGE_INTERNAL_H
#define ASSAY_CAPTURE_MERGE_INTERNAL_H

#include <uthash.h>

#include "traces/capture/merge.h"
#include "traces/capture/recorder_log.h"

enum {
    MERGE_BATCH = 2048, /* records fed at a time */
    MERGE_ROOT = 1,     /* key of the root process */
};

/* One process of the command's tree; its number is the assembler's pid. */
struct process {
    UT_hash_handle hh; /* by kernel pid, while it lives */
    uint32_t pid;      /* 0: not known yet */
    uint32_t key;
    uint32_t image; /* latest */
    uint32_t fork;  /* number of the FORK record that announced it, 0 = none */
    bool announced; /* the assembler knows it */
    bool exited, over;
    uint32_t status;
    unsigned open_logs;
};

struct log {
    uint32_t number;
    struct recorder_log_header *header; /* NULL: not there yet, or done */
    struct process *process;            /* NULL until its first record is fed */
    uint32_t thread;                    /* key */
    uint64_t consumed, limit;           /* records */
    uint64_t punched;                   /* file offset */
    uint64_t last_stamp;
    uint64_t extend;
    bool ended, done;
    struct recorder_record *buffer;
    size_t at, n;
};

struct assay_merge {
    char directory[200];
    struct recorder_control *control;
    uint64_t tsc_start, tsc_per_second;
    struct assay_assembler *assembler;

    struct log **logs; /* by number */
    size_t log_count, log_capacity;
    struct log **heap;
    size_t heap_n, heap_capacity;
    uint64_t dropped, nested; /* of logs that are done */

    struct process **processes; /* by key */
    size_t process_count, process_capacity;
    struct process *by_pid;
    uint32_t *image_process; /* by image number: key, 0 = unknown */
    size_t image_capacity;
    uint32_t *fork_process; /* by fork number: key */
    size_t fork_capacity;
    struct process **unborn; /* announced by a FORK record, pid not known yet; oldest first */
    size_t unborn_n, unborn_capacity;

    struct assay_raw batch[MERGE_BATCH];
    size_t batch_n;
    uint64_t fed_ns; /* time of the last record */
};

int merge_out_of_memory(struct assay_error *err);

/* merge_spill.c */
uint64_t merge_read_tsc(void);
/* Of a stamp, since the capture's start; 0 where stamps are no time. */
uint64_t merge_ns(const struct assay_merge *m, uint64_t stamp);
void merge_remove_directory(const char *path);

/* merge_logs.c. Opens the logs that are new. */
int merge_discover(struct assay_merge *m, struct assay_error *err);
/* punch: blocks before `from` are given back. */
int merge_read_records(struct assay_merge *m, struct log *log, uint64_t from,
                       struct recorder_record *to, size_t n, bool punch, struct assay_error *err);
/* *ret_record is NULL when the log has nothing up to its limit. */
int merge_peek(struct assay_merge *m, struct log *log, const struct recorder_record **ret_record,
               struct assay_error *err);
void merge_close_log(struct assay_merge *m, struct log *log);

/* merge_feed.c */
struct process *merge_process(const struct assay_merge *m, uint32_t key);
bool merge_alive(uint32_t pid);
/* Takes the pids that forked children have told since. */
void merge_learn_pids(struct assay_merge *m);
int merge_feed_record(struct assay_merge *m, struct log *log, const struct recorder_record *record,
                      struct assay_error *err);
int merge_feed(struct assay_merge *m, const struct assay_raw *raw, struct assay_error *err);
int merge_flush(struct assay_merge *m, struct assay_error *err);
int merge_end_process(struct assay_merge *m, struct process *p, uint64_t time,
                      struct assay_error *err);

#endif
