#include "tools/fuzz_finding.h"

#include <stdlib.h>
#include <string.h>

#include "tools/finding_dir.h"
#include "tools/fuzz_cause.h"
#include "tools/shrink.h"
#include "tools/whole_file.h"
#include "traces/core/clock.h"

enum {
    SUSPECT_TRIES = 16,
    SUSPECT_TRIES_RACES = 64, /* within this time: */
    HANGS_CONFIRMED = 2       /* of a kind of call; further ones are known */
};

#define MINIMISE_NS      UINT64_C(8000000000)
#define SUSPECT_RACES_NS UINT64_C(12000000000)
/* What shows in some runs only takes many trials for each candidate. */
#define MINIMISE_RANDOM_NS UINT64_C(20000000000)
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
    atomic_store(&state->failed, true);
    pthread_mutex_unlock(&state->lock);
}

/* ---- confirming and minimising -------------------------------------------------------------- */

static uint32_t highest_object(const struct assay_event *ops, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++)
        highest = ops[i].born > highest ? ops[i].born : highest;
    return highest;
}

static struct assay_trial_config trial_config(const struct assay_fuzz_state *state,
                                              const struct assay_fuzz_program *program,
                                              uint32_t hang_ms)
{
    uint32_t objects = highest_object(program->ops, program->count);
    return (struct assay_trial_config){
        .subject = state->config->spec,
        .profile = &state->config->profile,
        .seed = ASSAY_TRIAL_SEED,
        .max_objects = objects < ASSAY_GENERATE_MAX_OBJECTS ? ASSAY_GENERATE_MAX_OBJECTS : objects,
        .hang_ms = hang_ms,
        .environment = program->environment};
}

struct assay_trial *assay_fuzz_trial(struct assay_fuzz_state *state,
                                     const struct assay_fuzz_program *program, uint32_t hang_ms)
{
    return assay_fuzz_trial_by(state, program, &state->config->profile, hang_ms);
}

struct assay_trial *assay_fuzz_trial_by(struct assay_fuzz_state *state,
                                        const struct assay_fuzz_program *program,
                                        const struct assay_profile *profile, uint32_t hang_ms)
{
    struct assay_error err;
    struct assay_trial *trial = NULL;
    struct assay_trial_config config = trial_config(state, program, hang_ms);
    config.profile = profile;
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

/* Minimises in place and runs the result often enough to say how sure it is. Where the run's time
 * is up, what was found is kept as it is: it was confirmed once. */
static struct assay_shrunk minimise(struct assay_fuzz_state *state,
                                    struct assay_fuzz_program *program,
                                    struct assay_trial_result *result, uint32_t hang_ms)
{
    bool hang = result->first.relation == ASSAY_RELATION_HANG;
    struct assay_shrunk shrunk = {.hits = 1, .trials = 1};
    struct assay_error err;
    /* a hang takes its time once more at the end */
    uint64_t now = assay_now_ns(), last_ns = hang ? hang_ms * UINT64_C(1100000) : 0;
    uint64_t until_ns = latest(state) > last_ns ? latest(state) - last_ns : 0;
    const struct assay_shrink shrink = {
        .trial = trial_config(state, program, hang_ms),
        .deadline_ns = least(now + MINIMISE_NS, until_ns),
        .latest_ns = least(now + MINIMISE_RANDOM_NS, until_ns + (hang ? 0 : GRACE_NS / 2)),
        .interrupted = state->config->interrupted};
    if (assay_shrink(&shrink, program->ops, &program->count, result, &shrunk, &err) < 0)
        assay_fuzz_give_up(state, &err);
    else
        program->environment = shrunk.environment;
    return shrunk;
}

/* ---- findings ------------------------------------------------------------------------------- */

/* Two bugs in one function hang for other sizes. */
static unsigned hang_band(const struct assay_event *op)
{
    uint64_t bytes = 0;
    bool known = assay_event_bears(op) && assay_event_bytes(op, &bytes);
    return known && bytes ? 64 - (unsigned)__builtin_clzll(bytes) : 0;
}

bool assay_fuzz_enter(struct assay_fuzz_state *state, const struct assay_violation *violation)
{
    bool first = false;
    pthread_mutex_lock(&state->lock);
    const struct assay_finding *finding = assay_finding_set_add(state->findings, violation, &first);
    bool told = finding && first && !finding->accepted;
    uint8_t *hung = &state->hung[violation->kind][hang_band(&violation->event)];
    if (violation->relation == ASSAY_RELATION_HANG && *hung < UINT8_MAX)
        ++*hung;
    if (told && state->first_finding_s < 0)
        state->first_finding_s = (double)(assay_now_ns() - state->start_ns) / 1e9;
    if (told)
        atomic_store(&state->found, true);
    pthread_mutex_unlock(&state->lock);
    return told;
}

bool assay_fuzz_known(struct assay_fuzz_state *state, const struct assay_violation *violation)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    bool known = false;
    assay_finding_fingerprint(violation, fingerprint);
    pthread_mutex_lock(&state->lock);
    for (size_t i = 0; i < assay_finding_set_count(state->findings) && !known; i++)
        known = strcmp(assay_finding_set_get(state->findings, i)->fingerprint, fingerprint) == 0;
    pthread_mutex_unlock(&state->lock);
    return known;
}

bool assay_fuzz_hang_known(struct assay_fuzz_state *state, const struct assay_event *op)
{
    pthread_mutex_lock(&state->lock);
    bool known = state->hung[op->kind][hang_band(op)] >= HANGS_CONFIRMED;
    pthread_mutex_unlock(&state->lock);
    if (known)
        atomic_fetch_add(&state->hangs, 1);
    return known;
}

void assay_fuzz_write_finding(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                              struct assay_trial_result *result, uint64_t number, uint64_t history,
                              uint32_t hang_ms)
{
    const struct assay_fuzz_config *config = state->config;
    struct assay_error err;
    struct assay_finding_record record = {
        .spec = config->spec,
        .subject = config->subject,
        .profile_path = config->profile_path,
        .seed = config->seed,
        .program = number,
        .history = history,
        .ops_found = program->count,
        .repeats_found = assay_finding_dir_repeats(program->ops, program->count),
        .environment = program->environment,
        .directed = program->directed,
        .guidance = config->guidance,
        .max_threads = config->profile.max_threads,
        .usable_writable = config->profile.usable_writable == ASSAY_ANSWER_YES};
    char path[PATH_MAX];
    uint64_t begin_ns = assay_now_ns();
    if (!config->findings_folder ||
        (config->unwritten && config->unwritten[result->first.property]))
        return;
    atomic_store(&state->minimising, assay_property_info(result->first.property)->id);
    struct assay_shrunk shrunk = minimise(state, program, result, hang_ms);
    atomic_store(&state->minimising, NULL);
    record.hits = shrunk.hits;
    record.trials = shrunk.trials;
    record.minimised = shrunk.minimised;
    record.why_whole = shrunk.why_whole;
    record.floor = shrunk.floor;
    record.environment = program->environment;
    record.violation = result->first;
    record.ops = program->ops;
    record.count = program->count;
    record.said = result->said;
    record.circumstances = &result->circumstances;
    if (assay_make_folder(config->findings_folder, &err) < 0 ||
        assay_finding_dir_write(config->findings_folder, &record, path, &err) < 0) {
        assay_fuzz_give_up(state, &err);
        return;
    }
    pthread_mutex_lock(&state->lock);
    if (state->written_count < sizeof state->written / sizeof state->written[0]) {
        size_t i = state->written_count++;
        memcpy(state->written[i], path, sizeof path);
        state->written_ops[i][0] = record.ops_found;
        state->written_ops[i][1] = record.count;
        state->written_repeats[i][0] = record.repeats_found;
        state->written_repeats[i][1] = assay_finding_dir_repeats(record.ops, record.count);
        state->written_minimal[i] = record.minimised;
        state->written_seconds[i] = (double)(assay_now_ns() - begin_ns) / 1e9;
    }
    pthread_mutex_unlock(&state->lock);
}

void assay_fuzz_doubt(struct assay_fuzz_state *state, unsigned property, const char *where,
                      const char *what)
{
    size_t most = sizeof state->doubts / sizeof state->doubts[0];
    pthread_mutex_lock(&state->lock);
    if (state->doubt_count < most) {
        size_t at = state->doubt_count++;
        state->doubts[at].property = property;
        snprintf(state->doubts[at].where, sizeof state->doubts[at].where, "%s", where);
        snprintf(state->doubts[at].what, sizeof state->doubts[at].what, "%s", what);
    }
    pthread_mutex_unlock(&state->lock);
    atomic_fetch_add(&state->unconfirmed, 1);
}

void assay_fuzz_wrote(struct assay_fuzz_state *state, const char *text)
{
    pthread_mutex_lock(&state->lock);
    if (state->wrote++ == 0)
        snprintf(state->first_wrote, sizeof state->first_wrote, "%.*s", (int)strcspn(text, "\n"),
                 text);
    pthread_mutex_unlock(&state->lock);
}

void assay_fuzz_doubt_violation(struct assay_fuzz_state *state, const char *where,
                                const struct assay_violation *violation)
{
    char line[256];
    assay_finding_line(line, sizeof line, violation);
    assay_fuzz_doubt(state, violation->property, where, line);
}

/* What races do is chance: what says most of the bug is told. */
static void look_for_better(struct assay_fuzz_state *state, struct assay_trial *trial,
                            const struct assay_fuzz_program *program,
                            struct assay_trial_result *result)
{
    enum { TRIES = 4 };
    struct assay_trial_result other;
    char is[ASSAY_FINGERPRINT_BYTES], may_be[ASSAY_FINGERPRINT_BYTES];
    assay_finding_fingerprint(&result->first, is);
    for (unsigned i = 0; i < TRIES && assay_finding_rank(&result->first) > 0; i++) {
        if (!assay_fuzz_run_trial(state, trial, program->ops, program->count, true, &other))
            return;
        if (!other.violated)
            continue;
        assay_finding_fingerprint(&other.first, may_be);
        if (strcmp(is, may_be) == 0 &&
            assay_finding_rank(&other.first) < assay_finding_rank(&result->first))
            *result = other;
    }
}

bool assay_fuzz_suppressed(struct assay_fuzz_state *state, const struct assay_violation *violation)
{
    const struct assay_fuzz_config *config = state->config;
    if (!config->suppressions)
        return false;
    pthread_mutex_lock(&state->lock);
    bool fits = assay_suppressed(config->suppressions, violation, config->subject, false) != NULL;
    pthread_mutex_unlock(&state->lock);
    return fits;
}

/* What shows as well where one op follows another is no race, and told as what it is. */
static bool shows_in_order(struct assay_fuzz_state *state, const struct assay_fuzz_program *program,
                           struct assay_trial_result *result)
{
    struct assay_trial *trial = assay_fuzz_trial(state, program, ASSAY_FUZZ_HANG_MS);
    bool ran =
        trial && assay_fuzz_run_trial(state, trial, program->ops, program->count, true, result);
    assay_trial_free(trial);
    return ran && result->violated;
}

bool assay_fuzz_suspect(struct assay_fuzz_state *state, const struct assay_fuzz_program *program,
                        uint64_t number, struct assay_violation *ret_shown)
{
    struct assay_trial_result result = {0};
    struct assay_fuzz_program own = *program;
    if (program->environment.preempted) {
        own.environment = (struct assay_environment){0};
        if (!shows_in_order(state, &own, &result))
            own.environment = program->environment;
    }
    struct assay_trial *trial = assay_fuzz_trial(state, &own, ASSAY_FUZZ_HANG_MS);
    bool ran = trial != NULL;
    uint64_t races_ns = own.environment.preempted ? assay_now_ns() + SUSPECT_RACES_NS : 0;
    unsigned tries = SUSPECT_TRIES;
    /* more than once: it may show in some processes only, and races in few */
    for (unsigned i = 0; i < tries && ran && !result.violated; i++) {
        ran = assay_fuzz_run_trial(state, trial, program->ops, program->count, true, &result) &&
              (i == 0 || !assay_fuzz_over(state));
        tries = assay_now_ns() < races_ns ? SUSPECT_TRIES_RACES : SUSPECT_TRIES;
    }
    if (result.violated && own.environment.preempted)
        look_for_better(state, trial, program, &result);
    assay_trial_free(trial);
    if (!result.violated)
        return false;
    if (ret_shown)
        *ret_shown = result.first;
    own.ops = malloc(own.count * sizeof *own.ops);
    if (own.ops) {
        memcpy(own.ops, program->ops, own.count * sizeof *own.ops);
        if (!assay_fuzz_is_consequence(state, &own, &result, ASSAY_FUZZ_HANG_MS) &&
            assay_fuzz_enter(state, &result.first))
            assay_fuzz_write_finding(state, &own, &result, number, 0, ASSAY_FUZZ_HANG_MS);
    }
    free(own.ops);
    return true;
}
