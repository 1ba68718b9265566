/* The stream of a program that forks, judged process by process.
 *
 * A judge is one process, and a fork copies it: here that is done by telling it what the parent
 * did up to the fork once more. The sink keeps what an executor tells; next() then gives it to a
 * judge. Host only; memory belongs to struct assay_processes. */
#ifndef ASSAY_PROCESSES_H
#define ASSAY_PROCESSES_H

#include "oracles/judge.h"

struct assay_processes {
    struct assay_event *events; /* EVIDENCE behind its op */
    bool *begun;                /* by event: it was told before it was done */
    size_t n, room;
    bool ended;
    size_t told;     /* processes given to the judge */
    bool muted;      /* what the judge reports now was the parent's */
    uint64_t number; /* of the op that the judge has now, over all processes */
    bool last;       /* the process in hand made the last op, or was in it */
};

void assay_processes_reset(struct assay_processes *processes);
void assay_processes_free(struct assay_processes *processes);
struct assay_sink assay_processes_sink(struct assay_processes *processes);
/* Resets the judge and tells it of the next process, in the order in which they came to be. False:
 * there is no further one, and the judge is as it was. The op in progress, if it is this process's,
 * is the judge's current one; `last` says so. */
bool assay_processes_next(struct assay_processes *processes, struct assay_judge *judge);

#endif
