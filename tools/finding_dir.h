/* A finding as a folder: what `assay fuzz` leaves and `assay reproduce` takes up.
 *
 *   program.trace    the minimal program (a trace of ops)
 *   program.txt      the same as text
 *   report.txt       what was violated, where, a picture of the memory around, how to go on
 *   finding.json     the same for programs
 *   reproducer.c     plain C that checks itself
 *   profile.ini      the profile it was judged by, if one was named
 *
 * Written under a temporary name and renamed when whole. Holds no addresses and no times. */
#ifndef ASSAY_FINDING_DIR_H
#define ASSAY_FINDING_DIR_H

#include <limits.h>

#include "oracles/finding.h"
#include "oracles/finding_report.h"
#include "traces/runner/session.h"

struct assay_finding_record {
    struct assay_violation violation;
    const struct assay_event *ops;
    size_t count;
    const struct assay_subject_spec *spec;
    const char *subject;      /* as the user named it; a path is made absolute */
    const char *profile_path; /* of --profile, NULL if none */
    uint64_t seed;            /* of the run */
    uint64_t program;         /* its number in the run */
    uint64_t history;         /* programs before it that it needed, 0 = none */
    size_t ops_found;         /* before minimising, */
    size_t repeats_found;     /* and how often it did the same; 0: it does not repeat itself */
    unsigned hits, trials;    /* of the minimal program in fresh children */
    double floor;          /* no smaller program was taken whose rate is below; 0: single trials */
    const char *why_whole; /* as in struct assay_shrunk */
    bool minimised;        /* false: there was no time to take away all that is not needed */
    const char *said;      /* first line that the subject wrote, "" if nothing */
    const char *guidance;
    bool usable_writable; /* by the profile: usable bytes were written, too */
    unsigned max_threads; /* by the profile; 0: any number */
    struct assay_environment environment;
    uint64_t trial_seed;  /* of patterns and frozen randomness; 0 = ASSAY_TRIAL_SEED */
    bool sought;          /* others of other properties show before it */
    const char *directed; /* name of the directed program, NULL: a random one */
    const struct assay_circumstances *circumstances; /* NULL: not known */
};

/* How often the program makes its first ops again, 0: it is not of that kind. */
size_t assay_finding_dir_repeats(const struct assay_event *ops, size_t count);

/* Writes FOLDER/<fingerprint>; *ret_path is where. */
int assay_finding_dir_write(const char *folder, const struct assay_finding_record *record,
                            char ret_path[PATH_MAX], struct assay_error *err);

struct assay_finding_dir {
    struct assay_event *ops; /* malloc'ed */
    size_t count;
    uint32_t objects;
    char subject[PATH_MAX], fingerprint[ASSAY_FINGERPRINT_BYTES], property[8];
    char profile_path[PATH_MAX]; /* "" if none */
    char function[64];           /* of a crash, "" if not known */
    char
        was[ASSAY_FINGERPRINT_BYTES]; /* the fingerprint by the older scheme that it was saved by */
    struct assay_environment environment;
    /* As it was written, 0 where not known: how often it showed; what it came from. */
    unsigned hits, trials;
    uint64_t seed, program, history;
    size_t ops_found;
    char guidance[16], directed[32]; /* "" if none */
    uint64_t trial_seed;
    bool sought;
};

/* How many fresh children it takes to see it, but for once in a thousand times. */
unsigned assay_finding_dir_trials(unsigned hits, unsigned trials);

/* Errors: ASSAY_E_NOT_FOUND, ASSAY_E_FORMAT (not a finding, or one that was tampered with). */
int assay_finding_dir_read(const char *path, struct assay_finding_dir *ret_dir,
                           struct assay_error *err);
/* The same fingerprint. Of a crash also one that differs in the function alone, where either build
 * has no symbols to name it by. */
bool assay_finding_dir_shows(const struct assay_finding_dir *dir,
                             const struct assay_violation *violation);
void assay_finding_dir_free(struct assay_finding_dir *dir);

#endif
