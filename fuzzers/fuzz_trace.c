/* Property: whatever bytes a trace file has, the reader ends with events or with one line of error;
 * and what it read survives the text form and a second encoding unchanged.
 *
 * Each input is read twice: as it is, and with its checksums made right, since a mutated block
 * would else never get past them. */
#include "fuzzers/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "traces/core/hash.h"
#include "traces/text.h"
#include "traces/trace_block.h"

enum { BATCH = 4096, EVENTS_MAX = 1 << 20 };

static int memory_file;
static char path[64];
static struct assay_event events[BATCH], again[BATCH];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    memory_file = memfd_create("trace", MFD_CLOEXEC);
    if (memory_file < 0)
        exit(3);
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory_file);
    return 0;
}

static void violated(const char *what)
{
    fprintf(stderr, "fuzz_trace: %s\n", what);
    abort();
}

static void check_text(const struct assay_event *event)
{
    char line[ASSAY_TEXT_EVENT_MAX];
    struct assay_event back;
    struct assay_error err;
    assay_text_format(event, line);
    if (assay_text_parse(line, &back, &err) != 0 || memcmp(&back, event, sizeof back) != 0)
        violated("an event does not survive its text form");
}

static void check_encoding(size_t n)
{
    struct block_encoder *encoder = block_encoder_create(1, 1);
    struct block_decoder *decoder = block_decoder_create(1);
    const uint8_t *payload;
    struct assay_bytes_in sites;
    if (!encoder || !decoder)
        exit(3);
    long bytes = block_encode(encoder, events, n, NULL, 0, &payload);
    if (bytes < 0 || block_decode(decoder, payload, (size_t)bytes, again, n, &sites) != 0 ||
        memcmp(events, again, n * sizeof *events) != 0)
        violated("events do not survive their encoding");
    block_encoder_free(encoder);
    block_decoder_free(decoder);
}

static void read_trace(const uint8_t *data, size_t size)
{
    struct assay_trace_reader *reader;
    struct assay_error err = {0};
    long n = 0;
    if (ftruncate(memory_file, 0) != 0 || pwrite(memory_file, data, size, 0) != (ssize_t)size)
        exit(3);
    int code = assay_trace_open(path, &reader, &err);
    if (!code) {
        for (size_t total = 0; total < EVENTS_MAX; total += (size_t)n) {
            n = assay_trace_read(reader, events, BATCH, &err);
            if (n <= 0)
                break;
            for (long i = 0; i < n && total < 2 * BATCH; i++)
                check_text(&events[i]);
            if (total < 2 * BATCH)
                check_encoding((size_t)n);
        }
        assay_trace_free(reader);
    }
    if ((code || n < 0) && (err.text[0] == '\0' || strchr(err.text, '\n')))
        violated("an error is not one line");
}

/* Writes the right checksum into every chunk that can be told. */
static void right_checksums(uint8_t *data, size_t size)
{
    size_t at = TRACE_MAGIC_BYTES + 4;
    while (at + TRACE_CHUNK_HEADER_BYTES <= size) {
        struct assay_bytes_in in = {data + at + 12, data + at + 16, false};
        size_t bytes = assay_bytes_get_u32(&in), body = at + TRACE_CHUNK_HEADER_BYTES;
        if (bytes > size - body)
            return;
        struct assay_bytes_out out = {data + at + 16, data + at + 20, false};
        assay_bytes_put_u32(&out, assay_crc32c(assay_crc32c(0, data + at, 16), data + body, bytes));
        at = body + bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_trace(data, size);
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        exit(3);
    memcpy(copy, data, size);
    right_checksums(copy, size);
    if (memcmp(copy, data, size) != 0)
        read_trace(copy, size);
    free(copy);
    return 0;
}
