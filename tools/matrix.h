/* The security matrix: trials of misuse, each in a child of its own, until every verdict is
 * decided.
 *
 * A cell is one variant of misuse.def on one subject. Every trial execs a child with real
 * randomness, because forked children would share layout, keys and generator state; so the rows
 * whose unit is a process or a heap are sampled right, and the others cost a millisecond more than
 * they must. Workers take the cell with the fewest trials that is not decided yet. Host only. */
#ifndef ASSAY_MATRIX_H
#define ASSAY_MATRIX_H

#include <jansson.h>
#include <pthread.h>
#include <signal.h>

#include "oracles/misuse/misuse.h"
#include "oracles/sequential.h"

enum {
    ASSAY_MATRIX_SUBJECTS = 16,
    ASSAY_MATRIX_SIZE = 40,       /* bytes of the objects, where nothing else is asked for */
    ASSAY_MATRIX_NUMBERS = 64,    /* trials of a figure */
    ASSAY_MATRIX_ADDRESSES = 512, /* and of one from collisions */
    ASSAY_MATRIX_MODEL = 10000,   /* and of the tag model, which cost nothing */
    ASSAY_MATRIX_PROOF = 3        /* so many effects of single bits are no accident */
};

/* A rate above HIGH is 'always', below LOW 'never', and where it lies is decided with this error
 * for each of the three outcomes. */
#define ASSAY_MATRIX_LOW   0.05
#define ASSAY_MATRIX_HIGH  0.95
#define ASSAY_MATRIX_ALPHA (0.05 / 3)

struct assay_matrix_config {
    const struct assay_subject_spec *subjects; /* outlive the matrix */
    const char *const
        *shown; /* what they are called in JSON beside their short names, which differ */
    const struct assay_profile *profiles;
    struct assay_tags tags[ASSAY_MATRIX_SUBJECTS]; /* granule not 0: the subject is the tag model */
    size_t subject_count;
    const bool *variants; /* which are tried, by index of assay_misuse_list; outlives the matrix */
    bool promises_only; /* a cell that is no figure is done when it tells whether a promise would be
                           kept, */
    bool promised_only; /* and one of which the profile promises nothing has no trials */
    uint64_t seed;      /* of what the programs draw; layout and keys are the system's */
    uint64_t size;      /* of the objects */
    uint64_t max_trials; /* of a cell */
    uint64_t max_time_ns;
    unsigned jobs;
    const volatile sig_atomic_t *interrupted;
};

struct assay_matrix_cell {
    const struct assay_misuse_info *info;
    size_t subject;
    uint64_t begun, trials; /* trials: with an outcome, void ones included */
    uint64_t outcomes[ASSAY_MISUSE_COUNT];
    uint64_t effects[ASSAY_EFFECT_COUNT]; /* all that a trial with an effect showed: sums above
                                             outcomes[EFFECT] */
    uint64_t moments[ASSAY_MOMENT_COUNT], hows[ASSAY_HOW_COUNT];
    uint64_t late; /* noticed, but after an effect */
    uint64_t spent_ns;
    uint64_t *values; /* of figures */
    size_t value_count;
    uint64_t first;     /* of entropy: of the last pair of values */
    uint64_t twins;     /* of entropy: second values that are equal to the first of their pair */
    char said[160];     /* the subject's message where it noticed */
    const char *reason; /* of void trials */
    uint64_t broke_off; /* void trials whose child ended in the set-up */
    char broke_off_at[120];
    struct assay_subject_spec
        *operators; /* of OPERATORS: the subject, by these; NULL: it has none */
    uint64_t suspects[ASSAY_MATRIX_PROOF - 1]; /* of BITS: the trials that broke the promise */
    unsigned suspect_count;
    bool busy, done, hung;
    bool unasked; /* of PROMISED_ONLY */
};

struct assay_matrix {
    struct assay_matrix_config config;
    struct assay_matrix_cell *cells; /* variants of a row together, subjects within a variant */
    size_t cell_count, done_count;
    bool fixed_layout; /* the system draws no addresses */
    uint64_t trials, start_ns;
    pthread_mutex_t lock;
    struct assay_error err; /* of the first child that could not be had */
    _Atomic bool failed;    /* there is one */
};

int assay_matrix_create(const struct assay_matrix_config *config, struct assay_matrix *ret_matrix,
                        struct assay_error *err);
/* Runs until all is decided, time is up, or interrupted; tick is called some twenty times a second.
 * Returns 0 or ASSAY_E_*. */
int assay_matrix_run(struct assay_matrix *matrix,
                     void (*tick)(void *self, const struct assay_matrix *), void *self,
                     struct assay_error *err);
void assay_matrix_free(struct assay_matrix *matrix);

enum assay_matrix_state {
    ASSAY_MATRIX_NOT_JUDGED,
    ASSAY_MATRIX_UNDECIDED,
    ASSAY_MATRIX_DETECTED,
    ASSAY_MATRIX_NEUTRALISED,
    ASSAY_MATRIX_EFFECT,
    ASSAY_MATRIX_MIXED,
    ASSAY_MATRIX_MEASURED
};
enum assay_matrix_state assay_matrix_state(const struct assay_matrix_cell *cell);
/* Whether a promise of the variant's key would be kept: ALWAYS that it is, NEVER that it is not, at
 * the stated error. Of a number the profile has the bound, and one value beyond it is enough. */
enum assay_decision assay_matrix_kept(const struct assay_matrix_cell *cell,
                                      const struct assay_profile *profile);
/* Bits of entropy, each bound at the matrix's error: at least, whatever the values; at most,
 * INFINITY where no two are equal. Of a figure of entropy with ASSAY_MATRIX_ADDRESSES values. */
double assay_matrix_entropy_least(const struct assay_matrix_cell *cell);
double assay_matrix_entropy_most(const struct assay_matrix_cell *cell);
/* True where the trials contradict what the profile promises, at the stated error. */
bool assay_matrix_contradicts(const struct assay_matrix_cell *cell,
                              const struct assay_profile *profile);
/* True where there was no time for a trial, or a promise is left open: undecided, or each child
 * ended before its misuse. What a subject lacks, or was not asked for, is not open. */
bool assay_matrix_is_open(const struct assay_matrix_cell *cell,
                          const struct assay_profile *profile);
/* The same in words: "promises 'zeroes_on_free', but of 12 times S10 (at once) ...". */
void assay_matrix_contradiction(const struct assay_matrix_cell *cell,
                                const struct assay_profile *profile, char *ret_text, size_t room);

/* One object per cell: schema assay.matrix.row. */
json_t *assay_matrix_row(const struct assay_matrix *matrix, const struct assay_matrix_cell *cell);
/* The whole: schema assay.matrix. */
json_t *assay_matrix_summary(const struct assay_matrix *matrix, json_t *rows, double seconds);
/* A page that asks for nothing else: the grid as a picture, every cell's figures beside it. */
int assay_matrix_html(const char *path, const json_t *summary, const json_t *rows,
                      struct assay_error *err);

#endif
