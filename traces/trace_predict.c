#include "traces/trace_predict.h"

#include "traces/core/bytes.h"
#include "traces/core/hash.h"

void predict_reset(struct predict *predict)
{
    predict->next = 0;
    predict->generation++;
}

uint32_t predict_units(uint64_t bytes)
{
    if (bytes > UINT64_C(0xfffffff0) * 16)
        return UINT32_MAX;
    uint64_t units = (bytes + 8 + 15) / 16;
    return units < 2 ? 2 : (uint32_t)units;
}

static struct predict_bin *bin_of(struct predict *predict, uint32_t context, uint32_t units)
{
    struct predict_bin *bin =
        &predict->bins[assay_mix64((uint64_t)context << 32 | units) % PREDICT_BINS];
    if (bin->generation != predict->generation) {
        bin->generation = predict->generation;
        bin->last = bin->stride = 0;
        bin->top = bin->n = 0;
    }
    return bin;
}

static uint64_t *freed_at(struct predict_bin *bin, uint32_t depth)
{
    return &bin->freed[(bin->top - 1 - depth) % PREDICT_DEPTH];
}

static void drop_freed(struct predict_bin *bin, uint32_t depth)
{
    for (; depth > 0; depth--)
        *freed_at(bin, depth) = *freed_at(bin, depth - 1);
    bin->top--;
    bin->n--;
}

void predict_freed(struct predict *predict, uint32_t context, uint32_t units, uint64_t address)
{
    struct predict_bin *bin = bin_of(predict, context, units);
    bin->freed[bin->top++ % PREDICT_DEPTH] = address;
    if (bin->n < PREDICT_DEPTH)
        bin->n++;
}

static void placed(struct predict *predict, struct predict_bin *bin, uint32_t units,
                   uint64_t address, bool carved)
{
    if (carved) {
        predict->next = address + (uint64_t)units * 16;
        bin->stride = address - bin->last;
    }
    bin->last = address;
}

uint64_t predict_encode(struct predict *predict, uint32_t context, uint32_t units, uint64_t operand,
                        uint64_t address)
{
    struct predict_bin *bin = bin_of(predict, context, units);
    if (operand && address == operand)
        return PREDICT_IN_PLACE;
    for (uint32_t depth = 0; depth < bin->n; depth++)
        if (*freed_at(bin, depth) == address) {
            drop_freed(bin, depth);
            placed(predict, bin, units, address, false);
            return PREDICT_FREED + depth;
        }
    uint64_t code = PREDICT_RAW;
    uint64_t delta = address - predict->next;
    if (delta == 0)
        code = PREDICT_NEXT;
    else if (address == bin->last + bin->stride)
        code = PREDICT_STRIDE;
    else if ((delta & 15) == 0)
        code = PREDICT_DELTA + assay_zigzag((uint64_t)((int64_t)delta >> 4));
    placed(predict, bin, units, address, true);
    return code;
}

uint64_t predict_decode(struct predict *predict, uint32_t context, uint32_t units, uint64_t operand,
                        uint64_t code, uint64_t raw)
{
    struct predict_bin *bin = bin_of(predict, context, units);
    uint64_t address;
    if (code == PREDICT_IN_PLACE)
        return operand;
    if (code >= PREDICT_FREED && code < PREDICT_FREED + PREDICT_DEPTH) {
        uint32_t depth = (uint32_t)(code - PREDICT_FREED);
        if (depth >= bin->n)
            return 0;
        address = *freed_at(bin, depth);
        drop_freed(bin, depth);
        placed(predict, bin, units, address, false);
        return address;
    }
    if (code == PREDICT_NEXT)
        address = predict->next;
    else if (code == PREDICT_STRIDE)
        address = bin->last + bin->stride;
    else if (code >= PREDICT_DELTA)
        address = predict->next + assay_unzigzag(code - PREDICT_DELTA) * 16;
    else
        address = raw;
    placed(predict, bin, units, address, true);
    return address;
}
