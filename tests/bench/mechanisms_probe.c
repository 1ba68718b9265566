/* What one build of an allocator costs, for tests/bench/mechanisms. `pairs`: under callgrind, which
 * writes the cost of each part under its name. `resident`: prints the memory in KiB of many live
 * objects, and what stays once they are freed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

static uint64_t state = 1;

static uint32_t draw(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 32) * limit >> 32);
}

/* A compiler must not take a pair away. */
static void *seen(void *p)
{
    __asm__ volatile("" ::"r"(p) : "memory");
    return p;
}

static void pairs(size_t size, unsigned count)
{
    char name[32];
    for (unsigned i = 0; i < count; i++) {
        if (i == count / 2)
            CALLGRIND_ZERO_STATS;
        free(seen(malloc(size)));
    }
    snprintf(name, sizeof name, "pair %zu %u", size, count - count / 2);
    CALLGRIND_DUMP_STATS_AT(name);
}

enum { LIVE = 1000, REPLACED = 40000 };

static void replaced(void)
{
    static void *live[LIVE];
    static uint16_t at[REPLACED], size[REPLACED];
    for (unsigned i = 0; i < REPLACED; i++) {
        at[i] = (uint16_t)draw(LIVE);
        size[i] = (uint16_t)(16 + draw(241));
    }
    for (unsigned i = 0; i < REPLACED; i++) {
        if (i == REPLACED / 2)
            CALLGRIND_ZERO_STATS;
        free(live[at[i]]);
        live[at[i]] = seen(malloc(size[i]));
    }
    CALLGRIND_DUMP_STATS_AT("replaced 0 20000");
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * 4;
}

enum { MANY = 100000, TURNS = 400000 };

static void resident(void)
{
    static void *live[MANY];
    for (unsigned i = 0; i < TURNS; i++) {
        unsigned slot = i < MANY ? i : draw(MANY);
        size_t size = (16u << draw(6)) + draw(16);
        free(live[slot]);
        live[slot] = malloc(size);
        if (live[slot] == NULL)
            exit(1);
        memset(live[slot], 1, size);
    }
    printf("%ld\n", resident_kib());
    for (unsigned i = 0; i < MANY; i++)
        free(live[i]);
    printf("%ld\n", resident_kib());
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "resident") == 0) {
        resident();
        return 0;
    }
    pairs(16, 10000);
    pairs(200, 10000);
    pairs(1000, 60000);
    pairs(4000, 60000);
    pairs(300000, 1000);
    replaced();
    return 0;
}
