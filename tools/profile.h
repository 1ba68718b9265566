/* Measuring a profile: what an unknown allocator answers to every key of profile_keys.def.
 *
 * Four ways, by the key's row: a probe asks a child some thousand questions and looks at the
 * answers; the cells of the security matrix that promise the key are tried until each is decided;
 * directed programs end the process or do not; and what cannot be measured says why. A key is told
 * only where the answers leave no doubt, else it stays open and `reason` says what could not be
 * told. A short fuzz with the measured profile then lists violations as candidates: whether they
 * are accepted is for people to say. Host only.
 */
#ifndef ASSAY_TOOLS_PROFILE_H
#define ASSAY_TOOLS_PROFILE_H

#include <jansson.h>
#include <signal.h>

#include "oracles/profile.h"
#include "traces/runner/session.h"

enum assay_profile_how {
    ASSAY_PROFILE_PROBE,
    ASSAY_PROFILE_CELLS,
    ASSAY_PROFILE_TRIED,
    ASSAY_PROFILE_NOT_MEASURED
};

struct assay_profile_fact {
    const struct assay_profile_key *key;
    enum assay_profile_how how;
    bool wanted;      /* false: not measured in this run */
    bool told;        /* the value stands in the profile */
    bool at_least;    /* it is the most that was tried */
    double most;      /* of a bound: beyond it a promise is contradicted; 0: beyond the value */
    json_t *evidence; /* strings: what was tried, with counts */
    char reason[240]; /* why it is not told, else "" */
};

struct assay_profile_hand;

struct assay_profile_config {
    const struct assay_subject_spec *spec;
    const char *subject;                   /* as named */
    const struct assay_profile_hand *hand; /* what candidates are judged by as well; may be NULL */
    const bool *keys;                      /* by index of assay_profile_keys; NULL: all */
    uint64_t seed, max_time_ns;
    uint64_t max_trials; /* of a cell */
    uint64_t runs;       /* programs that look for candidates; 0 = none */
    unsigned jobs;
    bool quiet;
    volatile sig_atomic_t *interrupted;
};

struct assay_measuring {
    struct assay_profile_config config;
    struct assay_profile profile; /* the told keys */
    struct assay_profile_fact *facts;
    size_t count;
    json_t *candidates;               /* {line, reason, finding} */
    uint64_t programs, trials, asked; /* of fuzz, cells and probes */
    uint64_t hangs;                   /* that ended the search for candidates; 0: none did */
    uint64_t start_ns, probe_until_ns;
    bool out_of_time;
    bool late;        /* the probe's own time is up: what it says from now on counts for nothing */
    bool hung;        /* a call of a probe did not come back: others are waited for less long */
    char failed[160]; /* a child that could not be had: what was counted since says nothing */
};

int assay_measuring_create(const struct assay_profile_config *config,
                           struct assay_measuring *ret_measure, struct assay_error *err);
/* Probes, cells, candidates. What time was too short for is not told. Errors: no child could be
 * had. */
int assay_measuring_run(struct assay_measuring *measure, struct assay_error *err);
void assay_measuring_free(struct assay_measuring *measure);

/* For probes (profile_probe.h) and the cells. The line goes to the evidence; tell also sets the
 * field: an answer, a zero resize, a number; but it doubts where the run was interrupted or a child
 * could not be had. */
void assay_fact_line(struct assay_profile_fact *fact, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void assay_fact_tell(struct assay_measuring *measure, struct assay_profile_fact *fact,
                     uint64_t value);
void assay_fact_doubt(struct assay_profile_fact *fact, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What people put into a profile that was measured, and measuring again leaves alone. */
struct assay_profile_hand {
    char about[400];              /* of "; about: ..." */
    json_t *keys;                 /* key: {value, source}: "; by hand: SOURCE" stands before it */
    json_t *symbols, *accepted;   /* lines of the sections, candidates left out */
    struct assay_profile profile; /* all that the file says */
};
/* A file that is not there has nothing. */
int assay_profile_hand_read(const char *path, struct assay_profile_hand *ret_hand,
                            struct assay_error *err);
void assay_profile_hand_free(struct assay_profile_hand *hand);

/* The .ini file: every key with its meaning and evidence, from the rows below; hand may be NULL. */
void assay_profile_text(FILE *out, const struct assay_measuring *measure, const char *name,
                        const struct assay_profile_hand *hand);

/* What a file says of a key against what was measured. */
enum assay_profile_check {
    ASSAY_PROFILE_AGREES,
    ASSAY_PROFILE_PROMISES_LESS,
    ASSAY_PROFILE_NOT_TOLD, /* nothing was measured that could contradict it */
    ASSAY_PROFILE_BY_HAND,  /* it does contradict, and a person has said why */
    ASSAY_PROFILE_CONTRADICTS
};
enum assay_profile_check assay_measuring_check(const struct assay_measuring *measure,
                                               const struct assay_profile_fact *fact,
                                               const struct assay_profile_hand *hand);
const char *assay_profile_check_name(enum assay_profile_check check);

/* Schema assay.profile.key: key value told meaning how evidence reason. New reference. */
json_t *assay_measuring_row(const struct assay_measuring *measure,
                            const struct assay_profile_fact *fact);

#endif
