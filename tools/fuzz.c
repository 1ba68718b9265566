#include "tools/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oracles/compare/minimise.h"
#include "tools/finding_dir.h"
#include "tools/judge_blob.h"
#include "tools/trial.h"

enum {
    PROGRAMS_PER_CHILD = 100000,
    HANG_MS = 2000,         /* what a finding needs; */
    SUSPECT_HANG_MS = 1000, /* what a suspicion needs */
    MINIMISE_HANG_MS = 200,
    CONFIRM_TRIALS = 10,
    HISTORY_OPS_MAX = 1 << 21 /* longer histories are not tried */
};

#define MINIMISE_NS UINT64_C(8000000000)

uint64_t assay_fuzz_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int assay_fuzz_state_init(struct assay_fuzz_state *state, const struct assay_fuzz_config *config,
                          struct assay_error *err)
{
    memset(state, 0, sizeof *state);
    state->config = config;
    state->start_ns = assay_fuzz_now_ns();
    state->first_finding_s = -1;
    pthread_mutex_init(&state->lock, NULL);
    state->findings = assay_finding_set_create(&config->profile);
    if (!state->findings)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    assay_finding_set_suppress(state->findings, config->suppressions, config->subject);
    return 0;
}

void assay_fuzz_state_free(struct assay_fuzz_state *state)
{
    assay_finding_set_free(state->findings);
    pthread_mutex_destroy(&state->lock);
}

static void give_up(struct assay_fuzz_state *state, const struct assay_error *err)
{
    pthread_mutex_lock(&state->lock);
    if (state->err.code == 0)
        state->err = *err;
    pthread_mutex_unlock(&state->lock);
}

static bool over(const struct assay_fuzz_state *state)
{
    const struct assay_fuzz_config *config = state->config;
    return *config->interrupted || state->err.code != 0 ||
           (config->max_time_ns && assay_fuzz_now_ns() - state->start_ns >= config->max_time_ns);
}

static bool all_sent(const struct assay_fuzz_config *config, uint64_t next)
{
    return config->max_runs && next >= config->max_runs;
}

/* ---- confirming and minimising -------------------------------------------------------------- */

struct program {
    struct assay_event *ops; /* malloc'ed */
    size_t count, capacity;
};

struct hunt {
    struct assay_fuzz_state *state;
    struct assay_trial *trial;
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    bool fresh; /* every candidate in its own child */
    uint64_t deadline_ns;
};

static struct assay_trial *make_trial(struct assay_fuzz_state *state, uint32_t objects,
                                      uint32_t hang_ms)
{
    struct assay_error err;
    struct assay_trial *trial = NULL;
    const struct assay_trial_config config = {
        .subject = state->config->spec,
        .profile = &state->config->profile,
        .seed = ASSAY_TRIAL_SEED,
        .max_objects = objects < ASSAY_GENERATE_MAX_OBJECTS ? ASSAY_GENERATE_MAX_OBJECTS : objects,
        .hang_ms = hang_ms};
    if (assay_trial_create(&config, &trial, &err) < 0)
        give_up(state, &err);
    return trial;
}

/* Runs; false when no child could be had (then the run is over). */
static bool run_trial(struct assay_fuzz_state *state, struct assay_trial *trial,
                      const struct assay_event *ops, size_t n, bool fresh,
                      struct assay_trial_result *result)
{
    struct assay_error err;
    if (assay_trial_run(trial, ops, n, fresh, result, &err) == 0)
        return true;
    give_up(state, &err);
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
    if (!run_trial(hunt->state, hunt->trial, ops, n, hunt->fresh, &result) ||
        !same_finding(hunt, &result))
        return false;
    /* what showed it may have left a damaged heap: the next candidate gets a new child */
    if (!hunt->fresh && !result.died) {
        struct assay_event nothing = {.kind = ASSAY_OP_CHECK};
        run_trial(hunt->state, hunt->trial, &nothing, 1, true, &result);
    }
    return true;
}

static bool out_of_time(void *self)
{
    const struct hunt *hunt = self;
    return *hunt->state->config->interrupted || hunt->state->err.code != 0 ||
           assay_fuzz_now_ns() > hunt->deadline_ns;
}

static uint32_t highest_object(const struct assay_event *ops, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++)
        highest = ops[i].born > highest ? ops[i].born : highest;
    return highest;
}

/* Minimises in place and runs the result often enough to say how sure it is. */
static void minimise(struct assay_fuzz_state *state, struct program *program,
                     struct assay_trial_result *result, unsigned *ret_hits, unsigned *ret_trials)
{
    struct hunt hunt = {.state = state, .deadline_ns = assay_fuzz_now_ns() + MINIMISE_NS};
    const struct assay_minimise minimise = {
        .self = &hunt, .test = still_shows, .expired = out_of_time};
    bool hang = result->first.relation == ASSAY_RELATION_HANG;
    struct assay_trial_result last = *result;
    struct assay_event *before = malloc(program->count * sizeof *before);
    size_t count_before = program->count;

    *ret_hits = *ret_trials = 0;
    assay_finding_fingerprint(&result->first, hunt.fingerprint);
    hunt.trial = make_trial(state, highest_object(program->ops, program->count),
                            hang ? MINIMISE_HANG_MS : HANG_MS);
    if (!hunt.trial || !before)
        goto out;
    memcpy(before, program->ops, count_before * sizeof *before);
    /* nothing behind the op that violated is needed */
    if (result->first.op_index + 1 < program->count)
        program->count = (size_t)result->first.op_index + 1;
    for (int attempt = 0; attempt < 2; attempt++) {
        size_t left = assay_minimise(program->ops, program->count, &minimise);
        if (left)
            program->count = left;
        if (hang)
            assay_trial_set_hang(hunt.trial, HANG_MS);
        if (run_trial(state, hunt.trial, program->ops, program->count, true, &last) &&
            same_finding(&hunt, &last))
            break;
        /* some candidate lived on what an earlier one had left behind */
        memcpy(program->ops, before, count_before * sizeof *before);
        program->count = count_before;
        if (count_before > ASSAY_PROGRAM_MAX_OPS)
            break; /* one child for each candidate would take too long */
        hunt.fresh = true;
        hunt.deadline_ns = assay_fuzz_now_ns() + MINIMISE_NS;
    }
    unsigned trials = hang ? 2 : CONFIRM_TRIALS;
    for (unsigned i = 0; i < trials; i++) {
        struct assay_trial_result again;
        if (!run_trial(state, hunt.trial, program->ops, program->count, true, &again))
            break;
        ++*ret_trials;
        if (same_finding(&hunt, &again)) {
            ++*ret_hits;
            last = again;
        }
    }
    if (*ret_hits)
        *result = last;
out:
    free(before);
    assay_trial_free(hunt.trial);
}

/* ---- findings ------------------------------------------------------------------------------- */

/* True if this kind is new to the run and to be told of; it is entered in any case. */
static bool enter(struct assay_fuzz_state *state, const struct assay_violation *violation)
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

/* A suppressed kind needs no confirming. */
static bool suppressed(struct assay_fuzz_state *state, const struct assay_violation *violation)
{
    const struct assay_fuzz_config *config = state->config;
    if (!config->suppressions)
        return false;
    pthread_mutex_lock(&state->lock);
    bool fits = assay_suppressed(config->suppressions, violation, config->subject, false) != NULL;
    pthread_mutex_unlock(&state->lock);
    return fits;
}

static void write_finding(struct assay_fuzz_state *state, struct program *program,
                          struct assay_trial_result *result, uint64_t number, uint64_t history)
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
                                          .guidance = config->guidance};
    char path[PATH_MAX];
    minimise(state, program, result, &record.hits, &record.trials);
    record.violation = result->first;
    record.ops = program->ops;
    record.count = program->count;
    record.said = result->said;
    record.circumstances = &result->circumstances;
    if (assay_finding_dir_write(config->findings_folder, &record, path, &err) < 0) {
        give_up(state, &err);
        return;
    }
    pthread_mutex_lock(&state->lock);
    if (state->written_count < sizeof state->written / sizeof state->written[0])
        memcpy(state->written[state->written_count++], path, sizeof path);
    pthread_mutex_unlock(&state->lock);
}

static bool grow(struct program *program, size_t more)
{
    if (program->count + more <= program->capacity)
        return true;
    size_t capacity = (program->count + more) * 2;
    struct assay_event *ops = realloc(program->ops, capacity * sizeof *ops);
    if (!ops)
        return false;
    program->ops = ops;
    program->capacity = capacity;
    return true;
}

/* Adds program `number` of the run. With close, what it leaves live is freed by ops. Object numbers
 * go on from *objects. */
static bool append(const struct assay_fuzz_config *config, struct assay_generator *generator,
                   struct program *program, uint64_t number, bool close, uint32_t *objects)
{
    bool last = false;
    uint32_t base = *objects;
    assay_generate_start(generator, config->seed, number);
    while (!last) {
        if (!grow(program, ASSAY_PROGRAM_MAX_OPS + ASSAY_GENERATE_MAX_LIVE))
            return false;
        struct assay_event *ops = program->ops + program->count;
        size_t n = assay_generate_fill(generator, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        for (size_t i = 0; i < n; i++) {
            ops[i].object += ops[i].object ? base : 0;
            ops[i].born += ops[i].born ? base : 0;
        }
        program->count += n;
    }
    *objects = base + generator->live.born;
    for (size_t i = 0; close && i < generator->live.count; i++)
        program->ops[program->count++] = (struct assay_event){
            .kind = ASSAY_OP_FREE, .object = generator->live.objects[i].object + base};
    return true;
}

/* The last `history` programs of a child before program number, and it, as one program. */
static bool with_history(const struct assay_fuzz_config *config, struct assay_generator *generator,
                         struct program *program, uint64_t number, uint64_t history)
{
    uint32_t objects = 0;
    program->count = 0;
    for (uint64_t k = history; k > 0; k--) {
        if (!append(config, generator, program, number - k * config->jobs, true, &objects) ||
            program->count > HISTORY_OPS_MAX)
            return false;
    }
    return append(config, generator, program, number, true, &objects);
}

/* The program alone, then with 4, 32, 256 ... programs before it, then with all of its child's. */
static bool confirm(struct assay_fuzz_state *state, struct assay_generator *generator,
                    uint64_t number, uint64_t in_child, struct program *program,
                    struct assay_trial_result *result, uint64_t *ret_history)
{
    uint64_t history = 0;
    for (;;) {
        if (!with_history(state->config, generator, program, number, history))
            return false;
        struct assay_trial *trial =
            make_trial(state, highest_object(program->ops, program->count), HANG_MS);
        bool ran = trial && run_trial(state, trial, program->ops, program->count, true, result);
        assay_trial_free(trial);
        *ret_history = history;
        if (!ran || result->violated)
            return ran;
        if (history == in_child)
            return false;
        history = history ? history * 8 : 4;
        if (history > in_child)
            history = in_child;
    }
}

bool assay_fuzz_suspect(struct assay_fuzz_state *state, struct assay_event *ops, size_t n,
                        uint64_t number)
{
    struct assay_trial_result result = {0};
    struct assay_trial *trial = make_trial(state, highest_object(ops, n), HANG_MS);
    bool shows = trial && run_trial(state, trial, ops, n, true, &result) && result.violated;
    assay_trial_free(trial);
    if (!shows)
        return false;
    struct program program = {.ops = malloc(n * sizeof *ops), .count = n};
    if (enter(state, &result.first) && program.ops) {
        memcpy(program.ops, ops, n * sizeof *ops);
        write_finding(state, &program, &result, number, 0);
    }
    free(program.ops);
    return true;
}

/* ---- one job -------------------------------------------------------------------------------- */

struct job {
    struct assay_fuzz_state *state;
    struct assay_generator generator, again; /* running and making programs once more */
    struct assay_session *session;
    uint64_t next;            /* number of the next program */
    uint64_t first;           /* number of the child's first */
    uint64_t calls, programs; /* of this child, told so far */
};

static void tell(struct job *job, bool closing)
{
    const struct assay_judge_report *report = assay_session_report(job->session);
    struct assay_error err;
    if (assay_session_check(job->session, &err) < 0) {
        give_up(job->state, &err);
        return;
    }
    uint64_t calls = atomic_load(&report->calls), programs = atomic_load(&report->programs);
    atomic_fetch_add(&job->state->calls, calls - job->calls);
    atomic_fetch_add(&job->state->programs, programs - job->programs);
    job->calls = calls;
    job->programs = programs; /* one that ended the child is not among them */
    if (!closing)
        return;
    pthread_mutex_lock(&job->state->lock);
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        job->state->evaluations[p] += report->evaluations[p];
        job->state->judged[p] |= report->judged[p] != 0;
    }
    pthread_mutex_unlock(&job->state->lock);
}

static void end_child(struct job *job)
{
    if (!job->session)
        return;
    tell(job, true);
    assay_session_close(job->session);
    job->session = NULL;
}

static bool start_child(struct job *job)
{
    const struct assay_fuzz_config *config = job->state->config;
    const struct assay_trial_config trial = {.subject = config->spec,
                                             .profile = &config->profile,
                                             .seed = ASSAY_TRIAL_SEED,
                                             .max_objects = ASSAY_GENERATE_MAX_OBJECTS,
                                             .hang_ms = SUSPECT_HANG_MS};
    struct assay_session_config session;
    struct assay_judge_blob blob;
    struct assay_error err;
    uint64_t missing;
    assay_trial_configure(&trial, true, &session, &blob);
    if (assay_session_start(&session, &job->session, &err) < 0) {
        job->session = NULL;
        give_up(job->state, &err);
        return false;
    }
    if (assay_session_ready(job->session, &missing, &err) < 0) {
        assay_session_close(job->session);
        job->session = NULL;
        give_up(job->state, &err);
        return false;
    }
    job->first = job->next;
    job->calls = job->programs = 0;
    atomic_fetch_add(&job->state->children, 1);
    return true;
}

/* Sends one program. False: the child is gone. */
static bool send_program(struct job *job)
{
    bool last = false;
    assay_generate_start(&job->generator, job->state->config->seed, job->next);
    while (!last) {
        size_t capacity;
        struct assay_event *chunk = assay_session_chunk(job->session, &capacity);
        if (!chunk)
            return false;
        size_t n = assay_generate_fill(&job->generator, chunk, capacity, &last);
        assay_session_submit(job->session, n, last);
    }
    job->next += job->state->config->jobs;
    return true;
}

/* A kind that is known already and damages nothing needs no new look and no new child. */
static bool harmless(const struct assay_violation *violation)
{
    enum assay_severity severity = assay_property_info(violation->property)->severity;
    return severity < ASSAY_SEVERITY_SECURITY ||
           violation->relation == ASSAY_RELATION_WRONG_ERRNO ||
           violation->relation == ASSAY_RELATION_NULL;
}

static bool is_known(struct assay_fuzz_state *state, const struct assay_violation *violation)
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

/* What the report says since `seen`: *ret_program is the first program under suspicion that has to
 * be looked at, in the child's count. Returns true if there is one; *ret_damaged: the child must
 * go. */
static bool suspicion(struct job *job, uint32_t *seen, uint64_t *ret_program, bool *ret_damaged)
{
    const struct assay_judge_report *report = assay_session_report(job->session);
    uint32_t stored = atomic_load(&report->stored);
    if (stored > ASSAY_REPORT_VIOLATIONS)
        stored = ASSAY_REPORT_VIOLATIONS;
    for (; *seen < stored; ++*seen) {
        struct assay_violation violation = report->violation[*seen];
        if (violation.property == 0 || violation.property >= ASSAY_PROPERTY_COUNT)
            continue; /* the subject wrote into the report */
        assay_trial_name_crash(job->session, job->state->config->spec, &violation);
        const char *accepted = assay_finding_accepted(&violation, &job->state->config->profile);
        if (accepted) {
            enter(job->state, &violation);
            continue;
        }
        if (suppressed(job->state, &violation)) {
            enter(job->state, &violation);
            if (harmless(&violation))
                continue;
            *ret_damaged = true;
            return false;
        }
        *ret_program = report->program[*seen];
        if (is_known(job->state, &violation)) {
            if (harmless(&violation))
                continue;
            *ret_damaged = true;
            return false;
        }
        *ret_damaged = true;
        return true;
    }
    *ret_damaged = stored > ASSAY_REPORT_VIOLATIONS / 2;
    return false;
}

static void look_into(struct job *job, uint64_t in_child)
{
    struct program program = {0};
    struct assay_trial_result result = {0};
    uint64_t history = 0, number = job->first + in_child * job->state->config->jobs;
    if (confirm(job->state, &job->again, number, in_child, &program, &result, &history)) {
        if (enter(job->state, &result.first))
            write_finding(job->state, &program, &result, number, history);
    } else {
        atomic_fetch_add(&job->state->unconfirmed, 1);
    }
    free(program.ops);
}

/* The subject stopped at the misuse that the program ends in: as it should. */
static bool died_as_promised(struct job *job, uint64_t in_child, uint64_t op_index)
{
    const struct assay_fuzz_config *config = job->state->config;
    struct program program = {0};
    uint32_t objects = 0;
    if (!config->limits.misuse)
        return false;
    bool made = append(config, &job->again, &program, job->first + in_child * config->jobs, false,
                       &objects);
    bool promised =
        made && op_index + 1 == program.count && program.ops[op_index].flags & ASSAY_FLAG_MISUSE;
    free(program.ops);
    return promised;
}

/* The child ended by itself: the program it was in is suspected, unless an earlier one was. */
static void look_into_death(struct job *job)
{
    struct assay_session_status status;
    const struct assay_judge_report *report = assay_session_report(job->session);
    assay_session_wait(job->session, &status);
    if (status.state == ASSAY_SESSION_MEMORY) {
        atomic_fetch_add(&job->state->out_of_memory, 1); /* the next programs get a new child */
        return;
    }
    uint64_t in_child = atomic_load(&report->programs);
    if (status.state == ASSAY_SESSION_CRASHED && died_as_promised(job, in_child, status.op_index))
        atomic_fetch_add(&job->state->programs, 1);
    else
        look_into(job, in_child);
}

void assay_fuzz_isolated(struct assay_fuzz_state *state, unsigned number)
{
    struct job *job = calloc(1, sizeof *job);
    struct assay_error err;
    if (!job) {
        assay_fail(&err, ASSAY_E_MEMORY, "out of memory");
        give_up(state, &err);
        return;
    }
    job->state = state;
    job->next = number;
    assay_generate_init(&job->generator, state->config->mode, &state->config->limits);
    assay_generate_init(&job->again, state->config->mode, &state->config->limits);
    while (!over(state) && !all_sent(state->config, job->next) && start_child(job)) {
        uint32_t seen = 0;
        uint64_t program = 0, sent = 0;
        bool damaged = false, suspected = false, alive = true;
        while (!damaged && alive && !over(state) && sent < PROGRAMS_PER_CHILD &&
               !all_sent(state->config, job->next)) {
            alive = send_program(job);
            sent++;
            if (sent % 16 == 0)
                tell(job, false);
            suspected = alive && suspicion(job, &seen, &program, &damaged);
        }
        if (!damaged && alive) {
            struct assay_session_status status;
            assay_session_wait(job->session, &status);
            alive = status.state == ASSAY_SESSION_ENDED;
        }
        struct assay_error overwritten;
        if (assay_session_check(job->session, &overwritten) < 0) {
            give_up(state, &overwritten);
            assay_session_close(job->session);
            job->session = NULL;
            break;
        }
        if (!damaged)
            suspected = suspicion(job, &seen, &program, &damaged);
        if (suspected)
            look_into(job, program);
        else if (!damaged && !alive)
            look_into_death(job);
        end_child(job);
    }
    free(job);
}
