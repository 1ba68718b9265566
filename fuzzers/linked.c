#include "fuzzers/linked.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "allocator/bulwark.h"

/* The subject's functions have the C library's signatures, so the heap they act on is here. */
static struct {
    struct bw_heap *heap;
    bool misused; /* the program that runs misuses it */
    bool dead;    /* Bulwark called its fatal hook: the heap may only be reset */
    sigjmp_buf escape;
    uint64_t seed;
} bulwark;

static void *linked_malloc(size_t size)
{
    return bw_malloc(bulwark.heap, size);
}

static void *linked_calloc(size_t count, size_t size)
{
    return bw_calloc(bulwark.heap, count, size);
}

static void *linked_realloc(void *p, size_t size)
{
    return bw_realloc(bulwark.heap, p, size);
}

static void *linked_reallocarray(void *p, size_t count, size_t size)
{
    return bw_reallocarray(bulwark.heap, p, count, size);
}

static void linked_free(void *p)
{
    if (!bulwark.dead)
        bw_free(bulwark.heap, p);
}

static void linked_free_sized(void *p, size_t size)
{
    bw_free_sized(bulwark.heap, p, size);
}

static void linked_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    bw_free_aligned_sized(bulwark.heap, p, alignment, size);
}

static void *linked_aligned_alloc(size_t alignment, size_t size)
{
    return bw_aligned_alloc(bulwark.heap, alignment, size);
}

static int linked_posix_memalign(void **out, size_t alignment, size_t size)
{
    return bw_posix_memalign(bulwark.heap, out, alignment, size);
}

static void *linked_memalign(size_t alignment, size_t size)
{
    return bw_memalign(bulwark.heap, alignment, size);
}

static void *linked_valloc(size_t size)
{
    return bw_valloc(bulwark.heap, size);
}

static void *linked_pvalloc(size_t size)
{
    return bw_pvalloc(bulwark.heap, size);
}

static size_t linked_usable_size(void *p)
{
    return bw_malloc_usable_size(bulwark.heap, p);
}

static size_t linked_object_size(void *p)
{
    return bw_malloc_object_size(bulwark.heap, p);
}

static int linked_trim(size_t pad)
{
    return bw_malloc_trim(bulwark.heap, pad);
}

/* After misuse the old heap's freed memory is not to be trusted, so there is a new one. */
static void linked_reset(void)
{
    struct bw_config config = {.seed = bulwark.seed, .deterministic = true};
    if (bulwark.dead || bulwark.misused) {
        bw_heap_destroy(bulwark.heap);
        bulwark.heap = bw_heap_create(&config);
        ASSAY_CHECK(bulwark.heap);
    } else {
        bw_heap_reset(bulwark.heap, bulwark.seed);
    }
    bulwark.dead = bulwark.misused = false;
}

static bool has_misuse(const struct assay_program *program)
{
    for (size_t i = 0; i < program->count; i++)
        if (program->ops[i].flags & ASSAY_FLAG_MISUSE)
            return true;
    return false;
}

static const struct assay_subject linked_subject = {
    .name = "bulwark (linked)",
    .reset = linked_reset,
    .malloc = linked_malloc,
    .calloc = linked_calloc,
    .realloc = linked_realloc,
    .reallocarray = linked_reallocarray,
    .free = linked_free,
    .free_sized = linked_free_sized,
    .free_aligned_sized = linked_free_aligned_sized,
    .aligned_alloc = linked_aligned_alloc,
    .posix_memalign = linked_posix_memalign,
    .memalign = linked_memalign,
    .valloc = linked_valloc,
    .pvalloc = linked_pvalloc,
    .malloc_usable_size = linked_usable_size,
    .malloc_object_size = linked_object_size,
    .malloc_trim = linked_trim,
};

struct assay_linked {
    struct assay_arena arena;
    struct assay_executor *executor;
    struct assay_judge *judge;
    struct assay_sink sink;
    uint64_t seed;
    uint64_t violations;
    void *report_self;
    void (*report)(void *self, const struct assay_violation *violation);
};

static void count_violation(void *self, const struct assay_violation *violation)
{
    struct assay_linked *linked = self;
    linked->violations++;
    if (linked->report)
        linked->report(linked->report_self, violation);
}

static void escape_fatal(void *self, const char *line)
{
    bulwark.dead = true;
    siglongjmp(bulwark.escape, 1);
}

uint64_t assay_linked_missing(void)
{
    return assay_executor_missing(&linked_subject);
}

const struct assay_subject *assay_linked_subject(void)
{
    return &linked_subject;
}

int assay_linked_create(const struct assay_linked_config *config, struct assay_linked **ret_linked,
                        struct assay_error *err)
{
    struct assay_linked *linked = calloc(1, sizeof *linked);
    if (!linked)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory for the linked rig");
    struct bw_config heap = {.seed = config->seed, .deterministic = true};
    struct assay_executor_config executor = {
        .subject = &linked_subject,
        .touch = config->touch,
        .ask_usable = true,
        .usable_writable = config->profile.usable_writable == ASSAY_ANSWER_YES,
        .max_objects = config->max_objects,
        .seed = config->seed,
    };
    struct assay_judge_config judge = {
        .has = ASSAY_HAS_ORDER | ASSAY_HAS_ADDRESS | ASSAY_HAS_USABLE | ASSAY_HAS_ERRNO |
               ASSAY_HAS_THREAD | ASSAY_HAS_SIGNAL | ASSAY_HAS_FOREIGN |
               (config->touch == ASSAY_TOUCH_FULL ? ASSAY_HAS_CONTENT : (uint64_t)0),
        .missing_apis = assay_linked_missing(),
        .max_objects = config->max_objects,
        .profile = config->profile,
        .legal = true,
        .report_self = linked,
        .report = count_violation,
    };
    linked->seed = bulwark.seed = config->seed;
    linked->report = config->report;
    linked->report_self = config->report_self;
    int code = assay_arena_create(
        &linked->arena, assay_executor_bytes(&executor) + assay_judge_bytes(&judge) + 65536, err);
    if (code != 0)
        goto out;
    linked->executor = assay_executor_create(&linked->arena, &executor);
    linked->judge = assay_judge_create(&linked->arena, &judge);
    ASSAY_CHECK(linked->executor && linked->judge);
    assay_arena_freeze(&linked->arena);
    linked->sink = assay_judge_sink(linked->judge);
    bulwark.heap = bw_heap_create(&heap);
    if (!bulwark.heap) {
        code = assay_fail_errno(err, "cannot create a Bulwark heap");
        goto out;
    }
    bw_set_fatal_hook(escape_fatal, linked);
    *ret_linked = linked;
    return 0;
out:
    assay_linked_free(linked);
    return code;
}

uint64_t assay_linked_run(struct assay_linked *linked, struct assay_program *program)
{
    linked->violations = 0;
    bulwark.misused = has_misuse(program);
    if (sigsetjmp(bulwark.escape, 0) == 0) {
        assay_executor_run(linked->executor, program->ops, program->count, &linked->sink);
        assay_executor_finish(linked->executor, &linked->sink);
        assay_executor_reset(linked->executor,
                             linked->seed); /* frees what is live: Bulwark checks each once more */
    } else {
        assay_judge_crash(linked->judge, SIGABRT);
        assay_executor_reset(linked->executor, linked->seed);
    }
    assay_judge_reset(linked->judge);
    return linked->violations;
}

const struct assay_judge *assay_linked_judge(const struct assay_linked *linked)
{
    return linked->judge;
}

void assay_linked_free(struct assay_linked *linked)
{
    if (!linked)
        return;
    bw_set_fatal_hook(NULL, NULL);
    if (bulwark.heap)
        bw_heap_destroy(bulwark.heap);
    bulwark.heap = NULL;
    assay_arena_destroy(&linked->arena);
    free(linked);
}
