/* Numbers as people read them and as options spell them; both directions in one place.
 *
 * The format functions fill and return the caller's buffer, so that two may stand in one printf.
 * The parse functions take the whole text or fail with ASSAY_E_USAGE, naming text and reason. */
#ifndef ASSAY_HUMAN_H
#define ASSAY_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#include "traces/core/error.h"

struct assay_human {
    char text[48];
};

/* 1234567 -> "1,234,567" */
const char *assay_human_count(struct assay_human *buffer, uint64_t n);
/* 12345678.0 -> "12.3 M"; below 1000 with up to two decimals */
const char *assay_human_rate(struct assay_human *buffer, double per_second);
/* 65536 -> "64.0 KiB" */
const char *assay_human_bytes(struct assay_human *buffer, uint64_t bytes);
/* "812 ns", "1.4 us", "23 ms", "4.2 s", "2 min 05 s", "1 h 20 min" */
const char *assay_human_duration(struct assay_human *buffer, uint64_t duration_ns);

/* "1 thread", "2 threads", "1,024 threads" */
const char *assay_human_of(struct assay_human *buffer, uint64_t n, const char *one,
                           const char *many);

/* "1,024 ops"; of a program that repeats itself "2 ops, 512 times". repeats 0: it does not. */
const char *assay_human_ops(struct assay_human *buffer, size_t ops, size_t repeats);

/* "30s", "2m", "1h", "500ms", "250us", "10ns"; a bare number is seconds. Fractions are fine
 * ("1.5s"). Not negative. */
int assay_parse_duration(const char *text, uint64_t *ret_ns, struct assay_error *err);
/* "64M", "1G", "4096", "16KiB"; powers of 1024, upper or lower case. */
int assay_parse_size(const char *text, uint64_t *ret_bytes, struct assay_error *err);
/* A decimal or 0x number in [min, max]. */
int assay_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number,
                       struct assay_error *err);

#endif
