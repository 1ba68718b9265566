/* Directed programs in a fuzz run: each is built and executed in a child of its own, stage by
 * stage, judged as it goes, and what violates anything goes the way of every other suspicion.
 *
 * Every job takes each jobs-th of the list. Host only. */
#ifndef ASSAY_TOOLS_DIRECTED_H
#define ASSAY_TOOLS_DIRECTED_H

#include "fuzzers/directed.h"
#include "tools/fuzz.h"

/* Of one job; all else zero at first. */
struct assay_fuzz_directed {
    struct assay_directed program;
    size_t next, step; /* in the list */
    uint64_t spent_ns;
    uint64_t round;                /* behind the list: of the races again, from 1 on; 0: not yet */
    size_t race;                   /* the next of them, in the list */
    uint64_t list_ns, of_races_ns; /* when the list was worked off; spent since */
};

/* True if the job has a directed program left and its turn has come: they get two thirds of the
 * time, and with a limited number of programs one turn to every few of those. random: programs of
 * the generator that the job has sent. Behind the list the races come again, ever different, for a
 * third of the time, until one has shown something. */
bool assay_fuzz_directed_due(const struct assay_fuzz_state *state,
                             const struct assay_fuzz_directed *directed, uint64_t random);
/* Runs the job's next one. number: of the random program that comes next. */
void assay_fuzz_directed_next(struct assay_fuzz_state *state, struct assay_fuzz_directed *directed,
                              uint64_t number);
void assay_fuzz_directed_free(struct assay_fuzz_directed *directed);

#endif
