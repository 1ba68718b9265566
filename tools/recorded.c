#include "tools/recorded.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "traces/core/clock.h"

enum { BATCH = 4096 };

/* Leaks by call site, while they are counted. */
struct place {
    struct assay_leak leak;
    UT_hash_handle hh;
};

struct run {
    struct assay_replay_source *source;
    const struct assay_replay_options *options;
    struct assay_recorded_result *result;
    struct assay_event *batch;
    uint32_t *sites; /* of each object's birth, for leaks; NULL = not asked */
    struct place *places;
    bool out_of_memory;
};

static void add_leak(struct run *run, uint32_t site, uint64_t bytes)
{
    struct place *place;
    HASH_FIND(hh, run->places, &site, sizeof site, place);
    if (!place) {
        place = calloc(1, sizeof *place);
        if (!place) {
            run->out_of_memory = true;
            return;
        }
        place->leak.site = site;
        HASH_ADD(hh, run->places, leak.site, sizeof place->leak.site, place);
    }
    place->leak.objects++;
    place->leak.bytes += bytes;
}

/* What the loader allocates for a thread is the C library's to keep. */
static bool is_loaders(const struct run *run, uint32_t site)
{
    const struct assay_trace_site *place = assay_replay_site(run->source, site);
    const char *name = place && place->module ? strrchr(place->module, '/') : NULL;
    return name && (strncmp(name, "/ld-linux", 9) == 0 || strncmp(name, "/ld-musl", 8) == 0);
}

static void on_violation(void *self, const struct assay_violation *violation)
{
    struct run *run = self;
    bool first;
    if (violation->property == ASSAY_PROPERTY_T05 && run->sites) {
        uint32_t site = run->sites[violation->object];
        if (is_loaders(run, site))
            return;
        add_leak(run, site, violation->event.size);
    }
    if (!assay_finding_set_add(run->result->replay.findings, violation, &first))
        run->out_of_memory = true;
}

static struct assay_judge_config judging(struct run *run)
{
    const struct assay_replay_source *source = run->source;
    uint64_t has = assay_replay_meta(source)->has;
    if (assay_replay_has_access(source))
        has |= ASSAY_HAS_ACCESS;
    if (assay_replay_totals(source)->dropped > 0)
        has &= ~(uint64_t)ASSAY_HAS_ORDER; /* who lived when is not known any more */
    return (struct assay_judge_config){.has = has,
                                       .max_objects = assay_replay_max_object(source),
                                       .profile = run->options->profile,
                                       .legal = true,
                                       .program = true,
                                       .leaks = run->sites && !assay_replay_lossy(source),
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
        if ((deadline_ns && assay_now_ns() > deadline_ns) ||
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

/* Moves the places into the result, and frees them. */
static void list_leaks(struct run *run)
{
    struct assay_recorded_result *result = run->result;
    struct place *place, *next;
    size_t n = HASH_COUNT(run->places);
    result->leaks = n ? calloc(n, sizeof *result->leaks) : NULL;
    if (n && !result->leaks)
        run->out_of_memory = true;
    HASH_ITER(hh, run->places, place, next)
    {
        if (result->leaks)
            result->leaks[result->leak_count++] = place->leak;
        HASH_DEL(run->places, place);
        free(place);
    }
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
    uint64_t deadline_ns = options->max_time_ns ? assay_now_ns() + options->max_time_ns : 0;
    int code = 0;
    memset(ret_result, 0, sizeof *ret_result);
    if (!(assay_replay_meta(source)->has & ASSAY_HAS_ADDRESS))
        return assay_fail(err, ASSAY_E_FORMAT,
                          "the trace has no addresses, so there is nothing to judge in it; capture "
                          "it without --no-addresses");
    struct assay_replay_result *result = &ret_result->replay;
    result->findings = assay_finding_set_create(&options->profile);
    run.batch = malloc(BATCH * sizeof *run.batch);
    leaks &= !assay_replay_lossy(source); /* what is missing may have freed it */
    if (leaks)
        run.sites = calloc((size_t)assay_replay_max_object(source) + 1, sizeof *run.sites);
    if (!result->findings || !run.batch || (leaks && !run.sites))
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    if (result->findings)
        assay_finding_set_suppress(result->findings, options->suppressions, options->subject_name);
    assay_replay_as_recorded(source);
    size_t n = assay_replay_images(source, &images);
    for (size_t i = 0; i < n && code == 0 && result->end == ASSAY_REPLAY_COMPLETE; i++) {
        code = judge_image(&run, i, deadline_ns, err);
        result->images++;
    }
    list_leaks(&run);
    if (result->end != ASSAY_REPLAY_COMPLETE) /* what was not read may yet free it */
        result->judged[ASSAY_PROPERTY_T05] = false;
    if (code == 0 && run.out_of_memory)
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    if (ret_result->leaks)
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
