#include "tools/profile.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/emit.h"
#include "tools/fuzz.h"
#include "tools/human.h"
#include "tools/matrix.h"
#include "tools/profile_probe.h"
#include "tools/progress.h"
#include "traces/core/clock.h"

enum { MAX_HANGS = 20 /* behind so many that are known no more programs are tried */ };

static const struct {
    enum assay_profile_how how;
    assay_profile_probe *probe;
    const char *why; /* it is not measured */
    enum assay_property property;
} ways[] = {
#define PROBE(name)                                                                                \
    {                                                                                              \
        ASSAY_PROFILE_PROBE, assay_profile_probe_##name, NULL, 0                                   \
    }
#define CELLS                                                                                      \
    {                                                                                              \
        ASSAY_PROFILE_CELLS, NULL, NULL, 0                                                         \
    }
#define TRIED(ID)                                                                                  \
    {                                                                                              \
        ASSAY_PROFILE_TRIED, NULL, NULL, ASSAY_PROPERTY_##ID                                       \
    }
#define NOT_MEASURED(because)                                                                      \
    {                                                                                              \
        ASSAY_PROFILE_NOT_MEASURED, NULL, because, 0                                               \
    }
#define ASSAY_PROFILE_KEY(TYPE, key, how, meaning) how,
#include "oracles/profile_keys.def"
#undef PROBE
#undef CELLS
#undef TRIED
#undef NOT_MEASURED
};

static uint64_t left_ns(const struct assay_measuring *measure)
{
    uint64_t spent = assay_now_ns() - measure->start_ns;
    return spent >= measure->config.max_time_ns ? 0 : measure->config.max_time_ns - spent;
}

/* ---- facts ---------------------------------------------------------------------------------- */

void assay_fact_line(struct assay_profile_fact *fact, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    ASSAY_CHECK(n >= 0);
    json_array_append_new(fact->evidence, assay_emit_string(text));
    free(text);
}

void assay_fact_tell(struct assay_measuring *measure, struct assay_profile_fact *fact,
                     uint64_t value)
{
    char *field = (char *)&measure->profile + fact->key->offset;
    if (measure->failed[0] || *measure->config.interrupted) {
        assay_fact_doubt(fact, "%s", measure->failed[0] ? measure->failed : "interrupted");
        return;
    }
    if (measure->late)
        return; /* the reason comes when the probe has ended */
    switch (fact->key->type) {
    case ASSAY_PROFILE_ANSWER:
    case ASSAY_PROFILE_ZERO_RESIZE: *(uint8_t *)field = (uint8_t)value; break;
    case ASSAY_PROFILE_BYTES: *(uint64_t *)(void *)field = value; break;
    default: *(uint32_t *)(void *)field = (uint32_t)value; break;
    }
    fact->told = true;
}

void assay_fact_doubt(struct assay_profile_fact *fact, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fact->reason, sizeof fact->reason, format, args);
    va_end(args);
}

json_t *assay_measuring_row(const struct assay_measuring *measure,
                            const struct assay_profile_fact *fact)
{
    static const char *const hows[] = {"probe", "cells", "tried", "not measured"};
    char value[40];
    assay_profile_value(&measure->profile, fact->key, value, sizeof value);
    json_t *row = json_pack("{s:s, s:s, s:b, s:s, s:s, s:O, s:o}", "key", fact->key->name, "value",
                            value, "told", fact->told, "meaning", fact->key->meaning, "how",
                            hows[fact->how], "evidence", fact->evidence, "reason",
                            fact->told ? json_null() : assay_emit_string(fact->reason));
    ASSAY_CHECK(row);
    return row;
}

/* ---- cells ---------------------------------------------------------------------------------- */

static bool promises(const struct assay_misuse_info *info, const struct assay_profile_fact *fact)
{
    return fact->how == ASSAY_PROFILE_CELLS && info->promise != ASSAY_PROMISE_NONE &&
           info->promise_offset == fact->key->offset;
}

static uint64_t valid(const struct assay_matrix_cell *cell)
{
    return cell->trials - cell->outcomes[ASSAY_MISUSE_VOID];
}

/* "half of 12 noticed, else overlap" in a few words, of a cell that breaks the promise. */
static void break_text(const struct assay_matrix_cell *cell, char *text, size_t room)
{
    uint64_t n = valid(cell), detected = cell->outcomes[ASSAY_MISUSE_DETECTED];
    uint64_t effects = cell->outcomes[ASSAY_MISUSE_EFFECT];
    unsigned most = 0;
    for (unsigned e = 1; e < ASSAY_EFFECT_COUNT; e++)
        if (cell->effects[e] > cell->effects[most])
            most = e;
    if (cell->info->promise == ASSAY_PROMISE_PREVENTS)
        snprintf(text, room, "%s %llu of %llu times", assay_effect_name(most),
                 (unsigned long long)effects, (unsigned long long)n);
    else
        snprintf(text, room, "noticed %llu of %llu times, else %s", (unsigned long long)detected,
                 (unsigned long long)n, effects ? assay_effect_name(most) : "without effect");
}

static void cell_text(const struct assay_matrix_cell *cell, const struct assay_profile *profile,
                      char *text, size_t room)
{
    bool detects = cell->info->promise == ASSAY_PROMISE_DETECTS;
    uint64_t kept = detects ? cell->outcomes[ASSAY_MISUSE_DETECTED]
                            : valid(cell) - cell->outcomes[ASSAY_MISUSE_EFFECT];
    char so_far[120];
    switch (assay_matrix_kept(cell, profile)) {
    case ASSAY_NEVER: break_text(cell, text, room); break;
    case ASSAY_ALWAYS:
        if (kept == valid(cell))
            snprintf(text, room, "%s in %llu trials each", detects ? "noticed" : "prevented",
                     (unsigned long long)valid(cell));
        else
            snprintf(text, room, "%s %llu of %llu times", detects ? "noticed" : "prevented",
                     (unsigned long long)kept, (unsigned long long)valid(cell));
        break;
    default:
        break_text(cell, so_far, sizeof so_far);
        if (valid(cell) == 0)
            snprintf(text, room, "not tried: %.120s", cell->reason ? cell->reason : "no time");
        else
            snprintf(text, room, "undecided: %s", so_far);
        break;
    }
}

/* Variants of a row that came to the same share a line: "S02 noticed in 139 trials each: ...". */
static void describe(const struct assay_matrix *matrix, struct assay_profile_fact *fact)
{
    struct {
        const char *id;
        char text[200], variants[600];
    } lines[64];
    size_t n = 0, at;
    for (size_t i = 0; i < matrix->cell_count; i++) {
        const struct assay_matrix_cell *cell = &matrix->cells[i];
        char text[200];
        if (!promises(cell->info, fact))
            continue;
        cell_text(cell, matrix->config.profiles, text, sizeof text);
        const char *id = assay_property_info(cell->info->row)->id;
        for (at = 0; at < n; at++)
            if (strcmp(lines[at].id, id) == 0 && strcmp(lines[at].text, text) == 0)
                break;
        if (at == sizeof lines / sizeof *lines)
            continue;
        if (at == n) {
            lines[n].id = id;
            memcpy(lines[n].text, text, sizeof text);
            lines[n++].variants[0] = '\0';
        }
        size_t used = strlen(lines[at].variants);
        snprintf(lines[at].variants + used, sizeof lines->variants - used, "%s%s", used ? "; " : "",
                 cell->info->variant);
    }
    for (at = 0; at < n; at++)
        assay_fact_line(fact, "%s %s: %s", lines[at].id, lines[at].text, lines[at].variants);
}

/* The bound that the trials give, of the variant that has least. */
static void conclude_entropy(struct assay_measuring *measure, const struct assay_matrix *matrix,
                             struct assay_profile_fact *fact)
{
    double least = INFINITY, most = INFINITY;
    for (size_t i = 0; i < matrix->cell_count; i++) {
        const struct assay_matrix_cell *cell = &matrix->cells[i];
        if (!promises(cell->info, fact))
            continue;
        if (cell->value_count < ASSAY_MATRIX_ADDRESSES) {
            assay_fact_doubt(fact, "%s",
                             valid(cell) == 0 && cell->reason ? cell->reason
                                                              : "it takes 512 trials");
            return;
        }
        double bits = assay_matrix_entropy_least(cell);
        struct assay_collisions c = assay_collisions(cell->values, cell->value_count);
        assay_fact_line(fact,
                        "S14 %s: %llu processes, %llu values, the most likely one %llu times: %.1f "
                        "bits at least",
                        cell->info->variant, (unsigned long long)c.n,
                        (unsigned long long)c.distinct, (unsigned long long)c.most, bits);
        least = fmin(least, bits);
        most = fmin(most, assay_matrix_entropy_most(cell));
    }
    if (isinf(least)) {
        assay_fact_doubt(fact, "no time");
        return;
    }
    fact->most = fmax(most, 1e-9);
    assay_fact_tell(measure, fact, (uint64_t)least);
}

/* Yes where every variant that can be tried keeps the promise, no where one breaks it. */
static void conclude(struct assay_measuring *measure, const struct assay_matrix *matrix,
                     struct assay_profile_fact *fact)
{
    unsigned kept = 0, broken = 0, undecided = 0, untried = 0;
    const char *why = "no time";
    for (size_t i = 0; i < matrix->cell_count; i++) {
        const struct assay_matrix_cell *cell = &matrix->cells[i];
        if (!promises(cell->info, fact))
            continue;
        enum assay_decision decision = assay_matrix_kept(cell, &measure->profile);
        kept += decision == ASSAY_ALWAYS;
        broken += decision == ASSAY_NEVER;
        undecided += decision == ASSAY_UNDECIDED && (valid(cell) > 0 || cell->broke_off > 0);
        if (valid(cell) == 0 && cell->broke_off == 0) {
            untried++;
            why = cell->reason ? cell->reason : why;
        }
    }
    describe(matrix, fact);
    if (broken)
        assay_fact_tell(measure, fact, ASSAY_ANSWER_NO);
    else if (undecided)
        assay_fact_doubt(fact, "%u of %u variants are undecided", undecided,
                         kept + undecided + untried);
    else if (kept)
        assay_fact_tell(measure, fact, ASSAY_ANSWER_YES);
    else
        assay_fact_doubt(fact, "%s", why);
}

static void cell_tick(void *self, const struct assay_matrix *matrix)
{
    assay_progress_update(self, matrix->done_count, NULL);
}

static int run_cells(struct assay_measuring *measure, struct assay_error *err)
{
    const struct assay_misuse_info *rows;
    size_t variants = assay_misuse_list(&rows);
    bool *wanted = calloc(variants, sizeof *wanted);
    struct assay_progress progress;
    struct assay_matrix matrix;
    bool any = false;
    if (!wanted)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (size_t v = 0; v < variants; v++) {
        for (size_t i = 0; i < measure->count; i++)
            wanted[v] |= measure->facts[i].wanted && promises(&rows[v], &measure->facts[i]);
        any |= wanted[v];
    }
    const struct assay_matrix_config config = {.subjects = measure->config.spec,
                                               .profiles = &measure->profile,
                                               .subject_count = 1,
                                               .variants = wanted,
                                               .promises_only = true,
                                               .seed = measure->config.seed,
                                               .size = ASSAY_MATRIX_SIZE,
                                               .max_trials = measure->config.max_trials,
                                               .max_time_ns = left_ns(measure),
                                               .jobs = measure->config.jobs,
                                               .interrupted = measure->config.interrupted};
    int code = any ? assay_matrix_create(&config, &matrix, err) : 0;
    if (any && code == 0) {
        assay_progress_begin(&progress, "detections", "verdicts", matrix.cell_count, 0,
                             measure->config.quiet);
        code = assay_matrix_run(&matrix, cell_tick, &progress, err);
        assay_progress_end(&progress);
        for (size_t i = 0; i < measure->count && code == 0; i++)
            if (measure->facts[i].wanted && measure->facts[i].how == ASSAY_PROFILE_CELLS)
                (measure->facts[i].key->type == ASSAY_PROFILE_U32 ? conclude_entropy : conclude)(
                    measure, &matrix, &measure->facts[i]);
        measure->trials = matrix.trials;
        measure->out_of_time |= matrix.done_count < matrix.cell_count;
        assay_matrix_free(&matrix);
    }
    free(wanted);
    return code;
}

/* ---- candidates ----------------------------------------------------------------------------- */

struct fuzzing {
    struct assay_fuzz_state *state;
    pthread_t thread;
    _Atomic bool done;
};

static void *fuzz_thread(void *self)
{
    struct fuzzing *fuzzing = self;
    assay_fuzz_isolated(fuzzing->state, 0);
    atomic_store(&fuzzing->done, true);
    return NULL;
}

/* The process ended where the property is judged. Into unmapped memory it may not run, whatever is
 * promised, and what is accepted says nothing of the key: then it is in doubt. */
static const struct assay_violation *death_of(const struct assay_fuzz_state *state,
                                              enum assay_property property, bool *ret_doubt)
{
    const struct assay_violation *doubtful = NULL;
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        const struct assay_violation *violation = &finding->violation;
        bool stopped = violation->relation == ASSAY_RELATION_ABORT;
        bool dead = stopped || violation->relation == ASSAY_RELATION_CRASH ||
                    violation->relation == ASSAY_RELATION_HANG;
        *ret_doubt = finding->accepted || (property == ASSAY_PROPERTY_C33 && !stopped);
        if (violation->property != property || !dead)
            continue;
        if (!*ret_doubt)
            return violation;
        doubtful = violation;
    }
    *ret_doubt = doubtful != NULL;
    return doubtful;
}

/* What the programs showed of such keys. Nothing is assumed of them: what is excused without an
 * answer is no reason to give up what is judged then. */
static void conclude_tried(struct assay_measuring *measure, const struct assay_fuzz_state *state)
{
    for (size_t i = 0; i < measure->count; i++) {
        struct assay_profile_fact *fact = &measure->facts[i];
        char text[400];
        bool doubt;
        if (!fact->wanted || fact->how != ASSAY_PROFILE_TRIED)
            continue;
        const struct assay_violation *violation = death_of(state, ways[i].property, &doubt);
        if (violation) {
            assay_finding_line(text, sizeof text, violation);
            assay_fact_line(fact, "directed programs: %s", text);
            if (doubt)
                assay_fact_doubt(fact, "it is violated whatever is promised");
            else
                assay_fact_tell(measure, fact, ASSAY_ANSWER_NO);
        } else if (state->evaluations[ways[i].property] == 0 || left_ns(measure) == 0) {
            assay_fact_doubt(fact, "no directed program came to it");
        } else {
            assay_fact_doubt(fact, "no directed program ends the process, which is no proof");
        }
    }
}

/* The key says already that the process ends there. */
static bool is_answer(const struct assay_measuring *measure,
                      const struct assay_violation *violation)
{
    for (size_t i = 0; i < measure->count; i++)
        if (measure->facts[i].how == ASSAY_PROFILE_TRIED && measure->facts[i].told &&
            ways[i].property == violation->property && violation->relation == ASSAY_RELATION_ABORT)
            return true;
    return false;
}

/* A line of the list means it already. */
static bool is_listed(const json_t *candidates, const struct assay_violation *violation)
{
    struct assay_violation other;
    const json_t *candidate;
    size_t i;
    json_array_foreach(candidates, i, candidate)
    {
        if (assay_finding_known(json_object_get(candidate, "finding"), &other) &&
            assay_finding_named(violation, other.property, other.kind, other.relation))
            return true;
    }
    return false;
}

static void list_candidates(struct assay_measuring *measure, const struct assay_fuzz_state *state)
{
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        const struct assay_violation *violation = &finding->violation;
        char line[96], text[400];
        if (finding->accepted || is_answer(measure, violation) ||
            is_listed(measure->candidates, violation))
            continue;
        snprintf(line, sizeof line, "%s %s %s", assay_property_info(violation->property)->id,
                 assay_op_info(violation->kind)->name, assay_relation_name(violation->relation));
        assay_finding_line(text, sizeof text, violation);
        json_array_append_new(measure->candidates,
                              json_pack("{s:s, s:o, s:o}", "line", line, "reason",
                                        assay_emit_string(text), "finding",
                                        assay_finding_json(violation, measure->config.spec->name)));
    }
}

/* What people know counts where nothing was measured, and against it. */
static void take_hand(const struct assay_measuring *measure, const struct assay_profile_hand *hand,
                      struct assay_profile *profile)
{
    static const size_t bytes[] = {[ASSAY_PROFILE_ANSWER] = 1, [ASSAY_PROFILE_ZERO_RESIZE] = 1,
                                   [ASSAY_PROFILE_U32] = 4,    [ASSAY_PROFILE_ALIGNMENT] = 4,
                                   [ASSAY_PROFILE_BYTES] = 8,  [ASSAY_PROFILE_MANTISSA] = 4};
    for (size_t i = 0; i < measure->count; i++) {
        const struct assay_profile_key *key = measure->facts[i].key;
        if (json_object_get(hand->keys, key->name))
            memcpy((char *)profile + key->offset, (const char *)&hand->profile + key->offset,
                   bytes[key->type]);
    }
    profile->names = hand->profile.names;
    profile->accepted_count = hand->profile.accepted_count;
    memcpy(profile->accepted, hand->profile.accepted, sizeof profile->accepted);
}

/* One job, so that the same programs are looked at in the same order. */
static int look_for_candidates(struct assay_measuring *measure, struct assay_error *err)
{
    static struct assay_fuzz_state state;
    struct fuzzing fuzzing = {.state = &state};
    struct assay_progress progress;
    struct assay_fuzz_config fuzz = {.spec = measure->config.spec,
                                     .subject = measure->config.subject,
                                     .profile = measure->profile,
                                     .mode = ASSAY_GENERATE_SWARM,
                                     .random = true,
                                     .directed = true,
                                     .seed = measure->config.seed,
                                     .max_time_ns = left_ns(measure),
                                     .max_runs = measure->config.runs,
                                     .max_hangs = MAX_HANGS,
                                     .jobs = 1,
                                     .guidance = "none",
                                     .interrupted = measure->config.interrupted};
    if (measure->config.hand)
        take_hand(measure, measure->config.hand, &fuzz.profile);
    if (fuzz.max_time_ns == 0) {
        measure->out_of_time = true;
        return 0;
    }
    assay_program_limits_default(&fuzz.limits);
    fuzz.limits.missing_apis = measure->config.spec->missing_apis;
    fuzz.limits.misuse = fuzz.profile.detects_double_free == ASSAY_ANSWER_YES;
    fuzz.limits.max_object_bytes = UINT64_C(1) << 26;
    fuzz.limits.max_live_bytes = UINT64_C(1) << 27;
    fuzz.limits.max_live_objects = ASSAY_GENERATE_MAX_LIVE;
    int code = assay_fuzz_state_init(&state, &fuzz, err);
    if (code < 0)
        return code;
    assay_progress_part(&progress, "candidates", "programs", fuzz.max_runs + state.directed_count,
                        measure->config.quiet);
    if (pthread_create(&fuzzing.thread, NULL, fuzz_thread, &fuzzing) != 0)
        code = assay_fail(err, ASSAY_E_SYSTEM, "cannot start a thread");
    while (code == 0 && !atomic_load(&fuzzing.done)) {
        assay_progress_update(&progress, atomic_load(&state.begun),
                              atomic_load(&state.directed_name));
        nanosleep(&(struct timespec){0, 5 * 1000 * 1000}, NULL);
    }
    if (code == 0)
        pthread_join(fuzzing.thread, NULL);
    assay_progress_end(&progress);
    if (code == 0 && state.err.code) {
        *err = state.err;
        code = err->code;
    }
    if (code == 0) {
        conclude_tried(measure, &state);
        list_candidates(measure, &state);
    }
    measure->programs = atomic_load(&state.programs);
    measure->hangs = atomic_load(&state.hangs) >= MAX_HANGS ? MAX_HANGS : 0;
    measure->out_of_time |= left_ns(measure) == 0;
    assay_fuzz_state_free(&state);
    return code;
}

/* ---- the run -------------------------------------------------------------------------------- */

/* Probes ask little; what takes so long hangs. */
#define PROBE_NS      UINT64_C(30000000000)
#define PROBE_HUNG_NS UINT64_C(5000000000)

static void run_probe(struct assay_measuring *measure, size_t i)
{
    struct assay_profile_fact *fact = &measure->facts[i];
    uint64_t most = measure->hung ? PROBE_HUNG_NS : PROBE_NS, left = left_ns(measure);
    struct assay_human time;
    measure->late = false;
    measure->probe_until_ns = assay_now_ns() + (left < most ? left : most);
    ways[i].probe(measure, fact);
    if (measure->late && !fact->told && left < most)
        assay_fact_doubt(fact, "no time");
    else if (measure->late && !fact->told)
        assay_fact_doubt(fact, "no more than %s are spent on a key",
                         assay_human_duration(&time, most));
    measure->out_of_time |= left_ns(measure) == 0;
    measure->late = false;
}

static void run_probes(struct assay_measuring *measure)
{
    struct assay_progress progress;
    uint64_t probes = 0, done = 0;
    for (size_t i = 0; i < measure->count; i++)
        probes += measure->facts[i].wanted && measure->facts[i].how == ASSAY_PROFILE_PROBE;
    assay_progress_part(&progress, "answers", "keys", probes, measure->config.quiet);
    for (size_t i = 0; i < measure->count; i++) {
        struct assay_profile_fact *fact = &measure->facts[i];
        if (!fact->wanted || fact->how != ASSAY_PROFILE_PROBE)
            continue;
        assay_progress_update(&progress, done, fact->key->name);
        if (left_ns(measure) == 0 || *measure->config.interrupted) {
            assay_fact_doubt(fact, *measure->config.interrupted ? "interrupted" : "no time");
            measure->out_of_time = true;
            continue;
        }
        run_probe(measure, i);
        done++;
    }
    assay_progress_end(&progress);
}

int assay_measuring_create(const struct assay_profile_config *config,
                           struct assay_measuring *ret_measure, struct assay_error *err)
{
    const struct assay_profile_key *keys;
    size_t n = assay_profile_keys(&keys);
    struct assay_profile_fact *facts = calloc(n, sizeof *facts);
    if (!facts)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    memset(ret_measure, 0, sizeof *ret_measure);
    assay_profile_generic(&ret_measure->profile);
    ret_measure->config = *config;
    ret_measure->facts = facts;
    ret_measure->count = n;
    ret_measure->candidates = json_array();
    for (size_t i = 0; i < n; i++) {
        facts[i].key = &keys[i];
        facts[i].how = ways[i].how;
        facts[i].wanted = !config->keys || config->keys[i];
        facts[i].evidence = json_array();
        ASSAY_CHECK(facts[i].evidence && ret_measure->candidates);
        assay_fact_doubt(&facts[i], "%s",
                         !facts[i].wanted                      ? "it was not asked for"
                         : ways[i].why                         ? ways[i].why
                         : facts[i].how == ASSAY_PROFILE_TRIED ? "no programs were run"
                                                               : "no time");
    }
    return 0;
}

int assay_measuring_run(struct assay_measuring *measure, struct assay_error *err)
{
    struct assay_session_config config = {.subject = measure->config.spec, .max_objects = 16};
    struct assay_session *session;
    uint64_t missing;
    measure->start_ns = assay_now_ns();
    int code = assay_session_start(&config, &session, err);
    if (code < 0)
        return code;
    code = assay_session_ready(session, &missing, err);
    assay_session_close(session);
    if (code < 0)
        return code;
    run_probes(measure);
    code = run_cells(measure, err);
    if (code == 0 && measure->config.runs && !*measure->config.interrupted)
        code = look_for_candidates(measure, err);
    return code;
}

void assay_measuring_free(struct assay_measuring *measure)
{
    for (size_t i = 0; i < measure->count; i++)
        json_decref(measure->facts[i].evidence);
    free(measure->facts);
    json_decref(measure->candidates);
    memset(measure, 0, sizeof *measure);
}
