/* What a checked call costs in one process: generation, executor, touch, judge, and the subject.
 *
 * Rows are the linked Bulwark and, for scale, the C library's allocator behind the same table of
 * functions; programs are small objects (1 to 256 bytes, else as the mix), the committed mix, and
 * swarms as a search makes them. Every fact and every conformance row is on, as in assay-engine.
 * The bare loop makes the same calls of the same subject. All times are this thread's processor
 * time; a call is of a kind that allocates, resizes or releases.
 * Usage: checked_ops [milliseconds per row [small|mix|swarm [bulwark|glibc]]] -> a JSON line per
 * row. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "fuzzers/generate.h"
#include "fuzzers/linked.h"
#include "traces/runner/bare.h"

enum { CHUNK = 2048, MAX_OBJECTS = 65536, SEED = 1, SWARM_PROGRAMS = 4000 };
enum source { SMALL, MIX, SWARM };
static const char *const source_names[] = {"small", "mix", "swarm"};

static struct assay_generator generator;
static struct assay_event ops[ASSAY_GENERATE_MIX_OPS];
static uint64_t violations;

/* What one row is made of. */
struct rig {
    const struct assay_subject *subject;
    struct assay_arena arena;
    struct assay_executor *executor;
    struct assay_judge *judge;
    struct assay_bare bare;
};

struct cost {
    uint64_t calls, ops, programs, faults;
    double generate_ns, run_ns, user_ns, bare_ns;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double user_ns(uint64_t *ret_faults)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    *ret_faults = (uint64_t)usage.ru_minflt;
    return (double)usage.ru_utime.tv_sec * 1e9 + (double)usage.ru_utime.tv_usec * 1e3;
}

static const struct assay_subject library = {
    .name = "the C library's",
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .reallocarray = reallocarray,
    .free = free,
    .aligned_alloc = aligned_alloc,
    .posix_memalign = posix_memalign,
    .memalign = memalign,
    .malloc_usable_size = malloc_usable_size,
};

static void tell(void *self, const struct assay_violation *v)
{
    violations++;
    fprintf(stderr, "checked_ops: %s violated by %s\n", assay_property_info(v->property)->id,
            assay_op_info(v->kind)->name);
}

static int set_up(struct rig *rig, const char *profile, struct assay_error *err)
{
    struct assay_judge_config judge = {.max_objects = MAX_OBJECTS, .legal = true, .report = tell};
    if (assay_profile_find(profile, &judge.profile, err) != 0)
        return -1;
    struct assay_executor_config executor = {
        .subject = rig->subject,
        .touch = ASSAY_TOUCH_FULL,
        .ask_usable = true,
        .usable_writable = judge.profile.usable_writable == ASSAY_ANSWER_YES,
        .max_objects = MAX_OBJECTS,
        .seed = SEED,
    };
    judge.has = assay_executor_has(&executor) | ASSAY_HAS_THREAD;
    judge.missing_apis = assay_executor_missing(rig->subject);
    if (assay_arena_create(&rig->arena,
                           assay_executor_bytes(&executor) + assay_judge_bytes(&judge) +
                               assay_bare_bytes(MAX_OBJECTS) + 65536,
                           err) != 0)
        return -1;
    rig->executor = assay_executor_create(&rig->arena, &executor);
    rig->judge = assay_judge_create(&rig->arena, &judge);
    if (!rig->executor || !rig->judge ||
        !assay_bare_create(&rig->bare, &rig->arena, rig->subject, MAX_OBJECTS))
        return assay_fail(err, ASSAY_E_MEMORY, "the arena is too small");
    return 0;
}

/* Legal on every allocator still: the mix's kinds take any size. */
static void make_small(struct assay_event *op)
{
    if (op->kind != ASSAY_OP_FREE)
        op->size = 1 + op->size * UINT64_C(0x9e3779b97f4a7c15) % 256;
}

static size_t generate(enum source source, struct assay_event *events, size_t capacity, bool *last)
{
    size_t n = assay_generate_fill(&generator, events, capacity, last);
    for (size_t i = 0; i < n && source == SMALL; i++)
        make_small(&events[i]);
    return n;
}

/* One program, made and executed by the chunk so that its events are in the caches, as the host's
 * are in an isolated run. */
static void run_program(struct rig *rig, enum source source, uint64_t number, struct cost *cost)
{
    const struct assay_sink sink = assay_judge_sink(rig->judge);
    uint64_t calls = assay_judge_calls(rig->judge);
    bool last = false;
    assay_generate_start(&generator, SEED, number);
    while (!last) {
        double start = now_ns();
        size_t n = generate(source, ops, CHUNK, &last);
        double made = now_ns();
        assay_executor_run(rig->executor, ops, n, &sink);
        if (last) {
            assay_executor_finish(rig->executor, &sink);
            assay_executor_reset(rig->executor, SEED);
            assay_judge_reset(rig->judge);
        }
        cost->generate_ns += made - start;
        cost->run_ns += now_ns() - made;
        cost->ops += n;
    }
    cost->calls += assay_judge_calls(rig->judge) - calls;
    cost->programs++;
}

static void run_bare(struct rig *rig, enum source source, uint64_t number, struct cost *cost)
{
    bool last = false;
    assay_generate_start(&generator, SEED, number);
    while (!last) {
        size_t n = generate(source, ops, CHUNK, &last);
        double made = now_ns();
        assay_bare_run(&rig->bare, ops, n);
        if (last) {
            assay_bare_reset(&rig->bare);
            if (rig->subject->reset)
                rig->subject->reset();
        }
        cost->bare_ns += now_ns() - made;
    }
}

static void measure(struct rig *rig, const char *name, enum source source, double ms)
{
    struct assay_program_limits limits = {
        .missing_apis = assay_executor_missing(rig->subject),
        .max_object_bytes = 4 << 20,
        .max_live_bytes = 64 << 20,
        .max_live_objects = 4096,
    };
    struct cost cost = {0}, warm = {0};
    uint64_t faults_before, number = 0;
    assay_generate_init(&generator, source == SWARM ? ASSAY_GENERATE_SWARM : ASSAY_GENERATE_MIX,
                        &limits);
    run_program(rig, source, 0, &warm);
    double user = user_ns(&faults_before), end = now_ns() + ms * 1e6;
    do /* a few programs hold most of a swarm's bytes: always the same ones, or many */
        run_program(rig, source, ++number, &cost);
    while (now_ns() < end || (source == SWARM && ms >= 1000 && number < SWARM_PROGRAMS));
    cost.user_ns = user_ns(&cost.faults) - user;
    cost.faults -= faults_before;
    for (uint64_t i = 1; i <= number; i++)
        run_bare(rig, source, i, &cost);
    double calls = (double)cost.calls;
    printf("{\"schema\":\"assay.bench.checked_ops\",\"executor\":\"linked\",\"subject\":\"%s\","
           "\"programs\":\"%s\",\"calls\":%" PRIu64 ",\"ops\":%" PRIu64
           ",\"program_count\":%" PRIu64
           ",\"ns_per_call\":%.1f,\"generation_ns_per_call\":%.1f,\"bare_ns_per_call\":%.1f,"
           "\"faults_per_1000_calls\":%.2f,\"user_share\":%.2f,\"calls_per_cpu_second\":%.0f,"
           "\"calls_per_cpu_second_with_generation\":%.0f}\n",
           name, source_names[source], cost.calls, cost.ops, cost.programs, cost.run_ns / calls,
           cost.generate_ns / calls, cost.bare_ns / calls, 1000 * (double)cost.faults / calls,
           cost.user_ns / (cost.run_ns + cost.generate_ns), calls / cost.run_ns * 1e9,
           calls / (cost.run_ns + cost.generate_ns) * 1e9);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    double ms = argc > 1 ? strtod(argv[1], NULL) : 1000;
    struct assay_error err = {0};
    struct assay_linked *linked = NULL;
    struct assay_linked_config config = {.max_objects = 16, .seed = SEED};
    struct rig bulwark = {0}, glibc = {.subject = &library};
    if (assay_linked_create(&config, &linked, &err) == 0) {
        bulwark.subject = assay_linked_subject();
        if (set_up(&bulwark, "bulwark", &err) == 0 && set_up(&glibc, "glibc", &err) == 0) {
            for (enum source source = SMALL; source <= SWARM; source++) {
                if (argc > 2 && strcmp(argv[2], source_names[source]) != 0)
                    continue;
                if (argc <= 3 || strcmp(argv[3], "bulwark") == 0)
                    measure(&bulwark, "bulwark", source, ms);
                if (argc <= 3 || strcmp(argv[3], "glibc") == 0)
                    measure(&glibc, "glibc", source, ms);
            }
            assay_linked_free(linked);
            return violations == 0 ? 0 : 1;
        }
    }
    fprintf(stderr, "checked_ops: %s\n", err.text);
    return 3;
}
