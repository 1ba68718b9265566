#include "tools/trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/finding.h"
#include "tools/judge_blob.h"

struct assay_trial {
    struct assay_trial_config config;
    struct assay_profile profile;
    struct assay_judge_blob blob;
    struct assay_arena arena;
    struct assay_judge *judge;
    struct assay_session *session;
    struct assay_trial_result *result; /* of the run in progress */
};

void assay_trial_configure(const struct assay_trial_config *config, bool judge_in_child,
                           struct assay_session_config *ret_session,
                           struct assay_judge_blob *ret_blob)
{
    bool has_usable = !(config->subject->missing_apis >> ASSAY_OP_USABLE_SIZE & 1);
    *ret_blob = (struct assay_judge_blob){.legal = true, .profile = *config->profile};
    *ret_session = (struct assay_session_config){
        .subject = config->subject,
        .order = ASSAY_ORDER_SERIAL,
        .touch = ASSAY_TOUCH_FULL,
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
    if (!trial->result || trial->result->violated ||
        assay_finding_accepted(violation, &trial->profile))
        return;
    struct assay_trial_result *result = trial->result;
    struct assay_crash_site *site = &result->circumstances.site;
    result->violated = true;
    result->first = *violation;
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
    assay_trial_configure(&trial->config, false, &config, &trial->blob);
    return assay_session_start(&config, &trial->session, err);
}

/* Feeds what has been executed to the judge. Returns false when nothing more is to come. */
static bool collect(struct assay_trial *trial)
{
    size_t n;
    const struct assay_sink sink = assay_judge_sink(trial->judge);
    if (!assay_session_collect(trial->session, &n))
        return false;
    assay_session_feed(trial->session, &sink);
    assay_session_release(trial->session);
    return true;
}

static void judge_death(struct assay_trial *trial, const struct assay_session_status *status)
{
    struct assay_trial_result *result = trial->result;
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
    if (status->state == ASSAY_SESSION_HUNG)
        assay_judge_crash(trial->judge, 0);
    else if (status->state == ASSAY_SESSION_CRASHED)
        assay_judge_crash(trial->judge, status->signal);
    else if (status->state == ASSAY_SESSION_EXITED)
        assay_judge_crash(trial->judge, SIGABRT); /* an allocator has no business to call exit */
}

static int run(struct assay_trial *trial, const struct assay_event *ops, size_t n,
               struct assay_error *err)
{
    struct assay_session_status status;
    size_t sent = 0;
    assay_judge_reset(trial->judge);
    while (sent < n) {
        size_t capacity;
        struct assay_event *chunk = assay_session_chunk(trial->session, &capacity);
        if (!chunk) {
            if (!collect(trial))
                break;
            continue;
        }
        size_t some = n - sent < capacity ? n - sent : capacity;
        memcpy(chunk, ops + sent, some * sizeof *chunk);
        sent += some;
        assay_session_submit(trial->session, some, sent == n);
    }
    while (collect(trial))
        continue;
    assay_session_wait(trial->session, &status);
    trial->result->state = status.state;
    if (status.state == ASSAY_SESSION_ENDED)
        return 0;
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
    judge_death(trial, &status);
    assay_session_close(trial->session);
    trial->session = NULL;
    return 0;
}

int assay_trial_run(struct assay_trial *trial, const struct assay_event *ops, size_t n, bool fresh,
                    struct assay_trial_result *ret_result, struct assay_error *err)
{
    int code = 0;
    memset(ret_result, 0, sizeof *ret_result);
    if (fresh || !trial->session)
        code = start(trial, err);
    if (code < 0)
        return code;
    trial->result = ret_result;
    code = run(trial, ops, n, err);
    trial->result = NULL;
    return code;
}

void assay_trial_free(struct assay_trial *trial)
{
    if (!trial)
        return;
    assay_session_close(trial->session);
    assay_arena_destroy(&trial->arena);
    free(trial);
}

uint64_t assay_trial_evaluations(const struct assay_trial *trial, unsigned property)
{
    return assay_judge_evaluations(trial->judge, property);
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
