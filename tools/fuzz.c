#include "tools/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/said.h"
#include "tools/directed.h"
#include "tools/fuzz_cause.h"
#include "tools/fuzz_finding.h"
#include "tools/fuzz_guide.h"
#include "tools/fuzz_maker.h"
#include "tools/judge_blob.h"
#include "tools/trial.h"
#include "traces/core/clock.h"

enum {
    PROGRAMS_PER_CHILD = 100000,
    SHORT_CHILDREN = 16, /* the first are short: what shows in few processes is met soon */
    PROGRAMS_OF_SHORT = 16,
    CONFIRM_TRIES = 16,  /* of what does not show at once */
    HANG_PROGRAMS = 100, /* a finding needs as many times a program's usual time */
    HANG_MOST_MS = 60000,
    SUSPECT_HANG_MS = 250,    /* what a suspicion needs: a false one costs a child */
    HISTORY_OPS_MAX = 1 << 21 /* longer histories are not tried */
};

int assay_fuzz_state_init(struct assay_fuzz_state *state, const struct assay_fuzz_config *config,
                          struct assay_error *err)
{
    memset(state, 0, sizeof *state);
    state->config = config;
    state->start_ns = assay_now_ns();
    state->first_finding_s = -1;
    pthread_mutex_init(&state->lock, NULL);
    state->findings = assay_finding_set_create(&config->profile);
    const struct assay_directed_info *rows;
    state->directed_count = assay_directed_list(&rows);
    state->directed = calloc(state->directed_count, sizeof *state->directed);
    if (!state->findings || !state->directed)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    assay_finding_set_suppress(state->findings, config->suppressions, config->subject);
    return config->corpus_folder
               ? assay_fuzz_corpus_load(&state->corpus, config->corpus_folder, &config->limits, err)
               : 0;
}

void assay_fuzz_state_free(struct assay_fuzz_state *state)
{
    assay_finding_set_free(state->findings);
    free(state->directed);
    assay_fuzz_corpus_free(&state->corpus);
    pthread_mutex_destroy(&state->lock);
}

bool assay_fuzz_over(const struct assay_fuzz_state *state)
{
    const struct assay_fuzz_config *config = state->config;
    return *config->interrupted || atomic_load(&state->failed) ||
           (config->first_only && atomic_load(&state->found)) ||
           (config->max_hangs && atomic_load(&state->hangs) >= config->max_hangs) ||
           (config->max_time_ns && assay_now_ns() - state->start_ns >= config->max_time_ns);
}

static bool all_sent(const struct assay_fuzz_config *config, uint64_t next)
{
    return config->max_runs && next >= config->max_runs;
}

/* ---- what a child ran ----------------------------------------------------------------------- */

static bool grow(struct assay_fuzz_program *program, size_t more)
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

struct job {
    struct assay_fuzz_state *state;
    struct assay_fuzz_maker maker, again; /* running and making programs once more */
    struct assay_fuzz_guide *guide;       /* NULL: blind */
    struct assay_session *session;
    struct assay_fuzz_directed directed;
    uint64_t next;            /* number of the next program */
    uint64_t first;           /* number of the child's first */
    uint64_t told;            /* of the programs, as begun */
    uint64_t calls, programs; /* of this child, told so far */
    /* what the child is suspected of */
    uint32_t seen;           /* rows of its report */
    uint64_t ended, suspect; /* programs told to the guide; the one under suspicion */
    struct assay_violation suspicion;
    bool damaged, suspected;
    uint64_t said_bytes; /* that it wrote to its standard error */
    uint32_t suspect_hang_ms;
    uint64_t life;       /* programs of a child that is suspected of nothing: ever more */
    unsigned short_ones; /* children that have lived so long */
};

static struct assay_fuzz_recipe recipe_of(const struct job *job, uint64_t in_child)
{
    if (job->guide)
        return *assay_fuzz_guide_recipe(job->guide, in_child);
    return (struct assay_fuzz_recipe){.number = job->first + in_child * job->state->config->jobs};
}

static int by_object(const void *a, const void *b)
{
    uint32_t x = ((const struct assay_event *)a)->object;
    uint32_t y = ((const struct assay_event *)b)->object;
    return (x > y) - (x < y);
}

/* Adds the child's program in_child. With close, what it leaves live is freed by ops, in the order
 * in which a runner does between programs. Object numbers go on from *objects. */
static bool append(struct job *job, struct assay_fuzz_program *program, uint64_t in_child,
                   bool close, uint32_t *objects)
{
    bool last = false;
    uint32_t base = *objects;
    const struct assay_fuzz_recipe recipe = recipe_of(job, in_child);
    assay_fuzz_maker_start(&job->again, &recipe);
    while (!last) {
        if (!grow(program, ASSAY_PROGRAM_MAX_OPS + ASSAY_GENERATE_MAX_LIVE))
            return false;
        struct assay_event *ops = program->ops + program->count;
        size_t n = assay_fuzz_maker_fill(&job->again, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        for (size_t i = 0; i < n; i++) {
            ops[i].object += ops[i].object ? base : 0;
            ops[i].born += ops[i].born ? base : 0;
        }
        program->count += n;
    }
    const struct assay_live *live = assay_fuzz_maker_live(&job->again);
    *objects = base + live->born;
    if (!close)
        return true;
    struct assay_event *frees = program->ops + program->count;
    for (size_t i = 0; i < live->count; i++)
        frees[i] =
            (struct assay_event){.kind = ASSAY_OP_FREE, .object = live->objects[i].object + base};
    qsort(frees, live->count, sizeof *frees, by_object);
    program->count += live->count;
    return true;
}

/* The last `history` programs of a child before program in_child, and it, as one program. */
static bool with_history(struct job *job, struct assay_fuzz_program *program, uint64_t in_child,
                         uint64_t history)
{
    uint32_t objects = 0;
    program->count = 0;
    for (uint64_t k = history; k > 0; k--) {
        if (!append(job, program, in_child - k, true, &objects) || program->count > HISTORY_OPS_MAX)
            return false;
    }
    return append(job, program, in_child, true, &objects);
}

/* Runs it up to `tries` times in fresh children. Returns false if no child could be had; whether
 * it showed anything is in *result. */
static bool try_program(struct assay_fuzz_state *state, const struct assay_fuzz_program *program,
                        uint32_t hang_ms, unsigned tries, struct assay_trial_result *result)
{
    struct assay_trial *trial = assay_fuzz_trial(state, program, hang_ms);
    bool ran = trial != NULL;
    for (unsigned i = 0;
         i < tries && ran && !result->violated && (i == 0 || !assay_fuzz_over(state)); i++)
        ran = assay_fuzz_run_trial(state, trial, program->ops, program->count, true, result);
    assay_trial_free(trial);
    return ran;
}

/* The program alone, then with 4, 32, 256 ... programs before it, then with all of its child's;
 * then once more, several times each, for what shows in some processes only. */
static bool confirm(struct job *job, uint64_t in_child, uint32_t hang_ms,
                    struct assay_fuzz_program *program, struct assay_trial_result *result,
                    uint64_t *ret_history)
{
    struct assay_fuzz_state *state = job->state;
    uint64_t history = 0;
    for (unsigned tries = 1;;) {
        if (!with_history(job, program, in_child, history) ||
            !try_program(state, program, hang_ms, tries, result))
            return false;
        *ret_history = history;
        if (result->violated)
            return true;
        if (assay_fuzz_over(state) || (history == in_child && tries > 1))
            return false;
        if (history == in_child) {
            tries = CONFIRM_TRIES;
            history = 0;
        } else if (tries > 1) {
            history = in_child;
        } else {
            history = history ? history * 8 : 4;
            if (history > in_child)
                history = in_child;
        }
    }
}

/* ---- one job -------------------------------------------------------------------------------- */

static void tell_begun(struct job *job)
{
    if (job->next > job->told)
        atomic_fetch_add(&job->state->begun, (job->next - job->told) / job->state->config->jobs);
    job->told = job->next > job->told ? job->next : job->told;
}

static void tell(struct job *job, bool closing)
{
    const struct assay_judge_report *report = assay_session_report(job->session);
    struct assay_error err;
    if (assay_session_check(job->session, &err) < 0) {
        assay_fuzz_give_up(job->state, &err);
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
                                             .hang_ms = job->suspect_hang_ms};
    struct assay_session_config session;
    struct assay_judge_blob blob;
    struct assay_error err;
    uint64_t missing;
    assay_trial_configure(&trial, true, &session, &blob);
    session.want_results = job->guide != NULL;
    if (assay_session_start(&session, &job->session, &err) < 0) {
        job->session = NULL;
        assay_fuzz_give_up(job->state, &err);
        return false;
    }
    if (assay_session_ready(job->session, &missing, &err) < 0) {
        assay_session_close(job->session);
        job->session = NULL;
        assay_fuzz_give_up(job->state, &err);
        return false;
    }
    job->first = job->next;
    job->calls = job->programs = job->ended = job->suspect = 0;
    job->seen = 0;
    job->said_bytes = 0;
    job->damaged = job->suspected = false;
    if (job->guide)
        assay_fuzz_guide_child(job->guide);
    atomic_fetch_add(&job->state->children, 1);
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

static bool ends_child(const struct assay_violation *violation)
{
    return violation->relation == ASSAY_RELATION_CRASH ||
           violation->relation == ASSAY_RELATION_ABORT ||
           violation->relation == ASSAY_RELATION_HANG;
}

/* What the report says of the child's programs up to `last`, since the last look: one that has to
 * be looked at, and whether the child must go. */
static void look_at_report(struct job *job, uint64_t last)
{
    const struct assay_judge_report *report = assay_session_report(job->session);
    uint32_t stored = atomic_load(&report->stored);
    if (stored > ASSAY_REPORT_VIOLATIONS)
        stored = ASSAY_REPORT_VIOLATIONS;
    for (; job->seen < stored && report->program[job->seen] <= last && !job->damaged; job->seen++) {
        struct assay_violation violation = report->violation[job->seen];
        if (violation.property == 0 || violation.property >= ASSAY_PROPERTY_COUNT)
            continue; /* the subject wrote into the report */
        assay_trial_name_crash(job->session, job->state->config->spec, &violation);
        if (assay_finding_accepted(&violation, &job->state->config->profile)) {
            assay_fuzz_enter(job->state, &violation);
            /* a misuse that went by has damaged the heap, whoever accepts that, and a death is
             * known */
            job->damaged =
                assay_property_info(violation.property)->severity == ASSAY_SEVERITY_SECURITY ||
                ends_child(&violation);
            job->suspect = report->program[job->seen];
            continue;
        }
        if (assay_fuzz_suppressed(job->state, &violation)) /* needs no confirming */
            assay_fuzz_enter(job->state, &violation);      /* so it is known */
        bool known = assay_fuzz_known(job->state, &violation);
        if (known && harmless(&violation))
            continue;
        job->suspect = report->program[job->seen];
        job->suspicion = violation;
        job->suspected = !known;
        job->damaged = true;
    }
    if (job->seen > ASSAY_REPORT_VIOLATIONS / 2)
        job->damaged = true;
}

/* What it has written since the last look. Which program it was in is not known: the one that runs
 * now, or one that was shortly before it. */
static void look_at_said(struct job *job)
{
    char text[4096], line[256];
    const struct assay_judge_report *report = assay_session_report(job->session);
    const struct assay_fuzz_config *config = job->state->config;
    uint64_t before = job->said_bytes;
    job->said_bytes = assay_session_said(job->session, before, text, sizeof text);
    if (job->said_bytes <= before || job->damaged || config->limits.misuse ||
        !assay_said_corruption(text, line, sizeof line))
        return;
    const struct assay_violation violation = {
        .property = ASSAY_PROPERTY_C26, .kind = ASSAY_OP_CHECK, .relation = ASSAY_RELATION_REPORT};
    if (assay_finding_accepted(&violation, &config->profile) ||
        assay_fuzz_suppressed(job->state, &violation)) {
        assay_fuzz_enter(job->state, &violation);
        return;
    }
    if (assay_fuzz_known(job->state, &violation))
        return;
    job->suspect = atomic_load(&report->programs);
    job->suspicion = violation;
    job->suspected = job->damaged = true;
}

/* Tells the guide of the oldest chunk that it does not know. False: there is none. */
static bool collect(struct job *job)
{
    size_t n;
    struct assay_error err;
    const struct assay_sink sink = assay_fuzz_guide_sink(job->guide);
    if (job->damaged || !assay_session_collect(job->session, &n))
        return false;
    assay_session_feed(job->session, &sink);
    assay_session_release(job->session);
    if (!job->guide->ended)
        return true;
    look_at_report(job, job->ended);
    if (!job->damaged && assay_fuzz_guide_take(job->guide, &job->again, job->ended, &err) < 0)
        assay_fuzz_give_up(job->state, &err);
    job->ended++;
    return true;
}

/* Room for ops; NULL: the child is gone, or has to go. */
static struct assay_event *room(struct job *job, size_t *ret_capacity)
{
    struct assay_event *chunk;
    do
        chunk = assay_session_chunk(job->session, ret_capacity);
    while (!chunk && job->guide && collect(job));
    return chunk;
}

/* Sends one program. False: the child is gone, or has to go. */
static bool send_program(struct job *job)
{
    bool last = false;
    struct assay_fuzz_recipe recipe = {.number = job->next};
    if (job->guide)
        recipe = *assay_fuzz_guide_next(job->guide, job->next);
    assay_fuzz_maker_start(&job->maker, &recipe);
    while (!last) {
        size_t capacity;
        struct assay_event *chunk = room(job, &capacity);
        if (!chunk)
            return false;
        size_t n = assay_fuzz_maker_fill(&job->maker, chunk, capacity, &last);
        assay_session_submit(job->session, n, last);
    }
    job->next += job->state->config->jobs;
    return true;
}

/* Returns false if it did not come back. */
static bool look_into(struct job *job, uint64_t in_child, uint32_t hang_ms)
{
    struct assay_fuzz_program program = {0};
    struct assay_trial_result result = {0};
    uint64_t history = 0;
    bool confirmed = confirm(job, in_child, hang_ms, &program, &result, &history);
    if (confirmed && !assay_fuzz_is_consequence(job->state, &program, &result, hang_ms) &&
        assay_fuzz_enter(job->state, &result.first))
        assay_fuzz_write_finding(job->state, &program, &result, recipe_of(job, in_child).number,
                                 history, hang_ms);
    free(program.ops);
    return confirmed;
}

static void doubt(struct job *job, uint64_t in_child, unsigned property, const char *what)
{
    char where[48];
    snprintf(where, sizeof where, "program %" PRIu64, recipe_of(job, in_child).number);
    assay_fuzz_doubt(job->state, property, where, what);
}

static void look_into_report(struct job *job, uint64_t in_child)
{
    char what[256];
    assay_finding_line(what, sizeof what, &job->suspicion);
    if (!look_into(job, in_child, ASSAY_FUZZ_HANG_MS))
        doubt(job, in_child, job->suspicion.property, what);
}

/* The op of the child's program that its child ended in, and whether it is the last. */
static struct assay_event op_in_progress(struct job *job, uint64_t in_child, uint64_t op_index,
                                         bool *ret_last)
{
    struct assay_fuzz_program program = {0};
    struct assay_event op = {0};
    uint32_t objects = 0;
    bool made = append(job, &program, in_child, false, &objects);
    if (made && op_index < program.count)
        op = program.ops[op_index];
    *ret_last = made && op_index + 1 == program.count;
    free(program.ops);
    return op;
}

/* The subject stopped at the misuse that the program ends in: as it should. */
static bool died_as_promised(struct job *job, uint64_t in_child, uint64_t op_index)
{
    bool last = false;
    return job->state->config->limits.misuse &&
           op_in_progress(job, in_child, op_index, &last).flags & ASSAY_FLAG_MISUSE && last;
}

/* A subject whose programs take long may take long over an op. */
static uint32_t hang_ms_of(const struct assay_session_status *status, uint64_t programs)
{
    double ops = programs ? (double)status->executed / (double)programs : 0;
    double ms = HANG_PROGRAMS * status->ns_per_event * ops / 1e6;
    return ms < ASSAY_FUZZ_HANG_MS ? ASSAY_FUZZ_HANG_MS
           : ms > HANG_MOST_MS     ? HANG_MOST_MS
                                   : (uint32_t)ms;
}

static void doubt_death(struct job *job, uint64_t in_child,
                        const struct assay_session_status *status, unsigned kind)
{
    char what[256];
    bool hung = status->state == ASSAY_SESSION_HUNG;
    snprintf(what, sizeof what, "%s %s%s%s", assay_op_info(kind)->name,
             hung                                     ? "did not return"
             : status->state == ASSAY_SESSION_CRASHED ? "was ended by signal "
                                                      : "ended the process",
             status->state == ASSAY_SESSION_CRASHED ? sigabbrev_np(status->signal) : "",
             status->stderr_text[0] ? ", and the subject wrote to its standard error" : "");
    doubt(job, in_child, ASSAY_PROPERTY_C26, what);
}

/* The suspicion came early. If it does not come back, the op was slow, here and now: no finding,
 * and nothing unclear, but the next one has to last as long as a finding does. */
static void look_into_hang(struct job *job, uint64_t in_child,
                           const struct assay_session_status *status)
{
    uint32_t hang_ms = hang_ms_of(status, in_child);
    bool early = job->suspect_hang_ms < hang_ms, last;
    const struct assay_event op = op_in_progress(job, in_child, status->op_index, &last);
    if (assay_fuzz_hang_known(job->state, &op) || look_into(job, in_child, hang_ms))
        return;
    if (early)
        job->suspect_hang_ms = hang_ms;
    else
        doubt_death(job, in_child, status, op.kind);
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
    else if (status.state == ASSAY_SESSION_HUNG)
        look_into_hang(job, in_child, &status);
    else if (!look_into(job, in_child, ASSAY_FUZZ_HANG_MS)) {
        bool last;
        doubt_death(job, in_child, &status,
                    op_in_progress(job, in_child, status.op_index, &last).kind);
    }
}

/* The number of the program behind the one that the child ended in: what was sent ahead did not
 * run. Where it ended before it could be sent all of a program, that one is not sent again. */
static uint64_t behind_death(const struct job *job, uint64_t sent)
{
    const struct assay_judge_report *report = assay_session_report(job->session);
    uint64_t in_child = atomic_load(&report->programs);
    return job->first + (in_child < sent ? in_child + 1 : sent) * job->state->config->jobs;
}

/* Where misuse is injected it may say what it likes. */
static void tell_wrote(struct job *job)
{
    char text[256];
    if (!job->state->config->limits.misuse &&
        assay_session_said(job->session, 0, text, sizeof text))
        assay_fuzz_wrote(job->state, text);
}

/* One child, from its first program to what is made of its end. */
static void run_child(struct job *job)
{
    struct assay_fuzz_state *state = job->state;
    struct assay_error overwritten;
    uint64_t sent = 0;
    bool alive = true;
    while (!job->damaged && alive && !assay_fuzz_over(state) && sent < job->life &&
           !all_sent(state->config, job->next)) {
        if (assay_fuzz_directed_due(state, &job->directed, job->next / state->config->jobs))
            assay_fuzz_directed_next(state, &job->directed, job->next);
        if (assay_fuzz_over(state))
            break;
        alive = send_program(job);
        tell_begun(job);
        sent++;
        if (sent % 16 == 0) {
            tell(job, false);
            look_at_said(job);
        }
        if (alive && !job->guide)
            look_at_report(job, UINT64_MAX);
    }
    while (job->guide && collect(job))
        continue;
    if (sent == job->life && ++job->short_ones >= SHORT_CHILDREN && job->life < PROGRAMS_PER_CHILD)
        job->life += job->life / 2;
    bool left = job->damaged;         /* while it ran on */
    if (!left && alive && sent > 0) { /* a child that was stopped before its first op is no case */
        struct assay_session_status status;
        assay_session_wait(job->session, &status);
        alive = status.state == ASSAY_SESSION_ENDED;
        if (alive && !assay_session_frozen(&status))
            atomic_store(&state->unfrozen, true);
    }
    if (assay_session_check(job->session, &overwritten) < 0) {
        assay_fuzz_give_up(state, &overwritten);
        return;
    }
    if (!left)
        look_at_report(job, UINT64_MAX);
    if (!left && alive)
        look_at_said(job);
    bool reported = job->suspected && job->suspicion.relation == ASSAY_RELATION_REPORT;
    if (reported && job->suspect >= sent) /* all were through */
        job->suspect = sent - 1;
    if (alive && (!left || reported))
        tell_wrote(job);
    if (job->suspected)
        look_into_report(job, job->suspect);
    else if (!job->damaged && !alive)
        look_into_death(job);
    if (job->guide && (left || !alive)) /* what was sent behind it was not looked at */
        job->next = job->first + (job->ended + !left) * state->config->jobs;
    else if (!alive)
        job->next = behind_death(job, sent);
    tell_begun(job);
    end_child(job);
}

static int start_job(struct job *job, struct assay_error *err)
{
    struct assay_fuzz_state *state = job->state;
    const struct assay_fuzz_config *config = state->config;
    int code = 0;
    if (config->corpus_folder)
        code = assay_fuzz_guide_create(&state->corpus, config->seed, (unsigned)job->next,
                                       config->jobs, PROGRAMS_PER_CHILD, &job->guide, err);
    const struct assay_fuzz_corpus *corpus = job->guide ? &job->guide->corpus : NULL;
    if (code == 0)
        code = assay_fuzz_maker_init(&job->maker, config->mode, &config->limits, config->seed,
                                     corpus, err);
    if (code == 0)
        code = assay_fuzz_maker_init(&job->again, config->mode, &config->limits, config->seed,
                                     corpus, err);
    return code;
}

static void end_job(struct job *job)
{
    struct assay_fuzz_state *state = job->state;
    if (job->session)
        assay_session_close(job->session);
    if (job->guide) {
        atomic_fetch_add(&state->kept, job->guide->lasting);
        pthread_mutex_lock(&state->lock);
        if (job->guide->seen.features > atomic_load(&state->features))
            atomic_store(&state->features, job->guide->seen.features);
        pthread_mutex_unlock(&state->lock);
    }
    assay_fuzz_directed_free(&job->directed);
    assay_fuzz_maker_free(&job->maker);
    assay_fuzz_maker_free(&job->again);
    assay_fuzz_guide_free(job->guide);
    free(job);
}

void assay_fuzz_isolated(struct assay_fuzz_state *state, unsigned number)
{
    struct job *job = calloc(1, sizeof *job);
    struct assay_error err;
    if (!job) {
        assay_fail(&err, ASSAY_E_MEMORY, "out of memory");
        assay_fuzz_give_up(state, &err);
        return;
    }
    job->state = state;
    job->next = job->told = job->directed.next = number;
    job->directed.step = state->config->jobs;
    job->suspect_hang_ms = SUSPECT_HANG_MS;
    job->life = PROGRAMS_OF_SHORT;
    if (start_job(job, &err) < 0)
        assay_fuzz_give_up(state, &err);
    while (!state->config->random && assay_fuzz_directed_due(state, &job->directed, UINT64_MAX))
        assay_fuzz_directed_next(state, &job->directed, job->next);
    while (state->config->random && !assay_fuzz_over(state) &&
           !all_sent(state->config, job->next) && start_child(job))
        run_child(job);
    end_job(job);
}
