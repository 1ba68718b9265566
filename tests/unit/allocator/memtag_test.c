/* Memory tags, on a model: a byte per granule beside a fixed region, four bits of a pointer that no
 * access here may use. What an access would do is asked of the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>

#include "allocator/bulwark.h"
#include "allocator/memtag.h"
#include "allocator/meta.h"
#include "allocator/pages.h"

_Static_assert(BW_MEMORY_TAGS, "built with tags");

enum { TAG_SHIFT = 56, TAGS = 16, REGION = 96 << 20, LIVE = 400 };

struct model {
    struct bw_memory_tags tags; /* first: the functions get its address */
    uint8_t *region, *shadow;
};

static size_t granule_of(const struct model *model, const void *p)
{
    uintptr_t offset = (uintptr_t)p - (uintptr_t)model->region;
    assert_true(offset < REGION);
    return offset / BW_TAG_GRANULE;
}

static void *with(const struct bw_memory_tags *tags, const void *p, unsigned tag)
{
    (void)tags;
    uintptr_t plain = (uintptr_t)p & ~((uintptr_t)(TAGS - 1) << TAG_SHIFT);
    return (void *)(plain | (uintptr_t)tag << TAG_SHIFT);
}

static unsigned of_pointer(const struct bw_memory_tags *tags, const void *p)
{
    (void)tags;
    return (uintptr_t)p >> TAG_SHIFT & (TAGS - 1);
}

static unsigned of_memory(const struct bw_memory_tags *tags, const void *p)
{
    const struct model *model = (const struct model *)tags;
    return model->shadow[granule_of(model, p)];
}

static void mark(const struct bw_memory_tags *tags, void *p, size_t bytes, unsigned tag)
{
    const struct model *model = (const struct model *)tags;
    if (bytes == 0)
        return;
    size_t first = granule_of(model, p), last = granule_of(model, (uint8_t *)p + bytes - 1);
    memset(model->shadow + first, (int)tag, last - first + 1);
}

/* ---- a heap with them ---- */

struct state {
    struct model model;
    struct bw_heap *heap;
    void *objects[LIVE];
    size_t sizes[LIVE];
    uint32_t x;
};

static uint8_t *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static struct state *begin(struct bw_choices *choices)
{
    static const uint8_t seed[32] = {7};
    struct state *state = calloc(1, sizeof *state);
    assert_non_null(state);
    state->model = (struct model){.tags = {.count = TAGS,
                                           .with = with,
                                           .of_pointer = of_pointer,
                                           .of_memory = of_memory,
                                           .mark = mark},
                                  .region = map(REGION),
                                  .shadow = map(REGION / BW_TAG_GRANULE)};
    state->heap = bw_heap_create(
        &(struct bw_config){.seed = 5,
                            .deterministic = true,
                            .choices = choices,
                            .pages = bw_fixed_pages(state->model.region, REGION, seed),
                            .tags = &state->model.tags});
    assert_non_null(state->heap);
    state->x = 1;
    return state;
}

static void end(struct state *state)
{
    bw_heap_destroy(state->heap);
    munmap(state->model.region, REGION);
    munmap(state->model.shadow, REGION / BW_TAG_GRANULE);
    free(state);
}

static uint8_t *plain(const void *p)
{
    return with(NULL, p, 0);
}

/* Whether the processor would let an access through p, which is `offset` further, pass. */
static bool passes(const struct state *state, const void *p, ptrdiff_t offset)
{
    return of_memory(&state->model.tags, plain(p) + offset) == of_pointer(NULL, p);
}

static size_t granules(size_t size)
{
    return bw_round_up(size, BW_TAG_GRANULE);
}

/* All of a live object and nothing beside it can be accessed by its pointer. */
static void look_at(const struct state *state, unsigned i)
{
    const void *p = state->objects[i];
    size_t size = state->sizes[i];
    if (p == NULL || size == 0)
        return;
    assert_int_not_equal(of_pointer(NULL, p), 0);
    for (size_t at = 0; at < size; at += BW_TAG_GRANULE)
        assert_true(passes(state, p, (ptrdiff_t)at));
    assert_false(passes(state, p, -1));
    assert_false(passes(state, p, (ptrdiff_t)granules(size)));
}

static uint32_t draw(struct state *state)
{
    state->x = state->x * 1664525 + 1013904223;
    return state->x >> 8;
}

static size_t some_size(struct state *state)
{
    uint32_t kind = draw(state) % 16;
    size_t most = kind < 12 ? 400 : kind < 15 ? 20000 : 400000;
    return draw(state) % most;
}

static void make(struct state *state, unsigned i)
{
    size_t size = state->sizes[i] = some_size(state);
    void *p = NULL;
    switch (draw(state) % 4) {
    case 0: p = bw_calloc(state->heap, 1, size); break;
    case 1: p = bw_memalign(state->heap, (size_t)16 << draw(state) % 6, size); break;
    default: p = bw_malloc(state->heap, size);
    }
    state->objects[i] = p;
    if (p != NULL)
        memset(plain(p), (int)i, size);
}

static void step(struct state *state)
{
    unsigned i = draw(state) % LIVE;
    void *p = state->objects[i];
    if (p == NULL) {
        make(state, i);
    } else if (draw(state) % 3 == 0) {
        size_t size = some_size(state), old = state->sizes[i];
        void *moved = bw_realloc(state->heap, p, size);
        if (moved == NULL)
            return;
        for (size_t at = 0; at < (old < size ? old : size); at += 61)
            assert_int_equal(plain(moved)[at], (uint8_t)i);
        state->objects[i] = moved;
        state->sizes[i] = size;
        memset(plain(moved), (int)i, size);
    } else {
        assert_int_equal(bw_malloc_usable_size(state->heap, p), state->sizes[i]);
        bw_free(state->heap, p);
        state->objects[i] = NULL;
        if (state->sizes[i] != 0)
            for (size_t at = 0; at < state->sizes[i]; at += BW_TAG_GRANULE)
                assert_int_equal(of_memory(&state->model.tags, plain(p) + at), 0);
    }
    look_at(state, i);
}

static size_t tagged_granules(const struct state *state)
{
    size_t count = 0;
    for (size_t i = 0; i < REGION / BW_TAG_GRANULE; i++)
        count += state->model.shadow[i] != 0;
    return count;
}

static void test_live_memory_alone_has_tags(void **unused)
{
    (void)unused;
    struct state *state = begin(NULL);
    const char *reason = NULL;
    for (int i = 0; i < 40000; i++) {
        step(state);
        if (i % 4000 != 0)
            continue;
        size_t live = 0;
        for (unsigned j = 0; j < LIVE; j++) {
            look_at(state, j);
            live += state->objects[j] == NULL ? 0 : granules(state->sizes[j]) / BW_TAG_GRANULE;
        }
        assert_int_equal(tagged_granules(state), live);
        assert_true(bw_heap_check(state->heap, &reason));
    }
    bw_heap_reset(state->heap, 6);
    assert_int_equal(tagged_granules(state), 0);
    assert_non_null(bw_malloc(state->heap, 100));
    end(state);
}

/* Each tag is drawn about as often as the others, and neighbours never have the same. */
static void test_tags_of_neighbours(void **unused)
{
    (void)unused;
    enum { COUNT = 4000, SIZE = 64 };
    struct state *state = begin(NULL);
    static void *made[COUNT];
    unsigned seen[TAGS] = {0};
    for (int i = 0; i < COUNT; i++) {
        made[i] = bw_malloc(state->heap, SIZE - 16);
        seen[of_pointer(NULL, made[i])]++;
    }
    for (int i = 0; i < COUNT; i++) {
        assert_false(passes(state, made[i], SIZE));
        assert_false(passes(state, made[i], -SIZE));
    }
    assert_int_equal(seen[0], 0);
    for (int tag = 1; tag < TAGS; tag++)
        assert_in_range(seen[tag], COUNT / TAGS / 2, COUNT / TAGS * 2);
    end(state);
}

static jmp_buf stopped;
static char said[256];

static void on_fatal(void *self, const char *line)
{
    (void)self;
    snprintf(said, sizeof said, "%s", line);
    longjmp(stopped, 1);
}

#define STOPS(call, words)                                                                         \
    do {                                                                                           \
        bw_set_fatal_hook(on_fatal, NULL);                                                         \
        if (setjmp(stopped) == 0) {                                                                \
            call;                                                                                  \
            fail_msg("it goes on");                                                                \
        }                                                                                          \
        bw_set_fatal_hook(NULL, NULL);                                                             \
        assert_non_null(strstr(said, words));                                                      \
    } while (0)

/* A pointer that was kept until another object stands there. */
static void *stand_in(struct state *state, void *kept, size_t size)
{
    for (;;) {
        void *p = bw_malloc(state->heap, size);
        assert_non_null(p);
        if (plain(p) == plain(kept) && p != kept)
            return p;
        bw_free(state->heap, p);
    }
}

static void refuses_stale_pointers(size_t size)
{
    struct state *state = begin(NULL);
    void *kept = bw_malloc(state->heap, size);
    bw_free(state->heap, kept);
    void *now = stand_in(state, kept, size);
    STOPS(bw_free(state->heap, kept), "free by a stale pointer");
    STOPS((void)bw_malloc_usable_size(state->heap, kept), "usable_size by a stale pointer");
    STOPS((void)bw_realloc(state->heap, kept, 10), "realloc by a stale pointer");
    STOPS(bw_free(state->heap, plain(now)), "the pointer's tag is 0");
    STOPS(bw_free(state->heap, (char *)now + 16), "invalid free");
    bw_free(state->heap, now);
    STOPS(bw_free(state->heap, now), "double free");
    end(state);
}

static void test_stale_pointers_are_refused(void **unused)
{
    (void)unused;
    refuses_stale_pointers(40);
}

static void test_stale_pointers_to_large_objects_are_refused(void **unused)
{
    (void)unused;
    refuses_stale_pointers(200000);
}

/* With an alignment beyond a page nothing of an object of size 0 is readable: nothing may be
 * marked.
 */
static size_t marked;

static void count_mark(const struct bw_memory_tags *tags, void *p, size_t bytes, unsigned tag)
{
    marked += bytes != 0;
    mark(tags, p, bytes, tag);
}

static void test_objects_of_size_0_have_no_tag(void **unused)
{
    (void)unused;
    struct state *state = begin(NULL);
    state->model.tags.mark = count_mark;
    for (size_t alignment = 8192; alignment <= 65536; alignment *= 2) {
        void *p = bw_memalign(state->heap, alignment, 0);
        assert_non_null(p);
        assert_int_equal(of_pointer(NULL, p), 0);
        bw_free(state->heap, p);
    }
    (void)bw_memalign(state->heap, 65536, 0);
    bw_heap_reset(state->heap, 7);
    assert_int_equal(marked, 0);
    end(state);
}

static void test_tags_are_choices(void **unused)
{
    (void)unused;
    static struct bw_choice record[4096];
    struct bw_choices choices = {.then_from_seed = true, .record = record, .record_max = 4096};
    struct state *state = begin(&choices);
    size_t from = choices.made;
    void *p = bw_malloc(state->heap, 40);
    unsigned tags = 0;
    for (size_t i = from; i < choices.made; i++) {
        tags += record[i].kind == BW_CHOICE_TAG;
        assert_true(record[i].kind != BW_CHOICE_TAG || record[i].limit == TAGS - 1);
    }
    assert_int_equal(tags, 1);
    bw_free(state->heap, p);
    end(state);
}

/* A build that can have tags, and a heap that has none. */
static void test_without_a_provider(void **unused)
{
    (void)unused;
    struct bw_heap *heap = bw_heap_create(&(struct bw_config){.seed = 1, .deterministic = true});
    char *p = bw_malloc(heap, 40);
    p[39] = 1;
    p = bw_realloc(heap, p, 300000);
    assert_int_equal(p[39], 1);
    bw_free(heap, p);
    bw_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_memory_alone_has_tags),
        cmocka_unit_test(test_tags_of_neighbours),
        cmocka_unit_test(test_stale_pointers_are_refused),
        cmocka_unit_test(test_stale_pointers_to_large_objects_are_refused),
        cmocka_unit_test(test_objects_of_size_0_have_no_tag),
        cmocka_unit_test(test_tags_are_choices),
        cmocka_unit_test(test_without_a_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
