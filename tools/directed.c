#include "tools/directed.h"

#include <stdlib.h>
#include <string.h>

#include "fuzzers/directed/experiments.h"
#include "tools/fuzz_finding.h"
#include "tools/trial.h"
#include "traces/core/clock.h"

enum {
    RANDOM_PER_DIRECTED = 4, /* where programs are counted, not timed */
    OF_TIME = 3,             /* directed programs get two of three parts of it, then races one */
};

/* What two threads do at one time is another thing each time; all else is tried once. */
static bool races_due(const struct assay_fuzz_state *state,
                      const struct assay_fuzz_directed *directed)
{
    const struct assay_fuzz_config *config = state->config;
    bool may_race = !config->spec->adapter || config->profile.max_threads != 0;
    return may_race && !config->max_runs && config->random && !atomic_load(&state->races) &&
           directed->list_ns != 0 &&
           directed->of_races_ns <= (assay_now_ns() - directed->list_ns) / OF_TIME;
}

bool assay_fuzz_directed_due(const struct assay_fuzz_state *state,
                             const struct assay_fuzz_directed *directed, uint64_t random)
{
    const struct assay_fuzz_config *config = state->config;
    if (!config->directed || assay_fuzz_over(state))
        return false;
    if (directed->next >= state->directed_count)
        return races_due(state, directed);
    if (config->max_runs)
        return random / RANDOM_PER_DIRECTED >= directed->next / directed->step;
    return !config->random ||
           directed->spent_ns / (OF_TIME - 1) <= (assay_now_ns() - state->start_ns) / OF_TIME;
}

/* Of a program that was made in stages. */
struct staged {
    size_t last;      /* where the last stage begins, */
    uint32_t objects; /* and how many objects there were before it */
};

/* Builds, executes and judges, until the program is complete, or violates, or the child is gone.
 * Returns 0 or ASSAY_E_*. */
static int run_stages(const struct assay_fuzz_state *state, const struct assay_directed_info *info,
                      struct assay_directed *d, struct assay_trial *trial,
                      struct assay_trial_result *result, struct staged *ret_staged,
                      struct assay_error *err)
{
    bool begun = false, complete = false;
    int alive = 1;
    if (info->flags & ASSAY_DIRECTED_TWICE)
        return info->build(d, info->argument)
                   ? assay_trial_run(trial, d->events, d->n, true, result, err)
                   : 0;
    bool afresh = info->flags & ASSAY_DIRECTED_AFRESH;
    for (; alive > 0 && !result->violated && !assay_fuzz_over(state); d->stage++) {
        if (afresh)
            d->n = d->objects = 0;
        size_t from = d->n;
        *ret_staged = (struct staged){.last = from, .objects = d->objects};
        complete = !info->build(d, info->argument);
        if (complete)
            break;
        if ((afresh || !begun) && (alive = assay_trial_begin(trial, true, result, err)) < 0)
            return alive;
        begun = true;
        alive = assay_trial_part(trial, d->events + from, d->n - from, afresh, err);
    }
    if (begun && !afresh && alive > 0 && !result->violated)
        alive = assay_trial_part(trial, NULL, 0, true, err);
    if (!complete && !result->violated && !d->reason)
        d->reason = alive > 0 ? "there was no time for all of it"
                    : result->state == ASSAY_SESSION_MEMORY
                        ? "the process came to its memory limit before all of it was tried"
                        : "the process ended before all of it was tried";
    return alive < 0 ? alive : 0;
}

static void count_judged(struct assay_fuzz_state *state, const struct assay_trial *trial)
{
    atomic_fetch_add(&state->calls, assay_trial_calls(trial));
    pthread_mutex_lock(&state->lock);
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        uint64_t evaluations = assay_trial_evaluations(trial, p);
        bool special = assay_property_info(p)->needs &
                       (ASSAY_HAS_CONTEXT | ASSAY_HAS_THREAD | ASSAY_HAS_RESOURCES);
        state->evaluations[p] += evaluations;
        /* what only some programs try is not judged before one did */
        state->judged[p] |= assay_trial_judges(trial, p) && (!special || evaluations > 0);
    }
    pthread_mutex_unlock(&state->lock);
}

static void note(struct assay_fuzz_state *state, size_t number, const char *why_not)
{
    pthread_mutex_lock(&state->lock);
    struct assay_fuzz_directed_state *kept = &state->directed[number];
    kept->done = true;
    snprintf(kept->why_not, sizeof kept->why_not, "%.90s", why_not ? why_not : "");
    pthread_mutex_unlock(&state->lock);
}

/* What the program asks, without answers. */
static void keep_ops(struct assay_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct assay_event *event = &events[i];
        *event = (struct assay_event){.kind = event->kind,
                                      .family = event->family,
                                      .place = event->place,
                                      .flags = event->flags & ASSAY_FLAG_MISUSE,
                                      .thread = event->thread,
                                      .process = event->process,
                                      .object = event->object,
                                      .born = event->born,
                                      .size = event->size,
                                      .arg = event->arg};
    }
}

/* Takes the ops away that make memory end; returns how many are left. */
static size_t without_scarcity(struct assay_event *ops, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if (ops[i].kind != ASSAY_OP_LIMIT && ops[i].kind != ASSAY_OP_REFUSE)
            ops[left++] = ops[i];
    return left;
}

/* C33 stands in for others where memory ends: the same of the same op is the same bug. */
static bool same_bug(const struct assay_violation *plain, const struct assay_violation *scarce)
{
    return plain->kind == scarce->kind &&
           (plain->property == scarce->property ||
            (scarce->property == ASSAY_PROPERTY_C33 && plain->relation == scarce->relation));
}

/* What the program shows in a world of plenty as well has nothing to do with the end of memory, and
 * is told as what it is. True if that was what it showed; another bug does not hide it. */
static bool shows_without_scarcity(struct assay_fuzz_state *state,
                                   const struct assay_fuzz_program *program,
                                   const struct assay_violation *first, uint64_t number)
{
    struct assay_fuzz_program plain = *program;
    struct assay_violation shown;
    bool shows = false;
    plain.environment.mapping_calls = false;
    plain.ops = malloc(program->count * sizeof *plain.ops);
    if (plain.ops) {
        memcpy(plain.ops, program->ops, program->count * sizeof *plain.ops);
        plain.count = without_scarcity(plain.ops, program->count);
        shows = plain.count < program->count && plain.count > 0 &&
                assay_fuzz_suspect(state, &plain, number, &shown) && same_bug(&shown, first);
    }
    free(plain.ops);
    return shows;
}

/* What a stage of races shows it shows without those before it. */
static bool last_stage_shows(struct assay_fuzz_state *state,
                             const struct assay_fuzz_program *program, const struct staged *staged,
                             uint64_t number, struct assay_violation *ret_shown)
{
    struct assay_fuzz_program last = *program;
    if (!program->environment.preempted || staged->last == 0 ||
        program->ops[program->count - 1].kind == ASSAY_OP_MEASURE)
        return false;
    last.count = program->count - staged->last;
    last.ops = malloc(last.count * sizeof *last.ops);
    if (!last.ops)
        return false;
    memcpy(last.ops, program->ops + staged->last, last.count * sizeof *last.ops);
    for (size_t i = 0; i < last.count; i++) {
        last.ops[i].object -= last.ops[i].object ? staged->objects : 0;
        last.ops[i].born -= last.ops[i].born ? staged->objects : 0;
    }
    bool shows = assay_fuzz_suspect(state, &last, number, ret_shown);
    free(last.ops);
    return shows;
}

/* NULL: it may be run, or is no program of races. */
static const char *why_no_races(const struct assay_fuzz_state *state,
                                const struct assay_directed_info *info)
{
    const struct assay_fuzz_config *config = state->config;
    if (!(info->flags & ASSAY_DIRECTED_RACES))
        return NULL;
    if (config->spec->adapter && config->profile.max_threads == 0)
        return "the profile does not promise that threads may call an adapter at a time";
    /* a race shows in many ways; that memory is lost is another matter */
    if (atomic_load(&state->races) && info->build != assay_directed_build_races_measured)
        return "threads that call at the same time have shown something already";
    return NULL;
}

/* Neither listed by the profile nor suppressed. */
static bool is_news(struct assay_fuzz_state *state, const struct assay_violation *violation)
{
    return !assay_finding_accepted(violation, &state->config->profile) &&
           !assay_fuzz_suppressed(state, violation);
}

/* Once more without breakpoints, where a thread of the subject runs into one that blocks SIGTRAP:
 * so do those that come after. */
static int run_untrapped(struct assay_fuzz_state *state, const struct assay_directed_info *info,
                         struct assay_directed *d, size_t listed, uint64_t round,
                         struct assay_trial_config *trial_config, struct assay_trial_result *result,
                         struct staged *staged, struct assay_error *err)
{
    const struct assay_fuzz_config *config = state->config;
    bool again = false;
    int code = 0;
    do {
        struct assay_trial *trial = NULL;
        assay_directed_begin(d, config->seed + round, listed, config->spec->missing_apis,
                             &config->profile);
        trial_config->environment.stepped =
            trial_config->environment.preempted && atomic_load(&state->stepped);
        code = assay_trial_create(trial_config, &trial, err);
        if (code == 0)
            code = run_stages(state, info, d, trial, result, staged, err);
        if (code == 0)
            count_judged(state, trial);
        assay_trial_free(trial);
        again =
            code == 0 && result->trapped && !result->violated && !trial_config->environment.stepped;
        if (again)
            atomic_store(&state->stepped, true);
    } while (again && !assay_fuzz_over(state));
    if (code < 0 || !(info->flags & ASSAY_DIRECTED_RACES) || d->n == 0)
        return code;
    bool trapped = result->trapped && !result->violated;
    if (trapped)
        d->reason = "a thread of the subject blocks SIGTRAP, and its process ended of that";
    atomic_fetch_add(trapped ? &state->races_trapped : &state->races_tried, 1);
    return code;
}

/* round: 0 = as it stands in the list, else again, from another seed. */
static void run_one(struct assay_fuzz_state *state, const struct assay_directed_info *info,
                    struct assay_directed *d, size_t listed, uint64_t round, uint64_t number)
{
    const struct assay_fuzz_config *config = state->config;
    struct assay_trial_result result = {0};
    struct staged staged = {0};
    struct assay_error err = {0};
    struct assay_trial_config trial_config = {.subject = config->spec,
                                              .profile = &config->profile,
                                              .seed = ASSAY_TRIAL_SEED,
                                              .max_objects = ASSAY_DIRECTED_MAX_OBJECTS,
                                              .hang_ms = ASSAY_FUZZ_HANG_MS,
                                              .environment = assay_directed_environment(info)};
    const char *why_not = why_no_races(state, info);
    if (why_not) {
        note(state, listed, why_not);
        return;
    }
    int code = run_untrapped(state, info, d, listed, round, &trial_config, &result, &staged, &err);
    if (result.mapping_by_name)
        atomic_store(&state->mapping_by_name, true);
    if (result.wrote[0])
        assay_fuzz_wrote(state, result.wrote);
    if (code == 0 && result.died && !result.violated)
        atomic_fetch_add(
            result.state == ASSAY_SESSION_MEMORY ? &state->out_of_memory : &state->ended_early, 1);
    if (code < 0 && code != ASSAY_E_UNSUPPORTED)
        assay_fuzz_give_up(state, &err);
    if (round == 0)
        note(state, listed, code < 0 ? err.text : d->reason);
    if (code < 0 || d->n == 0)
        return;
    atomic_fetch_add(&state->programs, 1);
    if (!result.violated)
        return;
    if (result.first.relation == ASSAY_RELATION_HANG && assay_fuzz_known(state, &result.first)) {
        atomic_fetch_add(&state->hangs, 1);
        return;
    }
    keep_ops(d->events, d->n);
    const struct assay_fuzz_program program = {.ops = d->events,
                                               .count = d->n,
                                               .environment = trial_config.environment,
                                               .directed = info->name};
    struct assay_violation shown = result.first;
    bool confirmed = shows_without_scarcity(state, &program, &result.first, number) ||
                     last_stage_shows(state, &program, &staged, number, &shown) ||
                     assay_fuzz_suspect(state, &program, number, &shown);
    /* what shows in order too is no race, and hides none */
    if (confirmed && shown.races && is_news(state, &shown))
        atomic_store(&state->races, true);
    /* a hang that does not come back was an op that was slow, here and now */
    if (!confirmed && result.first.relation != ASSAY_RELATION_HANG)
        assay_fuzz_doubt_violation(state, info->name, &result.first);
}

/* Round after round, each job from another seed. */
static size_t next_race(const struct assay_fuzz_state *state, struct assay_fuzz_directed *directed,
                        const struct assay_directed_info *rows)
{
    size_t count = state->directed_count;
    if (directed->round == 0)
        directed->round = directed->next + 1;
    while (directed->race >= count || !(rows[directed->race].flags & ASSAY_DIRECTED_RACES)) {
        if (++directed->race < count)
            continue;
        directed->race = 0;
        directed->round += directed->step;
    }
    return directed->race++;
}

void assay_fuzz_directed_next(struct assay_fuzz_state *state, struct assay_fuzz_directed *directed,
                              uint64_t number)
{
    const struct assay_directed_info *rows;
    uint64_t start = assay_now_ns();
    bool again = directed->next >= assay_directed_list(&rows);
    size_t listed = again ? next_race(state, directed, rows) : directed->next;
    atomic_store(&state->directed_name, rows[listed].name);
    run_one(state, &rows[listed], &directed->program, listed, again ? directed->round : 0, number);
    atomic_store(&state->directed_name, NULL);
    uint64_t spent_ns = assay_now_ns() - start;
    if (again) {
        directed->of_races_ns += spent_ns;
        return;
    }
    atomic_fetch_add(&state->begun, 1);
    pthread_mutex_lock(&state->lock);
    state->directed[listed].spent_ns = spent_ns;
    pthread_mutex_unlock(&state->lock);
    directed->next += directed->step;
    directed->spent_ns += spent_ns;
    if (directed->next >= state->directed_count)
        directed->list_ns = assay_now_ns();
}

void assay_fuzz_directed_free(struct assay_fuzz_directed *directed)
{
    assay_directed_free(&directed->program);
}
