/* The executor: every op kind, every place, skips, and damage seen as facts with evidence. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "traces/runner/crash.h"
#include "traces/runner/executor.h"

enum { MAX_OBJECTS = 1000, KEPT = 4096 };

/* A subject that can be told to misbehave: a bump allocator over a static pool. */
static char pool[1 << 22] __attribute__((aligned(4096)));
static size_t used;
static void *last_pointer;
static int frees, fail_next, clobber_offset;
static char *clobber_at, *return_next;

static size_t *header(void *p)
{
    return (size_t *)((char *)p - 16);
}

static void *t_memalign(size_t alignment, size_t size)
{
    if (fail_next) {
        fail_next = 0;
        errno = ENOMEM;
        return NULL;
    }
    if (return_next) {
        char *p = return_next;
        return_next = NULL;
        return p;
    }
    size_t at = (used + 16 + alignment - 1) / alignment * alignment;
    if (size > sizeof pool || at + size > sizeof pool) {
        errno = ENOMEM;
        return NULL;
    }
    used = (at + size + 15) & ~(size_t)15;
    *header(pool + at) = size;
    return pool + at;
}
static void *t_malloc(size_t size)
{
    return t_memalign(16, size);
}
static void t_free(void *p)
{
    last_pointer = p;
    frees++;
    if (clobber_at)
        clobber_at[clobber_offset] = (char)~clobber_at[clobber_offset];
    clobber_at = NULL;
}
static int dirty;
static void *t_calloc(size_t count, size_t size)
{
    void *p = t_malloc(count * size);
    if (p)
        memset(p, 0, count * size);
    if (p && dirty)
        ((char *)p)[17] = 3;
    return p;
}
static int lose;
static void *t_realloc(void *p, size_t size)
{
    last_pointer = p;
    void *q = t_malloc(size);
    if (p && q && (uintptr_t)p > 65536)
        memcpy(q, p, (*header(p) < size ? *header(p) : size) - (size_t)lose);
    return q;
}
static void *t_reallocarray(void *p, size_t count, size_t size)
{
    return t_realloc(p, count * size);
}
static void t_free_sized(void *p, size_t size)
{
    (void)size;
    t_free(p);
}
static void t_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    t_free(p);
}
static int scribble_out;
static int t_posix_memalign(void **out, size_t alignment, size_t size)
{
    if (alignment < sizeof(void *)) {
        if (scribble_out)
            *out = NULL;
        return EINVAL;
    }
    *out = t_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
static void *t_valloc(size_t size)
{
    return t_memalign(4096, size);
}
static size_t t_usable(void *p)
{
    last_pointer = p;
    return p ? (*header(p) + 15) & ~(size_t)15 : 0;
}
static int t_trim(size_t pad)
{
    (void)pad;
    return 1;
}

static const struct assay_subject whole = {.name = "test",
                                           .malloc = t_malloc,
                                           .calloc = t_calloc,
                                           .realloc = t_realloc,
                                           .reallocarray = t_reallocarray,
                                           .free = t_free,
                                           .free_sized = t_free_sized,
                                           .free_aligned_sized = t_free_aligned_sized,
                                           .aligned_alloc = t_memalign,
                                           .posix_memalign = t_posix_memalign,
                                           .memalign = t_memalign,
                                           .valloc = t_valloc,
                                           .pvalloc = t_valloc,
                                           .malloc_usable_size = t_usable,
                                           .malloc_object_size = t_usable,
                                           .malloc_trim = t_trim};

static struct assay_arena arena;
static struct assay_executor *executor;
static struct assay_event kept[KEPT];
static size_t kept_count, before_count, end_count;

static void sink_before(void *self, const struct assay_event *op)
{
    (void)self, (void)op;
    before_count++;
}
static void sink_after(void *self, const struct assay_event *event)
{
    (void)self;
    if (kept_count < KEPT)
        kept[kept_count++] = *event;
}
static void sink_end(void *self)
{
    (void)self;
    end_count++;
}
static const struct assay_sink sink = {.before = sink_before, .after = sink_after, .end = sink_end};

static void start(const struct assay_subject *subject, enum assay_touch touch, bool usable)
{
    struct assay_executor_config config = {.subject = subject,
                                           .touch = touch,
                                           .ask_usable = usable,
                                           .usable_writable = usable,
                                           .max_objects = MAX_OBJECTS,
                                           .seed = 1};
    used = kept_count = before_count = end_count = 0;
    frees = fail_next = dirty = lose = scribble_out = 0;
    clobber_at = return_next = NULL;
    assert_int_equal(assay_arena_create(&arena, assay_executor_bytes(&config), NULL), 0);
    executor = assay_executor_create(&arena, &config);
    assert_non_null(executor);
}
static void stop(void)
{
    assay_arena_destroy(&arena);
}
#define RUN(...)                                                                                   \
    struct assay_event ops[] = {__VA_ARGS__};                                                      \
    assay_executor_run(executor, ops, sizeof ops / sizeof *ops, &sink)
#define OP(KIND, ...)                                                                              \
    {                                                                                              \
        .kind = ASSAY_OP_##KIND, __VA_ARGS__                                                       \
    }

static const struct assay_event *evidence(void)
{
    for (size_t i = 0; i < kept_count; i++)
        if (kept[i].kind == ASSAY_OP_EVIDENCE)
            return &kept[i];
    return NULL;
}

static void every_kind_is_executed(void **state)
{
    (void)state;
    const enum assay_touch touches[] = {ASSAY_TOUCH_NONE, ASSAY_TOUCH_RECORDED, ASSAY_TOUCH_PAGE,
                                        ASSAY_TOUCH_FULL};
    for (int t = 0; t < 4; t++) {
        start(&whole, touches[t], true);
        RUN(OP(MALLOC, .size = 24, .born = 1), OP(CALLOC, .size = 8, .arg = 10, .born = 2),
            OP(REALLOC, .object = 1, .size = 2000, .born = 3),
            OP(REALLOCARRAY, .object = 2, .size = 10, .arg = 3, .born = 4),
            OP(ALIGNED_ALLOC, .arg = 256, .size = 512, .born = 5),
            OP(POSIX_MEMALIGN, .arg = 64, .size = 5, .born = 6),
            OP(MEMALIGN, .arg = 32, .size = 40, .born = 7), OP(VALLOC, .size = 1, .born = 8),
            OP(PVALLOC, .size = 0, .born = 9), OP(USABLE_SIZE, .object = 3),
            OP(OBJECT_SIZE, .object = 4), OP(TRIM), OP(WRITE, .object = 3, .arg = 100, .size = 50),
            OP(READ, .object = 3, .arg = 90, .size = 100), OP(CHECK, .object = 3), OP(CHECK),
            OP(FREE, .object = 3), OP(FREE_SIZED, .object = 4, .size = 30),
            OP(FREE_ALIGNED_SIZED, .object = 5, .arg = 256, .size = 512), OP(FREE));
        size_t n = sizeof ops / sizeof *ops;
        for (size_t i = 0; i < n; i++) {
            assert_true(ops[i].flags & ASSAY_FLAG_EXECUTED);
            assert_int_equal(ops[i].failed, 0);
            assert_int_equal(ops[i].signal, 0);
            if (ops[i].born) {
                assert_true(ops[i].address != ASSAY_ADDRESS_NULL);
                assert_true(ops[i].flags & ASSAY_FLAG_USABLE);
                assert_true(ops[i].checked & ASSAY_FACT_FOREIGN);
            }
        }
        assert_int_equal(kept_count, n);
        assert_int_equal(before_count, n);
        assert_int_equal(ops[4].address % 256, 0);
        assert_int_equal(ops[9].value, 2000);
        assert_int_equal(ops[11].value, 1);
        assert_int_equal(frees, 4);
        assert_null(last_pointer);
        if (touches[t] == ASSAY_TOUCH_FULL) {
            assert_true(ops[1].checked & ASSAY_FACT_ZERO);
            assert_true(ops[2].checked & ASSAY_FACT_PREFIX);
            assert_true(ops[13].checked & ASSAY_FACT_READABLE);
            assert_true(ops[16].checked & ASSAY_FACT_CONTENT);
            assert_true(ops[17].checked & ASSAY_FACT_USABLE);
        }
        assay_executor_finish(executor, &sink);
        assert_int_equal(end_count, 1);
        assay_executor_reset(executor, 2);
        assert_int_equal(frees, 8); /* 6 to 9 were live */
        stop();
    }
}

static void every_place_is_a_pointer(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    struct assay_event first = {.kind = ASSAY_OP_MALLOC, .size = 64, .born = 1};
    assay_executor_run(executor, &first, 1, &sink);
    uintptr_t base = (uintptr_t)first.address;
    for (unsigned place = 0; place < ASSAY_PLACE_COUNT; place++) {
        struct assay_event op = {.kind = ASSAY_OP_FREE, .place = (uint8_t)place, .arg = 24};
        if (place == ASSAY_PLACE_OBJECT)
            op.object = 1;
        assay_executor_run(executor, &op, 1, &sink);
        assert_true(op.flags & ASSAY_FLAG_EXECUTED);
        uintptr_t p = (uintptr_t)last_pointer;
        assert_true(op.address == p);
        switch (place) {
        case ASSAY_PLACE_OBJECT: assert_true(p == base + 24); break;
        case ASSAY_PLACE_NULL: assert_true(p == 0); break;
        case ASSAY_PLACE_SMALL:
        case ASSAY_PLACE_WILD: assert_true(p == 24); break;
        case ASSAY_PLACE_UNINITIALISED: break; /* whatever stood there */
        default: assert_true(p > 65536); break;
        }
    }
    /* interior frees did not end object 1 */
    struct assay_event check = {.kind = ASSAY_OP_CHECK, .object = 1};
    assay_executor_run(executor, &check, 1, &sink);
    assert_true(check.checked & ASSAY_FACT_CONTENT);
    assert_int_equal(check.failed, 0);
    stop();
}

static void a_double_free_is_called_with_the_old_address(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    RUN(OP(MALLOC, .size = 64, .born = 1), OP(FREE, .object = 1), OP(FREE, .object = 1));
    assert_true(ops[2].flags & ASSAY_FLAG_EXECUTED);
    assert_int_equal(frees, 2);
    assert_true((uintptr_t)last_pointer == ops[0].address);
    stop();
}

static void missing_apis_and_what_hangs_on_them_are_skipped(void **state)
{
    (void)state;
    struct assay_subject few = {.name = "few", .malloc = t_malloc, .free = t_free};
    uint64_t missing = assay_executor_missing(&few);
    assert_true(missing >> ASSAY_OP_CALLOC & 1);
    assert_false(missing >> ASSAY_OP_MALLOC & 1);
    assert_false(missing >> ASSAY_OP_READ & 1);
    start(&few, ASSAY_TOUCH_FULL, true);
    RUN(OP(MALLOC, .size = 8, .born = 1), OP(CALLOC, .size = 8, .arg = 1, .born = 2),
        OP(WRITE, .object = 2, .size = 4), OP(FREE, .object = 2),
        OP(REALLOC, .object = 1, .size = 100, .born = 3), OP(FREE, .object = 3),
        OP(FREE, .object = 1), OP(FREE, .object = MAX_OBJECTS + 5));
    const bool skipped[] = {false, true, true, true, true, true, false, true};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(!!(ops[i].flags & ASSAY_FLAG_SKIPPED), skipped[i]);
        assert_int_equal(!(ops[i].flags & ASSAY_FLAG_EXECUTED), skipped[i]);
    }
    assert_int_equal(frees, 1);
    assert_int_equal(before_count, 2);
    stop();
}

static void failures_leave_no_object_and_old_ones_alone(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    struct assay_event birth = {.kind = ASSAY_OP_MALLOC, .size = 100, .born = 1};
    assay_executor_run(executor, &birth, 1, &sink);
    fail_next = 1;
    RUN(OP(REALLOC, .object = 1, .size = 200, .born = 2), OP(FREE, .object = 2),
        OP(CHECK, .object = 1), OP(FREE, .object = 1),
        OP(POSIX_MEMALIGN, .arg = 3, .size = 5, .born = 3),
        OP(MALLOC, .size = SIZE_MAX, .born = 4));
    assert_true(ops[0].address == ASSAY_ADDRESS_NULL);
    assert_int_equal(ops[0].error, ENOMEM);
    assert_true(ops[0].checked & ASSAY_FACT_PREFIX);
    assert_true(ops[1].flags & ASSAY_FLAG_SKIPPED);
    assert_true(ops[2].checked & ASSAY_FACT_CONTENT);
    assert_int_equal(frees, 1);
    assert_int_equal(ops[4].error, EINVAL);
    assert_true(ops[4].checked & ASSAY_FACT_OUT);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(ops[i].failed, 0);
    scribble_out = 1;
    struct assay_event bad = {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 3, .size = 5, .born = 5};
    assay_executor_run(executor, &bad, 1, &sink);
    assert_true(bad.failed & ASSAY_FACT_OUT);
    stop();
}

static void damage_is_a_fact_with_evidence(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    RUN(OP(MALLOC, .size = 100, .born = 1), OP(MALLOC, .size = 100, .born = 2));
    clobber_at = (char *)(uintptr_t)ops[0].address; /* freeing 2 damages 1 */
    clobber_offset = 41;
    struct assay_event release = {.kind = ASSAY_OP_FREE, .object = 2},
                       own = {.kind = ASSAY_OP_FREE, .object = 1};
    assay_executor_run(executor, &release, 1, &sink);
    if (!(release.failed & ASSAY_FACT_SIBLINGS)) { /* the sweep may not have come by yet */
        assay_executor_run(executor, &own, 1, &sink);
        assert_true(own.failed & ASSAY_FACT_CONTENT);
        assert_int_equal(own.wrong_at, 41);
    }
    assert_non_null(evidence());
    assert_int_equal(evidence()->object, 1);
    assert_int_equal(evidence()->arg, 41);
    assert_true(evidence()->size != evidence()->value);
    assert_int_equal(evidence()->size >> 8, evidence()->value >> 8);
    stop();
}

/* What is whole around a wrong byte is the object's own content, not an older one. */
static void a_wrong_byte_is_nobodys_wherever_it_stands(void **state)
{
    (void)state;
    for (unsigned written = 0; written < 2; written++)
        for (uint64_t at = 0; at < 40; at++) {
            start(&whole, ASSAY_TOUCH_FULL, false);
            RUN(OP(MALLOC, .size = 100, .born = 1),
                OP(WRITE, .object = 1, .arg = written ? 16 : 0, .size = written ? 8 : 0),
                OP(MALLOC, .size = 100, .born = 2));
            ((char *)(uintptr_t)ops[0].address)[at] ^= 0x5a;
            struct assay_event check = {.kind = ASSAY_OP_CHECK, .object = 1};
            assay_executor_run(executor, &check, 1, &sink);
            assert_non_null(evidence());
            assert_int_equal(evidence()->object, 1);
            assert_int_equal(evidence()->arg, at);
            assert_int_equal(evidence()->born, 0);
            stop();
        }
}

static void an_older_content_is_told_from_any_byte_on(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 8; at++) {
        start(&whole, ASSAY_TOUCH_FULL, false);
        struct assay_event birth = {.kind = ASSAY_OP_MALLOC, .size = 100, .born = 1},
                           write = {.kind = ASSAY_OP_WRITE, .object = 1, .arg = 16, .size = 32},
                           check = {.kind = ASSAY_OP_CHECK, .object = 1};
        char older[32];
        assay_executor_run(executor, &birth, 1, &sink);
        char *object = (char *)(uintptr_t)birth.address;
        memcpy(older, object + 16, sizeof older);
        assay_executor_run(executor, &write, 1, &sink);
        memcpy(object + 16 + at, older + at, sizeof older - at); /* a write that got lost */
        assay_executor_run(executor, &check, 1, &sink);
        assert_non_null(evidence());
        assert_in_range(evidence()->arg, 16 + at, 16 + at + 2);
        assert_int_equal(evidence()->born, 1);
        stop();
    }
}

static void a_sibling_is_swept_before_long_and_all_at_the_end(void **state)
{
    (void)state;
    enum { LIVE = 200 };
    start(&whole, ASSAY_TOUCH_FULL, false);
    struct assay_event ops[3 * LIVE];
    memset(ops, 0, sizeof ops);
    for (uint32_t i = 0; i < LIVE; i++)
        ops[i] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = 40, .born = i + 1};
    assay_executor_run(executor, ops, LIVE, &sink);
    ((char *)(uintptr_t)ops[77].address)[3] ^= 1;
    size_t noticed = 0;
    for (uint32_t i = 0; i < 2 * LIVE && !noticed; i++) {
        struct assay_event pair[] = {
            {.kind = ASSAY_OP_MALLOC, .size = 8, .born = LIVE + 1 + i},
            {.kind = ASSAY_OP_FREE, .object = LIVE + 1 + i},
        };
        assay_executor_run(executor, pair, 2, &sink);
        if ((pair[0].failed | pair[1].failed) & ASSAY_FACT_SIBLINGS)
            noticed = i + 1;
    }
    assert_in_range(noticed, 1, LIVE);
    assert_int_equal(evidence()->object, 78);
    kept_count = 0;
    ((char *)(uintptr_t)ops[5].address)[0] ^= 1;
    ((char *)(uintptr_t)ops[9].address)[39] ^= 1;
    assay_executor_finish(executor, &sink);
    size_t found = 0;
    for (size_t i = 0; i < kept_count; i++)
        found += kept[i].kind == ASSAY_OP_EVIDENCE;
    assert_int_equal(found, 2); /* 78 was reported once and is not again */
    stop();
}

static void overlap_names_whose_pattern_stands_there(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    struct assay_event a = {.kind = ASSAY_OP_MALLOC, .size = 100, .born = 1};
    assay_executor_run(executor, &a, 1, &sink);
    return_next = (char *)(uintptr_t)a.address + 48;
    RUN(OP(MALLOC, .size = 16, .born = 2), OP(FREE, .object = 1));
    assert_true(((ops[0].failed | ops[1].failed) & (ASSAY_FACT_CONTENT | ASSAY_FACT_SIBLINGS)) !=
                0);
    assert_non_null(evidence());
    assert_int_equal(evidence()->object, 1);
    assert_int_equal(evidence()->arg, 48);
    assert_int_equal(evidence()->born, 2);
    stop();
}

static void dirty_calloc_and_lossy_realloc_are_facts(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    dirty = 1;
    RUN(OP(CALLOC, .size = 30, .arg = 2, .born = 1));
    assert_true(ops[0].failed & ASSAY_FACT_ZERO);
    assert_int_equal(ops[0].wrong_at, 17);
    assert_int_equal(evidence()->value & 0xff, 3);
    lose = 2;
    struct assay_event grow = {.kind = ASSAY_OP_REALLOC, .object = 1, .size = 90, .born = 2};
    assay_executor_run(executor, &grow, 1, &sink);
    assert_true(grow.failed & ASSAY_FACT_PREFIX);
    assert_int_equal(grow.wrong_at, 58);
    lose = 0;
    struct assay_event check = {.kind = ASSAY_OP_CHECK, .object = 2};
    assay_executor_run(executor, &check, 1, &sink); /* refilled: watched again */
    assert_true(check.checked & ASSAY_FACT_CONTENT);
    assert_int_equal(check.failed, 0);
    stop();
}

static void memory_that_is_not_the_subjects_is_never_written(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    char local[64] = "untouched";
    return_next = local;
    RUN(OP(MALLOC, .size = 32, .born = 1));
    assert_true(ops[0].failed & ASSAY_FACT_FOREIGN);
    assert_string_equal(local, "untouched");
    return_next = arena.base + 128;
    char before[32];
    memcpy(before, arena.base + 128, 32);
    struct assay_event op = {.kind = ASSAY_OP_CALLOC, .size = 32, .arg = 1, .born = 2};
    struct assay_event second = {.kind = ASSAY_OP_MALLOC, .size = 32, .born = 3};
    assay_executor_run(executor, &second, 1, &sink);
    assert_true(second.failed & ASSAY_FACT_FOREIGN);
    (void)op;
    static char shared[4096];
    assay_executor_forbid(executor, shared, sizeof shared);
    return_next = shared + 100;
    struct assay_event third = {.kind = ASSAY_OP_MALLOC, .size = 32, .born = 4};
    assay_executor_run(executor, &third, 1, &sink);
    assert_true(third.failed & ASSAY_FACT_FOREIGN);
    assert_int_equal(shared[100], 0);
    stop();
}

static void a_turnover_ends_at_what_is_not_the_subjects(void **state)
{
    enum { FOREIGN_AT = 100 };
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    static char shared[4096];
    assay_executor_forbid(executor, shared, sizeof shared);
    struct assay_event op = OP(TURNOVER, .size = 32, .arg = 3);
    assay_executor_run(executor, &op, 1, &sink);
    assert_int_equal(op.value, 3);
    assert_int_equal(op.failed, 0);
    assert_int_equal(frees, 3);
    return_next = shared + FOREIGN_AT;
    op = (struct assay_event)OP(TURNOVER, .size = 32, .arg = 3);
    assay_executor_run(executor, &op, 1, &sink);
    assert_int_equal(op.value, 0);
    assert_true(op.failed & ASSAY_FACT_FOREIGN);
    assert_int_equal(shared[FOREIGN_AT], 0);
    assert_int_equal(frees, 3);
    assert_ptr_not_equal(last_pointer, shared + FOREIGN_AT);
    stop();
}

static void faults_of_access_ops_come_back(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    assert_int_equal(assay_crash_install(NULL, NULL), 0);
    RUN(OP(MALLOC, .size = 32, .born = 1), OP(READ, .place = ASSAY_PLACE_GUARD, .size = 4),
        OP(WRITE, .place = ASSAY_PLACE_NULL, .size = 8),
        OP(WRITE, .object = 1, .arg = 4, .size = 8), OP(WRITE, .object = 1, .arg = 28, .size = 8),
        OP(FREE, .object = 1));
    assert_int_equal(ops[1].signal, SIGSEGV);
    assert_true(ops[1].failed & ASSAY_FACT_READABLE);
    assert_int_equal(ops[2].signal, SIGSEGV);
    assert_int_equal(ops[3].signal, 0);
    assert_true(ops[3].checked & ASSAY_FACT_READABLE);
    assert_int_equal(ops[4].signal, 0);
    assert_true(ops[5].flags & ASSAY_FLAG_EXECUTED);
    assert_int_equal(frees, 1);
    stop();
}

static void memory_that_vanished_is_damage_not_a_crash(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    assert_int_equal(assay_crash_install(NULL, NULL), 0);
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    return_next = page;
    struct assay_event birth = {.kind = ASSAY_OP_MALLOC, .size = 4096, .born = 1};
    assay_executor_run(executor, &birth, 1, &sink);
    assert_int_equal(birth.failed, 0);
    munmap(page, 8192);
    RUN(OP(FREE, .object = 1), OP(MALLOC, .size = 5, .born = 2), OP(FREE, .object = 2));
    assert_true(ops[0].failed & ASSAY_FACT_CONTENT);
    assert_true(ops[0].failed & ASSAY_FACT_READABLE);
    assert_int_equal(frees, 2); /* the free was made all the same */
    assert_int_equal(ops[2].failed, 0);
    return_next = page; /* handed out, but not there */
    struct assay_event absent = {.kind = ASSAY_OP_MALLOC, .size = 50, .born = 3};
    assay_executor_run(executor, &absent, 1, &sink);
    assert_true(absent.failed & ASSAY_FACT_READABLE);
    stop();
}

static void an_overflow_names_the_writer(void **state)
{
    (void)state;
    start(&whole, ASSAY_TOUCH_FULL, false);
    RUN(OP(MALLOC, .size = 32, .born = 1), OP(MALLOC, .size = 64, .born = 2));
    uint64_t distance = ops[1].address - ops[0].address;
    struct assay_event wild = {
        .kind = ASSAY_OP_WRITE, .object = 1, .arg = distance + 8, .size = 24};
    assay_executor_run(executor, &wild, 1, &sink);
    kept_count = 0;
    struct assay_event check = {.kind = ASSAY_OP_CHECK, .object = 2};
    assay_executor_run(executor, &check, 1, &sink);
    if (!(wild.failed & ASSAY_FACT_SIBLINGS)) {
        assert_true(check.failed & ASSAY_FACT_CONTENT);
        assert_int_equal(evidence()->object, 2);
        assert_int_equal(evidence()->arg, 8);
        assert_int_equal(evidence()->born, 1);
    }
    stop();
}

/* What programs of misuse are made of: a word put down to the byte, and what stands there. */
static void words_are_stored_and_read_to_the_byte(void **state)
{
    (void)state;
    assert_int_equal(assay_crash_install(NULL, NULL), 0);
    start(&whole, ASSAY_TOUCH_RECORDED, false);
    RUN(OP(MALLOC, .size = 32, .born = 1),
        OP(STORE, .object = 1, .arg = 8, .size = UINT64_C(0x1122334455667788)),
        OP(STORE, .object = 1, .arg = 9, .size = 0, .born = 1),
        OP(READ, .object = 1, .arg = 8, .size = 8), OP(READ, .object = 1, .arg = 10, .size = 2),
        OP(FREE, .object = 1), OP(READ, .object = 1, .arg = 8, .size = 8),
        OP(READ, .place = ASSAY_PLACE_GUARD, .size = 8),
        OP(STORE, .place = ASSAY_PLACE_GUARD, .size = 1));
    assert_true(ops[1].address == ops[0].address + 8);
    assert_true(ops[3].value == UINT64_C(0x1122334455660088));
    assert_int_equal(ops[4].value, 0x5566);
    assert_true(ops[6].value == UINT64_C(0x1122334455660088));
    assert_int_equal(ops[7].signal, SIGSEGV);
    assert_int_equal(ops[8].signal, SIGSEGV);
    stop();
    start(&whole, ASSAY_TOUCH_FULL, false);
    struct assay_event more[] = {OP(MALLOC, .size = 32, .born = 1),
                                 OP(STORE, .object = 1, .arg = 8, .size = 5),
                                 OP(FREE, .object = 1)};
    assay_executor_run(executor, more, 3, &sink);
    assert_int_equal(more[2].failed, 0); /* its content is the program's from here on */
    stop();
}

/* Not the hard limit: the user may have set one below it. */
static void a_limit_leaves_the_former_one_behind(void **state)
{
    (void)state;
    const uint64_t users = UINT64_C(1) << 46;
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    now = before;
    now.rlim_cur = users < before.rlim_max ? users : before.rlim_max;
    rlim_t former = now.rlim_cur;
    assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
    start(&whole, ASSAY_TOUCH_NONE, false);
    for (int lifted = 0; lifted < 2; lifted++) {
        struct assay_event ops[] = {OP(LIMIT, .size = 2 << 20), OP(LIMIT, .size = 1 << 20),
                                    OP(LIMIT, .size = 0)};
        assay_executor_run(executor, ops, lifted ? 3 : 2, &sink);
        getrlimit(RLIMIT_AS, &now);
        if (!lifted) {
            assert_true(now.rlim_cur < former);
            assay_executor_reset(executor, 1);
            getrlimit(RLIMIT_AS, &now);
        }
        assert_true(now.rlim_cur == former);
    }
    struct assay_event wider = OP(LIMIT, .size = users);
    assay_executor_run(executor, &wider, 1, &sink);
    getrlimit(RLIMIT_AS, &now);
    assert_true(now.rlim_cur == former);
    stop();
    setrlimit(RLIMIT_AS, &before);
}

/* A second page of every two is made readable, until the system's limit is met. */
static size_t take_all_mappings(char *from, size_t pages)
{
    for (size_t i = 0; i < pages; i += 2)
        if (mprotect(from + i * 4096, 4096, PROT_READ) != 0)
            return i;
    return 0;
}

static void a_refusal_says_that_there_are_no_more_mappings(void **state)
{
    enum { PAGES = 1 << 18 };
    (void)state;
    start(&whole, ASSAY_TOUCH_NONE, false);
    for (int taken = 0; taken < 2; taken++) {
        char *all = mmap(NULL, (size_t)PAGES * 4096, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(all, MAP_FAILED);
        bool end = taken && take_all_mappings(all, PAGES) != 0;
        struct assay_event op = OP(MALLOC, .size = 100, .born = 1);
        fail_next = 1;
        assay_executor_run(executor, &op, 1, &sink);
        munmap(all, (size_t)PAGES * 4096);
        assert_int_equal(op.error, ENOMEM);
        assert_int_equal(assay_event_mappings_end(&op), end);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_executed),
        cmocka_unit_test(every_place_is_a_pointer),
        cmocka_unit_test(a_double_free_is_called_with_the_old_address),
        cmocka_unit_test(missing_apis_and_what_hangs_on_them_are_skipped),
        cmocka_unit_test(failures_leave_no_object_and_old_ones_alone),
        cmocka_unit_test(damage_is_a_fact_with_evidence),
        cmocka_unit_test(a_wrong_byte_is_nobodys_wherever_it_stands),
        cmocka_unit_test(an_older_content_is_told_from_any_byte_on),
        cmocka_unit_test(a_sibling_is_swept_before_long_and_all_at_the_end),
        cmocka_unit_test(overlap_names_whose_pattern_stands_there),
        cmocka_unit_test(dirty_calloc_and_lossy_realloc_are_facts),
        cmocka_unit_test(memory_that_is_not_the_subjects_is_never_written),
        cmocka_unit_test(a_turnover_ends_at_what_is_not_the_subjects),
        cmocka_unit_test(faults_of_access_ops_come_back),
        cmocka_unit_test(memory_that_vanished_is_damage_not_a_crash),
        cmocka_unit_test(an_overflow_names_the_writer),
        cmocka_unit_test(words_are_stored_and_read_to_the_byte),
        cmocka_unit_test(a_limit_leaves_the_former_one_behind),
        cmocka_unit_test(a_refusal_says_that_there_are_no_more_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
