/* The isolated fuzzer: programs against a subject in children that judge themselves, and what
 * becomes of their suspicions.
 *
 * A child runs many programs; program k is made from (seed, k), or, guided by features, from a
 * recipe of a few numbers, so a child's history is numbers too. Any suspicion ends the child (its
 * heap may be damaged). The host runs the program again in a fresh child, then, if it needs to,
 * with ever more of the child's history before it, judges the raw results, and only the first
 * violation of the first program that has one is a finding; what comes after it in a damaged heap
 * is a consequence. Findings are minimised and written at once. Host only. */
#ifndef ASSAY_FUZZ_RUN_H
#define ASSAY_FUZZ_RUN_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "fuzzers/generate.h"
#include "oracles/finding.h"
#include "tools/fuzz_corpus.h"
#include "traces/runner/session.h"

enum { ASSAY_FUZZ_HANG_BANDS = 65 };

struct assay_fuzz_config {
    const struct assay_subject_spec *spec;
    const char *subject, *profile_path; /* as named; profile_path NULL: the shipped one */
    struct assay_profile profile;
    struct assay_suppressions *suppressions; /* NULL: none */
    struct assay_program_limits limits;
    enum assay_generate_mode mode;
    uint64_t seed;
    uint64_t max_time_ns, max_runs; /* 0 = no limit */
    uint64_t max_hangs;             /* that are known already; 0 = no limit */
    unsigned jobs;
    bool random, directed;       /* programs of the generator; directed ones */
    bool first_only;             /* the first finding ends the run: one job */
    const char *findings_folder; /* NULL: findings are confirmed, not minimised or written, */
    const bool *unwritten;       /* nor those of these properties, by number; NULL: of none */
    const char *corpus_folder;   /* NULL: not guided by features */
    const char *guidance;
    volatile sig_atomic_t *interrupted;
};

/* What became of a directed program. */
struct assay_fuzz_directed_state {
    bool done;
    uint64_t spent_ns;
    char why_not[96]; /* "" if it ran */
};

/* All jobs together; the counters may be read while they run. */
struct assay_fuzz_state {
    const struct assay_fuzz_config *config;
    uint64_t start_ns;
    _Atomic uint64_t programs, calls, children, unconfirmed, consequences;
    _Atomic uint64_t begun;              /* random and directed programs */
    _Atomic uint64_t hangs;              /* where such a call was seen to hang before */
    _Atomic uint64_t ended_early;        /* directed programs whose process ended, for no finding */
    _Atomic(const char *) directed_name; /* of one that is in progress; NULL: none */
    _Atomic(const char *) minimising;    /* the property whose finding is made small; NULL: none */
    pthread_mutex_t lock;                /* of all below */
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    bool judged[ASSAY_PROPERTY_COUNT];
    /* how often a hang in such a call was confirmed, by the bits of what it asks for */
    uint8_t hung[ASSAY_OP_COUNT][ASSAY_FUZZ_HANG_BANDS];
    struct assay_fuzz_corpus corpus;    /* what was there before the run */
    _Atomic uint64_t kept, features;    /* by all jobs; in the job that saw most */
    struct assay_finding_set *findings; /* accepted ones too */
    double first_finding_s;             /* negative: none */
    struct {
        char where[48]; /* "program 17", a directed program, a file of the engine */
        char what[256];
        unsigned property; /* ASSAY_PROPERTY_NONE: not known */
    } doubts[8];           /* of the unconfirmed, the first ones */
    size_t doubt_count;
    _Atomic bool failed;            /* err is set, */
    _Atomic bool found;             /* and first_finding_s: what jobs ask without the lock */
    _Atomic bool unfrozen;          /* randomness of a child was not frozen */
    _Atomic bool mapping_by_name;   /* mapping calls failed where they were made by name alone */
    _Atomic uint64_t out_of_memory; /* children ended at their memory limit: no violation */
    _Atomic bool usable_told;       /* a finding of usable bytes that may not be written */
    struct {
        char fingerprint[ASSAY_FINGERPRINT_BYTES];
        unsigned times;
    } folded[64]; /* kinds that were a consequence of that */
    size_t folded_count;
    /* wrote to standard error in legal programs and lived: children, and the first line */
    unsigned wrote;
    char first_wrote[256];
    _Atomic bool races;   /* a directed program has shown a finding that is a race */
    _Atomic bool stepped; /* a thread of the subject blocks SIGTRAP: races go without breakpoints */
    _Atomic uint64_t races_trapped, races_tried; /* died of it all the same; did not */
    struct assay_fuzz_directed_state *directed;  /* in the order of directed.def */
    size_t directed_count;
    struct assay_error err;     /* of the first job that could not go on; code 0: none */
    char written[64][PATH_MAX]; /* folders of the findings, in order */
    size_t written_count;
    size_t written_ops[64][2];     /* of each, before and after minimising, */
    size_t written_repeats[64][2]; /* how often they do the same (0: they do not), */
    double written_seconds[64];    /* how long that took, */
    bool written_minimal[64];      /* and whether nothing more can be taken away */
};

int assay_fuzz_state_init(struct assay_fuzz_state *state, const struct assay_fuzz_config *config,
                          struct assay_error *err);
/* Interrupted, failed, out of time, or too many hangs: nothing new is to be begun. What was begun
 * is brought to its end within some two seconds. */
bool assay_fuzz_over(const struct assay_fuzz_state *state);
/* One job's loop; job of config->jobs takes every jobs-th program. Ends at the limits. */
void assay_fuzz_isolated(struct assay_fuzz_state *state, unsigned job);
void assay_fuzz_state_free(struct assay_fuzz_state *state);

#endif
