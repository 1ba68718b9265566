#include "tools/recorded.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 4096 };

struct run {
    struct assay_replay_source *source;
    const struct assay_replay_options *options;
    struct assay_recorded_result *result;
    struct assay_event *batch;
    uint32_t *sites; /* of each object's birth, for leaks; NULL = not asked */
    size_t leak_capacity;
    bool out_of_memory;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void add_leak(struct run *run, uint32_t site, uint64_t bytes)
{
    struct assay_recorded_result *result = run->result;
    for (size_t i = 0; i < result->leak_count; i++)
        if (result->leaks[i].site == site) {
            result->leaks[i].objects++;
            result->leaks[i].bytes += bytes;
            return;
        }
    if (result->leak_count == run->leak_capacity) {
        size_t capacity = run->leak_capacity ? 2 * run->leak_capacity : 64;
        struct assay_leak *grown = reallocarray(result->leaks, capacity, sizeof *grown);
        if (!grown) {
            run->out_of_memory = true;
            return;
        }
        result->leaks = grown;
        run->leak_capacity = capacity;
    }
    result->leaks[result->leak_count++] = (struct assay_leak){site, 1, bytes};
}

static void on_violation(void *self, const struct assay_violation *violation)
{
    struct run *run = self;
    bool first;
    if (!assay_finding_set_add(run->result->replay.findings, violation, &first))
        run->out_of_memory = true;
    if (violation->property == ASSAY_PROPERTY_T05 && run->sites)
        add_leak(run, run->sites[violation->object], violation->event.size);
}

static struct assay_judge_config judging(struct run *run)
{
    const struct assay_replay_source *source = run->source;
    return (struct assay_judge_config){.has =
                                           assay_replay_meta(source)->has |
                                           (assay_replay_has_access(source) ? ASSAY_HAS_ACCESS : 0),
                                       .max_objects = assay_replay_max_object(source),
                                       .profile = run->options->profile,
                                       .legal = true,
                                       .program = true,
                                       .leaks = run->sites != NULL,
                                       .report_self = run,
                                       .report = on_violation};
}

static void note_sites(struct run *run, long n)
{
    for (long i = 0; i < n && run->sites; i++)
        if (run->batch[i].born && run->batch[i].born <= assay_replay_max_object(run->source))
            run->sites[run->batch[i].born] = run->batch[i].site;
}

/* Feeds one image to a judge of its own. */
static int judge_image(struct run *run, size_t image, uint64_t deadline_ns, struct assay_error *err)
{
    struct assay_replay_result *result = &run->result->replay;
    const struct assay_judge_config config = judging(run);
    struct assay_arena arena;
    long n = 0;
    int code = assay_arena_create(&arena, assay_judge_bytes(&config) + 65536, err);
    if (code < 0)
        return code;
    struct assay_judge *judge = assay_judge_create(&arena, &config);
    if (!judge)
        code = assay_fail(err, ASSAY_E_MEMORY, "the judge does not fit its arena");
    else
        code = assay_replay_begin(run->source, image, err);
    while (code == 0 && result->end == ASSAY_REPLAY_COMPLETE &&
           (n = assay_replay_next(run->source, run->batch, BATCH, err)) > 0) {
        note_sites(run, n);
        for (long i = 0; i < n; i++) {
            assay_judge_before(judge, &run->batch[i]);
            assay_judge_after(judge, &run->batch[i]);
        }
        result->events += (uint64_t)n;
        const struct assay_replay_options *options = run->options;
        if ((deadline_ns && now_ns() > deadline_ns) ||
            (options->progress &&
             !options->progress(options->progress_self,
                                result->taken.events + assay_replay_taken(run->source).events)))
            result->end = ASSAY_REPLAY_STOPPED;
    }
    if (code == 0 && n < 0)
        code = (int)n;
    if (code == 0) {
        struct assay_replay_taken taken = assay_replay_taken(run->source);
        result->taken.events += taken.events;
        result->taken.inherited += taken.inherited;
        if (result->end == ASSAY_REPLAY_COMPLETE) /* what was not read may yet free it */
            assay_judge_end(judge);
        for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
            result->evaluations[p] += assay_judge_evaluations(judge, p);
            result->judged[p] |= assay_judge_judges(judge, p);
        }
    }
    assay_arena_destroy(&arena);
    return code;
}

static int by_bytes(const void *a, const void *b)
{
    const struct assay_leak *x = a, *y = b;
    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

int assay_recorded_run(struct assay_replay_source *source,
                       const struct assay_replay_options *options, bool leaks,
                       struct assay_recorded_result *ret_result, struct assay_error *err)
{
    struct run run = {.source = source, .options = options, .result = ret_result};
    const struct assay_replay_image *images;
    uint64_t deadline_ns = options->max_time_ns ? now_ns() + options->max_time_ns : 0;
    int code = 0;
    memset(ret_result, 0, sizeof *ret_result);
    struct assay_replay_result *result = &ret_result->replay;
    result->findings = assay_finding_set_create(&options->profile);
    run.batch = malloc(BATCH * sizeof *run.batch);
    leaks &= !assay_replay_lossy(source); /* what is missing may have freed it */
    if (leaks)
        run.sites = calloc((size_t)assay_replay_max_object(source) + 1, sizeof *run.sites);
    if (!result->findings || !run.batch || (leaks && !run.sites))
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    assay_replay_as_recorded(source);
    size_t n = assay_replay_images(source, &images);
    for (size_t i = 0; i < n && code == 0 && result->end == ASSAY_REPLAY_COMPLETE; i++) {
        code = judge_image(&run, i, deadline_ns, err);
        result->images++;
    }
    if (code == 0 && run.out_of_memory)
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    if (ret_result->leak_count)
        qsort(ret_result->leaks, ret_result->leak_count, sizeof *ret_result->leaks, by_bytes);
    free(run.batch);
    free(run.sites);
    return code;
}

void assay_recorded_free(struct assay_recorded_result *result)
{
    assay_replay_result_free(&result->replay);
    free(result->leaks);
    result->leaks = NULL;
    result->leak_count = 0;
}
