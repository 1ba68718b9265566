/* Profiles: what they say is what is loaded, and a bad line is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "oracles/judge.h"
#include "oracles/profile.h"

static int load_text(const char *text, struct assay_profile *profile, struct assay_error *err,
                     char *ret_path)
{
    char path[] = "/tmp/assay-profile-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int code = assay_profile_load(path, profile, err);
    unlink(path);
    memcpy(ret_path, path, sizeof path);
    return code;
}

static void every_key_is_read(void **state)
{
    struct assay_profile profile;
    struct assay_error err;
    char path[64];
    (void)state;
    assert_int_equal(load_text("; a comment\n"
                               "[profile]\n"
                               "name = mine\n"
                               "min_alignment = 16\n"
                               "budget_live_bytes = 1G\n"
                               "budget_object_bytes = 4096K\n"
                               "max_alignment = 1M\n"
                               "malloc_zero_null = no\n"
                               "realloc_zero = unique\n"
                               "usable_is_requested = yes\n"
                               "usable_writable = no\n"
                               "realloc_keeps_alignment = yes\n"
                               "posix_memalign_keeps_errno = no\n"
                               "aligned_alloc_refuses_bad_alignment = yes\n"
                               "large_errno_everywhere = unknown\n"
                               "detects_double_free = yes\n"
                               "detects_invalid_free = no\n"
                               "detects_sized_mismatch = yes\n"
                               "detects_overflow_at_free = no\n"
                               "max_threads = 100\n"
                               "cheri_mantissa = 14\n"
                               "good_size_exact_to = 128K\n"
                               "symbol_prefix = je_\n"
                               "[symbols]\n"
                               "rezalloc = my_recalloc\n"
                               "[accepted]\n"
                               "C22 pvalloc = wraps\n"
                               "C09 = another reason\n"
                               "C11 calloc wrong-errno = a third\n"
                               "[expect]\n"
                               "property = C05\n",
                               &profile, &err, path),
                     0);
    assert_string_equal(profile.name, "mine");
    assert_int_equal(profile.min_alignment, 16);
    assert_int_equal(profile.budget_live_bytes, UINT64_C(1) << 30);
    assert_int_equal(profile.budget_object_bytes, 4096 << 10);
    assert_int_equal(profile.max_alignment, 1 << 20);
    assert_int_equal(profile.malloc_zero_null, ASSAY_ANSWER_NO);
    assert_int_equal(profile.realloc_zero, ASSAY_ZERO_RESIZE_UNIQUE);
    assert_int_equal(profile.usable_is_requested, ASSAY_ANSWER_YES);
    assert_int_equal(profile.usable_writable, ASSAY_ANSWER_NO);
    assert_int_equal(profile.realloc_keeps_alignment, ASSAY_ANSWER_YES);
    assert_int_equal(profile.posix_memalign_keeps_errno, ASSAY_ANSWER_NO);
    assert_int_equal(profile.aligned_alloc_refuses_bad_alignment, ASSAY_ANSWER_YES);
    assert_int_equal(profile.large_errno_everywhere, ASSAY_ANSWER_UNKNOWN);
    assert_int_equal(profile.detects_double_free, ASSAY_ANSWER_YES);
    assert_int_equal(profile.detects_invalid_free, ASSAY_ANSWER_NO);
    assert_int_equal(profile.detects_sized_mismatch, ASSAY_ANSWER_YES);
    assert_int_equal(profile.detects_overflow_at_free, ASSAY_ANSWER_NO);
    assert_int_equal(profile.max_threads, 100);
    assert_int_equal(profile.cheri_mantissa, 14);
    assert_int_equal(profile.good_size_exact_to, 128 << 10);
    assert_string_equal(profile.names.prefix, "je_");
    assert_string_equal(profile.names.symbol[ASSAY_OP_REZALLOC], "my_recalloc");
    assert_string_equal(profile.names.symbol[ASSAY_OP_MALLOC], "");
    assert_int_equal(profile.accepted_count, 3);
    assert_int_equal(profile.accepted[0].property, ASSAY_PROPERTY_C22);
    assert_int_equal(profile.accepted[0].kind, ASSAY_OP_PVALLOC);
    assert_string_equal(profile.accepted[0].reason, "wraps");
    assert_int_equal(profile.accepted[1].kind, 0);
    assert_int_equal(profile.accepted[2].relation, ASSAY_RELATION_WRONG_ERRNO);
}

static void bad_lines_are_named(void **state)
{
    static const struct {
        const char *text, *line, *what;
    } cases[] = {
        {"[profile]\nname = x\ncolour = red\n",
         ":3: ", "unknown key 'colour'; assay-profile(5) lists them"},
        {"[profile]\nmalloc_zero_nul = yes\n", ":2: ", "did you mean 'malloc_zero_null'?"},
        {"[profile]\nmalloc_zero_null = maybe\n", ":2: ", "'malloc_zero_null'"},
        {"[profile]\nrealloc_zero = yes\n", ":2: ", "'realloc_zero'"},
        {"[profile]\ncheri_mantissa = 40\n", ":2: ", "'cheri_mantissa'"},
        {"[profile]\nbudget_live_bytes = 3T\n", ":2: ", "'budget_live_bytes'"},
        {"[profile]\nbudget_live_bytes = -1\n", ":2: ", "'budget_live_bytes'"},
        {"[profile]\nbudget_live_bytes = 99999999999G\n", ":2: ", "'budget_live_bytes'"},
        {"[profile]\nmin_alignment = 4G\n", ":2: ", "'min_alignment'"},
        {"[profile]\nmin_alignment = 24\n", ":2: ", "power of two"},
        {"[profile]\nsymbol_prefix = je-\n", ":2: ", "'symbol_prefix'"},
        {"[symbols]\nread = my_read\n", ":2: ", "'read'"},
        {"[symbols]\nmalloc = a b\n", ":2: ", "'malloc'"},
        {"[profile]\nname =\n", ":2: ", "'name'"},
        {"[profile]\nname = 01234567890123456789012345678901\n", ":2: ", "'name'"},
        {"name = x\n", ":1: ", "no section at all"},
        {"[other]\nname = x\n", ":2: ", "unknown section 'other'"},
        {"[profile]\n\nwhat\n", ":3: ", "key = value"},
        {"[profile\nname = x\n", ":1: ", "no section at all"},
        {"[accepted]\nC99 = no such property\n", ":2: ", "unknown property"},
        {"[accepted]\nC22 palloc = no such op\n", ":2: ", "unknown op"},
        {"[accepted]\nC22 malloc nil = no such relation\n", ":2: ", "unknown relation"},
        {"[accepted]\nC22 malloc null x = reason\n", ":2: ", "too many words"},
        {"[accepted]\nC22 any nul = reason\n", ":2: ", "did you mean 'null'?"},
        {"[accepted]\nC22 =\n", ":2: ", "reason"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct assay_profile profile = {.name = "untouched"};
        struct assay_error err = {0};
        char path[64], expected[80];
        assert_int_equal(load_text(cases[i].text, &profile, &err, path), ASSAY_E_FORMAT);
        snprintf(expected, sizeof expected, "%s%s", path, cases[i].line);
        if (!strstr(err.text, expected) || !strstr(err.text, cases[i].what))
            fail_msg("case %zu: '%s' does not hold '%s' and '%s'", i, err.text, expected,
                     cases[i].what);
        assert_string_equal(profile.name, "untouched");
    }
}

static void too_many_accepted(void **state)
{
    struct assay_profile profile;
    struct assay_error err;
    char text[600] = "[accepted]\n", path[64];
    (void)state;
    size_t used = strlen(text);
    for (int i = 0; i < ASSAY_PROFILE_ACCEPTED_MAX + 1; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "C05 = reason\n");
    assert_int_equal(load_text(text, &profile, &err, path), ASSAY_E_FORMAT);
    assert_non_null(strstr(err.text, ":42: "));
}

static void missing_files_are_named(void **state)
{
    struct assay_profile profile;
    struct assay_error err;
    (void)state;
    assert_int_equal(assay_profile_load("/nonexistent/x.ini", &profile, &err), ASSAY_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "'/nonexistent/x.ini'"));
    assert_int_equal(assay_profile_load("/", &profile, &err), ASSAY_E_SYSTEM);
}

static void shipped_profiles_are_found(void **state)
{
    static const struct {
        const char *subject, *profile;
    } cases[] = {
        {"glibc", "glibc"},
        {"jemalloc", "jemalloc"},
        {"mimalloc", "mimalloc"},
        {"tcmalloc", "tcmalloc"},
        {"scudo", "scudo"},
        {"bulwark", "bulwark"},
        {"generic", "generic"},
        {"/usr/lib/libjemalloc.so.2", "jemalloc"},
        {"/a/b/libtcmalloc_minimal.so.4", "tcmalloc"},
        {"/lib/libclang_rt.scudo_standalone-x86_64.so", "scudo"},
        {"/x/libmimalloc-secure.so.2", "mimalloc-secure"},
        {"/x/libmimalloc.so.2", "mimalloc"},
        {"/x/libhardened_malloc.so", "hardened_malloc"},
        {"/a/b/libtcmalloc_minimal_debug.so.4", "generic"},
        {"/x/libsnmallocshim.so", "snmalloc"},
        {"/x/libsnmallocshim-checks.so", "snmalloc-checks"},
        {"/lib/libc.so.6", "glibc"},
        {"/x/libbulwark-light.so", "bulwark-light"},
        {"/x/libbulwark-unlinked.so", "bulwark"},
        {"/x/libmytcmalloc.so", "generic"},
        {"/x/libmimalloc-debug.so.2", "generic"},
        {"/x/starmalloc.so", "starmalloc"},
        {"/x/libisoalloc.so", "isoalloc"},
        {"/home/jemalloc/libother.so", "generic"},
        {"something", "generic"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct assay_profile profile;
        struct assay_error err = {0};
        if (assay_profile_find(cases[i].subject, &profile, &err) != 0)
            fail_msg("%s: %s", cases[i].subject, err.text);
        assert_string_equal(profile.name, cases[i].profile);
    }
}

/* generic.ini is the text of what the code calls generic: it promises nothing. */
static void generic_promises_nothing(void **state)
{
    struct assay_profile coded, shipped;
    struct assay_error err;
    (void)state;
    memset(&shipped, 0, sizeof shipped);
    assay_profile_generic(&coded);
    assert_int_equal(assay_profile_find("generic", &shipped, &err), 0);
    assert_memory_equal(&coded, &shipped, sizeof coded);
}

/* What is loaded is written as it was read, whatever the key. */
static void every_value_is_written_as_read(void **state)
{
    static const char *const texts[][3] = {
        [ASSAY_PROFILE_ANSWER] = {"unknown", "no", "yes"},
        [ASSAY_PROFILE_ZERO_RESIZE] = {"unknown", "frees", "unique"},
        [ASSAY_PROFILE_U32] = {"0", "1000", "2K"},
        [ASSAY_PROFILE_ALIGNMENT] = {"0", "16", "1M"},
        [ASSAY_PROFILE_BYTES] = {"0", "101M", "4G"},
        [ASSAY_PROFILE_MANTISSA] = {"0", "8", "14"},
    };
    const struct assay_profile_key *keys;
    size_t n = assay_profile_keys(&keys);
    (void)state;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            struct assay_profile profile;
            struct assay_error err;
            char path[64], text[120], value[32];
            snprintf(text, sizeof text, "[profile]\n%s = %s\n", keys[i].name,
                     texts[keys[i].type][k]);
            assert_int_equal(load_text(text, &profile, &err, path), 0);
            assay_profile_value(&profile, &keys[i], value, sizeof value);
            assert_string_equal(value, texts[keys[i].type][k]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(too_many_accepted),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(shipped_profiles_are_found),
        cmocka_unit_test(generic_promises_nothing),
        cmocka_unit_test(every_value_is_written_as_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
