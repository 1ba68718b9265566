#include "tools/processes.h"

#include <stdlib.h>
#include <string.h>

#include "traces/core/error.h"

static void put(struct assay_processes *processes, const struct assay_event *event, bool begun)
{
    enum { FIRST_ROOM = 1024 };
    if (processes->n == processes->room) {
        size_t room = processes->room ? 2 * processes->room : FIRST_ROOM;
        struct assay_event *events = realloc(processes->events, room * sizeof *events);
        ASSAY_CHECK(events);
        processes->events = events;
        bool *all_begun = realloc(processes->begun, room * sizeof *all_begun);
        ASSAY_CHECK(all_begun);
        processes->begun = all_begun;
        processes->room = room;
    }
    processes->begun[processes->n] = begun;
    processes->events[processes->n++] = *event;
}

static void before(void *self, const struct assay_event *op)
{
    put(self, op, true);
}

static void after(void *self, const struct assay_event *event)
{
    struct assay_processes *processes = self;
    if (processes->n > 0 && processes->begun[processes->n - 1]) {
        processes->events[processes->n - 1] = *event;
        processes->begun[processes->n - 1] = false;
    } else {
        put(processes, event, false);
    }
}

static void end(void *self)
{
    struct assay_processes *processes = self;
    processes->ended = true;
}

struct assay_sink assay_processes_sink(struct assay_processes *processes)
{
    return (struct assay_sink){.self = processes, .before = before, .after = after, .end = end};
}

void assay_processes_reset(struct assay_processes *processes)
{
    processes->n = 0;
    processes->told = 0;
    processes->ended = processes->muted = false;
}

void assay_processes_free(struct assay_processes *processes)
{
    free(processes->events);
    free(processes->begun);
    memset(processes, 0, sizeof *processes);
}

/* The FORK that made a process; n: there is none, it is the first. */
static size_t fork_of(const struct assay_processes *processes, uint16_t process)
{
    size_t at = 0;
    while (at < processes->n &&
           !(processes->events[at].kind == ASSAY_OP_FORK && processes->events[at].arg == process &&
             processes->events[at].process != process))
        at++;
    return process == 0 ? processes->n : at;
}

/* What a process did in events[from..to), and what it inherits. */
static void tell(struct assay_processes *processes, struct assay_judge *judge, uint16_t process,
                 size_t to)
{
    size_t fork = fork_of(processes, process), from = fork < to ? fork + 1 : 0;
    bool muted = processes->muted;
    if (fork < to) {
        processes->muted = true;
        tell(processes, judge, processes->events[fork].process, fork + 1);
        processes->muted = muted;
    }
    processes->number = 0;
    for (size_t i = 0; i < to; i++) {
        const struct assay_event *event = &processes->events[i];
        bool evidence = event->kind == ASSAY_OP_EVIDENCE;
        if (i >= from && event->process == process) {
            if (!evidence)
                assay_judge_before(judge, event);
            if (!processes->begun[i])
                assay_judge_after(judge, event);
        }
        processes->number += !evidence && !processes->begun[i];
    }
}

bool assay_processes_next(struct assay_processes *processes, struct assay_judge *judge)
{
    uint16_t process = 0;
    size_t forks = 0;
    for (size_t i = 0; i < processes->n && forks < processes->told; i++)
        if (processes->events[i].kind == ASSAY_OP_FORK &&
            !(processes->events[i].flags & ASSAY_FLAG_SKIPPED)) {
            process = (uint16_t)processes->events[i].arg;
            forks++;
        }
    if (forks < processes->told)
        return false;
    processes->told++;
    assay_judge_reset(judge);
    tell(processes, judge, process, processes->n);
    processes->last =
        processes->n > 0 ? processes->events[processes->n - 1].process == process : process == 0;
    if (processes->ended)
        assay_judge_end(judge);
    return true;
}
