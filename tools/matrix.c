#include "tools/matrix.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#include "traces/core/clock.h"
#include "traces/core/error.h"
#include "traces/core/random.h"

enum {
    HANG_MS = 1000,
    HANG_AGAIN_MS = 250, /* where a trial of the cell has hung before */
    BOOT_TRIES = 3,      /* on a crowded machine a child may not come up in time */
    MAX_OBJECTS = 8192,
    MEMORY_MIB = 1024,
    BATCH = 8,        /* trials of a cell by one worker before it looks for another */
    VOID_ENOUGH = 12, /* so many trials without one that could be made: not judged */
    MAPS_ROOM = 65536 /* above vm.max_map_count's default */
};

#define CELL_NS UINT64_C(15000000000) /* a cell whose trials hang must not take all the time */

struct worker {
    struct assay_matrix *matrix;
    pthread_t thread;
    struct assay_misuse misuse;
    struct assay_mapping *maps;
    bool hung; /* the last trial */
    _Atomic bool left;
};

/* ---- one trial ------------------------------------------------------------------------------ */

static const char *own_image(const struct assay_subject_spec *subject)
{
    const char *slash = strrchr(subject->path, '/');
    return subject->path[0] == '\0' ? "libc.so" : slash ? slash + 1 : subject->path;
}

static void read_maps(struct worker *worker, const struct assay_subject_spec *subject, int pid)
{
    char path[64], line[4400];
    struct assay_misuse *m = &worker->misuse;
    m->maps = worker->maps;
    m->map_count = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    while (file && fgets(line, sizeof line, file) && m->map_count < MAPS_ROOM) {
        char *end;
        struct assay_mapping *map = &worker->maps[m->map_count];
        map->from = strtoull(line, &end, 16);
        map->to = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
        if (map->to <= map->from || strlen(end) < 5)
            continue;
        map->readable = end[1] == 'r';
        map->writable = end[2] == 'w';
        map->executable = end[3] == 'x';
        map->allocator = strstr(end, own_image(subject)) != NULL;
        map->anonymous = !strchr(end, '/') &&
                         (!strchr(end, '[') || strstr(end, "[anon:") || strstr(end, "[heap]"));
        m->map_count++;
    }
    if (file)
        fclose(file);
}

/* Hands over what the builder put, and takes the results back. False: the child is gone; then
 * *ret_at is the op in progress. */
static bool execute(struct assay_session *session, struct assay_misuse *m, size_t from,
                    size_t *ret_at)
{
    while (from < m->n) {
        size_t capacity, got = 0, some = m->n - from;
        struct assay_event *chunk = assay_session_chunk(session, &capacity);
        *ret_at = from;
        if (!chunk)
            return false;
        if (some > capacity)
            some = capacity;
        memcpy(chunk, m->events + from, some * sizeof *chunk);
        assay_session_submit(session, some, false);
        const struct assay_event *results = assay_session_collect(session, &got);
        if (!results)
            return false;
        if (got > some)
            got = some;
        memcpy(m->events + from, results, got * sizeof *results);
        assay_session_release(session);
        bool whole = got == some &&
                     m->events[from + got - 1].flags & (ASSAY_FLAG_EXECUTED | ASSAY_FLAG_SKIPPED);
        if (!whole) {
            *ret_at = from + got - (got > 0);
            return false;
        }
        from += got;
    }
    return true;
}

static void keep_said(char *said, size_t room, const char *text)
{
    size_t length = strcspn(text, "\n");
    if (length >= room)
        length = room - 1;
    for (size_t i = 0; i < length; i++)
        said[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    said[length] = '\0';
}

static int try_trial(struct worker *worker, const struct assay_matrix_cell *cell, uint64_t trial,
                     struct assay_misuse_verdict *ret_verdict, char *said, size_t said_room,
                     struct assay_error *err)
{
    const struct assay_matrix_config *matrix = &worker->matrix->config;
    const struct assay_misuse_info *info = cell->info;
    const struct assay_subject_spec *subject =
        cell->operators ? cell->operators : &matrix->subjects[cell->subject];
    struct assay_misuse *m = &worker->misuse;
    uint64_t draw = matrix->seed ^ trial << 20 ^ (uint64_t)cell->subject << 56;
    bool usable = !(subject->missing_apis >> ASSAY_OP_USABLE_SIZE & 1);
    const struct assay_session_config config = {
        .subject = subject,
        .environment.order =
            info->flags & ASSAY_MISUSE_THREADS ? ASSAY_ORDER_PARTIAL : ASSAY_ORDER_SERIAL,
        .touch = ASSAY_TOUCH_RECORDED,
        .ask_usable = usable && info->flags & ASSAY_MISUSE_USABLE,
        .want_results = true,
        .seed = matrix->seed,
        .max_objects = MAX_OBJECTS,
        .memory_bytes = (uint64_t)MEMORY_MIB << 20,
        .hang_ms = cell->hung ? HANG_AGAIN_MS : HANG_MS};
    struct assay_misuse_end end = {.state = ASSAY_SESSION_RUNNING};
    struct assay_session_status status;
    struct assay_session *session = NULL;
    bool maps = info->flags & ASSAY_MISUSE_MAPS;

    assay_misuse_begin(m, trial, assay_splitmix64(&draw));
    m->size = info->flags & ASSAY_MISUSE_SIZES ? assay_misuse_size(trial) : matrix->size;
    m->missing = subject->missing_apis;
    m->map_count = 0;
    said[0] = '\0';
    for (bool alive = true; alive; m->stage++) {
        size_t from = m->n;
        if (maps && session)
            read_maps(worker, subject, assay_session_pid(session));
        if (!info->build(m, info->argument))
            break;
        if (!session) {
            int code = assay_session_start(&config, &session, err);
            if (code < 0)
                return code;
        }
        alive = execute(session, m, from, &end.at);
        if (!alive) {
            assay_session_wait(session, &status);
            end.state = status.state;
            end.signal = status.signal;
            keep_said(said, said_room, status.stderr_text);
        }
    }
    if (session && end.state != ASSAY_SESSION_RUNNING && end.at == 0) {
        uint64_t missing;
        int code = assay_session_ready(session, &missing, err);
        if (code < 0) {
            assay_session_close(session);
            return code;
        }
    }
    if (maps && session && end.state == ASSAY_SESSION_RUNNING)
        read_maps(worker, subject, assay_session_pid(session));
    worker->hung = end.state == ASSAY_SESSION_HUNG;
    assay_misuse_judge(m, &end, ret_verdict);
    assay_session_close(session);
    return 0;
}

/* The tag model has no process, and only its own rows. */
static void model_trial(struct worker *worker, const struct assay_matrix_cell *cell, uint64_t trial,
                        struct assay_misuse_verdict *ret_verdict)
{
    const struct assay_matrix_config *matrix = &worker->matrix->config;
    if (cell->info->flags & ASSAY_MISUSE_MODEL)
        assay_misuse_model(cell->info, &matrix->tags[cell->subject], matrix->size,
                           matrix->seed ^ trial << 20, ret_verdict);
    else
        *ret_verdict = (struct assay_misuse_verdict){.reason = "the tag model has S27 only"};
    worker->misuse.measured = false;
}

/* True where the system puts every process at the same addresses: what an allocator would have for
 * nothing elsewhere cannot be measured. */
static bool layout_is_fixed(void)
{
    char draws = '2';
    int fd = open("/proc/sys/kernel/randomize_va_space", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, &draws, 1) != 1)
        draws = '2';
    if (fd >= 0)
        close(fd);
    int persona = personality(0xffffffff);
    return draws == '0' || (persona != -1 && persona & ADDR_NO_RANDOMIZE);
}

static int run_trial(struct worker *worker, const struct assay_matrix_cell *cell, uint64_t trial,
                     struct assay_misuse_verdict *ret_verdict, char *said, size_t said_room,
                     struct assay_error *err)
{
    int code = 0;
    said[0] = '\0';
    if (worker->matrix->config.tags[cell->subject].granule) {
        model_trial(worker, cell, trial, ret_verdict);
        return 0;
    }
    if (worker->matrix->fixed_layout && cell->info->flags & ASSAY_MISUSE_LAYOUT) {
        *ret_verdict = (struct assay_misuse_verdict){
            .reason = "address space randomisation is off, see 'assay doctor'"};
        worker->misuse.measured = false;
        return 0;
    }
    if (cell->info->flags & ASSAY_MISUSE_OPERATORS && !cell->operators) {
        *ret_verdict = (struct assay_misuse_verdict){.reason = "the subject lacks this operator"};
        return 0;
    }
    for (int i = 0; i < BOOT_TRIES; i++) {
        code = try_trial(worker, cell, trial, ret_verdict, said, said_room, err);
        if (code != ASSAY_E_SUBJECT)
            break;
    }
    return code;
}

/* ---- when a cell is decided ----------------------------------------------------------------- */

static bool is_figure(const struct assay_misuse_info *info)
{
    return info->flags & (ASSAY_MISUSE_NUMBER | ASSAY_MISUSE_ENTROPY);
}

/* Every case there is, or so many trials that their share is the answer. */
static bool is_counted(const struct assay_misuse_info *info)
{
    return info->flags & (ASSAY_MISUSE_BITS | ASSAY_MISUSE_MODEL);
}

static uint64_t valid(const struct assay_matrix_cell *cell)
{
    return cell->trials - cell->outcomes[ASSAY_MISUSE_VOID];
}

static enum assay_decision decision(const struct assay_matrix_cell *cell,
                                    enum assay_misuse_outcome outcome)
{
    return assay_decide(cell->outcomes[outcome], valid(cell), ASSAY_MATRIX_LOW, ASSAY_MATRIX_HIGH,
                        ASSAY_MATRIX_ALPHA);
}

/* A figure without an end that was seen keeps a promise of at least; of one of at most that reaches
 * farther than was looked it says nothing. */
static enum assay_decision number_kept(const struct assay_matrix_cell *cell, uint32_t bound)
{
    bool at_most = cell->info->promise == ASSAY_PROMISE_AT_MOST, endless = false;
    if (bound == 0)
        return ASSAY_UNDECIDED;
    for (size_t i = 0; i < cell->value_count; i++) {
        uint64_t value = cell->values[i];
        if (at_most ? value > bound && bound < ASSAY_MISUSE_GUARD_FARTHEST
                    : value < bound && value < ASSAY_MISUSE_REUSE_MOST)
            return ASSAY_NEVER;
        endless |= at_most && value >= ASSAY_MISUSE_GUARD_FARTHEST;
    }
    if (endless)
        return ASSAY_UNDECIDED;
    return cell->value_count >= ASSAY_MATRIX_NUMBERS ? ASSAY_ALWAYS : ASSAY_UNDECIDED;
}

double assay_matrix_entropy_least(const struct assay_matrix_cell *cell)
{
    struct assay_collisions c = assay_collisions(cell->values, cell->value_count);
    return assay_entropy_bound(&c, ASSAY_MATRIX_ALPHA);
}

/* Two bounds share the error: pairs of their own, at any number of trials, and all pairs together
 * at the last one. */
double assay_matrix_entropy_most(const struct assay_matrix_cell *cell)
{
    double least =
        assay_always_valid(cell->twins, cell->value_count / 2, ASSAY_MATRIX_ALPHA / 2).low;
    if (cell->value_count >= ASSAY_MATRIX_ADDRESSES) {
        struct assay_collisions c = assay_collisions(cell->values, cell->value_count);
        least = fmax(least, assay_collision_least(&c, ASSAY_MATRIX_ALPHA / 2));
    }
    return least > 0 ? -log2(least) : INFINITY;
}

static enum assay_decision entropy_kept(const struct assay_matrix_cell *cell, uint32_t bits)
{
    if (bits == 0)
        return ASSAY_UNDECIDED;
    if (assay_matrix_entropy_most(cell) < bits)
        return ASSAY_NEVER;
    return cell->value_count >= ASSAY_MATRIX_ADDRESSES && assay_matrix_entropy_least(cell) >= bits
               ? ASSAY_ALWAYS
               : ASSAY_UNDECIDED;
}

static bool breaks(const struct assay_misuse_info *info, enum assay_misuse_outcome outcome)
{
    return info->promise == ASSAY_PROMISE_DETECTS
               ? outcome == ASSAY_MISUSE_NEUTRALISED || outcome == ASSAY_MISUSE_EFFECT
               : outcome == ASSAY_MISUSE_EFFECT;
}

/* Every bit is tried, and one that gives something away is one too many; but a child that hangs on
 * a crowded machine is no proof: such bits are tried AGAIN. */
enum { AGAIN = 8, SUSPECTS = ASSAY_MATRIX_PROOF - 1 };

/* Trials that break the promise of the cell's key, if it is given. */
static uint64_t broken_trials(const struct assay_matrix_cell *cell)
{
    uint64_t sum = 0;
    for (unsigned o = ASSAY_MISUSE_DETECTED; o < ASSAY_MISUSE_COUNT; o++)
        sum += breaks(cell->info, (enum assay_misuse_outcome)o) ? cell->outcomes[o] : 0;
    return sum;
}

static uint64_t bit_trials(const struct assay_matrix_cell *cell)
{
    bool again =
        cell->info->promise != ASSAY_PROMISE_NONE && broken_trials(cell) < ASSAY_MATRIX_PROOF;
    return ASSAY_MISUSE_BIT_TRIALS + (again ? AGAIN * cell->suspect_count : 0);
}

/* What the next trial draws from. */
static uint64_t next_trial(struct assay_matrix_cell *cell)
{
    uint64_t trial = cell->begun++;
    if (!(cell->info->flags & ASSAY_MISUSE_BITS) || trial < ASSAY_MISUSE_BIT_TRIALS ||
        cell->suspect_count == 0)
        return trial;
    return cell->suspects[trial % cell->suspect_count];
}

static enum assay_decision bits_kept(const struct assay_matrix_cell *cell)
{
    if (cell->info->promise == ASSAY_PROMISE_NONE)
        return ASSAY_UNDECIDED;
    if (broken_trials(cell) >= ASSAY_MATRIX_PROOF)
        return ASSAY_NEVER;
    return valid(cell) >= bit_trials(cell) ? ASSAY_ALWAYS : ASSAY_UNDECIDED;
}

enum assay_decision assay_matrix_kept(const struct assay_matrix_cell *cell,
                                      const struct assay_profile *profile)
{
    uint64_t n = valid(cell), hits = broken_trials(cell);
    if (cell->info->flags & ASSAY_MISUSE_ENTROPY)
        return entropy_kept(cell, assay_misuse_bound(cell->info, profile));
    if (is_figure(cell->info))
        return number_kept(cell, assay_misuse_bound(cell->info, profile));
    if (cell->info->flags & ASSAY_MISUSE_BITS)
        return bits_kept(cell);
    struct assay_interval broken = assay_always_valid(hits, n, ASSAY_MATRIX_ALPHA);
    if (n < BATCH || cell->info->promise == ASSAY_PROMISE_NONE)
        return ASSAY_UNDECIDED;
    return broken.high < ASSAY_MATRIX_LOW  ? ASSAY_ALWAYS
           : broken.low > ASSAY_MATRIX_LOW ? ASSAY_NEVER
                                           : ASSAY_UNDECIDED;
}

static bool is_decided(const struct assay_matrix_cell *cell)
{
    unsigned flags = cell->info->flags;
    if (flags & ASSAY_MISUSE_ENTROPY)
        return cell->value_count >= ASSAY_MATRIX_ADDRESSES;
    if (flags & ASSAY_MISUSE_NUMBER)
        return cell->value_count >= ASSAY_MATRIX_NUMBERS;
    if (flags & ASSAY_MISUSE_BITS)
        return cell->trials >= bit_trials(cell);
    if (flags & ASSAY_MISUSE_MODEL)
        return cell->trials >= ASSAY_MATRIX_MODEL;
    for (unsigned o = ASSAY_MISUSE_DETECTED; o < ASSAY_MISUSE_COUNT; o++)
        if (decision(cell, (enum assay_misuse_outcome)o) == ASSAY_UNDECIDED)
            return false;
    return true;
}

enum assay_matrix_state assay_matrix_state(const struct assay_matrix_cell *cell)
{
    static const enum assay_matrix_state states[ASSAY_MISUSE_COUNT] = {
        [ASSAY_MISUSE_DETECTED] = ASSAY_MATRIX_DETECTED,
        [ASSAY_MISUSE_NEUTRALISED] = ASSAY_MATRIX_NEUTRALISED,
        [ASSAY_MISUSE_EFFECT] = ASSAY_MATRIX_EFFECT};
    if (is_figure(cell->info))
        return cell->value_count ? ASSAY_MATRIX_MEASURED : ASSAY_MATRIX_NOT_JUDGED;
    if (valid(cell) == 0)
        return ASSAY_MATRIX_NOT_JUDGED;
    for (unsigned o = ASSAY_MISUSE_DETECTED; o < ASSAY_MISUSE_COUNT; o++)
        if (is_counted(cell->info) ? cell->outcomes[o] == valid(cell)
                                   : decision(cell, (enum assay_misuse_outcome)o) == ASSAY_ALWAYS)
            return states[o];
    return is_decided(cell) ? ASSAY_MATRIX_MIXED : ASSAY_MATRIX_UNDECIDED;
}

bool assay_matrix_contradicts(const struct assay_matrix_cell *cell,
                              const struct assay_profile *profile)
{
    return assay_misuse_promised(cell->info, profile) && valid(cell) > 0 &&
           assay_matrix_kept(cell, profile) == ASSAY_NEVER;
}

bool assay_matrix_is_open(const struct assay_matrix_cell *cell, const struct assay_profile *profile)
{
    if (cell->trials == 0)
        return !cell->unasked;
    if (!assay_misuse_promised(cell->info, profile))
        return false;
    if (valid(cell) == 0)
        return cell->broke_off > 0;
    return !is_figure(cell->info) && assay_matrix_kept(cell, profile) == ASSAY_UNDECIDED;
}

/* ---- workers -------------------------------------------------------------------------------- */

static void add_void(struct assay_matrix_cell *cell, const struct assay_misuse_verdict *verdict,
                     const struct assay_misuse *m)
{
    cell->reason = verdict->reason ? verdict->reason : "nothing could be measured";
    if (!verdict->broke_off)
        return;
    const struct assay_event *op = &m->events[verdict->at];
    cell->broke_off++;
    snprintf(cell->broke_off_at, sizeof cell->broke_off_at, "%s, at %s of %" PRIu64 " bytes",
             verdict->reason, assay_op_info(op->kind)->name, op->size);
    cell->reason = cell->broke_off_at;
}

static void add(struct assay_matrix_cell *cell, uint64_t trial,
                const struct assay_misuse_verdict *verdict, const struct assay_misuse *m,
                const char *said)
{
    bool figure = is_figure(cell->info);
    cell->trials++;
    if (figure && m->measured) {
        if (cell->value_count % 2 == 0)
            cell->first = m->value;
        else
            cell->twins += m->value == cell->first;
        cell->values[cell->value_count++] = m->value;
    }
    enum assay_misuse_outcome outcome =
        figure && !m->measured ? ASSAY_MISUSE_VOID : verdict->outcome;
    cell->outcomes[outcome]++;
    if (outcome == ASSAY_MISUSE_VOID) {
        add_void(cell, verdict, m);
        return;
    }
    if (cell->info->flags & ASSAY_MISUSE_BITS && breaks(cell->info, outcome) &&
        cell->trials <= ASSAY_MISUSE_BIT_TRIALS && cell->suspect_count < SUSPECTS)
        cell->suspects[cell->suspect_count++] = trial;
    for (unsigned e = 1; e < ASSAY_EFFECT_COUNT && outcome == ASSAY_MISUSE_EFFECT; e++)
        cell->effects[e] += verdict->effects >> e & 1;
    if (verdict->how == ASSAY_HOW_NONE)
        return;
    cell->hows[verdict->how]++;
    cell->moments[verdict->moment]++;
    cell->late += outcome == ASSAY_MISUSE_EFFECT;
    bool own = verdict->how != ASSAY_HOW_ACCESS; /* else what a later death left */
    if (said[0] && !cell->said[0] && own)
        snprintf(cell->said, sizeof cell->said, "%s", said);
}

static bool is_over(const struct assay_matrix *matrix)
{
    return *matrix->config.interrupted || matrix->failed ||
           assay_now_ns() - matrix->start_ns >= matrix->config.max_time_ns;
}

static void settle(struct assay_matrix *matrix, struct assay_matrix_cell *cell)
{
    bool hopeless = valid(cell) == 0 && cell->trials >= VOID_ENOUGH;
    bool capped =
        cell->trials >= matrix->config.max_trials && !(cell->info->flags & ASSAY_MISUSE_MODEL);
    const struct assay_profile *profile = &matrix->config.profiles[cell->subject];
    bool decided = matrix->config.promises_only && !is_figure(cell->info)
                       ? assay_matrix_kept(cell, profile) != ASSAY_UNDECIDED
                       : is_decided(cell);
    bool done = decided || hopeless || capped || cell->spent_ns >= CELL_NS;
    if (done && !cell->done)
        matrix->done_count++;
    cell->done = done;
}

/* The cell with the fewest trials that is free and not decided. */
static struct assay_matrix_cell *take(struct assay_matrix *matrix)
{
    struct assay_matrix_cell *taken = NULL;
    for (size_t i = 0; i < matrix->cell_count; i++) {
        struct assay_matrix_cell *cell = &matrix->cells[i];
        if (!cell->done && !cell->busy && (!taken || cell->trials < taken->trials))
            taken = cell;
    }
    if (taken)
        taken->busy = true;
    return taken;
}

/* Every cell has one trial before any has a batch: where time is short, none is left out. */
static void run_batch(struct worker *worker, struct assay_matrix_cell *cell)
{
    struct assay_matrix *matrix = worker->matrix;
    int batch = cell->trials == 0 ? 1 : BATCH;
    for (int i = 0; i < batch && !cell->done && !is_over(matrix); i++) {
        struct assay_misuse_verdict verdict;
        struct assay_error err = {0};
        char said[sizeof cell->said];
        uint64_t start = assay_now_ns();
        uint64_t trial = next_trial(cell);
        int code = run_trial(worker, cell, trial, &verdict, said, sizeof said, &err);
        pthread_mutex_lock(&matrix->lock);
        if (code < 0) {
            if (!matrix->failed)
                matrix->err = err;
            matrix->failed = true;
        } else {
            matrix->trials++;
            cell->spent_ns += assay_now_ns() - start;
            cell->hung |= worker->hung;
            add(cell, trial, &verdict, &worker->misuse, said);
            settle(matrix, cell);
        }
        pthread_mutex_unlock(&matrix->lock);
    }
}

static void *work(void *self)
{
    struct worker *worker = self;
    struct assay_matrix *matrix = worker->matrix;
    while (!is_over(matrix)) {
        pthread_mutex_lock(&matrix->lock);
        struct assay_matrix_cell *cell = take(matrix);
        bool finished = matrix->done_count == matrix->cell_count;
        pthread_mutex_unlock(&matrix->lock);
        if (!cell && finished)
            break;
        if (!cell) { /* the others are busy with what is left */
            nanosleep(&(struct timespec){0, 1000000}, NULL);
            continue;
        }
        run_batch(worker, cell);
        pthread_mutex_lock(&matrix->lock);
        cell->busy = false;
        pthread_mutex_unlock(&matrix->lock);
    }
    atomic_store(&worker->left, true);
    return NULL;
}

/* The subject with C++'s operators in the places of functions. NULL: it has none of its own. */
static struct assay_subject_spec *with_operators(const struct assay_subject_spec *subject,
                                                 const struct assay_misuse_info *info)
{
    const struct assay_misuse_functions *functions = assay_misuse_functions(info);
    struct assay_subject_spec *spec = malloc(sizeof *spec);
    struct assay_subject_names names = subject->names;
    struct assay_error err = {0};
    const struct {
        enum assay_op kind;
        const char *symbol;
    } places[] = {{ASSAY_OP_MALLOC, functions->allocate},
                  {ASSAY_OP_FREE, functions->release},
                  {ASSAY_OP_FREE_SIZED, functions->release_sized}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i].symbol)
            snprintf(names.symbol[places[i].kind], ASSAY_SYMBOL_BYTES, "%s", places[i].symbol);
    ASSAY_CHECK(spec);
    if ((subject->adapter || subject->path[0] == '\0' ||
         assay_subject_find_named(subject->path, &names, spec, &err) < 0)) {
        free(spec);
        return NULL;
    }
    return spec;
}

int assay_matrix_create(const struct assay_matrix_config *config, struct assay_matrix *ret_matrix,
                        struct assay_error *err)
{
    const struct assay_misuse_info *rows;
    size_t variants = assay_misuse_list(&rows);
    memset(ret_matrix, 0, sizeof *ret_matrix);
    ret_matrix->config = *config;
    ret_matrix->cells = calloc(variants * config->subject_count, sizeof *ret_matrix->cells);
    if (!ret_matrix->cells)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (size_t v = 0; v < variants; v++)
        for (size_t s = 0; s < config->subject_count && config->variants[v]; s++) {
            struct assay_matrix_cell *cell = &ret_matrix->cells[ret_matrix->cell_count++];
            cell->info = &rows[v];
            cell->subject = s;
            if (config->promised_only && !assay_misuse_promised(&rows[v], &config->profiles[s])) {
                cell->unasked = cell->done = true;
                cell->reason = "the profile promises nothing of it";
                ret_matrix->done_count++;
            }
            if (rows[v].flags & ASSAY_MISUSE_OPERATORS)
                cell->operators = with_operators(&config->subjects[s], &rows[v]);
            if (!is_figure(&rows[v]))
                continue;
            cell->values = calloc(ASSAY_MATRIX_ADDRESSES + BATCH, sizeof *cell->values);
            if (!cell->values) {
                assay_matrix_free(ret_matrix);
                return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
            }
        }
    ret_matrix->fixed_layout = layout_is_fixed();
    pthread_mutex_init(&ret_matrix->lock, NULL);
    return 0;
}

int assay_matrix_run(struct assay_matrix *matrix,
                     void (*tick)(void *self, const struct assay_matrix *), void *self,
                     struct assay_error *err)
{
    unsigned jobs = matrix->config.jobs, started = 0;
    struct worker *workers = calloc(jobs, sizeof *workers);
    int code = 0;
    matrix->start_ns = assay_now_ns();
    for (unsigned i = 0; workers && i < jobs; i++, started++) {
        workers[i].matrix = matrix;
        workers[i].maps = calloc(MAPS_ROOM, sizeof *workers[i].maps);
        if (!workers[i].maps || pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            free(workers[i].maps);
            break;
        }
    }
    if (started < jobs)
        code = assay_fail(err, ASSAY_E_SYSTEM, "cannot start %u threads", jobs);
    pthread_mutex_lock(&matrix->lock);
    if (code < 0) { /* those that started leave */
        matrix->err = *err;
        matrix->failed = true;
    }
    pthread_mutex_unlock(&matrix->lock);
    for (unsigned i = 0; i < started;) {
        if (atomic_load(&workers[i].left)) {
            pthread_join(workers[i].thread, NULL);
            assay_misuse_free(&workers[i].misuse);
            free(workers[i].maps);
            i++;
            continue;
        }
        pthread_mutex_lock(&matrix->lock);
        tick(self, matrix);
        pthread_mutex_unlock(&matrix->lock);
        nanosleep(&(struct timespec){0, 5 * 1000 * 1000}, NULL);
    }
    free(workers);
    if (code == 0 && matrix->failed) {
        *err = matrix->err;
        code = err->code;
    }
    return code;
}

void assay_matrix_free(struct assay_matrix *matrix)
{
    for (size_t i = 0; i < matrix->cell_count; i++) {
        free(matrix->cells[i].operators);
        free(matrix->cells[i].values);
    }
    free(matrix->cells);
    memset(matrix, 0, sizeof *matrix);
}
