/* Measured profiles as text: what people wrote stays, every key is there, and what contradicts is
 * told from what only promises less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/profile.h"

static struct assay_measuring measure;
static const struct assay_subject_spec spec = {
    .name = "mine", .path = "/x/libmine.so", .missing_apis = UINT64_C(1) << ASSAY_OP_PVALLOC};

static struct assay_profile_fact *fact(const char *name)
{
    for (size_t i = 0; i < measure.count; i++)
        if (strcmp(measure.facts[i].key->name, name) == 0)
            return &measure.facts[i];
    fail_msg("no key %s", name);
    return NULL;
}

static int set_up(void **state)
{
    static volatile sig_atomic_t interrupted;
    const struct assay_profile_config config = {
        .interrupted = &interrupted, .spec = &spec, .subject = "mine"};
    struct assay_error err;
    (void)state;
    return assay_measuring_create(&config, &measure, &err);
}

static int tear_down(void **state)
{
    (void)state;
    assay_measuring_free(&measure);
    return 0;
}

static void read_text(const char *text, struct assay_profile_hand *hand)
{
    char path[] = "/tmp/assay-profile-XXXXXX";
    struct assay_error err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    if (assay_profile_hand_read(path, hand, &err) < 0)
        fail_msg("%s", err.text);
    unlink(path);
}

static char *text_of(const struct assay_profile_hand *hand)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assay_profile_text(out, &measure, "mine", hand);
    fclose(out);
    return text;
}

static void every_key_is_written_and_loads(void **state)
{
    struct assay_profile_hand hand;
    (void)state;
    assay_fact_tell(&measure, fact("malloc_zero_null"), ASSAY_ANSWER_NO);
    assay_fact_tell(&measure, fact("max_alignment"), 65536);
    assay_fact_line(fact("max_alignment"), "tried %s", "something\nwith two lines");
    assay_fact_doubt(fact("realloc_zero"), "it differs");
    char *text = text_of(NULL);
    for (size_t i = 0; i < measure.count; i++) {
        char line[80];
        snprintf(line, sizeof line, "\n%s = ", measure.facts[i].key->name);
        assert_non_null(strstr(text, line));
        assert_non_null(strstr(text, measure.facts[i].key->meaning));
    }
    assert_non_null(strstr(text, "\n; - tried something\\nwith two lines\nmax_alignment = 64K\n"));
    assert_non_null(strstr(text, "\n; not told: it differs\nrealloc_zero = unknown\n"));
    assert_non_null(strstr(text, "\n; lacks: pvalloc\n"));
    read_text(text, &hand);
    assert_string_equal(hand.profile.name, "mine");
    assert_int_equal(hand.profile.malloc_zero_null, ASSAY_ANSWER_NO);
    assert_int_equal(hand.profile.max_alignment, 65536);
    assert_int_equal(json_object_size(hand.keys), 0);
    assay_profile_hand_free(&hand);
    free(text);
}

static void what_people_wrote_stays(void **state)
{
    struct assay_profile_hand hand, again;
    (void)state;
    read_text("; about: mine 1.2,\n;   from there\n[profile]\nname = mine\n; a remark\n; by hand: "
              "the manual,\n"
              ";   page 3\nmalloc_zero_null = yes\nrealloc_zero = frees\n[accepted]\n; proof\nC22 "
              "malloc = wraps\n\n"
              "; candidate: C05 malloc = not proved\n",
              &hand);
    assay_fact_tell(&measure, fact("malloc_zero_null"), ASSAY_ANSWER_NO);
    assay_fact_tell(&measure, fact("realloc_zero"), ASSAY_ZERO_RESIZE_UNIQUE);
    json_array_append_new(measure.candidates, json_pack("{s:s, s:s}", "line", "C01 malloc null",
                                                        "reason", "a refusal"));
    char *text = text_of(&hand);
    assert_non_null(strstr(text, "; about: mine 1.2, from there\n"));
    assert_non_null(
        strstr(text, "; measured: no\n; by hand: the manual, page 3\nmalloc_zero_null = yes\n"));
    assert_non_null(strstr(text, "\nrealloc_zero = unique\n"));
    assert_non_null(strstr(text, "\n[accepted]\n; proof\nC22 malloc = wraps\n"));
    assert_null(strstr(text, "C05"));
    assert_non_null(strstr(text, "\n; candidate: C01 malloc null = a refusal\n"));
    read_text(text, &again);
    assert_int_equal(again.profile.accepted_count, 1);
    assert_true(json_equal(hand.keys, again.keys));
    assert_true(json_equal(hand.accepted, again.accepted));
    char *second = text_of(&again);
    assert_string_equal(text, second);
    assay_profile_hand_free(&hand);
    assay_profile_hand_free(&again);
    free(text);
    free(second);
}

static void contradictions_are_told_from_the_rest(void **state)
{
    struct assay_profile_hand hand;
    (void)state;
    read_text("[profile]\nmin_alignment = 16\nmax_alignment = 64K\nbudget_object_bytes = 1G\n"
              "malloc_zero_null = no\nrealloc_zero = frees\n; by hand: the manual\nusable_writable "
              "= yes\n"
              "detects_double_free = no\nzero_size_faults = yes\n",
              &hand);
    assay_fact_tell(&measure, fact("min_alignment"), 0);
    assay_fact_tell(&measure, fact("max_alignment"), 1 << 20);
    assay_fact_tell(&measure, fact("budget_object_bytes"), 64 << 20);
    fact("budget_object_bytes")->at_least = true;
    assay_fact_tell(&measure, fact("budget_live_bytes"), 96 << 20);
    assay_fact_tell(&measure, fact("malloc_zero_null"), ASSAY_ANSWER_NO);
    assay_fact_tell(&measure, fact("realloc_zero"), ASSAY_ZERO_RESIZE_UNIQUE);
    assay_fact_tell(&measure, fact("usable_writable"), ASSAY_ANSWER_NO);
    assay_fact_tell(&measure, fact("detects_double_free"), ASSAY_ANSWER_YES);
    assay_fact_tell(&measure, fact("detects_sized_mismatch"), ASSAY_ANSWER_YES);
    static const struct {
        const char *key;
        enum assay_profile_check check;
    } cases[] = {
        {"min_alignment", ASSAY_PROFILE_CONTRADICTS},
        {"max_alignment", ASSAY_PROFILE_PROMISES_LESS},
        {"budget_object_bytes", ASSAY_PROFILE_NOT_TOLD},  /* no more was tried */
        {"budget_live_bytes", ASSAY_PROFILE_CONTRADICTS}, /* its default is 256 MiB */
        {"malloc_zero_null", ASSAY_PROFILE_AGREES},
        {"realloc_zero", ASSAY_PROFILE_CONTRADICTS},
        {"usable_writable", ASSAY_PROFILE_BY_HAND},
        {"detects_double_free", ASSAY_PROFILE_CONTRADICTS},
        {"zero_size_faults", ASSAY_PROFILE_NOT_TOLD},
        {"delays_reuse", ASSAY_PROFILE_NOT_TOLD}, /* neither says anything */
        {"detects_sized_mismatch", ASSAY_PROFILE_PROMISES_LESS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (assay_measuring_check(&measure, fact(cases[i].key), &hand) != cases[i].check)
            fail_msg("%s: %s", cases[i].key,
                     assay_profile_check_name(
                         assay_measuring_check(&measure, fact(cases[i].key), &hand)));
    assay_profile_hand_free(&hand);
}

static void a_file_that_is_not_there_has_nothing(void **state)
{
    struct assay_profile_hand hand;
    struct assay_error err;
    (void)state;
    assert_int_equal(assay_profile_hand_read("/nonexistent/x.ini", &hand, &err), 0);
    assert_int_equal(json_object_size(hand.keys), 0);
    assert_string_equal(hand.about, "");
    assay_profile_hand_free(&hand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_key_is_written_and_loads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_people_wrote_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contradictions_are_told_from_the_rest, set_up, tear_down),
        cmocka_unit_test(a_file_that_is_not_there_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
