#include "tools/replay.h"

#include <string.h>

#include "oracles/finding_report.h"
#include "oracles/said.h"
#include "tools/judge_blob.h"
#include "traces/core/clock.h"

enum { HANG_MS = 5000 };

enum pass { PASS_JUDGE, PASS_CONFIRM, PASS_BARE };

struct replay {
    struct assay_replay_source *source;
    const struct assay_replay_options *options;
    struct assay_replay_result *result;
    struct assay_judge_blob blob;
    uint64_t deadline_ns;
    double run_ns, bare_ns, bare_events;
    struct assay_event last; /* that was confirmed, as executed */
    unsigned passes;         /* over the trace, confirmations apart */
    uint64_t shown;          /* events of passes that have ended */
    const struct assay_replay_image *image;
    struct assay_judge *judge;    /* of the confirming pass */
    struct assay_crash_site site; /* of the confirming child's end */
};

static size_t stand_in_usable(void *p)
{
    (void)p;
    return 0;
}

/* The executor that the runner will make, as far as `has` depends on it. */
static struct assay_executor_config executor_of(const struct replay *replay)
{
    static const struct assay_subject with = {.malloc_usable_size = stand_in_usable}, without;
    const struct assay_replay_options *options = replay->options;
    bool missing = options->subject->missing_apis >> ASSAY_OP_USABLE_SIZE & 1;
    return (struct assay_executor_config){.subject = missing ? &without : &with,
                                          .touch = options->touch,
                                          .content_full = options->content_full,
                                          .ask_usable = true,
                                          .max_objects = assay_replay_max_object(replay->source)};
}

static struct assay_session_config session_of(const struct replay *replay, enum pass pass)
{
    const struct assay_replay_options *options = replay->options;
    bool checked = !options->unchecked;
    return (struct assay_session_config){
        .subject = options->subject,
        .environment.order = options->order,
        .touch = options->touch,
        .content_full = options->content_full,
        .ask_usable = checked,
        .usable_writable = checked && options->profile.usable_writable == ASSAY_ANSWER_YES,
        .judge = checked && pass == PASS_JUDGE,
        .want_results = pass == PASS_CONFIRM,
        .frozen = true,
        .prefault = replay->image->events > assay_replay_max_object(replay->source),
        .bare_loop = pass == PASS_BARE,
        .seed = options->seed,
        .max_objects = assay_replay_max_object(replay->source),
        .memory_bytes = options->memory_bytes,
        .hang_ms = HANG_MS,
        .blob = &replay->blob,
        .blob_bytes = sizeof replay->blob,
        .report_bytes = sizeof(struct assay_judge_report)};
}

/* False when it is time to stop. */
static bool go_on(struct replay *replay, bool confirming)
{
    const struct assay_replay_options *options = replay->options;
    uint64_t now = confirming ? 0 : assay_replay_taken(replay->source).events;
    if (replay->deadline_ns && assay_now_ns() > replay->deadline_ns)
        return false;
    return !options->progress ||
           options->progress(options->progress_self, (replay->shown + now) / replay->passes);
}

static void collect(struct replay *replay, struct assay_session *session)
{
    struct assay_sink sink = assay_judge_sink(replay->judge);
    size_t n;
    const struct assay_event *events;
    while ((events = assay_session_collect(session, &n)) != NULL) {
        if (n > 0)
            replay->last = events[n - 1];
        assay_session_feed(session, &sink);
        assay_session_release(session);
    }
}

/* Streams the image into the session. *ret_stopped: not to its end, by choice. */
static int feed(struct replay *replay, struct assay_session *session, bool confirming,
                uint64_t *ret_events, bool *ret_stopped, struct assay_error *err)
{
    *ret_stopped = false;
    *ret_events = 0;
    for (;;) {
        size_t capacity;
        struct assay_event *chunk = assay_session_chunk(session, &capacity);
        if (!chunk && confirming) {
            collect(replay, session);
            chunk = assay_session_chunk(session, &capacity);
        }
        if (!chunk)
            return 0; /* the child is gone: its status tells */
        long n = assay_replay_next(replay->source, chunk, capacity, err);
        if (n < 0)
            return (int)n;
        *ret_events += (uint64_t)n;
        *ret_stopped = !go_on(replay, confirming);
        bool last = (size_t)n < capacity || *ret_stopped;
        assay_session_submit(session, (size_t)n, last);
        if (last)
            return 0;
    }
}

static bool died(const struct assay_session_status *status)
{
    return status->state == ASSAY_SESSION_CRASHED || status->state == ASSAY_SESSION_HUNG ||
           status->state == ASSAY_SESSION_EXITED;
}

/* Of an image that the child came through. */
static bool reports_corruption(const struct assay_session_status *status)
{
    char line[256];
    return status->state == ASSAY_SESSION_ENDED &&
           assay_said_corruption(status->stderr_text, line, sizeof line);
}

static void add_left_out(struct assay_replay_left_out *sum, struct assay_replay_left_out more)
{
    sum->library += more.library;
    sum->unknown += more.unknown;
    sum->dead += more.dead;
    sum->refused += more.refused;
    sum->reserved += more.reserved;
}

/* The first pass: run, judged beside the subject. */
static void take_run(struct replay *replay, const struct assay_session *session,
                     const struct assay_session_status *status, uint64_t events,
                     bool *ret_suspicious)
{
    struct assay_replay_result *result = replay->result;
    const struct assay_judge_report *report = assay_session_report(session);
    struct assay_replay_taken taken = assay_replay_taken(replay->source);
    result->events += events;
    result->taken.events += taken.events;
    result->taken.inherited += taken.inherited;
    replay->shown += taken.events;
    result->executed += status->executed;
    result->skipped += status->skipped;
    result->library_calls += status->library_calls;
    result->frozen = status->frozen;
    result->frozen_calls = status->supervision.works;
    if (status->peak_rss_bytes > result->peak_rss_bytes)
        result->peak_rss_bytes = status->peak_rss_bytes;
    replay->run_ns += status->ns_per_event * (double)events;
    add_left_out(&result->left_out, assay_replay_left_out(replay->source));
    *ret_suspicious = false;
    if (replay->options->unchecked)
        return;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        result->evaluations[p] += report->evaluations[p];
        result->judged[p] |= report->judged[p] != 0;
    }
    uint32_t stored = atomic_load(&report->stored);
    result->suspicions += stored < ASSAY_REPORT_VIOLATIONS ? stored : ASSAY_REPORT_VIOLATIONS;
    *ret_suspicious = stored > 0 || died(status) || reports_corruption(status);
}

static int run_image(struct replay *replay, size_t image, bool *ret_suspicious,
                     struct assay_error *err)
{
    struct assay_session_config config = session_of(replay, PASS_JUDGE);
    struct assay_session_status status;
    struct assay_session *session;
    struct assay_replay_result *result = replay->result;
    uint64_t missing, events;
    bool stopped;
    int code = assay_replay_begin(replay->source, image, err);
    if (code < 0 || (code = assay_session_start(&config, &session, err)) < 0)
        return code;
    code = assay_session_ready(session, &missing, err);
    if (code == 0)
        code = feed(replay, session, false, &events, &stopped, err);
    if (code == 0) {
        assay_session_wait(session, &status);
        code = assay_session_check(session, err);
    }
    if (code == 0) {
        take_run(replay, session, &status, events, ret_suspicious);
        if (died(&status) || status.state == ASSAY_SESSION_MEMORY) {
            result->end = died(&status) ? ASSAY_REPLAY_DIED : ASSAY_REPLAY_OUT_OF_MEMORY;
            result->last = status;
        } else if (stopped) {
            result->end = ASSAY_REPLAY_STOPPED;
        }
    }
    assay_session_close(session);
    return code;
}

static void on_violation(void *self, const struct assay_violation *violation)
{
    struct replay *replay = self;
    struct assay_finding_set *set = replay->result->findings;
    struct assay_violation named = *violation;
    struct assay_circumstances circumstances = {.site = replay->site};
    bool first = false;
    assay_crash_site_name(&replay->site, &named);
    const struct assay_finding *finding = assay_finding_set_add(set, &named, &first);
    if (!finding || !first)
        return;
    assay_neighbourhood_take(assay_judge_model(replay->judge), violation,
                             replay->site.fault_known ? &replay->site.fault : NULL,
                             &circumstances.around);
    assay_finding_set_describe(set, finding, &circumstances);
}

static void judge_death(struct replay *replay, const struct assay_session *session,
                        const struct assay_session_status *status)
{
    const struct assay_crash_end end = {.capture = assay_session_crash(session),
                                        .signal = status->signal,
                                        .exited = status->state == ASSAY_SESSION_EXITED,
                                        .subject = replay->options->subject->path,
                                        .said = status->stderr_text};
    if (status->state != ASSAY_SESSION_HUNG)
        assay_crash_site_find(&end, assay_judge_model(replay->judge), &replay->site);
    assay_crash_judge(&end, status->state == ASSAY_SESSION_HUNG, replay->judge);
    replay->site = (struct assay_crash_site){0};
}

/* The second pass: a fresh child, its raw results judged here. */
static int confirm_image(struct replay *replay, size_t image, struct assay_error *err)
{
    struct assay_executor_config executor = executor_of(replay);
    struct assay_judge_config judging =
        assay_judge_blob_config(&replay->blob, &executor, replay->options->subject->missing_apis);
    struct assay_session_config config = session_of(replay, PASS_CONFIRM);
    struct assay_session_status status;
    struct assay_session *session = NULL;
    struct assay_arena arena;
    uint64_t events;
    bool stopped;
    judging.report = on_violation;
    judging.report_self = replay;
    int code = assay_arena_create(&arena, assay_judge_bytes(&judging) + 65536, err);
    if (code < 0)
        return code;
    replay->judge = assay_judge_create(&arena, &judging);
    size_t before = assay_finding_set_count(replay->result->findings);
    if (!replay->judge)
        code = assay_fail(err, ASSAY_E_MEMORY, "the judge does not fit its arena");
    if (code == 0)
        code = assay_replay_begin(replay->source, image, err);
    if (code == 0)
        code = assay_session_start(&config, &session, err);
    if (code == 0)
        code = feed(replay, session, true, &events, &stopped, err);
    if (code == 0) {
        collect(replay, session);
        assay_session_wait(session, &status);
        code = assay_session_check(session, err);
    }
    if (code == 0) {
        if (died(&status))
            judge_death(replay, session, &status);
        else if (reports_corruption(&status))
            assay_judge_said(replay->judge, &replay->last);
        /* where it died again the judge excuses it */
        bool again = died(&status) && replay->result->end == ASSAY_REPLAY_DIED;
        if (assay_finding_set_count(replay->result->findings) == before && !again)
            replay->result->unconfirmed++;
    }
    assay_session_close(session);
    assay_arena_destroy(&arena);
    return code;
}

static int measure_bare(struct replay *replay, size_t image, struct assay_error *err)
{
    struct assay_session_config config = session_of(replay, PASS_BARE);
    struct assay_session_status status;
    struct assay_session *session;
    uint64_t events;
    bool stopped;
    int code = assay_replay_begin(replay->source, image, err);
    if (code < 0 || (code = assay_session_start(&config, &session, err)) < 0)
        return code;
    code = feed(replay, session, false, &events, &stopped, err);
    if (code == 0) {
        replay->shown += assay_replay_taken(replay->source).events;
        assay_session_wait(session, &status);
        if (status.state == ASSAY_SESSION_ENDED) {
            replay->bare_ns += status.bare_ns_per_event * (double)events;
            replay->bare_events += (double)events;
        }
    }
    assay_session_close(session);
    return code;
}

int assay_replay_run(struct assay_replay_source *source, const struct assay_replay_options *options,
                     struct assay_replay_result *ret_result, struct assay_error *err)
{
    struct replay replay = {.source = source,
                            .options = options,
                            .result = ret_result,
                            .passes = options->measure_bare ? 2 : 1};
    const struct assay_replay_image *images;
    memset(ret_result, 0, sizeof *ret_result);
    ret_result->missing_apis = options->subject->missing_apis;
    replay.blob = (struct assay_judge_blob){
        .more_has = (assay_replay_has_access(source) ? ASSAY_HAS_ACCESS : 0) |
                    (options->order == ASSAY_ORDER_PARTIAL ? ASSAY_HAS_THREAD : 0),
        .legal = !assay_replay_has_misuse(source),
        .profile = options->profile};
    if (options->max_time_ns)
        replay.deadline_ns = assay_now_ns() + options->max_time_ns;
    ret_result->findings = assay_finding_set_create(&options->profile);
    if (!ret_result->findings)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    assay_finding_set_suppress(ret_result->findings, options->suppressions, options->subject_name);
    size_t n = assay_replay_images(source, &images);
    if (n == 1) /* a forked child's inheritance is not in its count */
        replay.blob.max_live = images[0].max_live + images[0].max_live / 2 + 4096;
    int code = 0;
    for (size_t i = 0; i < n && code == 0 && ret_result->end == ASSAY_REPLAY_COMPLETE; i++) {
        bool suspicious = false;
        replay.image = &images[i];
        code = run_image(&replay, i, &suspicious, err);
        ret_result->images++;
        if (code == 0 && suspicious)
            code = confirm_image(&replay, i, err);
        if (code == 0 && options->measure_bare && ret_result->end == ASSAY_REPLAY_COMPLETE)
            code = measure_bare(&replay, i, err);
    }
    if (ret_result->events)
        ret_result->ns_per_event = replay.run_ns / (double)ret_result->events;
    if (replay.bare_events > 0)
        ret_result->bare_ns_per_event = replay.bare_ns / replay.bare_events;
    return code;
}

void assay_replay_result_free(struct assay_replay_result *result)
{
    if (result->findings)
        assay_finding_set_free(result->findings);
    result->findings = NULL;
}
