/* The text form loses nothing, whatever the fields hold, and says what it does not understand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/core/random.h"
#include "traces/format.h"
#include "traces/lines.h"
#include "traces/text.h"

static void any_event_comes_back(void **state)
{
    (void)state;
    struct assay_random random;
    assay_random_seed(&random, 1);
    for (unsigned i = 0; i < 100000; i++) {
        struct assay_event event, back;
        struct assay_error err;
        char line[ASSAY_TEXT_EVENT_MAX];
        uint64_t words[8];
        for (unsigned k = 0; k < 8; k++)
            words[k] = assay_random_next(&random) >> assay_random_below(&random, 64)
                                                         << assay_random_below(&random, 64);
        memcpy(&event, words, sizeof event);
        if (i % 2)
            event.kind = (uint8_t)(i / 2 % (ASSAY_OP_COUNT + 2));
        size_t n = assay_text_format(&event, line);
        assert_int_equal(strlen(line), n);
        assert_int_equal(assay_text_parse(line, &back, &err), 0);
        assert_memory_equal(&back, &event, sizeof event);
    }
}

static void the_longest_line_fits(void **state)
{
    (void)state;
    struct assay_event event;
    char line[ASSAY_TEXT_EVENT_MAX];
    memset(&event, 0xff, sizeof event);
    for (unsigned kind = 0; kind < 256; kind++) {
        event.kind = (uint8_t)kind;
        assert_true(assay_text_format(&event, line) < ASSAY_TEXT_EVENT_MAX);
    }
}

static void a_line_reads_as_documented(void **state)
{
    (void)state;
    const struct assay_event event = {.kind = ASSAY_OP_FREE,
                                      .place = ASSAY_PLACE_WILD,
                                      .arg = 4096,
                                      .address = 0x1000,
                                      .usable_extra = -3,
                                      .family = ASSAY_FAMILY_NEW_ARRAY,
                                      .flags = ASSAY_FLAG_MISUSE | ASSAY_FLAG_EXECUTED};
    char line[ASSAY_TEXT_EVENT_MAX];
    assay_text_format(&event, line);
    assert_string_equal(line, "free place=wild arg=4096 address=0x1000 extra=-3 family=new[] "
                              "flags=misuse,executed");
}

static void nonsense_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"mallok", "'mallok' is not an op"},
        {"kind-256", "is not an op"},
        {"malloc size", "'size' is not key=value"},
        {"malloc size=", "no value for size"},
        {"malloc size=-1", "'-1' is no value"},
        {"malloc size=99999999999999999999", "no value for size"},
        {"malloc thread=65536", "'65536' is no value for thread"},
        {"malloc extra=2147483648", "no value for extra"},
        {"malloc flags=", "no value for flags"},
        {"malloc flags=begin,stop", "no value for flags"},
        {"malloc place=moon", "'moon' is no value for place"},
        {"malloc zise=1", "'zise' is not a field"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct assay_event event;
        struct assay_error err;
        char line[64];
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_int_equal(assay_text_parse(line, &event, &err), ASSAY_E_FORMAT);
        if (!strstr(err.text, cases[i].words))
            fail_msg("'%s' says '%s'", cases[i].line, err.text);
    }
}

static void strings_come_back_escaped(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assay_text_escape(out, "a b\\\n\x1b[31m\xc3\xa4");
    fclose(out);
    assert_string_equal(text, "a b\\x5c\\x0a\\x1b[31m\\xc3\\xa4");
    assert_true(assay_text_unescape(text));
    assert_string_equal(text, "a b\\\n\x1b[31m\xc3\xa4");
    free(text);
    char bad[][8] = {"\\", "\\x", "\\x4", "\\x00", "\\n", "\\xg0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(assay_text_unescape(bad[i]));
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void a_text_written_by_hand_is_imported(void **state)
{
    (void)state;
    char from[] = "/tmp/assay-text-XXXXXX", to[64];
    struct assay_trace_reader *reader;
    struct assay_event events[4];
    struct assay_error err;
    int fd = mkstemp(from);
    assert_true(fd >= 0);
    close(fd);
    snprintf(to, sizeof to, "%s.trace", from);
    write_file(from, "# a comment\r\n\n  malloc size=100 born=1 time=7\nfree object=1 thread=2\n"
                     "%total dropped 5");
    struct assay_import import = {.from = from, .to = to};
    assert_string_equal(assay_format_guess(from, &err)->name, "text");
    assert_int_equal(assay_text_import(&import, &err), 0);
    assert_int_equal(import.events, 2);
    assert_int_equal(assay_trace_open(to, &reader, &err), 0);
    assert_int_equal(assay_trace_read(reader, events, 4, &err), 2);
    assert_int_equal(events[0].time, 7);
    assert_int_equal(assay_trace_totals(reader)->dropped, 5);
    assert_int_equal(assay_trace_totals(reader)->threads, 3);
    assert_int_equal(assay_trace_meta(reader)->has, ASSAY_HAS_ORDER | ASSAY_HAS_THREAD);
    assay_trace_free(reader);
    unlink(from);
    unlink(to);
}

static void lines_are_bounded(void **state)
{
    (void)state;
    char path[] = "/tmp/assay-text-XXXXXX";
    struct assay_lines *lines;
    struct assay_error err;
    char *line;
    FILE *out = fdopen(mkstemp(path), "w");
    fputs("one\n\nthree\r\n", out);
    for (unsigned i = 0; i < ASSAY_LINE_MAX; i++)
        fputc('x', out);
    fputs("\nlast", out);
    fclose(out);
    assert_int_equal(assay_lines_open(path, &lines, &err), 0);
    static const char *const expected[] = {"one", "", "three", NULL, "last"};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(assay_lines_next(lines, &line, &err), 1);
        assert_int_equal(assay_lines_number(lines), i + 1);
        if (expected[i])
            assert_string_equal(line, expected[i]);
        else
            assert_int_equal(strlen(line), ASSAY_LINE_MAX);
    }
    assert_int_equal(assay_lines_next(lines, &line, &err), 0);
    assay_lines_close(lines);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_event_comes_back),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(a_line_reads_as_documented),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test(strings_come_back_escaped),
        cmocka_unit_test(a_text_written_by_hand_is_imported),
        cmocka_unit_test(lines_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
