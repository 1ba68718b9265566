#include "tools/fuzz_results.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/directed.h"
#include "tools/human.h"
#include "tools/shell.h"
#include "traces/core/clock.h"
#include "traces/core/printable.h"

void assay_fuzz_take_totals(const struct assay_fuzz_state *state,
                            struct assay_fuzz_totals *ret_totals)
{
    struct assay_fuzz_totals *totals = ret_totals;
    memset(totals, 0, sizeof *totals);
    totals->programs = atomic_load(&state->programs);
    totals->calls = atomic_load(&state->calls);
    totals->findings = assay_finding_set_new(state->findings);
    totals->suppressed = assay_finding_set_suppressed(state->findings);
    totals->accepted =
        assay_finding_set_count(state->findings) - totals->findings - totals->suppressed;
    totals->first_finding_s = state->first_finding_s;
    totals->seconds = (double)(assay_now_ns() - state->start_ns) / 1e9;
    memcpy(totals->evaluations, state->evaluations, sizeof totals->evaluations);
    memcpy(totals->judged, state->judged, sizeof totals->judged);
}

static void leave(struct assay_fuzz_totals *totals, unsigned property, const char *why)
{
    if (totals->judged[property])
        totals->why[property] = why;
    totals->judged[property] = false;
}

void assay_fuzz_leave_out(const struct assay_fuzz_config *config, struct assay_fuzz_totals *totals)
{
    static const uint64_t aligning =
        UINT64_C(1) << ASSAY_OP_ALIGNED_ALLOC | UINT64_C(1) << ASSAY_OP_POSIX_MEMALIGN |
        UINT64_C(1) << ASSAY_OP_MEMALIGN | UINT64_C(1) << ASSAY_OP_VALLOC |
        UINT64_C(1) << ASSAY_OP_PVALLOC;
    static const uint64_t resizing = UINT64_C(1) << ASSAY_OP_REALLOC | UINT64_C(1)
                                                                           << ASSAY_OP_REALLOCARRAY;
    static const enum assay_property directed[] = {ASSAY_PROPERTY_C31, ASSAY_PROPERTY_C32,
                                                   ASSAY_PROPERTY_C33, ASSAY_PROPERTY_C36};
    if (!config->limits.misuse)
        leave(totals, ASSAY_PROPERTY_S01, "no misuse was injected (--misuse)");
    if (config->profile.usable_writable != ASSAY_ANSWER_YES)
        leave(totals, ASSAY_PROPERTY_C09, "the profile does not promise it");
    if ((config->limits.missing_apis & aligning) == aligning)
        leave(totals, ASSAY_PROPERTY_C16, "the subject has no aligned object to resize");
    if ((config->limits.missing_apis & resizing) == resizing)
        leave(totals, ASSAY_PROPERTY_C13, "the subject has no realloc"); /* births touch it too */
    for (size_t i = 0; i < sizeof directed / sizeof *directed; i++) {
        unsigned p = directed[i];
        if (totals->evaluations[p] > 0)
            continue;
        /* without them a stream has no such facts; C36 is a promise */
        totals->judged[p] |= p != ASSAY_PROPERTY_C36;
        leave(totals, p,
              config->directed ? "no directed program came to it"
                               : "only directed programs come to it");
    }
    bool some = config->mode == ASSAY_GENERATE_MIX || !config->random;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT && some; p++)
        if (totals->evaluations[p] == 0)
            leave(totals, p,
                  config->random ? "the mix has no such call" : "no directed program came to it");
}

unsigned assay_fuzz_idle(const struct assay_fuzz_totals *totals)
{
    unsigned idle = 0;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        idle += totals->judged[p] && totals->evaluations[p] == 0;
    return idle;
}

/* Rows that judge a recorded program, not what the fuzzer makes up. */
static bool of_program(unsigned property)
{
    return assay_property_info(property)->severity == ASSAY_SEVERITY_PROGRAM;
}

static size_t not_reached_count(const struct assay_fuzz_state *state)
{
    size_t count = 0;
    for (size_t i = 0; i < state->directed_count && state->config->directed; i++)
        count += !state->directed[i].done;
    return count;
}

/* Not judged, and one of the directed programs that were not reached may come to it. */
static bool unjudged_for_time(const struct assay_fuzz_state *state,
                              const struct assay_fuzz_totals *totals, unsigned property)
{
    enum { SPECIAL = ASSAY_HAS_CONTEXT | ASSAY_HAS_THREAD | ASSAY_HAS_RESOURCES };
    const struct assay_profile *profile = &state->config->profile;
    if (totals->judged[property] || of_program(property) ||
        (property == ASSAY_PROPERTY_C36 && profile->deterministic != ASSAY_ANSWER_YES))
        return false;
    return (assay_property_info(property)->needs & SPECIAL) && not_reached_count(state) > 0;
}

static json_t *unjudged_array(const struct assay_fuzz_state *state,
                              const struct assay_fuzz_totals *totals)
{
    json_t *ids = json_array();
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (unjudged_for_time(state, totals, p))
            json_array_append_new(ids, json_string(assay_property_info(p)->id));
    return ids;
}

/* How many directed programs were run, which could not be, which had no time, and which properties
 * are not judged for that. */
static json_t *directed_object(const struct assay_fuzz_state *state,
                               const struct assay_fuzz_totals *totals)
{
    const struct assay_directed_info *rows;
    json_t *not_run = json_array(), *not_reached = json_array(), *seconds = json_object();
    size_t count = state->config->directed ? assay_directed_list(&rows) : 0, run = 0;
    for (size_t i = 0; i < count; i++) {
        const struct assay_fuzz_directed_state *one = &state->directed[i];
        run += one->done && !one->why_not[0];
        if (one->spent_ns)
            json_object_set_new(seconds, rows[i].name, json_real((double)one->spent_ns * 1e-9));
        if (!one->done)
            json_array_append_new(not_reached, json_string(rows[i].name));
        if (one->why_not[0])
            json_array_append_new(not_run, json_pack("{s:s, s:o}", "name", rows[i].name, "why",
                                                     assay_emit_string(one->why_not)));
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "run", (json_int_t)run, "of",
                     (json_int_t)count, "not_run", not_run, "not_reached", not_reached, "unjudged",
                     unjudged_array(state, totals), "seconds", seconds);
}

/* Of the suspicions that did not come back, the first ones. */
static json_t *doubts_array(const struct assay_fuzz_state *state)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < state->doubt_count; i++)
        json_array_append_new(rows, json_pack("{s:o, s:o}", "where",
                                              assay_emit_string(state->doubts[i].where), "what",
                                              assay_emit_string(state->doubts[i].what)));
    return rows;
}

/* Processor time of the children that have ended: what executed and judged. */
static double children_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

json_t *assay_fuzz_stats(const struct assay_fuzz_state *state,
                         const struct assay_fuzz_totals *totals)
{
    const struct assay_fuzz_config *config = state->config;
    json_t *evaluations = json_object(), *judged = json_array(), *not_judged = json_array();
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        const char *id = assay_property_info(p)->id;
        if (of_program(p))
            continue;
        json_array_append_new(totals->judged[p] ? judged : not_judged, json_string(id));
        if (totals->judged[p])
            json_object_set_new(evaluations, id, json_integer((json_int_t)totals->evaluations[p]));
    }
    double seconds = totals->seconds > 0 ? totals->seconds : 1e-9;
    json_t *object = json_pack(
        "{s:I, s:I, s:f, s:f, s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:s, s:s, s:I, s:i, s:f, s:f}",
        "execs_done", (json_int_t)totals->programs, "ops_done", (json_int_t)totals->calls,
        "execs_per_sec", (double)totals->programs / seconds, "ops_per_sec",
        (double)totals->calls / seconds, "findings", (json_int_t)totals->findings,
        "first_finding_s",
        totals->first_finding_s < 0 ? json_null() : json_real(totals->first_finding_s), "accepted",
        (json_int_t)totals->accepted, "suppressed", (json_int_t)totals->suppressed, "evaluations",
        evaluations, "judged", judged, "not_judged", not_judged, "subject", config->subject,
        "guidance", config->guidance, "seed", (json_int_t)config->seed, "jobs", (int)config->jobs,
        "seconds", totals->seconds, "children_cpu_s", children_cpu_s());
    ASSAY_CHECK(object);
    json_object_set_new(object, "directed", directed_object(state, totals));
    json_object_set_new(object, "unconfirmed",
                        json_integer((json_int_t)atomic_load(&state->unconfirmed)));
    json_object_set_new(object, "doubts", doubts_array(state));
    json_object_set_new(object, "wrote_to_stderr",
                        state->wrote ? json_pack("{s:i, s:o}", "processes", (int)state->wrote,
                                                 "first", assay_emit_string(state->first_wrote))
                                     : json_null());
    json_object_set_new(object, "out_of_memory",
                        json_integer((json_int_t)atomic_load(&state->out_of_memory)));
    json_object_set_new(object, "ended_early",
                        json_integer((json_int_t)atomic_load(&state->ended_early)));
    json_object_set_new(object, "mapping_calls_by_name",
                        json_boolean(atomic_load(&state->mapping_by_name)));
    json_object_set_new(object, "races_stepped", json_boolean(atomic_load(&state->stepped)));
    json_object_set_new(object, "races_trapped",
                        json_integer((json_int_t)atomic_load(&state->races_trapped)));
    json_object_set_new(object, "hangs_dropped",
                        json_integer((json_int_t)atomic_load(&state->hangs)));
    return object;
}

int assay_fuzz_write_stats(const char *out, json_t *object, struct assay_error *err)
{
    char path[PATH_MAX], partial[PATH_MAX];
    json_t *whole = json_pack("{s:s}", "schema", "assay.fuzz");
    ASSAY_CHECK(whole && json_object_update(whole, object) == 0);
    snprintf(path, sizeof path, "%s/stats.json", out);
    snprintf(partial, sizeof partial, "%s/.stats.json.partial", out);
    FILE *file = fopen(partial, "we");
    bool failed =
        !file ||
        json_dumpf(whole, file, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6)) != 0;
    if (file) {
        failed |= fputc('\n', file) == EOF;
        failed |= fclose(file) != 0;
    }
    json_decref(whole);
    if (failed || rename(partial, path) != 0) {
        int code = assay_fail_errno(err, "cannot write '%s'", path);
        unlink(partial);
        return code;
    }
    return 0;
}

static void print_hints(FILE *out, const char *folder)
{
    char report[PATH_MAX + 96];
    snprintf(report, sizeof report, "%s/report.txt", folder);
    char *reproduce = assay_shell_line("assay", "reproduce", folder, NULL);
    char *next = assay_shell_line("less", report, NULL);
    fprintf(out, "reproduce: %s\nnext: %s\n", reproduce, next);
    free(reproduce);
    free(next);
}

/* "812 ops -> 7 ops in 3.0 s" */
static void print_minimising(FILE *out, const struct assay_fuzz_state *state, const char *folder)
{
    struct assay_human a, b;
    for (size_t i = 0; i < state->written_count; i++)
        if (strcmp(state->written[i], folder) == 0)
            fprintf(out, "%s: %s -> %s in %.1f s\n",
                    state->written_minimal[i] ? "minimised" : "not fully minimised",
                    assay_human_ops(&a, state->written_ops[i][0], state->written_repeats[i][0]),
                    assay_human_ops(&b, state->written_ops[i][1], state->written_repeats[i][1]),
                    state->written_seconds[i]);
}

static void print_findings(FILE *out, const struct assay_fuzz_state *state)
{
    struct assay_printable reason;
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        char line[512], folder[PATH_MAX + 64];
        assay_finding_line(line, sizeof line, &finding->violation);
        if (finding->accepted) {
            fprintf(out, "%s (%s): %s\n",
                    finding->suppressed ? "suppressed" : "listed by the profile",
                    assay_printable(&reason, finding->accepted), line);
            continue;
        }
        fprintf(out, "finding: %s\n", line);
        snprintf(folder, sizeof folder, "%s/%s", state->config->findings_folder,
                 finding->fingerprint);
        print_minimising(out, state, folder);
        if (access(folder, R_OK) == 0)
            print_hints(out, folder);
    }
}

static void print_directed(FILE *out, const struct assay_fuzz_totals *totals,
                           const struct assay_fuzz_state *state)
{
    enum { LATE_SHOWN = 12 };
    json_t *directed = directed_object(state, totals), *row;
    struct assay_printable name, why;
    size_t i;
    if (state->config->directed)
        fprintf(out, "directed programs: %d of %d\n",
                (int)json_integer_value(json_object_get(directed, "run")),
                (int)json_integer_value(json_object_get(directed, "of")));
    json_array_foreach(json_object_get(directed, "not_run"), i, row)
        fprintf(out, "not run: %s: %s\n",
                assay_printable(&name, json_string_value(json_object_get(row, "name"))),
                assay_printable(&why, json_string_value(json_object_get(row, "why"))));
    const json_t *late = json_object_get(directed, "not_reached");
    size_t n = json_array_size(late);
    if (n > 0)
        fprintf(out, "not reached before the end:");
    for (i = 0; i < n && i < LATE_SHOWN; i++)
        fprintf(out, " %s", json_string_value(json_array_get(late, i)));
    if (n > LATE_SHOWN)
        fprintf(out, " and %zu more, named in stats.json", n - LATE_SHOWN);
    if (n > 0)
        fputc('\n', out);
    json_decref(directed);
}

void assay_fuzz_print_summary(FILE *out, const struct assay_fuzz_totals *totals,
                              const struct assay_fuzz_state *state)
{
    struct assay_human a, b, c, d, e;
    struct assay_printable subject, where, what;
    double seconds = totals->seconds > 0 ? totals->seconds : 1e-9;
    print_findings(out, state);
    fprintf(out, "\n%s: %s (%s/s), %s (%s/s) in %s, seed %" PRIu64 "\n",
            assay_printable(&subject, state->config->subject),
            assay_human_of(&a, totals->programs, "program", "programs"),
            assay_human_rate(&b, (double)totals->programs / seconds),
            assay_human_of(&c, totals->calls, "judged call", "judged calls"),
            assay_human_rate(&d, (double)totals->calls / seconds),
            assay_human_duration(&e, (uint64_t)(totals->seconds * 1e9)), state->config->seed);
    print_directed(out, totals, state);
    fprintf(out, "evaluations:");
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (totals->judged[p])
            fprintf(out, " %s %s", assay_property_info(p)->id,
                    assay_human_count(&a, totals->evaluations[p]));
    fprintf(out, "\n");
    if (assay_fuzz_idle(totals) > 0) {
        fprintf(out, "NEVER EVALUATED:");
        for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
            if (totals->judged[p] && totals->evaluations[p] == 0)
                fprintf(out, " %s", assay_property_info(p)->id);
        fprintf(out, ": nothing can be said of %s; run longer (%s)\n",
                assay_fuzz_idle(totals) == 1 ? "it" : "them",
                state->config->max_runs ? "--runs" : "--max-time");
    }
    fprintf(out, "not judged:");
    bool all = true;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (!totals->judged[p] && !of_program(p)) {
            fprintf(out, " %s", assay_property_info(p)->id);
            all = false;
        }
    fprintf(out, "%s\n", all ? " none" : "");
    if (atomic_load(&state->unconfirmed))
        fprintf(out, "%s did not come back in a fresh child\n",
                assay_human_of(&a, atomic_load(&state->unconfirmed), "suspicion", "suspicions"));
    for (size_t i = 0; i < state->doubt_count; i++)
        fprintf(out, "suspected: %s: %s\n", assay_printable(&where, state->doubts[i].where),
                assay_printable(&what, state->doubts[i].what));
    if (state->wrote)
        fprintf(out, "the subject wrote to standard error in legal programs, in %s: '%s'\n",
                assay_human_of(&a, state->wrote, "process", "processes"),
                assay_printable(&what, state->first_wrote));
    if (state->folded_count)
        fprintf(out,
                "%s more showed only where usable bytes are written, as a finding says that they "
                "may not be\n",
                assay_human_of(&a, state->folded_count, "kind", "kinds"));
    if (atomic_load(&state->unfrozen))
        fprintf(out,
                "randomness was not frozen: findings may need several runs; 'assay doctor' says "
                "why\n");
    if (atomic_load(&state->mapping_by_name))
        fprintf(out, "mapping calls failed only where they were made by name, not in the C library "
                     "itself; 'assay doctor' says why\n");
    if (atomic_load(&state->stepped))
        fprintf(out, "a thread of the subject blocks SIGTRAP, so breakpoints end its process: "
                     "threads that call at the same time were interrupted by single steps alone\n");
    if (atomic_load(&state->races_trapped))
        fprintf(out, "a thread of the subject blocks SIGTRAP: %s of such threads ended of that%s\n",
                assay_human_of(&a, atomic_load(&state->races_trapped), "program", "programs"),
                atomic_load(&state->races_tried) ? "" : ", so no race was looked for");
    if (atomic_load(&state->out_of_memory))
        fprintf(
            out, "%s ended at the memory limit and replaced\n",
            assay_human_of(&a, atomic_load(&state->out_of_memory), "child was", "children were"));
    if (atomic_load(&state->ended_early))
        fprintf(out, "%s ended with the process before all was tried, for no finding\n",
                assay_human_of(&a, atomic_load(&state->ended_early), "directed program",
                               "directed programs"));
    if (atomic_load(&state->hangs))
        fprintf(out, "%s more, in calls that had been seen to hang: not looked into\n",
                assay_human_of(&a, atomic_load(&state->hangs), "hang", "hangs"));
    if (state->config->corpus_folder)
        fprintf(out, "%s seen, %s kept in '%s'\n",
                assay_human_of(&a, atomic_load(&state->features), "feature", "features"),
                assay_human_of(&b, atomic_load(&state->kept), "program", "programs"),
                assay_printable(&subject, state->config->corpus_folder));
}

/* What reaches the whole list, by what those took that were run; the last are the longest. */
static void print_what_reaches_all(FILE *out, const struct assay_fuzz_state *state)
{
    enum { LIST_S = 20, STEP_S = 30, RANDOM_PER_DIRECTED = 4 };
    const struct assay_fuzz_config *config = state->config;
    size_t run = state->directed_count - not_reached_count(state);
    double seconds = 0;
    if (config->interrupted && *config->interrupted)
        return;
    if (config->max_runs && !config->max_time_ns) {
        fprintf(out, "; --runs %zu reaches all", state->directed_count * RANDOM_PER_DIRECTED);
        return;
    }
    for (size_t i = 0; i < state->directed_count; i++)
        seconds += (double)state->directed[i].spent_ns * 1e-9;
    if (run > 0)
        seconds *= (double)state->directed_count / (double)run;
    if (seconds < LIST_S)
        seconds = LIST_S;
    if (config->random)
        seconds *= 1.5; /* they get two thirds */
    unsigned steps = 1 + (unsigned)(seconds / STEP_S);
    while ((uint64_t)steps * STEP_S * 1000000000 <= config->max_time_ns)
        steps++;
    fprintf(out, "; --max-time %us should reach all", steps * STEP_S);
}

void assay_fuzz_print_verdict(FILE *out, const struct assay_fuzz_totals *totals,
                              const struct assay_fuzz_state *state)
{
    struct assay_human count;
    size_t late = not_reached_count(state);
    fprintf(out, "%s", assay_human_of(&count, totals->findings, "finding", "findings"));
    if (totals->first_finding_s >= 0)
        fprintf(out, ", the first after %.2f s", totals->first_finding_s);
    if (late > 0) {
        bool some = false;
        fprintf(out, "%s %zu of %zu directed programs %s not reached",
                totals->findings ? ";" : ", but", late, state->directed_count,
                late == 1 ? "was" : "were");
        for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
            if (unjudged_for_time(state, totals, p)) {
                fprintf(out, "%s%s", some ? " " : ": ", assay_property_info(p)->id);
                some = true;
            }
        fprintf(out, "%s", some ? " not judged" : "");
        print_what_reaches_all(out, state);
    }
    fputc('\n', out);
}

void assay_fuzz_emit_findings(struct assay_emit *emit, const struct assay_fuzz_state *state)
{
    for (size_t i = 0; i < state->written_count && emit->json; i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s/finding.json", state->written[i]);
        json_t *object = json_load_file(path, 0, NULL);
        if (json_is_object(object))
            assay_emit_object(emit, "assay.finding", object);
        else
            json_decref(object);
    }
}

static void collect_doubts(struct assay_output_run *run, const struct assay_fuzz_state *state)
{
    char text[400];
    uint64_t all = atomic_load(&state->unconfirmed);
    for (size_t i = 0; i < state->doubt_count; i++) {
        snprintf(text, sizeof text, "suspected: %s: %s, which did not come back in a fresh child",
                 state->doubts[i].where, state->doubts[i].what);
        assay_output_doubt(run, state->doubts[i].property, text);
    }
    if (all > state->doubt_count) {
        struct assay_human more;
        snprintf(text, sizeof text, "%s more did not come back in a fresh child",
                 assay_human_of(&more, all - state->doubt_count, "suspicion", "suspicions"));
        assay_output_doubt(run, ASSAY_PROPERTY_NONE, text);
    }
}

void assay_fuzz_collect(struct assay_output_run *run, const struct assay_fuzz_state *state)
{
    collect_doubts(run, state);
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s/finding.json", state->config->findings_folder,
                 finding->fingerprint);
        json_t *object = finding->accepted ? NULL : json_load_file(path, 0, NULL);
        bool folder = json_is_object(object);
        if (!folder) {
            json_decref(object);
            object = assay_finding_json(&finding->violation, state->config->subject);
            ASSAY_CHECK(object);
        }
        if (finding->accepted)
            json_object_set_new(object, finding->suppressed ? "suppressed" : "accepted",
                                assay_emit_string(finding->accepted));
        json_object_set_new(object, "count", json_integer((json_int_t)finding->count));
        snprintf(path, sizeof path, folder ? "%s/%s/reproducer.c" : "%s/../stats.json",
                 state->config->findings_folder, finding->fingerprint);
        assay_output_add(run, object, path);
    }
}
