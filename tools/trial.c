#include "tools/trial.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/compare/behaviour.h"
#include "oracles/finding.h"
#include "oracles/said.h"
#include "tools/judge_blob.h"
#include "tools/processes.h"

struct assay_trial {
    struct assay_trial_config config;
    struct assay_profile profile;
    struct assay_judge_blob blob;
    struct assay_arena arena;
    struct assay_judge *judge;
    struct assay_session *session;
    struct assay_trial_result *result; /* of the run in progress */
    struct assay_event *results;       /* where to write back what was executed; NULL: nowhere */
    size_t executed, wanted;
    uint32_t *of_born;       /* of threads side by side: by object, which of the ops bears it */
    uint64_t compared;       /* ops of programs that were run twice */
    bool frozen;             /* all that can be, in the last run */
    struct assay_event last; /* of the program, as executed */
    uint64_t said_bytes;     /* what the child had written before the program */
    struct assay_processes processes; /* of an order in which programs fork */
};

static bool in_turns(const struct assay_trial *trial)
{
    return trial->config.environment.order == ASSAY_ORDER_TURNS;
}

void assay_trial_configure(const struct assay_trial_config *config, bool judge_in_child,
                           struct assay_session_config *ret_session,
                           struct assay_judge_blob *ret_blob)
{
    bool has_usable = !(config->subject->missing_apis >> ASSAY_OP_USABLE_SIZE & 1);
    bool turns = config->environment.order == ASSAY_ORDER_TURNS;
    *ret_blob = (struct assay_judge_blob){.legal = true, .profile = *config->profile};
    ret_blob->more_has = turns ? ASSAY_HAS_THREAD | ASSAY_HAS_CONTEXT
                         : config->environment.order == ASSAY_ORDER_PARTIAL ? ASSAY_HAS_THREAD
                                                                            : 0;
    if (!judge_in_child) /* the programs of the generator have none of these ops */
        ret_blob->more_has |= ASSAY_HAS_RESOURCES;
    *ret_session = (struct assay_session_config){
        .subject = config->subject,
        .environment = config->environment,
        .touch = ASSAY_TOUCH_FULL,
        .content_full = config->environment.whole_content,
        .ask_usable = has_usable,
        .usable_writable = has_usable && config->profile->usable_writable == ASSAY_ANSWER_YES,
        .judge = judge_in_child,
        .want_results = !judge_in_child,
        .frozen = true,
        .seed = config->seed,
        .max_objects = config->max_objects,
        .memory_bytes = (uint64_t)ASSAY_TRIAL_MEMORY_MIB << 20,
        .hang_ms = config->hang_ms,
        .blob = ret_blob,
        .blob_bytes = sizeof *ret_blob,
        .report_bytes = sizeof(struct assay_judge_report),
    };
}

static void keep_first(void *self, const struct assay_violation *violation)
{
    struct assay_trial *trial = self;
    if (!trial->result || trial->result->violated || trial->processes.muted ||
        (trial->config.property && violation->property != trial->config.property) ||
        assay_finding_accepted(violation, &trial->profile))
        return;
    struct assay_trial_result *result = trial->result;
    struct assay_crash_site *site = &result->circumstances.site;
    result->violated = true;
    result->first = *violation;
    result->first.races = trial->config.environment.preempted;
    if (in_turns(trial))
        result->first.op_index = trial->processes.number;
    assay_crash_site_name(site, &result->first);
    assay_neighbourhood_take(assay_judge_model(trial->judge), violation,
                             site->fault_known ? &site->fault : NULL,
                             &result->circumstances.around);
}

/* What the child's executor has, told without its subject. */
static struct assay_judge_config judge_config(struct assay_trial *trial)
{
    struct assay_session_config session;
    struct assay_subject table = {0};
    bool has_usable = !(trial->config.subject->missing_apis >> ASSAY_OP_USABLE_SIZE & 1);
    static size_t (*const any)(void *) = (size_t(*)(void *))(uintptr_t)1; /* never called */
    assay_trial_configure(&trial->config, false, &session, &trial->blob);
    if (has_usable)
        table.malloc_usable_size = any;
    const struct assay_executor_config executor = {.subject = &table,
                                                   .touch = session.touch,
                                                   .ask_usable = session.ask_usable,
                                                   .usable_writable = session.usable_writable,
                                                   .max_objects = session.max_objects};
    struct assay_judge_config config =
        assay_judge_blob_config(&trial->blob, &executor, trial->config.subject->missing_apis);
    config.report_self = trial;
    config.report = keep_first;
    return config;
}

int assay_trial_create(const struct assay_trial_config *config, struct assay_trial **ret_trial,
                       struct assay_error *err)
{
    struct assay_trial *trial = calloc(1, sizeof *trial);
    if (!trial)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    trial->config = *config;
    trial->profile = *config->profile;
    trial->config.profile = &trial->profile;
    const struct assay_judge_config judge = judge_config(trial);
    int code = assay_arena_create(&trial->arena, assay_judge_bytes(&judge) + 4096, err);
    if (code < 0) {
        free(trial);
        return code;
    }
    trial->judge = assay_judge_create(&trial->arena, &judge);
    ASSAY_CHECK(trial->judge);
    *ret_trial = trial;
    return 0;
}

void assay_trial_set_hang(struct assay_trial *trial, uint32_t hang_ms)
{
    if (trial->config.hang_ms == hang_ms)
        return;
    trial->config.hang_ms = hang_ms;
    assay_session_close(trial->session);
    trial->session = NULL;
}

static int start(struct assay_trial *trial, struct assay_error *err)
{
    struct assay_session_config config;
    assay_session_close(trial->session);
    trial->session = NULL;
    trial->said_bytes = 0;
    assay_trial_configure(&trial->config, false, &config, &trial->blob);
    return assay_session_start(&config, &trial->session, err);
}

/* What is measured stands at the end of a part. */
static void write_back_measure(struct assay_trial *trial, const struct assay_event *event)
{
    for (size_t i = trial->wanted; i-- > 0 && trial->results[i].kind == ASSAY_OP_MEASURE;)
        if (trial->results[i].arg == event->arg)
            trial->results[i] = *event;
}

/* Writes back to the ops of a part what was executed of them. Threads that ran side by side were
 * put in their order, resizes in two halves: there an op is known by what it bore. */
static void write_back(struct assay_trial *trial, const struct assay_event *events, size_t n)
{
    if (trial->config.environment.order != ASSAY_ORDER_PARTIAL) {
        memcpy(trial->results + trial->executed, events, n * sizeof *events);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t born = events[i].born;
        if (events[i].kind == ASSAY_OP_MEASURE)
            write_back_measure(trial, &events[i]);
        if (born && born <= trial->config.max_objects && !(events[i].flags & ASSAY_FLAG_BEGIN) &&
            trial->of_born[born] < trial->wanted &&
            trial->results[trial->of_born[born]].born == born)
            trial->results[trial->of_born[born]] = events[i];
    }
}

/* Where the ops of a part stand that bear objects. */
static bool find_births(struct assay_trial *trial)
{
    if (!trial->of_born)
        trial->of_born = calloc((size_t)trial->config.max_objects + 1, sizeof *trial->of_born);
    for (size_t i = 0; i < trial->wanted && trial->of_born; i++)
        if (trial->results[i].born && trial->results[i].born <= trial->config.max_objects)
            trial->of_born[trial->results[i].born] = (uint32_t)i;
    return trial->of_born != NULL;
}

/* Feeds what has been executed to the judge. Returns false when nothing more is to come. */
static bool collect(struct assay_trial *trial)
{
    size_t n;
    const struct assay_sink sink =
        in_turns(trial) ? assay_processes_sink(&trial->processes) : assay_judge_sink(trial->judge);
    const struct assay_event *events = assay_session_collect(trial->session, &n);
    if (!events)
        return false;
    if (trial->results)
        write_back(trial, events, n);
    trial->executed += n;
    if (n > 0)
        trial->last = events[n - 1];
    assay_session_feed(trial->session, &sink);
    assay_session_release(trial->session);
    return true;
}

static void judge_death(struct assay_trial *trial, const struct assay_session_status *status)
{
    struct assay_trial_result *result = trial->result;
    if (trial->config.environment.preempted && status->signal == SIGTRAP &&
        !assay_session_crash(trial->session)) {
        result->died = result->trapped = true;
        return;
    }
    size_t length = strcspn(status->stderr_text, "\n");
    result->died = true;
    result->signal = status->signal;
    if (length >= sizeof result->said)
        length = sizeof result->said - 1;
    memcpy(result->said, status->stderr_text, length);
    const struct assay_crash_end end = {.capture = assay_session_crash(trial->session),
                                        .signal = status->signal,
                                        .exited = status->state == ASSAY_SESSION_EXITED,
                                        .subject = trial->config.subject->path,
                                        .said = status->stderr_text};
    if (!result->violated && status->state != ASSAY_SESSION_HUNG)
        assay_crash_site_find(&end, assay_judge_model(trial->judge), &result->circumstances.site);
    if (status->state == ASSAY_SESSION_HUNG || status->state == ASSAY_SESSION_CRASHED ||
        status->state == ASSAY_SESSION_EXITED)
        assay_crash_judge(&end, status->state == ASSAY_SESSION_HUNG, trial->judge);
}

/* Where programs fork: each process by itself, that which ended early with its end. */
static void judge_processes(struct assay_trial *trial, const struct assay_session_status *status)
{
    while (assay_processes_next(&trial->processes, trial->judge))
        if (status && trial->processes.last)
            judge_death(trial, status);
    assay_processes_reset(&trial->processes);
}

/* Of a program that the child came through. */
static void judge_said(struct assay_trial *trial)
{
    char text[4096];
    struct assay_trial_result *result = trial->result;
    uint64_t before = trial->said_bytes;
    trial->said_bytes = assay_session_said(trial->session, before, text, sizeof text);
    if (trial->said_bytes <= before)
        return;
    snprintf(result->wrote, sizeof result->wrote, "%.*s", (int)strcspn(text, "\n"), text);
    if (!result->violated && assay_said_corruption(text, result->said, sizeof result->said))
        assay_judge_said(trial->judge, &trial->last);
}

/* Sends the ops, or nothing but the end, and judges what comes back. Returns 1 if the child goes
 * on. */
static int run(struct assay_trial *trial, const struct assay_event *ops, size_t n, bool last,
               struct assay_error *err)
{
    struct assay_session_status status;
    size_t sent = 0;
    trial->executed = 0;
    bool end = last && n == 0;
    bool free_running = trial->config.environment.order == ASSAY_ORDER_PARTIAL;
    while ((sent < n || end) && !(free_running && trial->result->violated)) {
        size_t capacity;
        struct assay_event *chunk = assay_session_chunk(trial->session, &capacity);
        if (!chunk) {
            if (!collect(trial))
                break;
            continue;
        }
        size_t some = n - sent < capacity ? n - sent : capacity;
        if (some > 0)
            memcpy(chunk, ops + sent, some * sizeof *chunk);
        sent += some;
        end = false;
        assay_session_submit(trial->session, some, last && sent == n);
    }
    while (collect(trial))
        continue;
    assay_session_wait(trial->session, &status);
    trial->result->state = status.state;
    trial->frozen = assay_session_frozen(&status);
    trial->result->mapping_by_name |= status.supervision.mapping_by_name;
    if (status.state == ASSAY_SESSION_ENDED) {
        if (in_turns(trial) && last)
            judge_processes(trial, NULL);
        if (last)
            judge_said(trial);
        return 1;
    }
    if (assay_session_check(trial->session, err) < 0) {
        assay_session_close(trial->session);
        trial->session = NULL;
        return ASSAY_E_SUBJECT;
    }
    uint64_t missing;
    struct assay_error start_error;
    if (assay_session_ready(trial->session, &missing, &start_error) < 0) {
        if (err)
            *err = start_error;
        assay_session_close(trial->session);
        trial->session = NULL;
        return start_error.code;
    }
    if (in_turns(trial))
        judge_processes(trial, &status);
    else
        judge_death(trial, &status);
    assay_session_close(trial->session);
    trial->session = NULL;
    return 0;
}

int assay_trial_begin(struct assay_trial *trial, bool fresh, struct assay_trial_result *ret_result,
                      struct assay_error *err)
{
    memset(ret_result, 0, sizeof *ret_result);
    trial->result = ret_result;
    assay_judge_reset(trial->judge);
    assay_processes_reset(&trial->processes);
    return fresh || !trial->session ? start(trial, err) : 0;
}

int assay_trial_part(struct assay_trial *trial, struct assay_event *ops, size_t n, bool last,
                     struct assay_error *err)
{
    if (!trial->session)
        return 0;
    trial->results = ops;
    trial->wanted = n;
    if (trial->config.environment.order == ASSAY_ORDER_PARTIAL && !find_births(trial))
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int code = run(trial, ops, n, last, err);
    trial->results = NULL;
    return code;
}

/* The first place where two runs of a program part is the finding. */
static void note_difference(void *self, const struct assay_difference *difference)
{
    struct assay_trial *trial = self;
    const struct assay_event *event = &difference->event_a;
    bool placed = difference->field == ASSAY_FIELD_PLACEMENT;
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    const struct assay_violation violation = {
        .property = ASSAY_PROPERTY_C36,
        .kind = event->kind,
        .relation = ASSAY_RELATION_OTHER,
        .object = event->born ? event->born : event->object,
        .size_band = bytes ? 64 - (uint32_t)__builtin_clzll(bytes) : 0,
        .op_index = difference->op_index,
        .expected = placed ? 0 : (uint64_t)difference->seen_a,
        .seen = placed ? 0 : (uint64_t)difference->seen_b,
        .offset = !placed,
        .event = *event,
    };
    keep_first(trial, &violation);
}

static int compare(struct assay_trial *trial, const struct assay_event *a,
                   const struct assay_event *b, size_t n, struct assay_error *err)
{
    const struct assay_comparison_options options = {0};
    struct assay_comparison *comparison = assay_comparison_create(&options, note_difference, trial);
    if (!comparison)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int code = 0;
    for (size_t i = 0; i < n && code == 0 && !trial->result->violated; i++)
        code = assay_comparison_step(comparison, &a[i], &b[i], err);
    trial->compared += assay_comparison_totals(comparison).compared;
    assay_comparison_free(comparison);
    return code;
}

static int run_again(struct assay_trial *trial, const struct assay_event *ops, size_t n,
                     struct assay_event *results, struct assay_error *err)
{
    memcpy(results, ops, n * sizeof *results);
    trial->results = results;
    trial->wanted = n;
    int code = run(trial, ops, n, true, err);
    trial->results = NULL;
    return code;
}

/* In two fresh children; the first is begun already. */
static int run_twice(struct assay_trial *trial, const struct assay_event *ops, size_t n,
                     struct assay_error *err)
{
    struct assay_event *results = malloc(2 * n * sizeof *results);
    if (!results)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int code = run_again(trial, ops, n, results, err);
    bool frozen = trial->frozen;
    if (code > 0 && !trial->result->violated) {
        assay_judge_reset(trial->judge);
        code = start(trial, err);
        code = code < 0 ? code : run_again(trial, ops, n, results + n, err);
    }
    if (code > 0 && !trial->result->violated)
        code = frozen && trial->frozen ? compare(trial, results, results + n, n, err)
                                       : assay_fail(err, ASSAY_E_UNSUPPORTED,
                                                    "randomness cannot be frozen here, so two runs "
                                                    "need not agree; see 'assay doctor'");
    free(results);
    return code;
}

int assay_trial_run(struct assay_trial *trial, const struct assay_event *ops, size_t n, bool fresh,
                    struct assay_trial_result *ret_result, struct assay_error *err)
{
    bool twice = trial->config.environment.twice;
    int code = assay_trial_begin(trial, fresh || twice, ret_result, err);
    if (code == 0 && n > 0)
        code = twice ? run_twice(trial, ops, n, err) : run(trial, ops, n, true, err);
    if (code == 0 && ret_result->trapped && !ret_result->violated &&
        !trial->config.environment.stepped) {
        trial->config.environment.stepped = true;
        code = assay_trial_begin(trial, true, ret_result, err);
        code = code < 0 ? code : run(trial, ops, n, true, err);
    }
    trial->result = NULL;
    return code < 0 ? code : 0;
}

void assay_trial_free(struct assay_trial *trial)
{
    if (!trial)
        return;
    assay_session_close(trial->session);
    assay_arena_destroy(&trial->arena);
    assay_processes_free(&trial->processes);
    free(trial->of_born);
    free(trial);
}

uint64_t assay_trial_evaluations(const struct assay_trial *trial, unsigned property)
{
    return property == ASSAY_PROPERTY_C36 ? trial->compared
                                          : assay_judge_evaluations(trial->judge, property);
}

uint64_t assay_trial_calls(const struct assay_trial *trial)
{
    return assay_judge_calls(trial->judge);
}

bool assay_trial_judges(const struct assay_trial *trial, unsigned property)
{
    return assay_judge_judges(trial->judge, property);
}

void assay_trial_name_crash(const struct assay_session *session,
                            const struct assay_subject_spec *subject,
                            struct assay_violation *violation)
{
    struct assay_crash_site site = {0};
    const struct assay_crash_end end = {.capture = assay_session_crash(session),
                                        .signal = violation->event.signal,
                                        .subject = subject->path,
                                        .name_only = true};
    if (end.capture && end.signal)
        assay_crash_site_find(&end, NULL, &site);
    assay_crash_site_name(&site, violation);
}
