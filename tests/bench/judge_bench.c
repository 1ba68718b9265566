/* What the judge costs per allocation call: a synthetic stream of small sizes (1 to 256 bytes, at
 * least 1,000 live, slab-like addresses with recent reuse) with every fact and all conformance rows
 * on. The stream is made before the clock starts; the bare loop reads the same events.
 * Usage: judge_bench [calls] -> one JSON line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "oracles/judge.h"
#include "traces/core/random.h"

enum { PROGRAM = 4096, CLASSES = 16, SLOTS = 4096, LIVE = 1200 };

static struct assay_event *events;
static size_t event_count;
static uint32_t highest;

/* A small slab allocator on paper: last freed slot of the class first. */
static uint64_t class_base[CLASSES];
static uint32_t free_slots[CLASSES][SLOTS], free_count[CLASSES], fresh[CLASSES];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t take(unsigned class)
{
    uint32_t slot =
        free_count[class] ? free_slots[class][--free_count[class]] : fresh[class]++ % SLOTS;
    return class_base[class] + (uint64_t)slot * (class + 1) * 16;
}

static void give(unsigned class, uint64_t address)
{
    if (free_count[class] < SLOTS)
        free_slots[class][free_count[class]++] =
            (uint32_t)((address - class_base[class]) / ((class + 1) * 16));
}

static void make_stream(size_t calls, uint64_t seed)
{
    struct live {
        uint32_t number;
        unsigned class;
        uint64_t address;
    } *live = calloc(LIVE + 2, sizeof *live);
    struct assay_random random;
    unsigned count = 0;
    assay_random_seed(&random, seed);
    for (unsigned i = 0; i < CLASSES; i++)
        class_base[i] = UINT64_C(0x7f0000000000) + ((uint64_t)i << 22);
    events = aligned_alloc(64, calls * sizeof *events);
    if (!events || !live)
        abort();
    while (event_count < calls) {
        struct assay_event *event = &events[event_count++];
        *event = (struct assay_event){.flags = ASSAY_FLAG_EXECUTED};
        if (count > LIVE || (count > 1000 && assay_random_below(&random, 2))) {
            unsigned at = (unsigned)assay_random_below(&random, count);
            event->kind = ASSAY_OP_FREE;
            event->object = live[at].number;
            event->address = live[at].address;
            event->checked = ASSAY_FACT_CONTENT | ASSAY_FACT_SIBLINGS;
            give(live[at].class, live[at].address);
            live[at] = live[--count];
            continue;
        }
        uint64_t bytes = 1 + assay_random_below(&random, 256);
        unsigned class = (unsigned)((bytes - 1) / 16);
        event->kind = ASSAY_OP_MALLOC;
        event->size = bytes;
        event->born = ++highest;
        event->address = take(class);
        event->flags |= ASSAY_FLAG_USABLE;
        event->usable_extra = (int32_t)((class + 1) * 16 - bytes);
        event->checked = ASSAY_FACT_FOREIGN | ASSAY_FACT_SIBLINGS;
        live[count++] = (struct live){highest, class, event->address};
    }
    free(live);
}

int main(int argc, char **argv)
{
    size_t calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
    double best = 1e30, bare = 1e30;
    struct assay_arena arena;
    make_stream(calls, 1);
    struct assay_judge_config config = {
        .has = ASSAY_HAS_ORDER | ASSAY_HAS_ADDRESS | ASSAY_HAS_USABLE | ASSAY_HAS_ERRNO |
               ASSAY_HAS_CONTENT | ASSAY_HAS_THREAD | ASSAY_HAS_SIGNAL | ASSAY_HAS_FOREIGN,
        .max_objects = highest,
        .max_live = 8192,
        .legal = true,
    };
    assay_profile_generic(&config.profile);
    if (assay_arena_create(&arena, assay_judge_bytes(&config), NULL) != 0)
        return 3;
    struct assay_judge *judge = assay_judge_create(&arena, &config);
    for (int round = 0; round < 7; round++) {
        double start = now_ns();
        for (size_t i = 0; i < event_count; i++) {
            assay_judge_before(judge, &events[i]);
            assay_judge_after(judge, &events[i]);
        }
        double judged = now_ns() - start;
        assay_judge_reset(judge);
        uint64_t sum = 0;
        start = now_ns();
        for (size_t i = 0; i < event_count; i++) {
            sum += events[i].address;
            __asm__ volatile("" : "+r"(sum));
        }
        double looped = now_ns() - start;
        if (round > 0 && judged < best)
            best = judged;
        if (looped < bare)
            bare = looped;
    }
    uint64_t violations = 0;
    for (unsigned i = 1; i < ASSAY_PROPERTY_COUNT; i++)
        violations += assay_judge_violations(judge, i);
    printf("{\"schema\":\"assay.bench.judge\",\"calls\":%zu,\"ns_per_call\":%.1f,"
           "\"bare_ns_per_call\":%.1f,\"violations\":%" PRIu64 "}\n",
           event_count, best / (double)event_count, bare / (double)event_count, violations);
    free(events);
    return violations == 0 ? 0 : 1;
}
