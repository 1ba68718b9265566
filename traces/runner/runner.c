#include "traces/runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "traces/core/clock.h"
#include "traces/runner/bare.h"
#include "traces/runner/crash.h"
#include "traces/runner/parallel.h"
#include "traces/runner/shared.h"
#include "traces/runner/turns.h"

enum { TABLE_BYTES = 96 }; /* per object, in executor and judge */
enum { EXIT_BUG = 70, EXIT_CANNOT = 3 };

static struct assay_shared *shared;
static const struct assay_runner_judge *the_judge;
static struct assay_sink judge_sink;
static struct assay_chunk *open_chunk;      /* whose evidence is being collected */
static int own_status;                      /* /proc/self/status */
static struct assay_parallel *parallel_now; /* of threads side by side */
static bool finishing;                      /* the check of all live objects at a program's end */

static void on_crash(int signal)
{
    if (the_judge && the_judge->crash && shared->judge)
        the_judge->crash(signal);
    if (parallel_now)
        assay_parallel_crashed(parallel_now);
    assay_futex_wake(&shared->executed);
}

/* With want_results: evidence is kept for the host and everything goes on to the judge. */
static void keep_before(void *self, const struct assay_event *op)
{
    (void)self;
    if (judge_sink.before)
        judge_sink.before(judge_sink.self, op);
}

static void keep_after(void *self, const struct assay_event *event)
{
    (void)self;
    bool evidence = event->kind == ASSAY_OP_EVIDENCE || (finishing && event->failed);
    if (evidence && open_chunk->evidence_count < ASSAY_CHUNK_EVIDENCE) {
        struct assay_event *kept = &open_chunk->evidence[open_chunk->evidence_count++];
        *kept = *event;
        if (finishing)
            kept->site = open_chunk->count;
    }
    if (judge_sink.after)
        judge_sink.after(judge_sink.self, event);
}

static void keep_end(void *self)
{
    (void)self;
    if (judge_sink.end)
        judge_sink.end(judge_sink.self);
}

static struct assay_sink keeping_sink = {
    .before = keep_before, .after = keep_after, .end = keep_end};

/* VmHWM of this process, with raw reads of a file opened once: who is supervised pays for opens. */
static void note_peak(void)
{
    char text[4096];
    ssize_t n = pread(own_status, text, sizeof text - 1, 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    const char *line = strstr(text, "VmHWM:");
    uint64_t kilobytes = 0;
    for (const char *p = line ? line + 6 : ""; *p && *p != '\n'; p++)
        if (*p >= '0' && *p <= '9')
            kilobytes = kilobytes * 10 + (uint64_t)(*p - '0');
    atomic_store(&shared->peak_rss_bytes, kilobytes * 1024);
}

static void count(const struct assay_chunk *chunk)
{
    uint64_t executed = 0, skipped = 0;
    for (uint32_t i = 0; i < chunk->count; i++) {
        uint8_t halves = chunk->events[i].flags & (ASSAY_FLAG_EXECUTED | ASSAY_FLAG_BEGIN);
        executed += halves == ASSAY_FLAG_EXECUTED; /* a resize in two halves is one */
        skipped += !!(chunk->events[i].flags & ASSAY_FLAG_SKIPPED);
    }
    atomic_fetch_add_explicit(&shared->executed_ops, executed, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->skipped_ops, skipped, memory_order_relaxed);
}

static struct assay_chunk *next_chunk(uint32_t done)
{
    for (;;) {
        for (int i = 0; i < ASSAY_SHARED_SPINS; i++) {
            if (atomic_load_explicit(&shared->submitted, memory_order_acquire) != done)
                return assay_shared_chunk(shared, done);
            assay_spin();
        }
        atomic_store(&shared->runner_sleeps, 1);
        if (atomic_load(&shared->submitted) == done)
            assay_futex_wait(&shared->submitted, done, 0);
        atomic_store(&shared->runner_sleeps, 0);
    }
}

static void finish_chunk(uint32_t done)
{
    atomic_store(&shared->executed, done + 1);
    if (atomic_load(&shared->host_sleeps))
        assay_futex_wake(&shared->executed);
}

static _Noreturn void run_bare(struct assay_bare *bare)
{
    for (uint32_t done = 0;; done++) {
        const struct assay_chunk *chunk = next_chunk(done);
        uint64_t start = assay_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        assay_bare_run(bare, chunk->events, chunk->count);
        atomic_fetch_add(&shared->run_ns, assay_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start);
        atomic_fetch_add(&shared->run_events, chunk->count);
        atomic_fetch_add(&shared->executed_ops, chunk->count);
        if (chunk->last_of_program) {
            note_peak();
            assay_bare_reset(bare);
        }
        finish_chunk(done);
    }
}

static _Noreturn void run(struct assay_executor *executor, struct assay_parallel *parallel,
                          struct assay_turns *turns, const struct assay_sink *sink)
{
    enum { PEAK_EVERY = 64 };
    uint64_t programs = 0;
    for (uint32_t done = 0;; done++) {
        struct assay_chunk *chunk = next_chunk(done);
        chunk->evidence_count = 0;
        open_chunk = chunk;
        atomic_fetch_add(&shared->run_events, chunk->count);
        if (parallel) {
            atomic_fetch_add(&shared->run_ns, assay_parallel_run(parallel, chunk, &judge_sink));
        } else {
            uint64_t start = assay_clock_ns(CLOCK_THREAD_CPUTIME_ID);
            if (turns)
                assay_turns_run(turns, chunk, sink);
            else
                assay_executor_run(executor, chunk->events, chunk->count, sink);
            atomic_fetch_add(&shared->run_ns, assay_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start);
        }
        if (chunk->last_of_program) {
            if (programs++ % PEAK_EVERY == 0) /* reading it costs as much as a hundred calls */
                note_peak();
            if (parallel)
                assay_parallel_stop(parallel);
            if (turns)
                assay_turns_stop(turns);
            finishing = true;
            assay_executor_finish(executor, sink);
            finishing = false;
            assay_executor_reset(executor, shared->seed);
            if (shared->judge && the_judge && the_judge->reset)
                the_judge->reset();
        }
        count(chunk);
        if (shared->judge && the_judge && the_judge->publish)
            the_judge->publish();
        finish_chunk(done);
    }
}

static int give_up(const struct assay_error *err)
{
    memcpy(shared->boot_error, err->text, sizeof err->text);
    atomic_store(&shared->boot, ASSAY_BOOT_FAILED);
    return EXIT_CANNOT;
}

static int complain(const char *line)
{
    ssize_t n = write(STDERR_FILENO, line, strlen(line));
    return n < 0 ? EXIT_BUG : EXIT_CANNOT;
}

static int map_shared(int argc, char **argv)
{
    int fd = 0;
    struct stat stat;
    static const char by_hand[] =
        "assay-runner: started by assay, not by hand; try 'assay replay --help'\n";
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        _exit(write(STDOUT_FILENO, by_hand, sizeof by_hand - 1) < 0 ? EXIT_CANNOT : 0);
    if (argc != 2 || argv[1][0] < '0' || argv[1][0] > '9')
        return complain(by_hand);
    for (const char *p = argv[1]; *p >= '0' && *p <= '9'; p++)
        fd = fd * 10 + (*p - '0');
    if (fstat(fd, &stat) != 0 || (size_t)stat.st_size < sizeof *shared)
        return complain("assay-runner: no shared memory at this descriptor\n");
    shared = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED || shared->magic != ASSAY_SHARED_MAGIC ||
        shared->bytes != (uint64_t)stat.st_size)
        return complain("assay-runner: shared memory of another version\n");
    close(fd);
    return 0;
}

int assay_runner_main(int argc, char **argv, const struct assay_runner_judge *judge)
{
    struct assay_error err = {0};
    struct assay_arena arena;
    struct assay_bare bare;
    struct assay_executor *executor = NULL;
    struct assay_parallel *parallel = NULL;
    struct assay_turns *turns = NULL;
    int code = map_shared(argc, argv);
    if (code != 0)
        return code;
    the_judge = judge;
    own_status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (assay_crash_install(&shared->crash, &err) < 0)
        return give_up(&err);
    assay_crash_notify(on_crash);
    struct assay_subject subject =
        assay_runner_subject(shared->adapter, shared->missing_apis, &shared->bindings);
    shared->found_missing = assay_executor_missing(&subject);
    if (!subject.malloc || !subject.free) {
        assay_fail(&err, ASSAY_E_SUBJECT, "the subject has no %s",
                   subject.malloc ? "free" : "malloc");
        return give_up(&err);
    }
    if (subject.setup && subject.setup() != 0) {
        assay_fail(&err, ASSAY_E_SUBJECT, "the subject's setup failed");
        return give_up(&err);
    }
    struct assay_executor_config config = {.subject = &subject,
                                           .touch = (enum assay_touch)shared->touch,
                                           .content_full = shared->content_full,
                                           .ask_usable = shared->ask_usable,
                                           .usable_writable = shared->usable_writable,
                                           .max_objects = shared->max_objects,
                                           .seed = shared->seed,
                                           .progress = &shared->progress,
                                           .mapping =
                                               shared->mapping_calls ? &shared->mapping : NULL};
    if (shared->mapping_calls)
        assay_runner_watch_mappings(&shared->mapping);
    char *base = (char *)shared;
    const void *blob = base + shared->blob_offset;
    bool judging = shared->judge && judge && judge->create;
    size_t bytes =
        shared->bare ? assay_bare_bytes(config.max_objects) : assay_executor_bytes(&config);
    bool partial = shared->order == ASSAY_ORDER_PARTIAL && !shared->bare;
    bool in_turns = shared->order == ASSAY_ORDER_TURNS && !shared->bare;
    if (partial)
        bytes += assay_parallel_bytes(&config);
    if (in_turns)
        bytes += assay_turns_bytes();
    if (judging && judge->bytes)
        bytes += judge->bytes(blob, shared->blob_bytes, &config);
    if (assay_arena_create(&arena, bytes + 65536, &err) < 0)
        return give_up(&err);
    /* the tables are read and written at every op: large pages spare faults and TLB misses; but
     * where few objects are to come, zeroing such pages costs most */
    enum { FEW_OBJECTS = 1 << 16 };
    if (config.max_objects >= FEW_OBJECTS)
        (void)madvise(arena.base, arena.capacity, MADV_HUGEPAGE);
    if (shared->bare) {
        bool created = assay_bare_create(&bare, &arena, &subject, config.max_objects);
        ASSAY_CHECK(created);
    } else {
        executor = assay_executor_create(&arena, &config);
        ASSAY_CHECK(executor != NULL);
        assay_executor_forbid(executor, shared, shared->bytes);
        if (partial) {
            parallel = assay_parallel_create(&arena, executor, &config, shared);
            ASSAY_CHECK(parallel != NULL);
            parallel_now = parallel;
        }
        if (in_turns) {
            turns = assay_turns_create(&arena, executor, shared);
            ASSAY_CHECK(turns != NULL);
        }
    }
    if (judging && judge->create(&arena, blob, shared->blob_bytes, base + shared->report_offset,
                                 shared->report_bytes, &config, &judge_sink, &err) < 0)
        return give_up(&err);
    if (shared->prefault) {
        size_t most = ((size_t)config.max_objects + 16384) * TABLE_BYTES;
        (void)madvise(arena.base, arena.used < most ? arena.used : most, MADV_POPULATE_WRITE);
    }
    assay_arena_freeze(&arena);
    atomic_store(&shared->boot, ASSAY_BOOT_READY);
    if (shared->bare)
        run_bare(&bare);
    keeping_sink.table = judge_sink.table;
    keeping_sink.row_bytes = judge_sink.row_bytes;
    run(executor, parallel, turns,
        shared->want_results ? &keeping_sink
        : judging            ? &judge_sink
                             : NULL);
}
