#include "tools/fuzz_engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzzers/engine.h"
#include "tools/directed.h"
#include "tools/fuzz_finding.h"
#include "tools/human.h"
#include "tools/progress.h"
#include "tools/trial.h"
#include "traces/core/clock.h"
#include "traces/parts.h"

enum { ENGINES_MAX = 256, SUSPECTS_MAX = 4096, INPUT_MAX = 1 << 20, QUICK_DEATHS_MAX = 5 };

struct engine {
    char folder[PATH_MAX], suspects[PATH_MAX];
    struct assay_engine_state *state;
    uint64_t execs, calls; /* told so far, of this start */
    uint64_t evaluations[ASSAY_PROPERTY_COUNT];
    pid_t pid;
    uint64_t start_ns;
    unsigned quick_deaths, starts;
};

struct fleet {
    struct assay_fuzz_state *state;
    char path[PATH_MAX], corpus[PATH_MAX];
    struct engine *engines;
    char *seen[SUSPECTS_MAX]; /* names of suspects that were looked at */
    size_t seen_count;
    struct assay_event *ops;
    struct assay_fuzz_directed directed;
};

static bool engine_path(char path[PATH_MAX])
{
    struct assay_part part;
    return assay_part_find(&part, "assay-engine") && realpath(part.path, path) &&
           access(path, X_OK) == 0;
}

bool assay_fuzz_engine_there(void)
{
    char path[PATH_MAX];
    return engine_path(path);
}

static int make_folder(char out[PATH_MAX], const char *parent, const char *name,
                       struct assay_error *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", parent, name);
    if (n < 0 || n >= PATH_MAX - 128)
        return assay_fail(err, ASSAY_E_USAGE, "the name of the output folder is too long");
    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        return assay_fail_errno(err, "cannot create '%s'", out);
    return 0;
}

static int open_engine(struct engine *engine, const char *out, unsigned number,
                       struct assay_error *err)
{
    char name[32], path[PATH_MAX];
    snprintf(name, sizeof name, "engine-%u", number);
    int code = make_folder(engine->folder, out, name, err);
    if (code < 0 || (code = make_folder(engine->suspects, engine->folder, "suspects", err)) < 0)
        return code;
    snprintf(path, sizeof path, "%.*s/engine.state", PATH_MAX - 32, engine->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    void *map = MAP_FAILED;
    /* a hole in a mapped file would be a SIGBUS on a full disk */
    int refused = fd >= 0 ? posix_fallocate(fd, 0, sizeof *engine->state) : errno;
    if (!refused)
        map = mmap(NULL, sizeof *engine->state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (refused)
        errno = refused;
    if (map == MAP_FAILED)
        code = assay_fail_errno(err, "cannot create '%s'", path);
    else
        engine->state = map;
    if (fd >= 0)
        close(fd);
    return code;
}

/* Between fork and exec. */
static _Noreturn void become_engine(const struct fleet *fleet, const struct engine *engine,
                                    char **argv)
{
    char log[PATH_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof log, "%.*s/log", PATH_MAX - 32, engine->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    int null = open("/dev/null", O_RDONLY);
    if (fd >= 0 && null >= 0) {
        dup2(null, 0);
        dup2(fd, 1);
        dup2(fd, 2);
    }
    execv(fleet->path, argv);
    _exit(127);
}

static int start_engine(struct fleet *fleet, struct engine *engine, unsigned number,
                        struct assay_error *err)
{
    const struct assay_fuzz_config *config = fleet->state->config;
    char out[PATH_MAX + 16], seed[40], artifacts[PATH_MAX + 32], runs[40];
    char length[] = "-max_len=16384", reload[] = "-reload=1", misuse[] = "--assay-misuse";
    char *argv[16];
    int argc = 0;
    memset(engine->state, 0, sizeof *engine->state);
    memset(engine->evaluations, 0, sizeof engine->evaluations);
    engine->execs = engine->calls = 0;
    snprintf(out, sizeof out, "--assay-out=%s", engine->folder);
    /* libFuzzer takes seed 0 for a random one */
    snprintf(seed, sizeof seed, "-seed=%u",
             (unsigned)(config->seed + number + 1000 * engine->starts) % 0x7fffffffu + 1);
    snprintf(artifacts, sizeof artifacts, "-artifact_prefix=%s/", engine->suspects);
    snprintf(runs, sizeof runs, "-runs=%" PRIu64, config->max_runs);
    argv[argc++] = fleet->path;
    argv[argc++] = out;
    if (config->limits.misuse)
        argv[argc++] = misuse;
    argv[argc++] = seed;
    argv[argc++] = artifacts;
    argv[argc++] = length;
    argv[argc++] = reload;
    if (config->max_runs)
        argv[argc++] = runs;
    argv[argc++] = fleet->corpus;
    argv[argc] = NULL;
    engine->starts++;
    engine->start_ns = assay_now_ns();
    engine->pid = fork();
    if (engine->pid == 0)
        become_engine(fleet, engine, argv);
    return engine->pid < 0 ? assay_fail_errno(err, "cannot start '%s'", fleet->path) : 0;
}

static void tell(struct fleet *fleet, struct engine *engine)
{
    struct assay_fuzz_state *state = fleet->state;
    uint64_t execs = atomic_load(&engine->state->execs), calls = atomic_load(&engine->state->calls);
    atomic_fetch_add(&state->programs, execs - engine->execs);
    atomic_fetch_add(&state->calls, calls - engine->calls);
    engine->execs = execs;
    engine->calls = calls;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        uint64_t now = atomic_load(&engine->state->evaluations[p]);
        state->evaluations[p] += now - engine->evaluations[p];
        engine->evaluations[p] = now;
    }
}

static bool was_seen(struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->seen_count; i++)
        if (strcmp(fleet->seen[i], name) == 0)
            return true;
    if (fleet->seen_count < SUSPECTS_MAX)
        fleet->seen[fleet->seen_count++] = strdup(name);
    return fleet->seen_count == SUSPECTS_MAX;
}

static void look_at(struct fleet *fleet, const struct engine *engine, const char *name)
{
    char path[PATH_MAX];
    uint8_t *data = malloc(INPUT_MAX);
    snprintf(path, sizeof path, "%.*s/%.200s", PATH_MAX - 256, engine->suspects, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = data && fd >= 0 ? read(fd, data, INPUT_MAX) : -1;
    if (fd >= 0)
        close(fd);
    if (n > 0) {
        struct assay_program program = {.ops = fleet->ops, .capacity = ASSAY_PROGRAM_MAX_OPS};
        assay_program_decode(data, (size_t)n, &engine->state->limits, &program);
        const struct assay_fuzz_program suspect = {.ops = program.ops, .count = program.count};
        if (!assay_fuzz_suspect(fleet->state, &suspect, 0, NULL))
            assay_fuzz_doubt(fleet->state, ASSAY_PROPERTY_NONE, name,
                             "the engine's judge or process");
    }
    free(data);
}

/* Every new file among the suspects: classes that the engine's judge reported (.bin) and inputs
 * that killed it (crash-, timeout-, oom-, leak-). */
static void look_at_suspects(struct fleet *fleet, const struct engine *engine)
{
    DIR *folder = opendir(engine->suspects);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) && !assay_fuzz_over(fleet->state))
        if (entry->d_name[0] != '.' && !was_seen(fleet, entry->d_name))
            look_at(fleet, engine, entry->d_name);
    if (folder)
        closedir(folder);
}

/* The last line of the engine's log that is its own and not libFuzzer's; empty: none. */
static void last_words(const struct engine *engine, char *ret_text, size_t room)
{
    static const char own[] = "assay-engine: ";
    char path[PATH_MAX], line[512];
    ret_text[0] = '\0';
    snprintf(path, sizeof path, "%.*s/log", PATH_MAX - 32, engine->folder);
    FILE *log = fopen(path, "re");
    while (log && fgets(line, sizeof line, log))
        if (strncmp(line, own, sizeof own - 1) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(ret_text, room, "%.*s", (int)room - 1, line + sizeof own - 1);
        }
    if (log)
        fclose(log);
}

/* Returns false when the engine is done (-runs reached). */
static bool look_after(struct fleet *fleet, struct engine *engine, unsigned number,
                       struct assay_error *err)
{
    int status = 0;
    tell(fleet, engine);
    look_at_suspects(fleet, engine);
    if (waitpid(engine->pid, &status, WNOHANG) != engine->pid)
        return true;
    engine->pid = 0;
    tell(fleet, engine);
    look_at_suspects(fleet, engine);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    bool quick = assay_now_ns() - engine->start_ns < UINT64_C(1000000000);
    engine->quick_deaths = quick ? engine->quick_deaths + 1 : 0;
    if (engine->quick_deaths >= QUICK_DEATHS_MAX) {
        char said[300];
        last_words(engine, said, sizeof said);
        assay_fail(err, ASSAY_E_SUBJECT, "the engine dies at once%s%s; see '%.*s/log'",
                   said[0] ? ": " : "", said, said[0] ? 120 : 400, engine->folder);
        return false;
    }
    return start_engine(fleet, engine, number, err) == 0;
}

static void run_fleet(struct fleet *fleet, bool quiet, struct assay_error *err)
{
    const struct assay_fuzz_config *config = fleet->state->config;
    struct assay_progress progress;
    const struct timespec nap = {0, 20 * 1000 * 1000};
    bool running = true;
    assay_progress_begin(&progress, "fuzz", "calls", 0, config->max_time_ns, quiet);
    while (
        running && !*config->interrupted && err->code == 0 && !atomic_load(&fleet->state->failed) &&
        (!config->max_time_ns || assay_now_ns() - fleet->state->start_ns < config->max_time_ns)) {
        char note[96];
        struct assay_human done;
        running = false;
        for (unsigned i = 0; i < config->jobs && err->code == 0; i++)
            if (fleet->engines[i].pid > 0)
                running |= look_after(fleet, &fleet->engines[i], i, err);
        uint64_t execs = atomic_load(&fleet->state->programs);
        if (running && assay_fuzz_directed_due(fleet->state, &fleet->directed, execs))
            assay_fuzz_directed_next(fleet->state, &fleet->directed, execs);
        size_t found = assay_finding_set_new(fleet->state->findings);
        snprintf(note, sizeof note, "%s, %zu finding%s",
                 assay_human_of(&done, atomic_load(&fleet->state->programs), "program", "programs"),
                 found, found == 1 ? "" : "s");
        assay_progress_update(&progress, atomic_load(&fleet->state->calls), note);
        nanosleep(&nap, NULL);
    }
    assay_progress_end(&progress);
}

static void stop_engine(struct fleet *fleet, struct engine *engine)
{
    if (engine->pid > 0) {
        kill(engine->pid, SIGKILL);
        while (waitpid(engine->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (engine->state) {
        tell(fleet, engine);
        munmap(engine->state, sizeof *engine->state);
    }
}

static int find_judged(struct assay_fuzz_state *state, struct assay_error *err)
{
    struct assay_trial *trial;
    const struct assay_trial_config config = {.subject = state->config->spec,
                                              .profile = &state->config->profile,
                                              .seed = ASSAY_TRIAL_SEED,
                                              .max_objects = 1};
    int code = assay_trial_create(&config, &trial, err);
    if (code < 0)
        return code;
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        state->judged[p] = assay_trial_judges(trial, p);
    assay_trial_free(trial);
    return 0;
}

int assay_fuzz_engine(struct assay_fuzz_state *state, const char *out, bool quiet,
                      struct assay_error *err)
{
    unsigned jobs = state->config->jobs;
    struct fleet *fleet = calloc(1, sizeof *fleet);
    int code = 0;
    if (!fleet || !(fleet->engines = calloc(jobs, sizeof *fleet->engines)) ||
        !(fleet->ops = calloc(ASSAY_PROGRAM_MAX_OPS, sizeof *fleet->ops))) {
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
        goto out;
    }
    fleet->state = state;
    fleet->directed.step = 1;
    if (!engine_path(fleet->path)) {
        code = assay_fail(err, ASSAY_E_NOT_FOUND,
                          "there is no assay-engine beside this program; build it (clang), or use "
                          "--guidance none");
        goto out;
    }
    code = make_folder(fleet->corpus, out, "corpus", err);
    for (unsigned i = 0; i < jobs && code == 0; i++)
        code = open_engine(&fleet->engines[i], out, i, err);
    if (code == 0)
        code = find_judged(state, err);
    state->start_ns = assay_now_ns();
    for (unsigned i = 0; i < jobs && code == 0; i++)
        code = start_engine(fleet, &fleet->engines[i], i, err);
    if (code == 0) {
        err->code = 0;
        run_fleet(fleet, quiet, err);
        if (err->code == 0 && state->err.code)
            *err = state->err;
        code = err->code;
    }
    for (unsigned i = 0; i < jobs; i++)
        stop_engine(fleet, &fleet->engines[i]);
out:
    for (size_t i = 0; fleet && i < fleet->seen_count; i++)
        free(fleet->seen[i]);
    if (fleet) {
        assay_fuzz_directed_free(&fleet->directed);
        free(fleet->engines);
        free(fleet->ops);
    }
    free(fleet);
    return code;
}
