/* A column: numbers to two byte streams and back. Internal to traces/trace_*.c.
 *
 * tokens: one byte per number, a row of the dictionary, or 255 = the number stands in values.
 * values: dictionary size, dictionary as rising differences, then the numbers that are not in it,
 * all varints. The dictionary holds the block's most frequent numbers, so that the entropy coder
 * behind sees one symbol per number. */
#ifndef ASSAY_TRACE_COLUMNS_H
#define ASSAY_TRACE_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "traces/core/bytes.h"

#define COLUMN_ESCAPE 255

struct column {
    uint64_t *numbers;
    size_t n, room;
};

struct column_counter; /* scratch memory for column_encode */

struct column_counter *column_counter_create(void);
void column_counter_free(struct column_counter *counter);

/* Returns 0 or ASSAY_E_MEMORY. */
int column_reserve(struct column *column, size_t n);
static inline void column_push(struct column *column, uint64_t number)
{
    column->numbers[column->n++] = number;
}

/* tokens: room for column->n bytes. values: room for column_values_max(column->n) bytes. Returns
 * how many bytes of values; ASSAY_E_MEMORY. */
static inline size_t column_values_max(size_t n)
{
    return (n + COLUMN_ESCAPE + 1) * ASSAY_VARINT_MAX;
}
long column_encode(struct column_counter *counter, const struct column *column, uint8_t *tokens,
                   uint8_t *values);

struct column_in {
    struct assay_bytes_in tokens, values;
    uint32_t rows;
    uint64_t dictionary[COLUMN_ESCAPE];
};

/* Sets up dictionary and positions from the two streams; returns false if malformed. */
bool column_open(struct column_in *column, const uint8_t *tokens, size_t tokens_bytes,
                 const uint8_t *values, size_t values_bytes);
/* 0 and column->tokens.bad past the end. */
static inline uint64_t column_next(struct column_in *column)
{
    uint8_t token = assay_bytes_get_u8(&column->tokens);
    if (token < column->rows)
        return column->dictionary[token];
    if (token == COLUMN_ESCAPE)
        return assay_bytes_get_varint(&column->values);
    column->tokens.bad = true;
    return 0;
}
/* Nothing was read past the end and nothing is left. */
bool column_finished(const struct column_in *column);

#endif
