#include "traces/trace_columns.h"

#include <stdlib.h>

#include "traces/core/error.h"
#include "traces/core/hash.h"

struct count {
    uint64_t number;
    uint32_t n;
    uint32_t token;
};

struct column_counter {
    struct count *slots;
    size_t mask, room;
};

#define COUNT_CLASSES 256 /* counts of 255 and above are one class */

struct column_counter *column_counter_create(void)
{
    return calloc(1, sizeof(struct column_counter));
}

void column_counter_free(struct column_counter *counter)
{
    if (counter)
        free(counter->slots);
    free(counter);
}

int column_reserve(struct column *column, size_t n)
{
    if (n <= column->room)
        return 0;
    uint64_t *numbers = realloc(column->numbers, n * sizeof *numbers);
    if (!numbers)
        return ASSAY_E_MEMORY;
    column->numbers = numbers;
    column->room = n;
    return 0;
}

static struct count *slot_of(const struct column_counter *counter, uint64_t number)
{
    size_t i = assay_mix64(number) & counter->mask;
    while (counter->slots[i].n && counter->slots[i].number != number)
        i = (i + 1) & counter->mask;
    return &counter->slots[i];
}

static int count_numbers(struct column_counter *counter, const struct column *column)
{
    size_t slots = 1024;
    while (slots < column->n * 2)
        slots *= 2;
    if (slots > counter->room) {
        free(counter->slots);
        counter->room = 0;
        counter->slots = malloc(slots * sizeof *counter->slots);
        if (!counter->slots)
            return ASSAY_E_MEMORY;
        counter->room = slots;
    }
    counter->mask = slots - 1;
    for (size_t i = 0; i < slots; i++)
        counter->slots[i] = (struct count){.token = COLUMN_ESCAPE};
    for (size_t i = 0; i < column->n; i++) {
        struct count *slot = slot_of(counter, column->numbers[i]);
        slot->number = column->numbers[i];
        slot->n++;
    }
    return 0;
}

static unsigned class_of(uint32_t n)
{
    return n < COUNT_CLASSES ? n : COUNT_CLASSES - 1;
}

static int by_number(const void *a, const void *b)
{
    const struct count *const *x = a, *const *y = b;
    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* Fills rows with the most frequent numbers that occur at least twice, in rising order. */
static uint32_t choose(struct column_counter *counter, struct count *rows[COLUMN_ESCAPE])
{
    uint32_t classes[COUNT_CLASSES] = {0};
    for (size_t i = 0; i <= counter->mask; i++)
        classes[class_of(counter->slots[i].n)]++;
    unsigned least = COUNT_CLASSES;
    uint32_t room = COLUMN_ESCAPE;
    while (least > 2 && classes[least - 1] <= room)
        room -= classes[--least];
    uint32_t n = 0;
    for (size_t i = 0; i <= counter->mask; i++) {
        struct count *slot = &counter->slots[i];
        unsigned class = class_of(slot->n);
        if (class < 2 || class + 1 < least)
            continue;
        if (class < least && room-- == 0) {
            room = 0;
            continue;
        }
        rows[n++] = slot;
    }
    qsort(rows, n, sizeof *rows, by_number);
    for (uint32_t token = 0; token < n; token++)
        rows[token]->token = token;
    return n;
}

long column_encode(struct column_counter *counter, const struct column *column, uint8_t *tokens,
                   uint8_t *values)
{
    struct count *rows[COLUMN_ESCAPE];
    struct assay_bytes_out out = {values, values + column_values_max(column->n), false};
    int code = count_numbers(counter, column);
    if (code)
        return code;
    uint32_t n = choose(counter, rows);
    uint64_t before = 0;
    assay_bytes_put_varint(&out, n);
    for (uint32_t i = 0; i < n; i++) {
        assay_bytes_put_varint(&out, rows[i]->number - before);
        before = rows[i]->number;
    }
    for (size_t i = 0; i < column->n; i++) {
        uint32_t token = slot_of(counter, column->numbers[i])->token;
        tokens[i] = (uint8_t)token;
        if (token == COLUMN_ESCAPE)
            assay_bytes_put_varint(&out, column->numbers[i]);
    }
    ASSAY_CHECK(!out.full);
    return out.at - values;
}

bool column_open(struct column_in *column, const uint8_t *tokens, size_t tokens_bytes,
                 const uint8_t *values, size_t values_bytes)
{
    column->tokens = (struct assay_bytes_in){tokens, tokens + tokens_bytes, false};
    column->values = (struct assay_bytes_in){values, values + values_bytes, false};
    column->rows = 0;
    if (values_bytes == 0)
        return tokens_bytes == 0;
    uint64_t rows = assay_bytes_get_varint(&column->values), number = 0;
    if (rows > COLUMN_ESCAPE)
        return false;
    for (uint64_t i = 0; i < rows; i++)
        column->dictionary[i] = number += assay_bytes_get_varint(&column->values);
    column->rows = (uint32_t)rows;
    return !column->values.bad;
}

bool column_finished(const struct column_in *column)
{
    return !column->tokens.bad && !column->values.bad && column->tokens.at == column->tokens.end &&
           column->values.at == column->values.end;
}
