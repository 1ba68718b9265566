/* assay-runner: the executor and the judge, put together. Started by assay with a subject
 * preloaded. */
#include <string.h>

#include "tools/judge_blob.h"
#include "traces/runner/runner.h"

static struct assay_judge *judge;
static struct assay_judge_report *report;

static void keep(void *self, const struct assay_violation *violation)
{
    (void)self;
    uint32_t stored = atomic_load(&report->stored);
    for (uint32_t i = 0; i < stored && i < ASSAY_REPORT_VIOLATIONS; i++)
        if (assay_violation_same(&report->violation[i], violation))
            return;
    if (stored >= ASSAY_REPORT_VIOLATIONS)
        return;
    report->violation[stored] = *violation;
    report->program[stored] = atomic_load(&report->programs);
    atomic_store(&report->stored, stored + 1);
}

static bool read_blob(const void *bytes, size_t n, const struct assay_executor_config *executor,
                      struct assay_judge_config *ret_config)
{
    struct assay_judge_blob blob;
    if (n != sizeof blob)
        return false;
    memcpy(&blob, bytes, sizeof blob);
    *ret_config =
        assay_judge_blob_config(&blob, executor, assay_executor_missing(executor->subject));
    ret_config->report = keep;
    return true;
}

static size_t judge_bytes(const void *blob, size_t blob_bytes,
                          const struct assay_executor_config *executor)
{
    struct assay_judge_config config;
    return read_blob(blob, blob_bytes, executor, &config) ? assay_judge_bytes(&config) + 4096 : 0;
}

static void publish(void)
{
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        report->evaluations[p] = assay_judge_evaluations(judge, p);
        report->violations[p] = assay_judge_violations(judge, p);
        report->judged[p] = assay_judge_judges(judge, p);
    }
    atomic_store(&report->calls, assay_judge_calls(judge));
}

static int create(struct assay_arena *arena, const void *blob, size_t blob_bytes,
                  void *report_bytes, size_t report_size,
                  const struct assay_executor_config *executor, struct assay_sink *ret_sink,
                  struct assay_error *err)
{
    struct assay_judge_config config;
    if (!read_blob(blob, blob_bytes, executor, &config) || report_size < sizeof *report)
        return assay_fail(err, ASSAY_E_VERSION, "runner and host disagree about the judge");
    report = report_bytes;
    judge = assay_judge_create(arena, &config);
    if (!judge)
        return assay_fail(err, ASSAY_E_MEMORY, "the judge does not fit its arena");
    *ret_sink = assay_judge_sink(judge);
    publish();
    return 0;
}

static void crash(int signal)
{
    assay_judge_crash(judge, signal);
    publish();
}

static void reset(void)
{
    assay_judge_reset(judge);
    atomic_fetch_add(&report->programs, 1);
}

int main(int argc, char **argv)
{
    static const struct assay_runner_judge hooks = {
        .bytes = judge_bytes, .create = create, .crash = crash, .reset = reset, .publish = publish};
    return assay_runner_main(argc, argv, &hooks);
}
