#include "tools/finding_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oracles/compare/passes.h"
#include "oracles/compare/reproducer.h"
#include "oracles/sequential.h"
#include "tools/human.h"
#include "tools/shell.h"
#include "tools/trial.h"
#include "traces/core/printable.h"
#include "traces/text.h"
#include "traces/trace.h"

enum { OPS_MAX = 1 << 22 };

static const char *const order_names[] = {[ASSAY_ORDER_SERIAL] = "serial",
                                          [ASSAY_ORDER_PARTIAL] = "partial",
                                          [ASSAY_ORDER_TURNS] = "turns"};

static void join(char *out, const char *folder, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    ASSAY_CHECK(n > 0 && n < PATH_MAX);
}

static FILE *create(const char *folder, const char *name, struct assay_error *err)
{
    char path[PATH_MAX];
    join(path, folder, name);
    FILE *out = fopen(path, "we");
    if (!out)
        assay_fail_errno(err, "cannot create '%s'", path);
    return out;
}

static int finish(FILE *out, const char *name, struct assay_error *err)
{
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return assay_fail_errno(err, "cannot write '%s' of a finding", name);
    return 0;
}

static int write_trace(const char *folder, const struct assay_finding_record *record,
                       struct assay_error *err)
{
    char path[PATH_MAX];
    struct assay_trace_writer *writer;
    struct assay_trace_totals totals = {.threads = 1, .processes = 1};
    const struct assay_trace_meta meta = {.has = ASSAY_HAS_ORDER,
                                          .method = "fuzz",
                                          .allocator = record->subject,
                                          .build_id = record->spec->build_id};
    for (size_t i = 0; i < record->count; i++)
        if (record->ops[i].born > totals.objects)
            totals.objects = record->ops[i].born;
    join(path, folder, "program.trace");
    int code = assay_trace_create(path, &meta, NULL, &writer, err);
    if (code < 0)
        return code;
    code = assay_trace_append(writer, record->ops, record->count, err);
    if (code < 0) {
        assay_trace_abandon(writer);
        return code;
    }
    return assay_trace_close(writer, &totals, err);
}

enum { TRIALS_MOST = 2000 };

unsigned assay_finding_dir_trials(unsigned hits, unsigned trials)
{
    if (hits >= trials)
        return 1;
    return assay_trials_to_see(assay_wilson(hits, trials, 1.96).low, 0.001, TRIALS_MOST);
}

size_t assay_finding_dir_repeats(const struct assay_event *ops, size_t count)
{
    struct assay_passes passes;
    return assay_passes_find(ops, count, &passes) ? passes.count : 0;
}

/* threads: the first thread is named as well. */
static void put_ops(FILE *out, const struct assay_event *ops, size_t n, bool threads)
{
    char line[ASSAY_TEXT_EVENT_MAX];
    for (size_t i = 0; i < n; i++) {
        assay_text_format(&ops[i], line);
        int name = (int)strcspn(line, " ");
        fprintf(out, "%.*s%s%s\n", name, line, threads && ops[i].thread == 0 ? " thread=0" : "",
                line + name);
    }
}

/* Of a program that was not made as small as it can be. */
static const char *why_whole(const struct assay_finding_record *record)
{
    return record->why_whole ? record->why_whole : "there was no time for more";
}

/* For people: a pass that is repeated is told once. */
static void put_program(FILE *out, const struct assay_finding_record *record)
{
    struct assay_passes passes;
    bool repeats = assay_passes_find(record->ops, record->count, &passes);
    bool threads = false;
    for (size_t i = 0; i < record->count && !threads; i++)
        threads = record->ops[i].thread != 0;
    put_ops(out, record->ops, repeats ? passes.length : record->count, threads);
    if (repeats)
        fprintf(out, "(the same %zu times%s)\n", passes.count,
                passes.measures ? ", measured after 1, 2, 4, 8 ... times" : "");
}

static int write_text(const char *folder, const struct assay_finding_record *record,
                      struct assay_error *err)
{
    FILE *out = create(folder, "program.txt", err);
    if (!out)
        return err->code;
    fprintf(out, "%s\n", ASSAY_TEXT_MAGIC);
    put_ops(out, record->ops, record->count, false);
    return finish(out, "program.txt", err);
}

static int write_reproducer(const char *folder, const struct assay_finding_record *record,
                            const char *fingerprint, struct assay_error *err)
{
    FILE *out = create(folder, "reproducer.c", err);
    if (!out)
        return err->code;
    assay_reproducer_write(
        out, &(struct assay_reproducer){
                 .violation = &record->violation,
                 .ops = record->ops,
                 .count = record->count,
                 .subject = record->spec->name,
                 .library = record->spec->path,
                 .fingerprint = fingerprint,
                 .names = &record->spec->names,
                 .bindings = &record->spec->bindings,
                 .hits = record->hits,
                 .trials = record->trials,
                 .attempts = assay_finding_dir_trials(record->hits, record->trials),
                 .races = record->environment.preempted,
                 .ask_usable = !(record->spec->missing_apis >> ASSAY_OP_USABLE_SIZE & 1),
                 .usable_writable = record->usable_writable,
                 .max_threads = record->max_threads,
                 .seed = record->trial_seed ? record->trial_seed : ASSAY_TRIAL_SEED,
                 .missing_apis = record->spec->missing_apis});
    return finish(out, "reproducer.c", err);
}

/* The lines that can be pasted; malloc'ed. */
struct hints {
    char *reproduce, *next;
};

static void make_hints(struct hints *hints, const char *path,
                       const struct assay_finding_record *record)
{
    char source[PATH_MAX + 16], program[PATH_MAX + 16], *build, *run, *preload = NULL;
    hints->reproduce = assay_shell_line("assay", "reproduce", path, NULL);
    if (record->spec->adapter) {
        hints->next = assay_shell_line("assay", "reproduce", path, "--subject", "glibc", NULL);
        return;
    }
    snprintf(source, sizeof source, "%s/reproducer.c", path);
    snprintf(program, sizeof program, "%s/reproducer", path);
    bool threads = record->environment.preempted ||
                   record->environment.order == ASSAY_ORDER_TURNS; /* as its own head says */
    build = threads ? assay_shell_line("cc", "-pthread", "-g", source, "-o", program, NULL)
                    : assay_shell_line("cc", "-g", source, "-o", program, NULL);
    run = assay_shell_line(program, NULL);
    if (record->spec->path[0])
        preload = assay_shell_line(record->spec->path, NULL);
    int n = -1;
    if (!preload)
        n = asprintf(&hints->next, "%s && %s", build, run);
    else if (strpbrk(record->spec->path, " :$")) /* the loader would split or expand it */
        n = asprintf(&hints->next, "%s && LD_PRELOAD=/proc/self/fd/9 %s 9<%s", build, run, preload);
    else
        n = asprintf(&hints->next, "%s && LD_PRELOAD=%s %s", build, preload, run);
    ASSAY_CHECK(n > 0);
    free(build);
    free(run);
    free(preload);
}

static int write_report(const char *folder, const struct assay_finding_record *record,
                        const struct hints *hints, const char *fingerprint, struct assay_error *err)
{
    struct assay_printable said;
    FILE *out = create(folder, "report.txt", err);
    if (!out)
        return err->code;
    assay_finding_report_text(out,
                              &(struct assay_finding_report){.violation = &record->violation,
                                                             .subject = record->subject,
                                                             .circumstances = record->circumstances,
                                                             .ops = record->ops,
                                                             .count = record->count});
    if (record->said[0])
        fprintf(out, "the subject said: %s\n", assay_printable(&said, record->said));
    struct assay_interval rate = assay_wilson(record->hits, record->trials, 1.96);
    fprintf(out, "reproduced %u of %u times", record->hits, record->trials);
    if (record->hits < record->trials)
        fprintf(out, " (95 %% interval %.0f to %.0f %%)", 100 * rate.low, 100 * rate.high);
    if (record->floor > 0)
        fprintf(out, "; a smaller program was taken where it does so in %.0f %% or more",
                100 * record->floor);
    struct assay_human left, found;
    fprintf(out, "; %s left of %s",
            assay_human_ops(&left, record->count,
                            assay_finding_dir_repeats(record->ops, record->count)),
            assay_human_ops(&found, record->ops_found, record->repeats_found));
    if (!record->minimised)
        fprintf(out, " (not fully minimised: %s)", why_whole(record));
    if (record->history)
        fprintf(out, "; %llu program%s before it %s needed, and in it",
                (unsigned long long)record->history, record->history == 1 ? "" : "s",
                record->history == 1 ? "was" : "were");
    fprintf(out, "\n\nprogram:\n");
    put_program(out, record);
    fprintf(out, "\nreproduce: %s\nnext: %s\n", hints->reproduce, hints->next);
    fprintf(out, "if it is known, a line of the file of --suppressions: %s = why it is accepted\n",
            fingerprint);
    return finish(out, "report.txt", err);
}

static double thousandths(double rate)
{
    return round(rate * 1000) / 1000;
}

static int write_json(const char *folder, const struct assay_finding_record *record,
                      const struct hints *hints, struct assay_error *err)
{
    struct assay_interval rate = assay_wilson(record->hits, record->trials, 1.96);
    json_t *object = assay_finding_json(&record->violation, record->subject);
    json_t *more = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:{s:i, s:i, s:f, s:f}, s:b, s:s?, s:s}",
        "schema", "assay.finding", "reproduce", hints->reproduce, "next", hints->next, "seed",
        (json_int_t)record->seed, "program", (json_int_t)record->program, "history",
        (json_int_t)record->history, "ops", (json_int_t)record->count, "ops_found",
        (json_int_t)record->ops_found, "reproduced", "hits", (int)record->hits, "trials",
        (int)record->trials, "low", thousandths(rate.low), "high", thousandths(rate.high),
        "minimised", (int)record->minimised, "not_minimised",
        record->minimised ? NULL : why_whole(record), "guidance", record->guidance);
    if (!object || !more || json_object_update(object, more) != 0 ||
        (record->circumstances && assay_finding_report_json(object, record->circumstances) < 0)) {
        json_decref(object);
        json_decref(more);
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    }
    json_decref(more);
    if (record->floor > 0)
        json_object_set_new(json_object_get(object, "reproduced"), "floor",
                            json_real(thousandths(record->floor)));
    if (record->spec->build_id[0])
        json_object_set_new(object, "build_id", json_string(record->spec->build_id));
    if (record->directed)
        json_object_set_new(object, "directed", json_string(record->directed));
    if (record->trial_seed > 1)
        json_object_set_new(object, "trial_seed", json_integer((json_int_t)record->trial_seed));
    if (record->sought)
        json_object_set_new(object, "sought", json_true());
    const struct assay_environment *environment = &record->environment;
    if (environment->order != ASSAY_ORDER_SERIAL || environment->mapping_calls ||
        environment->twice || environment->preempted || environment->whole_content)
        json_object_set_new(object, "environment",
                            json_pack("{s:s, s:b, s:b, s:b, s:b}", "order",
                                      order_names[environment->order], "mapping_calls",
                                      environment->mapping_calls, "twice", environment->twice,
                                      "preempted", environment->preempted, "whole_content",
                                      environment->whole_content));
    FILE *out = create(folder, "finding.json", err);
    if (out) {
        json_dumpf(object, out, JSON_INDENT(2) | JSON_SORT_KEYS);
        fputc('\n', out);
    }
    json_decref(object);
    return out ? finish(out, "finding.json", err) : err->code;
}

static int copy_profile(const char *folder, const char *from, struct assay_error *err)
{
    char text[65536];
    size_t n;
    FILE *in = fopen(from, "re");
    if (!in)
        return assay_fail_errno(err, "cannot open '%s'", from);
    FILE *out = create(folder, "profile.ini", err);
    int code = out ? 0 : err->code;
    while (out && (n = fread(text, 1, sizeof text, in)) > 0)
        fwrite(text, 1, n, out);
    if (out && ferror(in))
        code = assay_fail_errno(err, "cannot read '%s'", from);
    fclose(in);
    if (out && code == 0)
        return finish(out, "profile.ini", err);
    if (out)
        fclose(out);
    return code;
}

/* A folder of plain files. */
static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

/* What a process left behind that was killed over the same finding. */
static void remove_leftovers(const char *folder, const char *fingerprint)
{
    char path[PATH_MAX];
    size_t length = strlen(fingerprint);
    DIR *all = opendir(folder);
    for (const struct dirent *entry; all && (entry = readdir(all)) != NULL;) {
        const char *name = entry->d_name;
        char *end;
        if (name[0] != '.' || strncmp(name + 1, fingerprint, length) != 0 ||
            name[1 + length] != '.')
            continue;
        long pid = strtol(name + length + 2, &end, 10);
        if (strcmp(end, ".partial") == 0 && pid > 0 && pid != getpid() &&
            kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            join(path, folder, name);
            remove_folder(path);
        }
    }
    if (all)
        closedir(all);
}

/* At every moment one of the two stands there whole. The old one's place is then `temporary`. Where
 * the file system cannot exchange, the old one steps aside, and back if the new one cannot come. */
static int put_in_place(const char *temporary, const char *path, const char *aside)
{
    if (rename(temporary, path) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -1;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        remove_folder(temporary);
        return 0;
    }
    if (rename(path, aside) != 0)
        return -1;
    if (rename(temporary, path) != 0) {
        int error = errno;
        rename(aside, path);
        errno = error;
        return -1;
    }
    remove_folder(aside);
    return 0;
}

int assay_finding_dir_write(const char *folder, const struct assay_finding_record *record,
                            char ret_path[PATH_MAX], struct assay_error *err)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES], temporary[PATH_MAX], aside[PATH_MAX];
    struct hints hints;
    int code = 0;
    assay_finding_fingerprint(&record->violation, fingerprint);
    join(ret_path, folder, fingerprint);
    int n = snprintf(temporary, sizeof temporary, "%s/.%s.%ld.partial", folder, fingerprint,
                     (long)getpid());
    ASSAY_CHECK(n > 0 && n < PATH_MAX);
    n = snprintf(aside, sizeof aside, "%s/.%s.%ld.old", folder, fingerprint, (long)getpid());
    ASSAY_CHECK(n > 0 && n < PATH_MAX);
    make_hints(&hints, ret_path, record);
    remove_leftovers(folder, fingerprint);
    remove_folder(temporary);
    if (mkdir(temporary, 0777) != 0) {
        code = assay_fail_errno(err, "cannot create '%s'", ret_path);
        goto out;
    }
    if ((code = write_trace(temporary, record, err)) < 0 ||
        (code = write_text(temporary, record, err)) < 0 ||
        (code = write_report(temporary, record, &hints, fingerprint, err)) < 0 ||
        (code = write_reproducer(temporary, record, fingerprint, err)) < 0 ||
        (record->profile_path && (code = copy_profile(temporary, record->profile_path, err)) < 0) ||
        (code = write_json(temporary, record, &hints, err)) < 0) {
        remove_folder(temporary);
        goto out;
    }
    if (put_in_place(temporary, ret_path, aside) != 0) {
        code = assay_fail_errno(err, "cannot write '%s'", ret_path);
        remove_folder(temporary);
    }
out:
    free(hints.reproduce);
    free(hints.next);
    return code;
}

/* ---- and back ---- */

static int read_environment(json_t *object, struct assay_environment *ret_environment,
                            const char *path, struct assay_error *err)
{
    json_t *environment = json_object_get(object, "environment");
    json_t *order = json_object_get(environment, "order");
    *ret_environment = (struct assay_environment){0};
    if (!environment || !order)
        return 0;
    const char *name = json_string_value(order);
    ret_environment->mapping_calls = json_is_true(json_object_get(environment, "mapping_calls"));
    ret_environment->preempted = json_is_true(json_object_get(environment, "preempted"));
    ret_environment->whole_content = json_is_true(json_object_get(environment, "whole_content"));
    ret_environment->twice = json_is_true(json_object_get(environment, "twice"));
    for (unsigned i = 0; name && i < sizeof order_names / sizeof *order_names; i++)
        if (strcmp(name, order_names[i]) == 0) {
            ret_environment->order = (enum assay_order)i;
            return 0;
        }
    return assay_fail(err, ASSAY_E_FORMAT, "'%s' has no usable 'environment'", path);
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void read_origin(const json_t *object, struct assay_finding_dir *ret_dir)
{
    const json_t *reproduced = json_object_get(object, "reproduced");
    const char *guidance = json_string_value(json_object_get(object, "guidance"));
    const char *directed = json_string_value(json_object_get(object, "directed"));
    ret_dir->hits = (unsigned)number_of(reproduced, "hits");
    ret_dir->trials = (unsigned)number_of(reproduced, "trials");
    ret_dir->seed = number_of(object, "seed");
    ret_dir->program = number_of(object, "program");
    ret_dir->history = number_of(object, "history");
    ret_dir->ops_found = (size_t)number_of(object, "ops_found");
    ret_dir->trial_seed = number_of(object, "trial_seed");
    ret_dir->sought = json_is_true(json_object_get(object, "sought"));
    snprintf(ret_dir->guidance, sizeof ret_dir->guidance, "%s", guidance ? guidance : "none");
    snprintf(ret_dir->directed, sizeof ret_dir->directed, "%s", directed ? directed : "");
}

static int read_string(json_t *object, const char *key, char *out, size_t bytes, const char *path,
                       struct assay_error *err)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text || strlen(text) >= bytes)
        return assay_fail(err, ASSAY_E_FORMAT, "'%s' has no usable '%s'", path, key);
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

static int read_program(const char *path, struct assay_finding_dir *dir, struct assay_error *err)
{
    enum { BATCH = 4096 };
    struct assay_trace_reader *reader;
    long n = 0;
    int code = assay_trace_open(path, &reader, err);
    if (code < 0)
        return code;
    do {
        struct assay_event *grown = realloc(dir->ops, (dir->count + BATCH) * sizeof *dir->ops);
        if (!grown || dir->count > OPS_MAX) {
            code = assay_fail(err, grown ? ASSAY_E_LIMIT : ASSAY_E_MEMORY,
                              "the program in '%s' is too long", path);
            free(grown ? NULL : dir->ops);
            dir->ops = grown;
            dir->count = grown ? dir->count : 0;
            break;
        }
        dir->ops = grown;
        n = assay_trace_read(reader, dir->ops + dir->count, BATCH, err);
        if (n < 0)
            code = (int)n;
        else
            dir->count += (size_t)n;
    } while (n > 0);
    for (size_t i = 0; i < dir->count && code == 0; i++)
        if (dir->ops[i].born > dir->objects)
            dir->objects = dir->ops[i].born;
    if (code == 0 && dir->objects > dir->count)
        code = assay_fail(err, ASSAY_E_FORMAT, "'%s' is not the program of a finding", path);
    assay_trace_free(reader);
    return code;
}

/* A finding that was saved by an older scheme gets the fingerprint that it has today. */
static int renew_fingerprint(const json_t *object, struct assay_finding_dir *dir, const char *file,
                             struct assay_error *err)
{
    const json_t *told = json_object_get(object, "fingerprint_scheme");
    json_int_t scheme = told ? json_integer_value(told) : 1;
    struct assay_violation known;
    char today[ASSAY_FINGERPRINT_BYTES];
    if (scheme > ASSAY_FINGERPRINT_SCHEME || scheme < 1)
        return assay_fail(err, ASSAY_E_FORMAT,
                          "'%s' has a fingerprint by scheme %lld, this assay knows up to %d", file,
                          (long long)scheme, ASSAY_FINGERPRINT_SCHEME);
    if (scheme == ASSAY_FINGERPRINT_SCHEME || !assay_finding_known(object, &known))
        return 0;
    assay_finding_fingerprint(&known, today);
    if (strcmp(today, dir->fingerprint) != 0) {
        memcpy(dir->was, dir->fingerprint, sizeof dir->was);
        memcpy(dir->fingerprint, today, sizeof dir->fingerprint);
    }
    return 0;
}

/* The names of the findings that a folder holds, some of them; "" if it holds none. */
static void list_findings(const char *path, char *ret_text, size_t room)
{
    enum { SHOWN = 4 };
    char file[PATH_MAX];
    unsigned count = 0;
    size_t used = 0;
    DIR *folder = opendir(path);
    ret_text[0] = '\0';
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' ||
            snprintf(file, sizeof file, "%s/%s/finding.json", path, entry->d_name) >= PATH_MAX ||
            access(file, R_OK) != 0 || ++count > SHOWN)
            continue;
        used += (size_t)snprintf(ret_text + used, room - used, "%s%.20s", count > 1 ? " " : "",
                                 entry->d_name);
    }
    if (count > SHOWN)
        snprintf(ret_text + used, room - used, " and %u more", count - SHOWN);
    if (folder)
        closedir(folder);
}

static bool is_run(const char *path)
{
    char file[PATH_MAX];
    join(file, path, "stats.json");
    return access(file, R_OK) == 0;
}

/* A run's folder, or the one in it that holds findings, is easily taken for one of them. */
static int no_finding(const char *path, const char *file, struct assay_error *err)
{
    char inner[PATH_MAX], above[PATH_MAX], listed[160];
    int code = assay_fail_errno(err, "'%.160s' is not a finding: cannot read '%.160s'", path, file);
    join(inner, path, "findings");
    join(above, path, "..");
    list_findings(inner, listed, sizeof listed);
    if (listed[0])
        return assay_fail(err, code, "'%.100s' is a run's folder: name a finding in '%.110s': %s",
                          path, inner, listed);
    list_findings(path, listed, sizeof listed);
    if (listed[0])
        return assay_fail(err, code, "'%.200s' holds findings: name one of its folders: %s", path,
                          listed);
    if (is_run(path) || is_run(above))
        return assay_fail(err, code,
                          "'%.200s' is of a run that has no finding; the folder of one holds "
                          "finding.json and program.trace",
                          path);
    return code;
}

int assay_finding_dir_read(const char *path, struct assay_finding_dir *ret_dir,
                           struct assay_error *err)
{
    char file[PATH_MAX];
    json_error_t json_error;
    memset(ret_dir, 0, sizeof *ret_dir);
    if (strlen(path) + 64 > PATH_MAX)
        return assay_fail(err, ASSAY_E_NOT_FOUND, "the path is too long");
    join(file, path, "finding.json");
    if (access(file, R_OK) != 0)
        return no_finding(path, file, err);
    json_t *object = json_load_file(file, 0, &json_error);
    if (!object)
        return assay_fail(err, ASSAY_E_FORMAT, "%s:%d: %s", file, json_error.line, json_error.text);
    int code = 0;
    if ((code = read_string(object, "subject", ret_dir->subject, PATH_MAX, file, err)) == 0 &&
        (code = read_string(object, "property", ret_dir->property, sizeof ret_dir->property, file,
                            err)) == 0 &&
        (code = read_string(object, "fingerprint", ret_dir->fingerprint,
                            sizeof ret_dir->fingerprint, file, err)) == 0 &&
        (code = renew_fingerprint(object, ret_dir, file, err)) == 0 &&
        (code = read_environment(object, &ret_dir->environment, file, err)) == 0) {
        read_origin(object, ret_dir);
        const char *function = json_string_value(json_object_get(object, "function"));
        snprintf(ret_dir->function, sizeof ret_dir->function, "%s", function ? function : "");
        join(ret_dir->profile_path, path, "profile.ini");
        if (access(ret_dir->profile_path, R_OK) != 0)
            ret_dir->profile_path[0] = '\0';
        join(file, path, "program.trace");
        code = read_program(file, ret_dir, err);
    }
    json_decref(object);
    if (code < 0)
        assay_finding_dir_free(ret_dir);
    return code;
}

bool assay_finding_dir_shows(const struct assay_finding_dir *dir,
                             const struct assay_violation *violation)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    struct assay_violation renamed = *violation;
    assay_finding_fingerprint(violation, fingerprint);
    if (strcmp(fingerprint, dir->fingerprint) == 0)
        return true;
    bool crash =
        violation->relation == ASSAY_RELATION_CRASH || violation->relation == ASSAY_RELATION_ABORT;
    if (!crash || (dir->function[0] && violation->function[0]))
        return false;
    memcpy(renamed.function, dir->function, sizeof renamed.function);
    assay_finding_fingerprint(&renamed, fingerprint);
    return strcmp(fingerprint, dir->fingerprint) == 0;
}

void assay_finding_dir_free(struct assay_finding_dir *dir)
{
    free(dir->ops);
    dir->ops = NULL;
    dir->count = 0;
}
