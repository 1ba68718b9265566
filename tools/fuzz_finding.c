#include "tools/fuzz_finding.h"

#include <stdlib.h>
#include <string.h>

#include "oracles/compare/minimise.h"
#include "tools/finding_dir.h"

enum { MINIMISE_HANG_MS = 200, CONFIRM_TRIALS = 10 };

#define MINIMISE_NS UINT64_C(8000000000)
/* What was found before --max-time is brought to its end, if that does not take longer. */
#define GRACE_NS UINT64_C(1000000000)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t latest(const struct assay_fuzz_state *state)
{
    uint64_t max_ns = state->config->max_time_ns;
    return max_ns && max_ns < UINT64_MAX / 2 ? state->start_ns + max_ns + GRACE_NS : UINT64_MAX / 2;
}

void assay_fuzz_give_up(struct assay_fuzz_state *state, const struct assay_error *err)
{
    pthread_mutex_lock(&state->lock);
    if (state->err.code == 0)
        state->err = *err;
    pthread_mutex_unlock(&state->lock);
}

/* ---- confirming and minimising -------------------------------------------------------------- */

struct hunt {
    struct assay_fuzz_state *state;
    struct assay_trial *trial;
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    struct assay_minimise minimise;
    bool fresh;           /* every candidate in its own child */
    bool cut;             /* by the deadline */
    uint64_t deadline_ns; /* of what goes on now, */
    uint64_t latest_ns;   /* and of all of it */
};

static uint32_t highest_object(const struct assay_event *ops, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++)
        highest = ops[i].born > highest ? ops[i].born : highest;
    return highest;
}

struct assay_trial *assay_fuzz_trial(struct assay_fuzz_state *state,
                                     const struct assay_fuzz_program *program, uint32_t hang_ms)
{
    struct assay_error err;
    uint32_t objects = highest_object(program->ops, program->count);
    struct assay_trial *trial = NULL;
    const struct assay_trial_config config = {
        .subject = state->config->spec,
        .profile = &state->config->profile,
        .seed = ASSAY_TRIAL_SEED,
        .max_objects = objects < ASSAY_GENERATE_MAX_OBJECTS ? ASSAY_GENERATE_MAX_OBJECTS : objects,
        .hang_ms = hang_ms,
        .environment = program->environment};
    if (assay_trial_create(&config, &trial, &err) < 0)
        assay_fuzz_give_up(state, &err);
    return trial;
}

/* Runs; false when no child could be had (then the run is over). */
bool assay_fuzz_run_trial(struct assay_fuzz_state *state, struct assay_trial *trial,
                          const struct assay_event *ops, size_t n, bool fresh,
                          struct assay_trial_result *result)
{
    struct assay_error err;
    if (assay_trial_run(trial, ops, n, fresh, result, &err) == 0)
        return true;
    assay_fuzz_give_up(state, &err);
    return false;
}

static bool same_finding(const struct hunt *hunt, const struct assay_trial_result *result)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    if (!result->violated)
        return false;
    assay_finding_fingerprint(&result->first, fingerprint);
    return strcmp(fingerprint, hunt->fingerprint) == 0;
}

static bool still_shows(void *self, struct assay_event *ops, size_t n)
{
    struct hunt *hunt = self;
    struct assay_trial_result result;
    if (!assay_fuzz_run_trial(hunt->state, hunt->trial, ops, n, hunt->fresh, &result) ||
        !same_finding(hunt, &result))
        return false;
    /* what showed it may have left a damaged heap: the next candidate gets a new child */
    if (!hunt->fresh && !result.died) {
        struct assay_event nothing = {.kind = ASSAY_OP_CHECK};
        assay_fuzz_run_trial(hunt->state, hunt->trial, &nothing, 1, true, &result);
    }
    return true;
}

static bool out_of_time(void *self)
{
    struct hunt *hunt = self;
    bool now = *hunt->state->config->interrupted || hunt->state->err.code != 0 ||
               assay_fuzz_now_ns() > hunt->deadline_ns;
    hunt->cut |= now;
    return now;
}

/* How sure a program's finding is. */
struct certainty {
    unsigned hits, trials; /* in fresh children */
    bool minimised;        /* nothing more can be taken away */
};

/* Runs the program once more in a fresh child; true if it shows the finding. */
static bool try_again(struct hunt *hunt, const struct assay_fuzz_program *program,
                      struct assay_trial_result *result)
{
    struct assay_trial_result again;
    if (!assay_fuzz_run_trial(hunt->state, hunt->trial, program->ops, program->count, true,
                              &again) ||
        !same_finding(hunt, &again))
        return false;
    *result = again;
    return true;
}

/* Makes the program smaller as long as there is time. True if what is left shows the finding in a
 * fresh child; else the program is as it was. */
static bool shrink(struct hunt *hunt, struct assay_fuzz_program *program,
                   struct assay_trial_result *result, uint32_t hang_ms)
{
    struct assay_event *before = malloc(program->count * sizeof *before);
    size_t count_before = program->count;
    bool shows = false;
    if (!before)
        return false;
    memcpy(before, program->ops, count_before * sizeof *before);
    /* one child for each candidate takes too long for a long program */
    unsigned attempts = count_before > ASSAY_PROGRAM_MAX_OPS ? 1 : 2;
    for (unsigned attempt = 0; attempt < attempts && !shows && !out_of_time(hunt); attempt++) {
        hunt->fresh = attempt > 0; /* before, some candidate lived on what an earlier one left */
        hunt->cut = false;
        assay_trial_set_hang(hunt->trial, MINIMISE_HANG_MS);
        /* nothing behind the op that violated is needed */
        if (result->first.op_index + 1 < program->count)
            program->count = (size_t)result->first.op_index + 1;
        size_t left = assay_minimise(program->ops, program->count, &hunt->minimise);
        if (left)
            program->count = left;
        assay_trial_set_hang(hunt->trial, hang_ms);
        shows = try_again(hunt, program, result);
        if (shows)
            break;
        memcpy(program->ops, before, count_before * sizeof *before);
        program->count = count_before;
        hunt->deadline_ns = least(assay_fuzz_now_ns() + MINIMISE_NS, hunt->latest_ns);
    }
    free(before);
    return shows;
}

/* Minimises in place and runs the result often enough to say how sure it is. Where the run's time
 * is up, what was found is kept as it is: it was confirmed once. */
static struct certainty minimise(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                                 struct assay_trial_result *result, uint32_t hang_ms)
{
    bool hang = result->first.relation == ASSAY_RELATION_HANG;
    struct certainty certainty = {.hits = 1, .trials = 1};
    struct hunt hunt = {.state = state};
    hunt.minimise =
        (struct assay_minimise){.self = &hunt, .test = still_shows, .expired = out_of_time};
    /* a hang takes its time once more at the end */
    uint64_t latest_ns = latest(state), last_ns = hang ? hang_ms * UINT64_C(1100000) : 0;
    hunt.latest_ns = latest_ns > last_ns ? latest_ns - last_ns : 0;
    hunt.deadline_ns = least(assay_fuzz_now_ns() + MINIMISE_NS, hunt.latest_ns);
    assay_finding_fingerprint(&result->first, hunt.fingerprint);
    hunt.trial = assay_fuzz_trial(state, program, hang_ms);
    if (!hunt.trial)
        return certainty;
    certainty.minimised = shrink(&hunt, program, result, hang_ms) && !hunt.cut;
    hunt.deadline_ns =
        hunt.latest_ns + (hang ? 0 : GRACE_NS / 2); /* hundreds of trials go into it */
    for (unsigned most = hang ? 2 : CONFIRM_TRIALS; certainty.trials < most && !out_of_time(&hunt);
         certainty.trials++)
        certainty.hits += try_again(&hunt, program, result);
    assay_trial_free(hunt.trial);
    return certainty;
}

/* ---- findings ------------------------------------------------------------------------------- */

bool assay_fuzz_enter(struct assay_fuzz_state *state, const struct assay_violation *violation)
{
    bool first = false;
    pthread_mutex_lock(&state->lock);
    const struct assay_finding *finding = assay_finding_set_add(state->findings, violation, &first);
    bool told = finding && first && !finding->accepted;
    if (told && state->first_finding_s < 0)
        state->first_finding_s = (double)(assay_fuzz_now_ns() - state->start_ns) / 1e9;
    pthread_mutex_unlock(&state->lock);
    return told;
}

void assay_fuzz_write_finding(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                              struct assay_trial_result *result, uint64_t number, uint64_t history,
                              uint32_t hang_ms)
{
    const struct assay_fuzz_config *config = state->config;
    struct assay_error err;
    struct assay_finding_record record = {.spec = config->spec,
                                          .subject = config->subject,
                                          .profile_path = config->profile_path,
                                          .seed = config->seed,
                                          .program = number,
                                          .history = history,
                                          .ops_found = program->count,
                                          .environment = program->environment,
                                          .directed = program->directed,
                                          .guidance = config->guidance};
    char path[PATH_MAX];
    struct certainty certainty = minimise(state, program, result, hang_ms);
    record.hits = certainty.hits;
    record.trials = certainty.trials;
    record.minimised = certainty.minimised;
    record.violation = result->first;
    record.ops = program->ops;
    record.count = program->count;
    record.said = result->said;
    record.circumstances = &result->circumstances;
    if (assay_finding_dir_write(config->findings_folder, &record, path, &err) < 0) {
        assay_fuzz_give_up(state, &err);
        return;
    }
    pthread_mutex_lock(&state->lock);
    if (state->written_count < sizeof state->written / sizeof state->written[0])
        memcpy(state->written[state->written_count++], path, sizeof path);
    pthread_mutex_unlock(&state->lock);
}

bool assay_fuzz_suspect(struct assay_fuzz_state *state, const struct assay_fuzz_program *program,
                        uint64_t number)
{
    struct assay_trial_result result = {0};
    struct assay_trial *trial = assay_fuzz_trial(state, program, ASSAY_FUZZ_HANG_MS);
    bool shows = trial &&
                 assay_fuzz_run_trial(state, trial, program->ops, program->count, true, &result) &&
                 result.violated;
    assay_trial_free(trial);
    if (!shows)
        return false;
    struct assay_fuzz_program own = *program;
    own.ops = malloc(own.count * sizeof *own.ops);
    if (assay_fuzz_enter(state, &result.first) && own.ops && !state->config->first_only) {
        memcpy(own.ops, program->ops, own.count * sizeof *own.ops);
        assay_fuzz_write_finding(state, &own, &result, number, 0, ASSAY_FUZZ_HANG_MS);
    }
    free(own.ops);
    return true;
}
