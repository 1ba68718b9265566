/* Writes a program that shows a finding as one plain C file that checks itself.
 *
 * The file needs nothing of ours: it compiles with gcc and clang at any optimisation (calls go
 * through volatile pointers, so that no pair of calls is optimised away), runs the ops in a child,
 * checks the finding's own property, prints one line and exits 1 when the bug shows, 0 when it does
 * not, 2 when something else went wrong. What shows in some processes only is tried in as many
 * fresh ones as that takes. Host only. */
#ifndef ASSAY_REPRODUCER_H
#define ASSAY_REPRODUCER_H

#include <stdio.h>

#include "oracles/judge.h"

struct assay_reproducer {
    const struct assay_violation *violation;
    const struct assay_event *ops;
    size_t count;
    const char *subject; /* as the user named it */
    const char *library; /* what to preload, NULL or "" for none */
    const char *fingerprint;
    const struct assay_subject_names *names; /* NULL: the usual ones */
    const struct assay_bindings *bindings;   /* with names: their forms */
    /* It showed in hits of trials processes; where that is not all, the file tries `attempts`
     * processes. 0 of 0: not known. */
    unsigned hits, trials, attempts;
    bool races;            /* threads ran side by side; the file repeats it for up to a minute */
    unsigned max_threads;  /* promised by the profile; 0: any number */
    bool ask_usable;       /* the executor asked for the usable size after each birth, */
    bool usable_writable;  /* and wrote what is usable, for the profile says that one may */
    uint64_t seed;         /* of the patterns */
    uint64_t missing_apis; /* bit per op kind: functions that the subject lacks; none is called */
};

/* Writes to out; the caller checks ferror. */
void assay_reproducer_write(FILE *out, const struct assay_reproducer *reproducer);

#endif
