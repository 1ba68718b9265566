#include "oracles/compare/passes.h"

#include <string.h>

#include "oracles/model/resources.h"

enum { LEAST = 64 };

static struct assay_event shifted(struct assay_event op, uint32_t by)
{
    op.object += op.object ? by : 0;
    op.born += op.born ? by : 0;
    return op;
}

static bool same_op(const struct assay_event *a, const struct assay_event *b)
{
    return a->kind == b->kind && a->family == b->family && a->place == b->place &&
           a->thread == b->thread && a->process == b->process && a->object == b->object &&
           a->born == b->born && a->size == b->size && a->arg == b->arg;
}

static bool power_of_two(size_t n)
{
    return (n & (n - 1)) == 0;
}

static uint32_t births(const struct assay_event *ops, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++)
        if (assay_event_bears(&ops[i]) && ops[i].born > highest)
            highest = ops[i].born;
    return highest;
}

static uint64_t deaths(const struct assay_event *ops, size_t n)
{
    uint64_t all = births(ops, n);
    for (size_t i = 0; i < n; i++)
        all += ops[i].kind == ASSAY_OP_TURNOVER ? ops[i].arg : 0;
    return all;
}

/* How often the program is its first `length` ops again, object numbers apart; 0: it is not. */
static size_t repeated(const struct assay_event *ops, size_t n, size_t length)
{
    uint32_t born = births(ops, length);
    if (born == 0 || n % length != 0)
        return 0;
    for (size_t at = length; at < n; at++) {
        struct assay_event op = shifted(ops[at % length], (uint32_t)(at / length) * born);
        if (!same_op(&op, &ops[at]))
            return 0;
    }
    return n / length;
}

/* Threads, and nothing is measured: so many times the same that it is meant so. */
static bool find_unmeasured(const struct assay_event *ops, size_t n,
                            struct assay_passes *ret_passes)
{
    bool threads = false;
    for (size_t i = 0; i < n && !threads; i++)
        threads = ops[i].thread != 0;
    for (size_t length = 1; threads && length <= n / LEAST; length++) {
        size_t count = repeated(ops, n, length);
        if (count < LEAST)
            continue;
        *ret_passes = (struct assay_passes){.length = length,
                                            .born = births(ops, length),
                                            .deaths = deaths(ops, length),
                                            .count = count};
        return true;
    }
    return false;
}

bool assay_passes_find(const struct assay_event *ops, size_t n, struct assay_passes *ret_passes)
{
    struct assay_passes passes = {0};
    while (passes.length < n && ops[passes.length].kind != ASSAY_OP_MEASURE)
        passes.length++;
    if (passes.length == n)
        return find_unmeasured(ops, n, ret_passes);
    if (passes.length == 0)
        return false;
    passes.born = births(ops, passes.length);
    passes.deaths = deaths(ops, passes.length);
    for (size_t at = 0; at < n;) {
        if (ops[at].kind == ASSAY_OP_MEASURE) {
            if (ops[at].arg >= ASSAY_MEASURES || ops[at].size != passes.count)
                return false;
            passes.measures |= UINT32_C(1) << ops[at++].arg;
            continue;
        }
        for (size_t i = 0; i < passes.length; i++, at++) {
            struct assay_event op = shifted(ops[i], (uint32_t)passes.count * passes.born);
            if (at == n || !same_op(&op, &ops[at]))
                return false;
        }
        passes.count++;
    }
    if (passes.count < 2 || !power_of_two(passes.count))
        return false;
    *ret_passes = passes;
    return true;
}

size_t assay_passes_ops(const struct assay_passes *passes)
{
    size_t doublings = passes->measures ? (size_t)__builtin_ctzll(passes->count) + 1 : 0;
    return passes->length * passes->count +
           doublings * (size_t)__builtin_popcount(passes->measures);
}

void assay_passes_expand(const struct assay_passes *passes, const struct assay_event *pass,
                         struct assay_event *out)
{
    for (size_t done = 0; done < passes->count;) {
        for (size_t i = 0; i < passes->length; i++)
            *out++ = shifted(pass[i], (uint32_t)done * passes->born);
        if (!power_of_two(++done))
            continue;
        for (unsigned what = 0; what < ASSAY_MEASURES; what++)
            if (passes->measures >> what & 1)
                *out++ = (struct assay_event){.kind = ASSAY_OP_MEASURE, .arg = what, .size = done};
    }
}

struct assay_passes assay_passes_of(const struct assay_passes *before,
                                    const struct assay_event *pass, size_t length)
{
    struct assay_passes passes = {.length = length,
                                  .born = births(pass, length),
                                  .deaths = deaths(pass, length),
                                  .count = before->count,
                                  .measures = before->measures};
    if (passes.measures == 0) { /* as long as before, and no more objects */
        size_t ops = before->count * before->length, objects = before->count * before->born;
        if (length && passes.born)
            passes.count =
                ops / length < objects / passes.born ? ops / length : objects / passes.born;
        return passes;
    }
    uint64_t died = before->count * before->deaths;
    size_t threads = 0;
    size_t wanted = before->measures == UINT32_C(1) << ASSAY_MEASURE_MAPPINGS
                        ? ASSAY_GROWTH_THREADS_MAPPINGS
                        : ASSAY_GROWTH_THREADS;
    for (size_t i = 0; i < length; i++)
        threads += pass[i].kind == ASSAY_OP_THREAD_EXIT;
    if (threads)
        for (passes.count = LEAST; passes.count * threads < wanted;)
            passes.count *= 2;
    else
        /* growth may have to come to as much as before */
        while (passes.deaths && (!assay_growth_behind(passes.count, passes.count * passes.deaths) ||
                                 2 * passes.count * passes.deaths <= died))
            passes.count *= 2;
    return passes;
}
