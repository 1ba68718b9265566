/* The score of the judges: allocators that are broken on purpose, each in a process of its own,
 * fuzzed until the first confirmed finding; beside them correct ones, which must have none. What is
 * measured rather than judged (S02 to S30) is tried by the security matrix: a broken allocator must
 * contradict its profile, a correct one must not.
 *
 * A folder of subjects holds NAME.ini beside libNAME.so. [profile] is what NAME is judged by,
 * [expect] what must come of it: `property` (one or more ids, or none for a correct allocator),
 * `op`, `survives`, the reason for which no row of today can tell NAME from a correct one, and
 * `guidance = features` with `seconds` for what a blind search does not reach in the usual time.
 * Memory is the caller's. Host only; the caller must be single-threaded, because it forks. */
#ifndef ASSAY_SELFTEST_H
#define ASSAY_SELFTEST_H

#include <limits.h>
#include <signal.h>

#include "oracles/finding.h"

struct assay_selftest_subject {
    char name[64], group[16];
    char path[PATH_MAX];                  /* as --subject has it */
    char profile[PATH_MAX];               /* "": the shipped one */
    bool expected[ASSAY_CATALOGUE_COUNT]; /* the properties that may kill it */
    uint16_t first_expected;              /* 0 = correct */
    char survives[160];                   /* why it is let live, "" = it must not */
    bool guided;                          /* by features */
    unsigned seconds;                     /* of CPU at least, 0 = as all */
};

struct assay_selftest_list {
    struct assay_selftest_subject *subjects; /* malloc'ed */
    size_t count, capacity;
};

/* Plain data: a process hands it to its parent. */
struct assay_selftest_result {
    bool finished;               /* its time was up, or it was found broken */
    bool found;                  /* violation is a confirmed finding, or contradiction is set */
    uint64_t unconfirmed;        /* suspicions that did not come back */
    uint64_t programs, calls;    /* up to the finding */
    size_t directed, unreached;  /* directed programs, and for how many there was no time */
    uint64_t trials;             /* of the matrix */
    uint16_t contradicted;       /* a measured property whose promise is broken; 0: none */
    char contradiction[240];     /* and how */
    double seconds, cpu_seconds; /* CPU of all its processes */
    struct assay_violation violation;
    char folder[PATH_MAX];  /* of a finding that was not expected; "" if none */
    struct assay_error err; /* code 0: none */
};

enum assay_selftest_verdict {
    ASSAY_SELFTEST_KILLED,   /* by a property that was expected */
    ASSAY_SELFTEST_LET_LIVE, /* survived, as its list says with a reason */
    ASSAY_SELFTEST_CLEAN,    /* correct, and nothing was said against it */
    ASSAY_SELFTEST_MISTAKEN, /* "misjudged": by another property, or though listed as a survivor */
    ASSAY_SELFTEST_SURVIVED, /* broken, and not noticed */
    ASSAY_SELFTEST_FALSE_ALARM, /* correct, and accused */
    ASSAY_SELFTEST_UNSURE,      /* correct, but suspicions came and went */
    ASSAY_SELFTEST_NOT_RUN,     /* could not be run to its end */
    ASSAY_SELFTEST_VERDICTS
};

struct assay_selftest_config {
    uint64_t max_cpu_ns; /* of each subject and what it starts; one with a finding ends there */
    uint64_t seed;
    unsigned jobs;      /* subjects at a time */
    const char *folder; /* where FOLDER/SUBJECT gets findings that were not expected */
    volatile sig_atomic_t *interrupted;
    void *self;
    void (*progress)(void *self, size_t done, const char *running);
};

/* Adds every NAME.ini of the folder, sorted by name. A folder that is not there adds nothing.
 * Returns 0; ASSAY_E_FORMAT for an [expect] that cannot be read, ASSAY_E_NOT_FOUND for an .ini
 * without its library, ASSAY_E_MEMORY. */
int assay_selftest_scan(struct assay_selftest_list *list, const char *folder, const char *group,
                        struct assay_error *err);
/* Adds a correct allocator by the name that --subject knows. */
int assay_selftest_add_correct(struct assay_selftest_list *list, const char *name,
                               struct assay_error *err);
void assay_selftest_list_free(struct assay_selftest_list *list);

/* Runs them all; results[i] belongs to subjects[i]. Returns 0 or ASSAY_E_SYSTEM; what one subject
 * suffers stands in its result. Started processes are gone when it returns. */
int assay_selftest_run(const struct assay_selftest_subject *subjects, size_t count,
                       const struct assay_selftest_config *config,
                       struct assay_selftest_result *results, struct assay_error *err);

/* What it was found broken by; 0: nothing. */
unsigned assay_selftest_property(const struct assay_selftest_result *result);
enum assay_selftest_verdict assay_selftest_judge(const struct assay_selftest_subject *subject,
                                                 const struct assay_selftest_result *result);
/* True where what must kill the subject is measured by trials, not judged of programs. */
bool assay_selftest_is_measured(const struct assay_selftest_subject *subject);
/* True of a verdict that fails the selftest. */
bool assay_selftest_is_bad(enum assay_selftest_verdict verdict);
const char *assay_selftest_verdict_name(enum assay_selftest_verdict verdict);

#endif
