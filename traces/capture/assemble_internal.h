/* What the parts of the assembler share. Internal to traces/capture/assemble*.c.
 *
 *   assemble.c       records in their order, and what each becomes
 *   assemble_life.c  processes and threads: who is there, who begins, forks, execs and ends */
#ifndef ASSAY_CAPTURE_ASSEMBLE_INTERNAL_H
#define ASSAY_CAPTURE_ASSEMBLE_INTERNAL_H

#include <uthash.h>

#include "traces/capture/assemble.h"
#include "traces/capture/pointer_map.h"
#include "traces/capture/sites.h"

enum { ASSEMBLE_BATCH = 1024 };

struct thread {
    UT_hash_handle hh;
    uint32_t tid;
    uint16_t index;
    bool exited;
    bool resizing;          /* a BEGIN without its END: */
    struct assay_raw begin; /* what it was */
    uint8_t place;
    uint32_t object;
};

struct process {
    UT_hash_handle hh;
    uint32_t pid;
    uint16_t index;
    struct thread *threads, *last;
    uint32_t next_thread;
    struct assay_pointer_map objects;
    struct assay_site_view sites;
};

struct assay_assembler {
    struct assay_trace_writer *writer;
    struct assay_assembler_options options;
    struct assay_site_table *site_table;
    struct process *processes, *last;
    struct assay_trace_totals totals;
    uint64_t last_time;

    struct assay_raw *waiting; /* [head, tail): records inside the repair window */
    size_t head, tail, capacity;

    struct thread *held; /* whose BEGIN is the event that was made last, not yet in events */
    struct assay_event held_event;

    struct assay_event events[ASSEMBLE_BATCH];
    size_t n;
};

/* assemble.c */
int assemble_out_of_memory(struct assay_error *err);
int assemble_append(struct assay_assembler *a, const struct assay_event *event,
                    struct assay_error *err);
/* Writes the BEGIN that waited for its END to follow at once. */
int assemble_release_held(struct assay_assembler *a, struct assay_error *err);

/* assemble_life.c */
struct process *assemble_find_process(struct assay_assembler *a, uint32_t pid);
void assemble_forget_process(struct assay_assembler *a, struct process *p);
/* A record of a pid that nobody announced: an exec'd child of `parent` or, the first of all, the
 * root. *ret_process is NULL when no numbers are left. */
int assemble_adopt(struct assay_assembler *a, uint32_t pid, uint32_t parent,
                   struct process **ret_process, struct assay_error *err);
int assemble_exec(struct assay_assembler *a, struct process *p, struct assay_error *err);
struct thread *assemble_find_thread(struct process *p, uint32_t tid);
/* Starts thread tid of p on behalf of starter (NULL: the main thread). *ret_thread is NULL when the
 * process has no numbers left. */
int assemble_start_thread(struct assay_assembler *a, struct process *p,
                          const struct thread *starter, uint32_t tid, struct thread **ret_thread,
                          struct assay_error *err);
/* A record of class CONTROL but EXEC, by a thread that is known. */
int assemble_life(struct assay_assembler *a, struct process *p, struct thread *thread,
                  const struct assay_raw *raw, struct assay_error *err);

#endif
