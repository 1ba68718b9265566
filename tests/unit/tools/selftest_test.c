/* What a folder of subjects says, and what is made of a result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/selftest.h"

static char folder[] = "/tmp/assay-selftest-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int scan(struct assay_selftest_list *list, struct assay_error *err)
{
    *list = (struct assay_selftest_list){0};
    return assay_selftest_scan(list, folder, "zoo", err);
}

static void a_folder_is_read_in_order(void **state)
{
    (void)state;
    struct assay_selftest_list list;
    struct assay_error err;
    write_file("b.ini", "[profile]\nname = b\n[expect]\nproperty = C05 S21\nop = malloc\n");
    write_file("a.ini", "[expect]\nproperty = none\nsurvives = no row sees it\n");
    write_file("libb.so", "");
    write_file("liba.so", "");
    assert_int_equal(scan(&list, &err), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.subjects[0].name, "a");
    assert_int_equal(list.subjects[0].first_expected, 0);
    assert_false(assay_selftest_is_measured(&list.subjects[0]));
    assert_string_equal(list.subjects[0].survives, "no row sees it");
    assert_string_equal(list.subjects[1].name, "b");
    for (unsigned p = 0; p < ASSAY_CATALOGUE_COUNT; p++)
        assert_int_equal(list.subjects[1].expected[p],
                         p == ASSAY_PROPERTY_C05 || p == ASSAY_PROPERTY_S21);
    assert_true(assay_selftest_is_measured(&list.subjects[1]));
    assert_int_equal(list.subjects[1].first_expected, ASSAY_PROPERTY_C05);
    assay_selftest_list_free(&list);
    remove_file("b.ini");
    remove_file("a.ini");
    remove_file("libb.so");
    remove_file("liba.so");
}

static void refused(const char *ini, const char *words)
{
    struct assay_selftest_list list;
    struct assay_error err;
    write_file("a.ini", ini);
    assert_true(scan(&list, &err) < 0);
    assert_non_null(strstr(err.text, words));
    assay_selftest_list_free(&list);
    remove_file("a.ini");
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    refused("[expect]\nproperty = C05\n", "liba.so' is not there");
    write_file("liba.so", "");
    refused("[expect]\nproperty = C99\n", "a.ini:2: unknown property 'C99'");
    refused("[expect]\nproperty = C05\ncolour = red\n", "a.ini:3: unknown key 'colour'");
    refused("[profile]\nname = a\n", "names no property");
    remove_file("liba.so");
}

static void no_folder_is_no_subject(void **state)
{
    (void)state;
    struct assay_selftest_list list = {0};
    struct assay_error err;
    assert_int_equal(assay_selftest_scan(&list, "/nonexistent/folder", "zoo", &err), 0);
    assert_int_equal(list.count, 0);
    assay_selftest_list_free(&list);
}

static void verdicts(void **state)
{
    (void)state;
    const struct assay_selftest_subject broken = {.expected[ASSAY_PROPERTY_C05] = true,
                                                  .first_expected = ASSAY_PROPERTY_C05},
                                        measured = {.expected[ASSAY_PROPERTY_S21] = true,
                                                    .first_expected = ASSAY_PROPERTY_S21},
                                        correct = {.name = "correct"},
                                        listed = {.survives = "no row sees it"};
    const struct assay_selftest_result
        nothing = {.finished = true},
        c05 = {.finished = true, .found = true, .violation.property = ASSAY_PROPERTY_C05},
        c12 = {.finished = true, .found = true, .violation.property = ASSAY_PROPERTY_C12},
        s21 = {.finished = true, .found = true, .contradicted = ASSAY_PROPERTY_S21},
        doubt = {.finished = true, .unconfirmed = 1}, cut = {.finished = false},
        failed = {.finished = true, .err.code = ASSAY_E_SYSTEM};
    assert_int_equal(assay_selftest_judge(&broken, &c05), ASSAY_SELFTEST_KILLED);
    assert_int_equal(assay_selftest_judge(&broken, &c12), ASSAY_SELFTEST_MISTAKEN);
    assert_int_equal(assay_selftest_judge(&broken, &s21), ASSAY_SELFTEST_MISTAKEN);
    assert_int_equal(assay_selftest_judge(&measured, &s21), ASSAY_SELFTEST_KILLED);
    assert_int_equal(assay_selftest_judge(&measured, &c05), ASSAY_SELFTEST_MISTAKEN);
    assert_int_equal(assay_selftest_judge(&correct, &s21), ASSAY_SELFTEST_FALSE_ALARM);
    assert_int_equal(assay_selftest_judge(&broken, &nothing), ASSAY_SELFTEST_SURVIVED);
    assert_int_equal(assay_selftest_judge(&broken, &doubt), ASSAY_SELFTEST_SURVIVED);
    assert_int_equal(assay_selftest_judge(&broken, &cut), ASSAY_SELFTEST_NOT_RUN);
    assert_int_equal(assay_selftest_judge(&correct, &nothing), ASSAY_SELFTEST_CLEAN);
    assert_int_equal(assay_selftest_judge(&correct, &c05), ASSAY_SELFTEST_FALSE_ALARM);
    assert_int_equal(assay_selftest_judge(&correct, &doubt), ASSAY_SELFTEST_UNSURE);
    assert_int_equal(assay_selftest_judge(&correct, &failed), ASSAY_SELFTEST_NOT_RUN);
    assert_int_equal(assay_selftest_judge(&listed, &nothing), ASSAY_SELFTEST_LET_LIVE);
    assert_int_equal(assay_selftest_judge(&listed, &c05), ASSAY_SELFTEST_MISTAKEN);
}

static void every_verdict_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ASSAY_SELFTEST_VERDICTS; i++)
        assert_non_null(assay_selftest_verdict_name((enum assay_selftest_verdict)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_read_in_order), cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(no_folder_is_no_subject),   cmocka_unit_test(verdicts),
        cmocka_unit_test(every_verdict_has_a_name),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
