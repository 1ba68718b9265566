#include "tools/selftest.h"

#include <ftw.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/fuzz.h"
#include "tools/matrix.h"
#include "tools/named_subject.h"
#include "traces/core/clock.h"

enum {
    POLL_NS = 20 * 1000 * 1000,
    CROWDED = 20, /* times the CPU time that it may take by the clock */
    GRACE_S = 60  /* and beyond: a suspicion that came last is still confirmed */
};

/* ---- which subjects, and what is expected of them ---------------------------------------------
 */

static int add(struct assay_selftest_list *list, const struct assay_selftest_subject *subject,
               struct assay_error *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct assay_selftest_subject *subjects =
            realloc(list->subjects, capacity * sizeof *subjects);
        if (!subjects)
            return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
        list->subjects = subjects;
        list->capacity = capacity;
    }
    list->subjects[list->count++] = *subject;
    return 0;
}

void assay_selftest_list_free(struct assay_selftest_list *list)
{
    free(list->subjects);
    *list = (struct assay_selftest_list){0};
}

struct expectation {
    struct assay_selftest_subject *subject;
    bool named; /* property was */
    char problem[128];
};

static int take_properties(struct expectation *expectation, const char *value)
{
    char words[128], *rest = words, *word;
    snprintf(words, sizeof words, "%s", value);
    expectation->named = true;
    if (strcmp(value, "none") == 0)
        return 1;
    while ((word = strtok_r(rest, " ", &rest)) != NULL) {
        unsigned property = (unsigned)assay_property_by_id(word);
        if (property == ASSAY_PROPERTY_NONE) {
            snprintf(expectation->problem, sizeof expectation->problem, "unknown property '%.32s'",
                     word);
            return 0;
        }
        if (expectation->subject->first_expected == 0)
            expectation->subject->first_expected = (uint16_t)property;
        expectation->subject->expected[property] = true;
    }
    return 1;
}

/* For the tests of the zoo alone. */
static bool is_for_tests(const char *name)
{
    return strcmp(name, "op") == 0 || strcmp(name, "effect") == 0 || strcmp(name, "most_ops") == 0;
}

static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct expectation *expectation = user;
    if (strcmp(section, "expect") != 0 || is_for_tests(name))
        return 1;
    if (strcmp(name, "property") == 0)
        return take_properties(expectation, value);
    if (strcmp(name, "survives") == 0) {
        snprintf(expectation->subject->survives, sizeof expectation->subject->survives, "%s",
                 value);
        return 1;
    }
    if (strcmp(name, "guidance") == 0 && strcmp(value, "features") == 0)
        return expectation->subject->guided = true;
    if (strcmp(name, "seconds") == 0)
        return (expectation->subject->seconds = (unsigned)strtoul(value, NULL, 10)) > 0;
    snprintf(expectation->problem, sizeof expectation->problem, "unknown key '%.32s' in [expect]",
             name);
    return 0;
}

static int read_expectation(struct assay_selftest_subject *subject, struct assay_error *err)
{
    struct expectation expectation = {.subject = subject};
    int line = ini_parse(subject->profile, take_line, &expectation);
    if (line < 0)
        return assay_fail_errno(err, "cannot open '%s'", subject->profile);
    if (line > 0)
        return assay_fail(err, ASSAY_E_FORMAT, "%s:%d: %s", subject->profile, line,
                          expectation.problem[0] ? expectation.problem : "not 'key = value'");
    if (!expectation.named)
        return assay_fail(err, ASSAY_E_FORMAT, "%s: [expect] names no property", subject->profile);
    return 0;
}

static int add_from_folder(struct assay_selftest_list *list, const char *folder, const char *group,
                           const char *name, struct assay_error *err)
{
    struct assay_selftest_subject subject = {0};
    int a = snprintf(subject.path, sizeof subject.path, "%s/lib%s.so", folder, name);
    int b = snprintf(subject.profile, sizeof subject.profile, "%s/%s.ini", folder, name);
    int c = snprintf(subject.name, sizeof subject.name, "%s", name);
    snprintf(subject.group, sizeof subject.group, "%s", group);
    if (a < 0 || b < 0 || c < 0 || (size_t)a >= sizeof subject.path ||
        (size_t)b >= sizeof subject.profile || (size_t)c >= sizeof subject.name)
        return assay_fail(err, ASSAY_E_LIMIT, "the name of '%s' is too long", name);
    if (access(subject.path, R_OK) != 0)
        return assay_fail(err, ASSAY_E_NOT_FOUND, "'%s' is not there, but its .ini is",
                          subject.path);
    int code = read_expectation(&subject, err);
    return code < 0 ? code : add(list, &subject, err);
}

static int is_ini(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".ini") == 0;
}

int assay_selftest_scan(struct assay_selftest_list *list, const char *folder, const char *group,
                        struct assay_error *err)
{
    struct dirent **entries = NULL;
    int code = 0, count = scandir(folder, &entries, is_ini, alphasort);
    if (count < 0)
        return errno == ENOENT ? 0 : assay_fail_errno(err, "cannot read the folder '%s'", folder);
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - 4] = '\0';
        if (code == 0)
            code = add_from_folder(list, folder, group, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return code;
}

int assay_selftest_add_correct(struct assay_selftest_list *list, const char *name,
                               struct assay_error *err)
{
    struct assay_selftest_subject subject = {.group = "allocators"};
    snprintf(subject.name, sizeof subject.name, "%s", name);
    snprintf(subject.path, sizeof subject.path, "%s", name);
    return add(list, &subject, err);
}

/* ---- one subject, in its own process ----------------------------------------------------------
 */

/* In memory that a subject's process and its parent share. */
struct place {
    struct assay_selftest_result result;
    volatile sig_atomic_t stop; /* set by the parent */
    bool out_of_time;           /* that is why */
};

static void take_result(const struct assay_fuzz_state *state, struct assay_selftest_result *result)
{
    result->unconfirmed = atomic_load(&state->unconfirmed);
    result->programs = atomic_load(&state->programs);
    result->calls = atomic_load(&state->calls);
    result->err = state->err;
    result->directed = state->directed_count;
    for (size_t i = 0; i < state->directed_count; i++)
        result->unreached += !state->directed[i].done;
    if (state->written_count > 0)
        memcpy(result->folder, state->written[0], sizeof result->folder);
    for (size_t i = 0; i < assay_finding_set_count(state->findings); i++) {
        const struct assay_finding *finding = assay_finding_set_get(state->findings, i);
        if (finding->accepted || result->found)
            continue;
        result->found = true;
        result->violation = finding->violation;
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* ---- promises, by the matrix ------------------------------------------------------------------
 */

struct measuring {
    struct place *place;
    const struct assay_profile *profile;
    uint64_t until_cpu_ns; /* 0: until all is told */
    volatile sig_atomic_t stop;
    const struct assay_matrix_cell *broken;
};

static uint64_t own_cpu_ns(void)
{
    struct rusage own, waited;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &waited);
    return (uint64_t)((seconds_of(own.ru_utime) + seconds_of(own.ru_stime) +
                       seconds_of(waited.ru_utime) + seconds_of(waited.ru_stime)) *
                      1e9);
}

static void look_at_cells(void *self, const struct assay_matrix *matrix)
{
    struct measuring *measuring = self;
    for (size_t i = 0; i < matrix->cell_count && !measuring->broken; i++)
        if (assay_misuse_promised(matrix->cells[i].info, measuring->profile) &&
            assay_matrix_kept(&matrix->cells[i], measuring->profile) == ASSAY_NEVER)
            measuring->broken = &matrix->cells[i];
    measuring->stop = measuring->broken || measuring->place->stop ||
                      (measuring->until_cpu_ns && own_cpu_ns() >= measuring->until_cpu_ns);
}

/* Tries what the profile promises, until one promise is seen broken. A correct allocator has half
 * of its time for it. */
static void try_promises(const struct assay_selftest_subject *subject,
                         const struct assay_subject_spec *spec, const struct assay_profile *profile,
                         const struct assay_selftest_config *config, struct place *place)
{
    const struct assay_misuse_info *rows;
    size_t variants = assay_misuse_list(&rows);
    bool *wanted = calloc(variants, sizeof *wanted), any = false;
    struct assay_selftest_result *result = &place->result;
    struct assay_matrix matrix;
    struct measuring measuring = {.place = place,
                                  .profile = profile,
                                  .until_cpu_ns =
                                      subject->first_expected ? 0 : config->max_cpu_ns / 2};
    ASSAY_CHECK(wanted);
    for (size_t v = 0; v < variants; v++)
        any |= wanted[v] = assay_misuse_promised(&rows[v], profile);
    const struct assay_matrix_config trials = {.subjects = spec,
                                               .profiles = profile,
                                               .subject_count = 1,
                                               .variants = wanted,
                                               .promises_only = true,
                                               .seed = config->seed,
                                               .size = ASSAY_MATRIX_SIZE,
                                               .max_trials = UINT64_MAX,
                                               .max_time_ns = UINT64_MAX,
                                               .jobs = 1,
                                               .interrupted = &measuring.stop};
    if (any && assay_matrix_create(&trials, &matrix, &result->err) == 0) {
        if (assay_matrix_run(&matrix, look_at_cells, &measuring, &result->err) == 0) {
            look_at_cells(&measuring, &matrix);
            result->trials = matrix.trials;
        }
        if (measuring.broken) {
            result->found = true;
            result->contradicted = (uint16_t)measuring.broken->info->row;
            assay_matrix_contradiction(measuring.broken, profile, result->contradiction,
                                       sizeof result->contradiction);
        }
        assay_matrix_free(&matrix);
    }
    free(wanted);
}

/* ---- programs, by the judges ------------------------------------------------------------------
 */

static void fuzz(const struct assay_selftest_subject *subject,
                 const struct assay_subject_spec *spec, const struct assay_profile *profile,
                 const struct assay_selftest_config *config, struct place *place)
{
    static struct assay_fuzz_state state;
    char findings[PATH_MAX];
    struct assay_fuzz_config fuzz = {.spec = spec,
                                     .subject = subject->path,
                                     .profile = *profile,
                                     .mode = ASSAY_GENERATE_SWARM,
                                     .profile_path = subject->profile[0] ? subject->profile : NULL,
                                     .seed = config->seed,
                                     .jobs = 1,
                                     .findings_folder = findings,
                                     .unwritten = subject->expected,
                                     .first_only = true,
                                     .random = true,
                                     .directed = true,
                                     .guidance = "none",
                                     .interrupted = &place->stop};
    struct assay_error *err = &place->result.err;
    /* as assay fuzz --misuse has them */
    assay_program_limits_default(&fuzz.limits);
    fuzz.limits.missing_apis = spec->missing_apis;
    fuzz.limits.misuse = fuzz.profile.detects_double_free == ASSAY_ANSWER_YES;
    fuzz.limits.max_object_bytes = UINT64_C(1) << 26;
    fuzz.limits.max_live_bytes = UINT64_C(1) << 27;
    fuzz.limits.max_live_objects = ASSAY_GENERATE_MAX_LIVE;
    int length = snprintf(findings, sizeof findings, "%s/%s", config->folder, subject->name);
    if (length < 0 || (size_t)length >= sizeof findings) {
        assay_fail(err, ASSAY_E_LIMIT, "the name of '%s' is too long", config->folder);
        return;
    }
    char corpus[] = "/tmp/assay-selftest-XXXXXX";
    if (subject->guided) {
        if (!mkdtemp(corpus)) {
            assay_fail_errno(err, "cannot make a folder in '/tmp'");
            return;
        }
        fuzz.corpus_folder = corpus;
        fuzz.guidance = "features";
    }
    if (assay_fuzz_state_init(&state, &fuzz, err) < 0)
        return;
    assay_fuzz_isolated(&state, 0);
    take_result(&state, &place->result);
    assay_fuzz_state_free(&state);
    if (subject->guided)
        (void)nftw(corpus, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

/* What is measured comes first where it must tell, or must not; of all others the judges say
 * enough.
 */
static void judge(const struct assay_selftest_subject *subject,
                  const struct assay_selftest_config *config, struct place *place)
{
    static struct assay_subject_spec spec;
    static struct assay_profile profile;
    struct assay_error *err = &place->result.err;
    const char *ini = subject->profile[0] ? subject->profile : NULL;
    int code = assay_named_subject(subject->path, ini, &spec, &profile, err);
    if (code == 0)
        code = assay_subject_probe(&spec, err);
    if (code < 0)
        return;
    if (subject->first_expected == 0 || assay_selftest_is_measured(subject))
        try_promises(subject, &spec, &profile, config, place);
    if (!place->result.found && place->result.err.code == 0 && !place->stop)
        fuzz(subject, &spec, &profile, config, place);
}

struct process {
    pid_t pid; /* 0: none */
    size_t subject;
    uint64_t start_ns;
};

static bool start(struct process *process, size_t at, const struct assay_selftest_subject *subject,
                  const struct assay_selftest_config *config, struct place *place)
{
    pid_t parent = getpid();
    *process = (struct process){.pid = fork(), .subject = at, .start_ns = assay_now_ns()};
    if (process->pid < 0) {
        process->pid = 0;
        return false;
    }
    if (process->pid > 0)
        return true;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* the parent says when to stop */
    signal(SIGTERM, SIG_DFL);
    if (getppid() == parent) {
        judge(subject, config, place);
        place->result.finished = place->result.found || place->out_of_time;
    }
    _exit(0);
}

/* What /proc tells of one process: its own time, and with `reaped` that of those it waited for. */
static uint64_t cpu_ns_of(pid_t pid, bool reaped)
{
    char path[64], line[512];
    unsigned long long own[2] = {0, 0}, waited[2] = {0, 0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(line, 1, sizeof line - 1, file) : 0;
    line[n] = '\0';
    const char *behind_name = strrchr(line, ')');
    if (behind_name)
        sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
               &own[0], &own[1], &waited[0], &waited[1]);
    if (file)
        fclose(file);
    uint64_t ticks = own[0] + own[1] + (reaped ? waited[0] + waited[1] : 0);
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The time of a subject's process, of the children that it waited for and of those that run. */
static uint64_t cpu_ns_of_all(pid_t pid)
{
    char path[64];
    int child;
    uint64_t sum = cpu_ns_of(pid, true);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fscanf(file, "%d", &child) == 1)
        sum += cpu_ns_of(child, true);
    if (file)
        fclose(file);
    return sum;
}

/* Looks after a process. True if it has ended; then its result is whole. */
static bool watch(struct process *process, const struct assay_selftest_config *config,
                  const struct assay_selftest_subject *subject, struct place *place)
{
    uint64_t own_ns = subject->seconds * UINT64_C(1000000000);
    uint64_t max_cpu_ns = own_ns > config->max_cpu_ns ? own_ns : config->max_cpu_ns;
    struct rusage usage;
    int status;
    uint64_t elapsed = assay_now_ns() - process->start_ns;
    if (!place->stop && *config->interrupted)
        place->stop = 1;
    if (!place->stop &&
        (cpu_ns_of_all(process->pid) >= max_cpu_ns || elapsed >= max_cpu_ns * CROWDED)) {
        place->out_of_time = true;
        place->stop = 1;
    }
    if (elapsed > max_cpu_ns * CROWDED + (uint64_t)GRACE_S * 1000000000u)
        kill(process->pid, SIGKILL);
    if (wait4(process->pid, &status, WNOHANG, &usage) <= 0)
        return false;
    place->result.seconds = (double)elapsed / 1e9;
    place->result.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    if (WIFSIGNALED(status) && place->result.err.code == 0)
        assay_fail(&place->result.err, ASSAY_E_SYSTEM, "its process was ended by signal %d",
                   WTERMSIG(status));
    process->pid = 0;
    return true;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

int assay_selftest_run(const struct assay_selftest_subject *subjects, size_t count,
                       const struct assay_selftest_config *config,
                       struct assay_selftest_result *results, struct assay_error *err)
{
    const struct timespec nap = {0, POLL_NS};
    size_t bytes = count * sizeof(struct place) + 1, next = 0, done = 0;
    struct process *processes = calloc(config->jobs, sizeof *processes);
    struct place *places =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int code = 0;
    if (!processes || places == MAP_FAILED) {
        free(processes);
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    }
    for (unsigned running = 1; running > 0;) {
        const char *shown = "";
        running = 0;
        for (unsigned i = 0; i < config->jobs; i++) {
            struct process *process = &processes[i];
            if (process->pid)
                done +=
                    watch(process, config, &subjects[process->subject], &places[process->subject]);
            if (!process->pid && next < count && !*config->interrupted && code == 0) {
                if (start(process, next, &subjects[next], config, &places[next]))
                    next++;
                else
                    code = assay_fail_errno(err, "cannot start a process");
            }
            if (!process->pid)
                continue;
            shown = subjects[process->subject].name;
            running++;
        }
        config->progress(config->self, done, shown);
        if (running)
            nanosleep(&nap, NULL);
    }
    for (size_t i = 0; i < count; i++)
        results[i] = places[i].result;
    munmap(places, bytes);
    free(processes);
    return code;
}

/* ---- what it means ----------------------------------------------------------------------------
 */

unsigned assay_selftest_property(const struct assay_selftest_result *result)
{
    return !result->found         ? 0
           : result->contradicted ? result->contradicted
                                  : result->violation.property;
}

bool assay_selftest_is_measured(const struct assay_selftest_subject *subject)
{
    for (unsigned p = ASSAY_PROPERTY_COUNT; p < ASSAY_CATALOGUE_COUNT; p++)
        if (subject->expected[p])
            return true;
    return false;
}

enum assay_selftest_verdict assay_selftest_judge(const struct assay_selftest_subject *subject,
                                                 const struct assay_selftest_result *result)
{
    bool broken = subject->first_expected != 0 || subject->survives[0];
    if (!result->finished || result->err.code != 0)
        return ASSAY_SELFTEST_NOT_RUN;
    if (result->found && !broken)
        return ASSAY_SELFTEST_FALSE_ALARM;
    if (result->found)
        return !subject->survives[0] && subject->expected[assay_selftest_property(result)]
                   ? ASSAY_SELFTEST_KILLED
                   : ASSAY_SELFTEST_MISTAKEN;
    if (broken)
        return subject->survives[0] ? ASSAY_SELFTEST_LET_LIVE : ASSAY_SELFTEST_SURVIVED;
    return result->unconfirmed ? ASSAY_SELFTEST_UNSURE : ASSAY_SELFTEST_CLEAN;
}

bool assay_selftest_is_bad(enum assay_selftest_verdict verdict)
{
    return verdict == ASSAY_SELFTEST_MISTAKEN || verdict == ASSAY_SELFTEST_SURVIVED ||
           verdict == ASSAY_SELFTEST_FALSE_ALARM || verdict == ASSAY_SELFTEST_NOT_RUN;
}

const char *assay_selftest_verdict_name(enum assay_selftest_verdict verdict)
{
    static const char *const names[ASSAY_SELFTEST_VERDICTS] = {
        "killed", "let live", "clean", "misjudged", "survived", "false alarm", "unsure", "not run"};
    return names[verdict];
}
