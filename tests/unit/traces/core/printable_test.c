/* What is shown of strings from outside: nothing in it steers a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/core/printable.h"
#include "traces/core/random.h"

static void escapes(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"plain text, \\ and 'quotes'", "plain text, \\ and 'quotes'"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98"},
        {"a\x1b[2Jb", "a\\x1b[2Jb"},
        {"a\nb\tc\r", "a\\nb\\tc\\r"},
        {"\x7f\x01", "\\x7f\\x01"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"},                                 /* CSI of C1 */
        {"\x9b", "\\x9b"},                                 /* the same in Latin-1 */
        {"\xe2\x80\xaegnp.exe", "\\xe2\\x80\\xaegnp.exe"}, /* written backwards */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},               /* line separator */
        {"\xc3", "\\xc3"},                                 /* cut off */
        {"\xc3(", "\\xc3("},
        {"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},          /* longer than it must be */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\xff\xfe", "\\xff\\xfe"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        static struct assay_printable buffer;
        char room[64];
        assert_string_equal(assay_printable(&buffer, pairs[i][0]), pairs[i][1]);
        assert_int_equal(assay_printable_text(NULL, 0, pairs[i][0]), strlen(pairs[i][1]));
        assert_int_equal(assay_printable_text(room, sizeof room, pairs[i][0]), strlen(pairs[i][1]));
        assert_string_equal(room, pairs[i][1]);
    }
}

/* Any bytes: what comes out is printable, also where it is cut. */
static void leaves_nothing(void **state)
{
    struct assay_random random;
    (void)state;
    assay_random_seed(&random, 7);
    for (int round = 0; round < 20000; round++) {
        char text[48], out[40];
        size_t n = (size_t)assay_random_below(&random, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(assay_random_below(&random, 255) + 1);
        text[n] = '\0';
        size_t room = 1 + (size_t)assay_random_below(&random, sizeof out);
        assay_printable_text(out, room, text);
        assert_true(strlen(out) < room);
        bool printable = true;
        for (const char *at = out; *at && printable;)
            at += assay_printable_next(at, &printable);
        assert_true(printable);
    }
}

static void long_ones_are_cut(void **state)
{
    static struct assay_printable buffer;
    static char text[20000];
    (void)state;
    memset(text, '\x1b', 4096);
    assert_int_equal(strlen(assay_printable(&buffer, text)), 4 * 4096);
    memset(text, '\x1b', sizeof text - 1);
    const char *shown = assay_printable(&buffer, text);
    assert_true(strlen(shown) < sizeof buffer.text);
    assert_string_equal(shown + strlen(shown) - 7, "\\x1b...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(escapes), cmocka_unit_test(leaves_nothing),
                                       cmocka_unit_test(long_ones_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
