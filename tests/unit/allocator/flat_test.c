/* The scaled-down heap: all of its state is one piece of memory, so that a copy of that is a
 * snapshot. Every program of so many calls, with every random choice that it can meet, is run from
 * snapshots; in each state that comes of it the heap is sound, and each misuse that can be aimed at
 * a slot is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include "allocator/bulwark.h"
#include "allocator/meta.h"

enum { BYTES = 4096, LIVE_MAX = 20, LIST = 16 };

struct object {
    uint8_t *p;
    uint32_t size;
};

/* All there is to a state: the heap's memory, and what the program knows. */
struct state {
    uint8_t memory[BYTES];
    struct object live[LIVE_MAX];
    uint32_t count;
};

static struct {
    uint8_t memory[BYTES] __attribute__((aligned(64)));
} place;
static struct object live[LIVE_MAX];
static uint32_t count;
static struct bw_heap *heap;

static uint32_t list[LIST];
static struct bw_choice record[LIST];
static struct bw_choices choices = {.values = list, .record = record, .record_max = LIST};

static void save(struct state *to)
{
    memcpy(to->memory, place.memory, BYTES);
    memcpy(to->live, live, sizeof live);
    to->count = count;
}

static void restore(const struct state *from)
{
    memcpy(place.memory, from->memory, BYTES);
    memcpy(live, from->live, sizeof live);
    count = from->count;
}

static void start(void)
{
    static const uint8_t seed[32];
    bw_heap_destroy(heap);
    memset(&place, 0, sizeof place);
    memset(live, 0, sizeof live);
    count = 0;
    choices.made = choices.count = 0;
    const struct bw_pages *pages = bw_fixed_pages(place.memory, BYTES, seed);
    assert_non_null(pages);
    heap = bw_heap_create(&(struct bw_config){.pages = pages, .choices = &choices});
    assert_non_null(heap);
}

/* ---- the calls of a program ---- */

enum { FILL = 0xa5 };
static const uint32_t sizes[] = {
    0, 15, 16}; /* the last fills a slot but for the canary, or is one too many */
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Ops: malloc of each size, then free of each object, then realloc of each to each size. */
static unsigned op_count(void)
{
    return SIZES + count + count * SIZES;
}

static void expect_content(const struct object *object, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        assert_int_equal(object->p[i], FILL);
}

static void add(uint8_t *p, uint32_t size, uint32_t kept)
{
    assert_int_equal((uintptr_t)p % 16, 0);
    assert_int_equal(bw_malloc_usable_size(heap, p), size);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t mine = size ? size : 1, others = live[i].size ? live[i].size : 1;
        assert_true(p + mine <= live[i].p || live[i].p + others <= p);
    }
    for (uint32_t i = kept; i < size; i++)
        assert_int_equal(p[i], 0);
    /* objects stand in order of address, so that equal states look equal */
    uint32_t at = count++;
    assert_in_range(count, 1, LIVE_MAX);
    for (; at > 0 && live[at - 1].p > p; at--)
        live[at] = live[at - 1];
    live[at] = (struct object){p, size};
    expect_content(&live[at], kept);
    memset(p, FILL, size);
}

static struct object take(uint32_t at)
{
    struct object object = live[at];
    count--;
    memmove(&live[at], &live[at + 1], (count - at) * sizeof *live);
    live[count] = (struct object){0};
    return object;
}

/* Nothing was left for `size` in its class and the larger ones, but what waits in quarantine. */
static void expect_full(uint32_t size)
{
    for (unsigned index = bw_class_for(size, 1); index < BW_CLASS_COUNT; index++) {
        const struct bw_class *class = &heap->classes[index];
        uint32_t here = 0;
        for (uint32_t i = 0; i < count; i++)
            here += (size_t)(live[i].p - class->base) < class->extent;
        assert_true(here + class->quarantine_max >= class->slots * class->slab_max);
    }
}

/* What it came to, as a number that does not depend on anything else. */
static uint64_t apply(unsigned op)
{
    uint8_t *p;
    choices.made = 0;
    if (op < SIZES) {
        p = bw_malloc(heap, sizes[op]);
        if (p != NULL)
            add(p, sizes[op], 0);
        else
            expect_full(sizes[op]);
        return (uint64_t)(p == NULL ? 0 : p - place.memory);
    }
    op -= SIZES;
    if (op < count) {
        struct object object = take(op);
        expect_content(&object, object.size);
        bw_free(heap, object.p);
        return 1;
    }
    op -= count;
    uint32_t size = sizes[op % SIZES], at = op / SIZES;
    struct object object = live[at];
    p = bw_realloc(heap, object.p, size);
    if (p == NULL) {
        expect_content(&object, object.size);
        return 2;
    }
    (void)take(at);
    add(p, size, object.size < size ? object.size : size);
    return (uint64_t)(p - place.memory);
}

static void expect_sound(void)
{
    const char *reason = "";
    if (!bw_heap_check(heap, &reason))
        fail_msg("%s", reason);
    for (uint32_t i = 0; i < count; i++)
        expect_content(&live[i], live[i].size);
}

/* ---- snapshots ---- */

static uint64_t x;

static uint32_t draw(uint32_t limit)
{
    x = x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((x >> 32) * limit >> 32);
}

static uint64_t run(unsigned steps, uint64_t seed)
{
    uint64_t sum = 0;
    x = seed;
    for (unsigned i = 0; i < steps; i++) {
        for (uint32_t j = 0; j < LIST; j++)
            list[j] = draw(1000);
        choices.count = LIST;
        sum = sum * 31 + apply(draw(op_count()));
    }
    return sum;
}

static void a_copy_of_the_memory_is_a_snapshot(void **state)
{
    static struct state middle, end, again;
    (void)state;
    start();
    for (uint64_t program = 0; program < 3000; program++) {
        if (program % 100 == 0)
            start();
        (void)run(draw(60), 3 * program);
        save(&middle);
        uint64_t sum = run(60, 3 * program + 1);
        expect_sound();
        save(&end);
        /* somewhere else, which nothing may remember */
        (void)run(draw(40), 3 * program + 2);
        restore(&middle);
        expect_sound();
        assert_int_equal(run(60, 3 * program + 1), sum);
        save(&again);
        assert_memory_equal(&again, &end, sizeof end);
    }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 }; /* which has calls of its own to make */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

/* Nothing but write and exit is allowed to the child. */
static void no_call_of_the_system_is_made(void **state)
{
    int status;
    (void)state;
    if (SANITIZED)
        skip();
    start();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
            syscall(SYS_exit, 5);
        for (uint64_t program = 0; program < 1000; program++) {
            (void)run(40, program);
            bw_heap_reset(heap, 0);
            memset(live, 0, sizeof live);
            count = 0;
        }
        syscall(SYS_exit, 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 5)
        skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- every program ---- */

enum { DEPTH_MAX = 8 };

struct seen {
    uint64_t hash;
    uint8_t left; /* calls that were still to be made from there */
};
static struct seen *seen;
static unsigned seen_bits;

static struct {
    uint64_t states, transitions, refusals, misuses;
} found;

static struct state stack[DEPTH_MAX + 1];

/* True where the state is new, or was met with fewer calls to go. */
static bool is_news(uint8_t left, bool *ret_new)
{
    uint64_t hash = 0x9e3779b97f4a7c15u, word;
    for (size_t i = 0; i < BYTES; i += sizeof word) {
        memcpy(&word, place.memory + i, sizeof word);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    size_t at = hash >> (64 - seen_bits), mask = ((size_t)1 << seen_bits) - 1;
    while (seen[at].hash != 0 && seen[at].hash != hash)
        at = (at + 1) & mask;
    *ret_new = seen[at].hash == 0;
    if (!*ret_new && seen[at].left >= left)
        return false;
    seen[at].hash = hash;
    seen[at].left = left;
    found.states += *ret_new;
    assert_true(found.states < mask / 2);
    return true;
}

/* The next list of choices of the call that was just made: the last that can be higher goes up. */
static bool next_list(uint32_t to[LIST], size_t *ret_length)
{
    assert_in_range(choices.made, 0, LIST);
    for (size_t i = 0; i < choices.made; i++)
        to[i] = record[i].value;
    for (size_t i = choices.made; i-- > 0;) {
        if (to[i] + 1 == record[i].limit)
            continue;
        to[i]++;
        *ret_length = i + 1;
        return true;
    }
    return false;
}

static jmp_buf caught;
static char said[256];

static void catch (void *self, const char *line)
{
    (void)self;
    snprintf(said, sizeof said, "%s", line);
    longjmp(caught, 1);
}

/* Frees p, or asks for its size, which must be noticed as `what`; the state is the one of `from`
 * afterwards. */
static void expect_noticed(const struct state *from, uint8_t *p, bool asks, const char *what)
{
    choices.made = choices.count = 0;
    said[0] = '\0';
    if (setjmp(caught) == 0) {
        if (asks)
            (void)bw_malloc_usable_size(heap, p);
        else
            bw_free(heap, p);
    }
    if (strstr(said, what) == NULL)
        fail_msg("%s at %zu is no '%s': '%s'", asks ? "usable_size" : "free",
                 (size_t)(p - place.memory), what, said);
    restore(from);
    found.misuses++;
}

static const struct object *live_at(const uint8_t *p)
{
    for (uint32_t i = 0; i < count; i++)
        if (live[i].p == p)
            return &live[i];
    return NULL;
}

/* Every slot of the heap: freed where it is not live, inside of it, overwritten. */
static void expect_misuse_noticed(const struct state *from)
{
    for (unsigned index = 0; index < BW_CLASS_COUNT; index++) {
        const struct bw_class *class = &heap->classes[index];
        for (uint32_t i = 0; i < class->slots * (uint32_t)(class->extent / class->stride); i++) {
            uint8_t *p = class->base + i / class->slots * class->stride +
                         i % class->slots * (size_t) class->size;
            const struct object *object = live_at(p);
            uint32_t tag = bw_slab_record(class, i / class->slots)->tags[i % class->slots];
            const char *reason = NULL;
            expect_noticed(from, p + 8, false, "invalid free");
            if (object == NULL) {
                expect_noticed(from, p, false, tag != 0 ? "double free" : "invalid free");
                expect_noticed(from, p, true, tag != 0 ? "usable_size after free" : "invalid");
            }
            if (index == 0)
                continue;
            if (object != NULL) {
                p[object->size] ^= 1;
                assert_false(bw_heap_check(heap, &reason));
                expect_noticed(from, p, false, "overflow");
                continue;
            }
            p[class->size - 1] = 1;
            assert_false(bw_heap_check(heap, &reason));
            restore(from);
        }
    }
}

static void explore(unsigned depth, unsigned calls)
{
    struct state *from = &stack[depth];
    save(from);
    for (unsigned op = 0; op < op_count(); op++) {
        size_t length = 0;
        uint32_t next[LIST] = {0};
        for (bool more = true; more;) {
            bool is_new;
            restore(from);
            memcpy(list, next, sizeof list);
            choices.count = length;
            uint64_t result = apply(op);
            found.transitions++;
            found.refusals += op < SIZES && result == 0;
            more = next_list(next, &length);
            if (!is_news((uint8_t)(calls - depth - 1), &is_new))
                continue;
            if (is_new) {
                expect_sound();
                save(&stack[depth + 1]);
                expect_misuse_noticed(&stack[depth + 1]);
            }
            if (depth + 1 < calls)
                explore(depth + 1, calls);
        }
        restore(from);
    }
}

static unsigned calls = 4;

static void explore_from_here(unsigned depth)
{
    bool is_new;
    expect_sound();
    (void)is_news((uint8_t)depth, &is_new);
    explore(0, depth);
}

static void begin(void)
{
    seen_bits = calls < 7 ? 21 : 24;
    seen = calloc((size_t)1 << seen_bits, sizeof *seen);
    assert_non_null(seen);
    memset(&found, 0, sizeof found);
    bw_set_fatal_hook(catch, NULL);
    start();
}

static void end(const char *what, unsigned depth)
{
    bw_set_fatal_hook(NULL, NULL);
    free(seen);
    printf("%s %u calls of %d sizes: %llu states, %llu transitions, %llu refusals, %llu misuses "
           "noticed\n",
           what, depth, SIZES, (unsigned long long)found.states,
           (unsigned long long)found.transitions, (unsigned long long)found.refusals,
           (unsigned long long)found.misuses);
}

static void every_program_leaves_a_sound_heap(void **state)
{
    (void)state;
    begin();
    explore_from_here(calls);
    end("all programs of", calls);
}

/* Few calls lead neither to a full class nor to slabs that are given back. */
static void also_from_states_that_many_calls_led_to(void **state)
{
    enum { STARTS = 40, DEPTH = 2 };
    static struct state from;
    (void)state;
    begin();
    for (uint64_t i = 0; i < STARTS; i++) {
        (void)run(40, 1000 + i);
        save(&from);
        explore_from_here(DEPTH);
        restore(&from);
    }
    end("from the states of a long program, all of", DEPTH);
    assert_true(found.refusals > 0);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        calls = (unsigned)strtoul(argv[1], NULL, 10);
    if (calls < 1 || calls > DEPTH_MAX)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_of_the_memory_is_a_snapshot),
        cmocka_unit_test(no_call_of_the_system_is_made),
        cmocka_unit_test(every_program_leaves_a_sound_heap),
        cmocka_unit_test(also_from_states_that_many_calls_led_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
