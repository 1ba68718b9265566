#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tools/human.h"

static void formats(void **state)
{
    struct assay_human b;
    assert_string_equal(assay_human_count(&b, 0), "0");
    assert_string_equal(assay_human_count(&b, 999), "999");
    assert_string_equal(assay_human_count(&b, 1000), "1,000");
    assert_string_equal(assay_human_count(&b, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(assay_human_rate(&b, 12), "12");
    assert_string_equal(assay_human_rate(&b, 1.5), "1.50");
    assert_string_equal(assay_human_rate(&b, 12345678), "12.3 M");
    assert_string_equal(assay_human_rate(&b, 999999), "1.00 M");
    assert_string_equal(assay_human_bytes(&b, 1023), "1023 bytes");
    assert_string_equal(assay_human_bytes(&b, 65536), "64.0 KiB");
    assert_string_equal(assay_human_bytes(&b, UINT64_C(3) << 30), "3.0 GiB");
    assert_string_equal(assay_human_duration(&b, 812), "812 ns");
    assert_string_equal(assay_human_duration(&b, 1400), "1.4 us");
    assert_string_equal(assay_human_duration(&b, 23000000), "23 ms");
    assert_string_equal(assay_human_duration(&b, UINT64_C(125) * 1000000000), "2 min 05 s");
    assert_string_equal(assay_human_duration(&b, UINT64_C(4800) * 1000000000), "1 h 20 min");
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"30s", UINT64_C(30000000000)},
        {"30", UINT64_C(30000000000)},
        {"1.5s", UINT64_C(1500000000)},
        {"2m", UINT64_C(120000000000)},
        {"500ms", 500000000},
        {"250us", 250000},
        {"10ns", 10},
        {"1h", UINT64_C(3600000000000)},
        {"0", 0},
    };
    struct assay_error err;
    uint64_t ns = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(assay_parse_duration(good[i].text, &ns, &err), 0);
        assert_true(ns == good[i].ns);
    }
    static const char *const bad[] = {"",    "s",   "-1s", "3 s",          "1e400",
                                      "nan", "inf", "30x", "600000000000h"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ns = 77;
        assert_int_equal(assay_parse_duration(bad[i], &ns, &err), ASSAY_E_USAGE);
        assert_int_equal(err.code, ASSAY_E_USAGE);
        assert_true(ns == 77); /* untouched on failure */
    }
}

static void sizes(void **state)
{
    struct assay_error err;
    uint64_t bytes = 0;
    assert_int_equal(assay_parse_size("64M", &bytes, &err), 0);
    assert_true(bytes == 64u << 20);
    assert_int_equal(assay_parse_size("16kib", &bytes, &err), 0);
    assert_true(bytes == 16384);
    assert_int_equal(assay_parse_size("18446744073709551615", &bytes, &err), 0);
    assert_true(bytes == UINT64_MAX);
    assert_int_equal(assay_parse_size("18446744073709551616", &bytes, &err), ASSAY_E_USAGE);
    assert_int_equal(assay_parse_size("17000000T", &bytes, &err), ASSAY_E_USAGE);
    assert_int_equal(assay_parse_size("64Q", &bytes, &err), ASSAY_E_USAGE);
    assert_int_equal(assay_parse_size("-64", &bytes, &err), ASSAY_E_USAGE);
}

static void numbers(void **state)
{
    struct assay_error err;
    uint64_t n = 0;
    assert_int_equal(assay_parse_number("0x10", 0, 16, &n, &err), 0);
    assert_true(n == 16);
    assert_int_equal(assay_parse_number("17", 0, 16, &n, &err), ASSAY_E_USAGE);
    assert_non_null(strstr(err.text, "0 to 16"));
    assert_int_equal(assay_parse_number("1z", 0, 16, &n, &err), ASSAY_E_USAGE);
    assert_int_equal(assay_parse_number("", 0, 16, &n, &err), ASSAY_E_USAGE);
    assert_int_equal(assay_parse_number("-1", 0, UINT64_MAX, &n, &err), ASSAY_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
