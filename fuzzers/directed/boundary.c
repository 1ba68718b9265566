#include "fuzzers/directed/boundary.h"

#include <stdlib.h>
#include <string.h>

size_t assay_boundary_grid(uint64_t *sizes, unsigned per_doubling, uint64_t largest)
{
    enum { FINE = 8, FINE_TO = 1024 };
    size_t n = 0;
    for (uint64_t size = FINE; size <= FINE_TO && size <= largest; size += FINE)
        sizes[n++] = size;
    for (uint64_t from = FINE_TO; from < largest; from *= 2)
        for (unsigned i = 1; i <= per_doubling && n < ASSAY_BOUNDARY_GRID; i++)
            sizes[n++] = from + from * i / per_doubling;
    return n;
}

bool assay_boundary_tells(const struct assay_boundary_answer *answers, size_t n)
{
    enum { ENOUGH = 8 };
    size_t more = 0, same = 0;
    for (size_t i = 0; i < n; i++) {
        more += answers[i].key > answers[i].size;
        same += i > 0 && answers[i].key == answers[i - 1].key && answers[i].key != 0;
    }
    return more >= ENOUGH && same >= ENOUGH / 2;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

size_t assay_boundary_thin(uint64_t *sizes, size_t n, size_t most)
{
    if (n <= most || most < 2)
        return n < most ? n : most;
    for (size_t i = 0; i < most; i++)
        sizes[i] = sizes[i * (n - 1) / (most - 1)];
    return most;
}

size_t assay_boundary_by_usable(const struct assay_boundary_answer *answers, size_t n,
                                uint64_t edges[ASSAY_BOUNDARY_EDGES])
{
    uint64_t all[ASSAY_BOUNDARY_GRID];
    size_t count = 0, distinct = 0;
    for (size_t i = 0; i < n && count < ASSAY_BOUNDARY_GRID; i++)
        if (answers[i].key >= answers[i].size && answers[i].key <= 2 * ASSAY_BOUNDARY_LARGEST)
            all[count++] = answers[i].key;
    qsort(all, count, sizeof *all, by_value);
    for (size_t i = 0; i < count; i++)
        if (distinct == 0 || all[i] != all[distinct - 1])
            all[distinct++] = all[i];
    distinct = assay_boundary_thin(all, distinct, ASSAY_BOUNDARY_EDGES);
    memcpy(edges, all, distinct * sizeof *edges);
    return distinct;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Slots of a class lie at multiples of its size, in any order; what lies far apart is in another
 * place altogether. */
uint64_t assay_boundary_stride(const uint64_t *addresses, size_t n)
{
    enum { ENOUGH = 3 };
    const uint64_t far = UINT64_C(64) << 20;
    uint64_t stride = 0;
    size_t told = 0;
    for (size_t i = 1; i < n; i++) {
        uint64_t a = addresses[i - 1], b = addresses[i], apart = a > b ? a - b : b - a;
        if (!a || !b || apart == 0 || apart > far)
            continue;
        stride = common_divisor(stride, apart);
        told++;
    }
    return told >= ENOUGH ? stride : 0;
}

size_t assay_boundary_bisect(const struct assay_boundary_answer *answers, size_t n, uint64_t *sizes,
                             size_t room, uint64_t edges[ASSAY_BOUNDARY_EDGES], size_t *ret_edges)
{
    size_t asked = 0;
    *ret_edges = 0;
    for (size_t i = 1; i < n; i++) {
        const struct assay_boundary_answer *below = &answers[i - 1], *above = &answers[i];
        if (below->key == above->key || !below->key || !above->key || below->size == above->size)
            continue;
        if (above->size == below->size + 1) {
            if (*ret_edges < ASSAY_BOUNDARY_EDGES)
                edges[(*ret_edges)++] = below->size;
        } else if (asked < room) {
            sizes[asked++] = below->size + (above->size - below->size) / 2;
        }
    }
    return asked;
}

bool assay_boundary_beyond(size_t index, uint64_t *ret_size)
{
    enum { AROUND = 64, LEAST_LOG2 = 48, LAST = 4097 };
    const uint64_t most = INT64_MAX;
    if (index < 2 * AROUND) {
        *ret_size = most - AROUND + index + 1;
        return true;
    }
    index -= 2 * AROUND;
    if (index < 3 * (63 - LEAST_LOG2)) {
        *ret_size = (UINT64_C(1) << (LEAST_LOG2 + index / 3)) + index % 3;
        return true;
    }
    index -= 3 * (63 - LEAST_LOG2);
    if (index >= LAST)
        return false;
    *ret_size = UINT64_MAX - index;
    return true;
}

bool assay_boundary_product(size_t index, uint64_t *ret_count, uint64_t *ret_size)
{
    static const uint64_t small[] = {1, 2, 8, 16, 24, 100, 1024, 4096, 65536};
    enum { SMALL = sizeof small / sizeof *small };
    const uint64_t half = UINT64_C(1) << 32;
    if (index < 63) { /* powers of two whose product is 2^64 */
        *ret_count = UINT64_C(1) << (index + 1);
        *ret_size = UINT64_C(1) << (63 - index);
        return true;
    }
    index -= 63;
    if (index < (size_t)SMALL * 4) { /* just over, and just under where rounding wraps */
        uint64_t element = small[index / 4] + (index / 4 == 0);
        static const uint64_t more[] = {1, 2, 17, 4096};
        *ret_size = element;
        *ret_count = UINT64_MAX / element + more[index % 4];
        return true;
    }
    index -= (size_t)SMALL * 4;
    if (index < (size_t)SMALL * 2) { /* the low half alone is small: count or size has a high one */
        *ret_count = index % 2 ? half + 1 : UINT64_C(65536) * small[index / 2];
        *ret_size =
            index % 2 ? UINT64_C(65536) * small[index / 2] : half + (half >> 16) * (index / 2) + 1;
        return true;
    }
    index -= (size_t)SMALL * 2;
    static const uint64_t pairs[][2] = {
        {UINT64_MAX, UINT64_MAX},
        {UINT64_MAX, 2},
        {(uint64_t)INT64_MAX + 1, 2},
        {(uint64_t)INT64_MAX, 3},
        {(UINT64_C(1) << 33) + 1, (UINT64_C(1) << 31) + 1},
        {(UINT64_C(1) << 32) + 1, UINT64_MAX >> 32},
        {UINT64_C(6700417) * 641 - 1, (UINT64_C(1) << 32) + 1},
    };
    if (index >= sizeof pairs / sizeof *pairs)
        return false;
    *ret_count = pairs[index][0];
    *ret_size = pairs[index][1];
    return true;
}

bool assay_boundary_bad_alignment(size_t index, uint64_t *ret_alignment)
{
    static const uint64_t bad[] = {
        0,       1,    2,    3,    4,
        5,       6,    7,    9,    12,
        20,      24,   40,   48,   56,
        96,      100,  1000, 24,   184,
        640,     4095, 4097, 6144, (1 << 20) + 8,
        3 << 19,
    };
    if (index >= sizeof bad / sizeof *bad)
        return false;
    *ret_alignment = bad[index];
    return true;
}
