/* The trace file: every field survives, every whole block survives a crash, nothing half-written
 * gets the final name, and damage is told in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/core/random.h"
#include "traces/trace.h"

static char folder[] = "/tmp/assay-trace-XXXXXX";
static char path[64], partial[80];

static const struct assay_trace_meta meta = {
    .has =
        ASSAY_HAS_ORDER | ASSAY_HAS_ADDRESS | ASSAY_HAS_USABLE | ASSAY_HAS_CALLER | ASSAY_HAS_TIME,
    .method = "test",
    .command = "sh -c 'echo \"\xc3\xa4\n\"'",
    .kernel = "6.1 overcommit=0",
    .start_unix_ns = 1700000000123456789u,
};
static const struct assay_trace_options exact = {.time_unit_ns = 1};

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/x.trace", folder);
    snprintf(partial, sizeof partial, "%s.partial", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(partial);
    return rmdir(folder);
}

/* ---- streams ---- */

static uint64_t sometimes(struct assay_random *random, uint64_t value)
{
    return assay_random_below(random, 4) == 0 ? value : 0;
}

/* Any bits in any field. */
static void scribble(struct assay_random *random, struct assay_event *event)
{
    uint64_t words[8];
    for (unsigned i = 0; i < 8; i++)
        words[i] = assay_random_next(random) & assay_random_next(random) &
                   (UINT64_MAX >> assay_random_below(random, 64));
    memcpy(event, words, sizeof *event);
    if (assay_random_below(random, 2))
        event->kind = (uint8_t)assay_random_below(random, ASSAY_OP_COUNT);
}

/* A stream as executors make it: objects live and die, resizes come in pairs, facts are rare. */
struct maker {
    struct assay_random random;
    struct {
        uint32_t object;
        uint64_t address;
    } live[64];
    uint32_t born;
    uint64_t time;
};

static size_t make_some(struct maker *maker, struct assay_event *events)
{
    static const uint8_t kinds[] = {ASSAY_OP_MALLOC, ASSAY_OP_CALLOC, ASSAY_OP_POSIX_MEMALIGN};
    struct assay_random *random = &maker->random;
    size_t slot = assay_random_below(random, 64), n = 1;
    bool dead = maker->live[slot].object == 0;
    bool resize = !dead && assay_random_below(random, 3) == 0;
    struct assay_event *event = events;
    *event = (struct assay_event){.flags = ASSAY_FLAG_EXECUTED,
                                  .thread = (uint16_t)sometimes(random, 3),
                                  .process = (uint16_t)sometimes(random, 1),
                                  .object = maker->live[slot].object,
                                  .time = maker->time += assay_random_below(random, 1000),
                                  .site = (uint32_t)assay_random_below(random, 20)};
    if (!dead && !resize) {
        event->kind = ASSAY_OP_FREE;
        event->address = maker->live[slot].address + sometimes(random, 16);
        maker->live[slot].object = 0;
        return n;
    }
    event->kind = dead ? kinds[assay_random_below(random, 3)] : ASSAY_OP_REALLOC;
    event->size = assay_random_below(random, 300);
    if (dead)
        event->arg = assay_random_below(random, 9);
    if (resize && assay_random_below(random, 4)) {
        event->flags |= ASSAY_FLAG_BEGIN;
        event->address = assay_random_below(random, 2) ? maker->live[slot].address : 0;
        events[n] = events[0];
        event = &events[n++];
        event->flags = ASSAY_FLAG_EXECUTED | ASSAY_FLAG_END;
        event->time = maker->time += assay_random_below(random, 100);
    }
    if (assay_random_below(random, 20) == 0) {
        event->address = 0;
        event->error = ENOMEM;
        return n;
    }
    event->born = ++maker->born;
    if (!resize || assay_random_below(random, 2))
        event->address = 0x7f0000001000u + assay_random_below(random, 4096) * 16;
    else
        event->address = maker->live[slot].address;
    event->flags |= ASSAY_FLAG_USABLE;
    event->usable_extra = (int32_t)(event->size % 16) - (int32_t)sometimes(random, 1);
    event->checked = (uint8_t)sometimes(random, ASSAY_FACT_CONTENT | ASSAY_FACT_ZERO);
    event->failed = (uint8_t)sometimes(random, event->checked);
    event->wrong_at = event->failed ? 7 : 0;
    maker->live[slot].object = event->born;
    maker->live[slot].address = event->address;
    if (event->failed)
        events[n++] = (struct assay_event){.kind = ASSAY_OP_EVIDENCE,
                                           .object = event->object,
                                           .arg = UINT64_C(1) << 40,
                                           .size = 0xaa,
                                           .value = assay_random_next(random),
                                           .born = event->born / 2,
                                           .failed = event->failed};
    return n;
}

static size_t make_stream(struct assay_event *events, size_t n, uint64_t seed)
{
    struct maker maker = {.born = 0};
    size_t at = 0;
    assay_random_seed(&maker.random, seed);
    while (at + 4 <= n) {
        if (assay_random_below(&maker.random, 200) == 0)
            scribble(&maker.random, &events[at++]);
        else
            at += make_some(&maker, events + at);
    }
    return at;
}

static void write_trace(const struct assay_event *events, size_t n,
                        const struct assay_trace_options *options)
{
    struct assay_trace_writer *writer;
    struct assay_error err;
    unlink(path);
    assert_int_equal(assay_trace_create(path, &meta, options, &writer, &err), 0);
    for (size_t i = 0; i < n; i += 1000)
        assert_int_equal(assay_trace_append(writer, events + i, n - i < 1000 ? n - i : 1000, &err),
                         0);
    assert_int_equal(access(path, F_OK), -1);
    const struct assay_trace_totals totals = {.dropped = 3, .threads = 2, .processes = 1};
    assert_int_equal(assay_trace_close(writer, &totals, &err), 0);
    assert_int_equal(access(partial, F_OK), -1);
}

/* Reads all; returns the count, or the error. */
static long read_all(const char *name, struct assay_event *events, size_t room, bool *ret_complete,
                     struct assay_error *err)
{
    struct assay_trace_reader *reader;
    int code = assay_trace_open(name, &reader, err);
    if (code)
        return code;
    long n = 0, got;
    while ((got = assay_trace_read(reader, events + n, room - (size_t)n, err)) > 0)
        n += got;
    *ret_complete = assay_trace_complete(reader);
    if (got == 0)
        assert_int_equal(assay_trace_totals(reader)->events, n);
    assay_trace_free(reader);
    return got < 0 ? got : n;
}

static void assert_same_events(const struct assay_event *a, const struct assay_event *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0)
            fail_msg("event %zu (kind %u) differs", i, a[i].kind);
}

/* ---- tests ---- */

#define EVENTS 150000 /* three blocks */

static void every_field_survives(void **state)
{
    (void)state;
    struct assay_event *events = calloc(EVENTS, sizeof *events);
    struct assay_event *back = calloc(EVENTS, sizeof *back);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct assay_error err;
        bool complete = false;
        size_t n = make_stream(events, EVENTS, seed);
        if (seed == 3) {
            struct assay_random random;
            assay_random_seed(&random, seed);
            for (size_t i = 0; i < n; i++)
                scribble(&random, &events[i]);
        }
        write_trace(events, n, &exact);
        assert_int_equal(read_all(path, back, EVENTS, &complete, &err), n);
        assert_true(complete);
        assert_same_events(events, back, n);
    }
    free(events);
    free(back);
}

static void time_is_rounded_down_to_its_unit_and_no_more(void **state)
{
    (void)state;
    static struct assay_event events[5000], back[5000];
    struct assay_error err;
    bool complete;
    size_t n = make_stream(events, 5000, 9);
    write_trace(events, n, NULL);
    assert_int_equal(read_all(path, back, 5000, &complete, &err), n);
    for (size_t i = 0; i < n; i++)
        events[i].time -= events[i].time % 64;
    assert_same_events(events, back, n);
}

static void columns_can_be_left_out(void **state)
{
    (void)state;
    static struct assay_event events[5000], back[5000];
    const struct assay_trace_options bare = {
        .no_addresses = true, .no_callers = true, .time_unit_ns = 1};
    struct assay_trace_reader *reader;
    struct assay_error err;
    bool complete;
    size_t n = make_stream(events, 5000, 4);
    write_trace(events, n, &bare);
    assert_int_equal(read_all(path, back, 5000, &complete, &err), n);
    for (size_t i = 0; i < n; i++) {
        enum assay_op_class class = assay_op_info(events[i].kind)->op_class;
        if (class == ASSAY_CLASS_ALLOCATE || class == ASSAY_CLASS_RELEASE ||
            class == ASSAY_CLASS_RESIZE)
            events[i].address = 0;
        events[i].site = 0;
    }
    assert_same_events(events, back, n);
    assert_int_equal(assay_trace_open(path, &reader, &err), 0);
    assert_int_equal(assay_trace_meta(reader)->has,
                     meta.has & ~(uint64_t)(ASSAY_HAS_ADDRESS | ASSAY_HAS_CALLER));
    assay_trace_free(reader);
}

static void meta_totals_and_sites_survive(void **state)
{
    (void)state;
    struct assay_trace_writer *writer;
    struct assay_trace_reader *reader;
    struct assay_error err;
    const struct assay_trace_totals totals = {.dropped = UINT64_MAX,
                                              .nested = 2,
                                              .unknown_frees = 3,
                                              .library_calls = 4,
                                              .repaired = 5,
                                              .threads = 6,
                                              .processes = 7,
                                              .objects = UINT32_MAX};
    assert_int_equal(assay_trace_create(path, &meta, NULL, &writer, &err), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        char module[32];
        snprintf(module, sizeof module, "/lib/lib%u.so", i % 7);
        struct assay_trace_site site = {i * 1000u, i, i % 8 ? module : NULL};
        assert_int_equal(assay_trace_site(writer, &site), i + 1);
        assert_int_equal(assay_trace_site(writer, &site), i + 1);
        struct assay_event event = {.kind = ASSAY_OP_MALLOC, .site = i + 1};
        for (unsigned k = 0; k < 30; k++)
            assert_int_equal(assay_trace_append(writer, &event, 1, &err), 0);
    }
    assert_int_equal(assay_trace_close(writer, &totals, &err), 0);

    assert_int_equal(assay_trace_open(path, &reader, &err), 0);
    const struct assay_trace_meta *read = assay_trace_meta(reader);
    assert_string_equal(read->method, meta.method);
    assert_string_equal(read->command, meta.command);
    assert_string_equal(read->kernel, meta.kernel);
    assert_null(read->host);
    assert_null(read->clock);
    assert_int_equal(read->has, meta.has);
    assert_int_equal(read->start_unix_ns, meta.start_unix_ns);
    struct assay_trace_totals expected = totals;
    expected.events = 90000;
    assert_memory_equal(assay_trace_totals(reader), &expected, sizeof expected);
    assert_null(assay_trace_get_site(reader, 1));
    struct assay_event event;
    while (assay_trace_read(reader, &event, 1, &err) == 1) {
        const struct assay_trace_site *site = assay_trace_get_site(reader, event.site);
        uint32_t i = event.site - 1;
        assert_non_null(site);
        assert_int_equal(site->address, i * 1000u);
        assert_int_equal(site->offset, i % 8 ? i : 0);
        assert_int_equal(!site->module, i % 8 == 0);
    }
    assert_int_equal(assay_trace_rewind(reader, &err), 0);
    assert_int_equal(assay_trace_read(reader, &event, 1, &err), 1);
    assert_non_null(assay_trace_get_site(reader, event.site));
    assay_trace_free(reader);
}

static void copy_head(const uint8_t *bytes, size_t n)
{
    int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static uint8_t *load(size_t *ret_n)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &status), 0);
    uint8_t *bytes = malloc((size_t)status.st_size);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    close(fd);
    *ret_n = (size_t)status.st_size;
    return bytes;
}

static uint32_t u32_at(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* What a crash leaves of a slow capture: what has waited long enough. */
static void events_do_not_wait_for_a_full_block(void **state)
{
    (void)state;
    static const struct {
        uint64_t after_ns;
        size_t events, written;
    } steps[] = {
        {0, 10, 0},
        {UINT64_C(4000000000), 0, 0},
        {UINT64_C(6000000000), 1, 11},
        {UINT64_C(6100000000), 9000, 11},
        {UINT64_C(7000000000), 0, 11},
        {UINT64_C(7200000000), 0, 9011},
        {UINT64_C(60000000000), 0, 9011},
    };
    const struct assay_event event = {.kind = ASSAY_OP_MALLOC, .size = 8, .born = 1};
    struct assay_event *back = calloc(EVENTS, sizeof *back);
    const struct assay_trace_meta order = {.has = ASSAY_HAS_ORDER};
    struct assay_trace_writer *writer;
    struct assay_error err;
    assert_int_equal(assay_trace_create(path, &order, &exact, &writer, &err), 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bool complete = true;
        for (size_t k = 0; k < steps[i].events; k++)
            assert_int_equal(assay_trace_append(writer, &event, 1, &err), 0);
        assert_int_equal(assay_trace_tick(writer, 77 + steps[i].after_ns, &err), 0);
        assert_int_equal(read_all(partial, back, EVENTS, &complete, &err), steps[i].written);
        assert_false(complete);
    }
    assay_trace_abandon(writer);
    free(back);
}

/* Each chunk but the first damaged in turn, in its header and in its payload. */
static void a_damaged_block_is_passed_over(void **state)
{
    (void)state;
    struct assay_event *events = calloc(EVENTS, sizeof *events);
    struct assay_event *back = calloc(EVENTS + 1, sizeof *back);
    size_t n = make_stream(events, EVENTS, 5), bytes_n, before = 0, passed = 0;
    write_trace(events, n, &exact);
    uint8_t *bytes = load(&bytes_n);
    for (size_t at = 12; at < bytes_n;) {
        size_t chunk = 20 + u32_at(bytes + at + 12), held = u32_at(bytes + at + 8);
        const size_t points[] = {at, at + 12, at + 15, at + 19, at + chunk / 2, at + chunk - 1};
        for (unsigned i = 0; i < 6 && held; i++) {
            struct assay_error err;
            bool complete = true;
            bytes[points[i]] ^= 0x40;
            copy_head(bytes, bytes_n);
            bytes[points[i]] ^= 0x40;
            long got = read_all(partial, back, EVENTS + 1, &complete, &err);
            assert_int_equal(got, n - held + 1);
            assert_false(complete);
            assert_same_events(events, back, before);
            assert_int_equal(back[before].kind, ASSAY_OP_GAP);
            assert_int_equal(back[before].arg, 1);
            assert_true(back[before].size == held || back[before].size == 0);
            for (size_t k = before + held; k < n; k++) {
                const struct assay_event *event = &back[k - held + 1];
                assert_int_equal(event->kind, events[k].kind);
                assert_int_equal(event->object, events[k].object);
                assert_int_equal(event->born, events[k].born);
                assert_int_equal(event->size, events[k].size);
                assert_int_equal(event->time, events[k].time);
                assert_true(event->site == events[k].site || event->site == 0);
            }
            passed++;
        }
        before += held;
        at += chunk;
    }
    assert_true(passed >= 12);
    free(bytes);
    free(events);
    free(back);
}

/* What is counted of a damaged trace, again after a rewind. */
static void a_damaged_trace_counts_its_loss(void **state)
{
    (void)state;
    struct assay_event *events = calloc(EVENTS, sizeof *events);
    struct assay_trace_reader *reader;
    struct assay_error err;
    size_t n = make_stream(events, EVENTS, 6), bytes_n;
    write_trace(events, n, &exact);
    uint8_t *bytes = load(&bytes_n);
    size_t first = 32 + u32_at(bytes + 24), held = u32_at(bytes + first + 8);
    bytes[first + 500] ^= 1;
    copy_head(bytes, bytes_n);
    assert_int_equal(assay_trace_open(partial, &reader, &err), 0);
    for (int pass = 0; pass < 2; pass++) {
        while (assay_trace_read(reader, events, 1000, &err) > 0)
            ;
        assert_false(assay_trace_complete(reader));
        assert_int_equal(assay_trace_totals(reader)->lost_blocks, 1);
        assert_int_equal(assay_trace_totals(reader)->dropped, 3 + held);
        assert_int_equal(assay_trace_totals(reader)->events, n - held + 1);
        assert_int_equal(assay_trace_totals(reader)->fragment, 1);
        assert_int_equal(assay_trace_check_rest(reader, &err), 0);
        assert_int_equal(assay_trace_rewind(reader, &err), 0);
    }
    assay_trace_free(reader);
    free(bytes);
    free(events);
}

/* Cuts the file at, just before and just after each chunk boundary, and in the middle. */
static void a_cut_file_gives_its_whole_blocks(void **state)
{
    (void)state;
    struct assay_event *events = calloc(EVENTS, sizeof *events);
    struct assay_event *back = calloc(EVENTS, sizeof *back);
    size_t n = make_stream(events, EVENTS, 5), bytes_n, whole = 0, cuts = 0;
    write_trace(events, n, &exact);
    uint8_t *bytes = load(&bytes_n);
    for (size_t at = 12; at < bytes_n;) {
        size_t chunk = 20 + u32_at(bytes + at + 12);
        const size_t points[] = {at, at + 1, at + 19, at + chunk / 2, at + chunk - 1};
        for (unsigned i = 0; i < 5; i++) {
            struct assay_error err;
            bool complete = true;
            copy_head(bytes, points[i]);
            long got = read_all(partial, back, EVENTS, &complete, &err);
            if (at == 12) {
                assert_int_equal(got, ASSAY_E_TRUNCATED);
                continue;
            }
            assert_int_equal(got, whole);
            assert_false(complete);
            assert_same_events(events, back, whole);
            cuts++;
        }
        whole += u32_at(bytes + at + 8);
        at += chunk;
    }
    assert_int_equal(whole, n);
    assert_true(cuts >= 15);
    free(bytes);
    free(events);
    free(back);
}

/* After a crash of the machine the tail may be zeros, and there may be gigabytes of them. */
static void a_tail_of_zeros_is_not_walked(void **state)
{
    (void)state;
    static struct assay_event events[3000], back[3000];
    struct assay_error err;
    bool complete = true;
    size_t bytes_n, n = make_stream(events, 3000, 11);
    write_trace(events, n, &exact);
    uint8_t *bytes = load(&bytes_n);
    size_t block = 12 + 20 + u32_at(bytes + 12 + 12);
    copy_head(bytes, block + 20 + u32_at(bytes + block + 12));
    assert_int_equal(truncate(partial, (off_t)1 << 40), 0);
    assert_int_equal(read_all(partial, back, 3000, &complete, &err), n);
    assert_false(complete);
    assert_same_events(events, back, n);
    assert_int_equal(truncate(partial, 0), 0);
    free(bytes);
}

static void a_flipped_bit_is_noticed(void **state)
{
    (void)state;
    static struct assay_event events[3000], back[3000];
    struct assay_random random;
    size_t bytes_n, n = make_stream(events, 3000, 6);
    assay_random_seed(&random, 6);
    write_trace(events, n, &exact);
    uint8_t *bytes = load(&bytes_n);
    for (unsigned i = 0; i < 500; i++) {
        size_t bit = assay_random_below(&random, bytes_n * 8);
        struct assay_error err = {0};
        bool complete = true;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        copy_head(bytes, bytes_n);
        long got = read_all(partial, back, 3000, &complete, &err);
        bool minor = bit / 8 == 10 || bit / 8 == 11;
        if (got >= 0 && complete && !minor)
            fail_msg("bit %zu flipped: %ld events read as if nothing were wrong", bit, got);
        if (got < 0)
            assert_null(strchr(err.text, '\n'));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(bytes);
}

static void a_later_minor_is_read_and_a_later_major_refused(void **state)
{
    (void)state;
    static struct assay_event events[300], back[300];
    struct assay_error err;
    bool complete;
    size_t bytes_n, n = make_stream(events, 300, 7);
    write_trace(events, n, &exact);
    uint8_t *bytes = load(&bytes_n);
    bytes[10] = 99;
    copy_head(bytes, bytes_n);
    assert_int_equal(read_all(partial, back, 300, &complete, &err), n);
    bytes[8] = 2;
    copy_head(bytes, bytes_n);
    assert_int_equal(read_all(partial, back, 300, &complete, &err), ASSAY_E_VERSION);
    assert_non_null(strstr(err.text, "version 2.99"));
    free(bytes);
}

static void foreign_things_are_refused_in_one_line(void **state)
{
    (void)state;
    struct assay_event event;
    struct assay_error err;
    bool complete;
    copy_head((const uint8_t *)"", 0);
    assert_int_equal(read_all(partial, &event, 1, &complete, &err), ASSAY_E_TRUNCATED);
    copy_head((const uint8_t *)"#!/bin/sh\necho not a trace\n", 27);
    assert_int_equal(read_all(partial, &event, 1, &complete, &err), ASSAY_E_FORMAT);
    assert_non_null(strstr(err.text, "not an assay trace"));
    assert_int_equal(read_all(folder, &event, 1, &complete, &err), ASSAY_E_FORMAT);
    assert_non_null(strstr(err.text, "directory"));
    assert_int_equal(read_all("/dev/zero", &event, 1, &complete, &err), ASSAY_E_FORMAT);
    assert_int_equal(read_all("/no/such.trace", &event, 1, &complete, &err), ASSAY_E_NOT_FOUND);
}

/* A limit on file size stands for a full disk: every write beyond it fails. */
static void a_full_disk_leaves_nothing_under_the_final_name(void **state)
{
    (void)state;
    unlink(path);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {20000, 20000};
        struct assay_trace_writer *writer;
        struct assay_error err = {0};
        struct assay_event *events = calloc(EVENTS, sizeof *events);
        size_t n = make_stream(events, EVENTS, 8);
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
            assay_trace_create(path, &meta, NULL, &writer, &err) != 0)
            _exit(1);
        int append = assay_trace_append(writer, events, n, &err);
        bool told = append != 0 && strstr(err.text, "cannot write '") != NULL;
        int closed = assay_trace_close(writer, NULL, &err);
        _exit(told && closed != 0 && access(path, F_OK) != 0 ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_writer_that_is_abandoned_leaves_nothing(void **state)
{
    (void)state;
    struct assay_trace_writer *writer;
    struct assay_error err;
    unlink(path);
    assert_int_equal(assay_trace_create(path, &meta, NULL, &writer, &err), 0);
    assert_int_equal(access(partial, F_OK), 0);
    assay_trace_abandon(writer);
    assert_int_equal(access(partial, F_OK), -1);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(assay_trace_create(folder, &meta, NULL, &writer, &err), ASSAY_E_SYSTEM);
    assert_int_equal(assay_trace_create("/no/x.trace", &meta, NULL, &writer, &err),
                     ASSAY_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_survives),
        cmocka_unit_test(time_is_rounded_down_to_its_unit_and_no_more),
        cmocka_unit_test(columns_can_be_left_out),
        cmocka_unit_test(meta_totals_and_sites_survive),
        cmocka_unit_test(a_cut_file_gives_its_whole_blocks),
        cmocka_unit_test(events_do_not_wait_for_a_full_block),
        cmocka_unit_test(a_damaged_block_is_passed_over),
        cmocka_unit_test(a_damaged_trace_counts_its_loss),
        cmocka_unit_test(a_tail_of_zeros_is_not_walked),
        cmocka_unit_test(a_flipped_bit_is_noticed),
        cmocka_unit_test(a_later_minor_is_read_and_a_later_major_refused),
        cmocka_unit_test(foreign_things_are_refused_in_one_line),
        cmocka_unit_test(a_full_disk_leaves_nothing_under_the_final_name),
        cmocka_unit_test(a_writer_that_is_abandoned_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
