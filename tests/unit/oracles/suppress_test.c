/* Suppressions: what fits, what is counted, and a line number for whatever is no suppression. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "oracles/finding.h"
#include "oracles/suppress.h"

static char path[] = "/tmp/assay-suppress-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int load(const char *text, struct assay_suppressions **ret, struct assay_error *err)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    return assay_suppressions_load(path, ret, err);
}

static struct assay_violation violation(enum assay_op kind, enum assay_relation relation)
{
    return (struct assay_violation){.property = ASSAY_PROPERTY_C19,
                                    .kind = (uint8_t)kind,
                                    .relation = (uint8_t)relation,
                                    .size_band = 5};
}

static const char *reason(struct assay_suppressions *all, const struct assay_violation *v,
                          const char *subject)
{
    const struct assay_suppression *line = assay_suppressed(all, v, subject, true);
    return line ? line->reason : NULL;
}

static void the_first_that_fits(void **state)
{
    struct assay_suppressions *all;
    struct assay_violation v = violation(ASSAY_OP_FREE, ASSAY_RELATION_WRONG_ERRNO);
    char text[512], fingerprint[ASSAY_FINGERPRINT_BYTES];
    (void)state;
    assay_finding_fingerprint(&v, fingerprint);
    snprintf(text, sizeof text,
             "# of the vendor\n\n  %s = by fingerprint\n"
             "C19 free wrong-errno libtc*.so* = tcmalloc, see = 17\r\n"
             "C19\tfree * = any relation\nC19 * wrong-errno = any op\n",
             fingerprint);
    assert_int_equal(load(text, &all, NULL), 0);
    assert_int_equal(assay_suppressions_count(all), 4);
    assert_string_equal(reason(all, &v, "/usr/lib/libtcmalloc.so.4"), "by fingerprint");
    v.size_band = 12; /* another fingerprint */
    assert_string_equal(reason(all, &v, "/usr/lib/libtcmalloc.so.4"), "tcmalloc, see = 17");
    assert_string_equal(reason(all, &v, "glibc"), "any relation");
    v.kind = ASSAY_OP_FREE_SIZED;
    assert_string_equal(reason(all, &v, "glibc"), "any op");
    v.property = ASSAY_PROPERTY_C01;
    assert_null(reason(all, &v, "glibc"));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(assay_suppressions_get(all, i)->used, 1);
    assert_int_equal(assay_suppressions_get(all, 1)->line, 4);
    assert_string_equal(assay_suppressions_get(all, 2)->text, "C19\tfree *");
    assert_null(assay_suppressions_get(all, 4));
    assay_suppressions_free(all);
    assay_suppressions_free(NULL);
}

static void what_is_none(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"C19 free wrong-errno\n", ":1: no '= reason'; a line is 'C22 pvalloc not-null = wraps"},
        {"\n# c\nC19 free wrong-errno =  \n", ":3: no reason behind '='"},
        {" = reason\n", ":1: nothing before '='"},
        {"C19 = reason\n", ":1: expected a fingerprint, or property op relation [subject]"},
        {"C99 free * = reason\n", ":1: no property is called 'C99'"},
        {"C19 fre * = reason\n", ":1: no op is called 'fre'; did you mean 'free'?"},
        {"C19 free wrong = reason\n",
         ":1: no relation is called 'wrong'; 'assay list relations' names them"},
        {"C19 free wrong-erno = reason\n",
         ":1: no relation is called 'wrong-erno'; did you mean 'wrong-errno'?"},
        {"C19 free * a b = reason\n", ":1: 'b' is one word too many"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct assay_suppressions *all = NULL;
        struct assay_error err;
        assert_int_equal(load(cases[i].text, &all, &err), ASSAY_E_FORMAT);
        assert_non_null(strstr(err.text, cases[i].error));
        assert_null(all);
    }
    struct assay_suppressions *all = NULL;
    assert_int_equal(assay_suppressions_load("/nosuch/file", &all, NULL), ASSAY_E_NOT_FOUND);
    assert_int_equal(load("", &all, NULL), 0);
    assert_int_equal(assay_suppressions_count(all), 0);
    assay_suppressions_free(all);
}

static void a_set_counts_them_as_accepted(void **state)
{
    struct assay_suppressions *all;
    struct assay_profile profile;
    bool first;
    (void)state;
    assay_profile_generic(&profile);
    assert_int_equal(load("C19 free * = known\n", &all, NULL), 0);
    struct assay_finding_set *set = assay_finding_set_create(&profile);
    assay_finding_set_suppress(set, all, "glibc");
    struct assay_violation v = violation(ASSAY_OP_FREE, ASSAY_RELATION_WRONG_ERRNO);
    const struct assay_finding *finding = assay_finding_set_add(set, &v, &first);
    assert_true(first && finding->suppressed);
    assert_string_equal(finding->accepted, "known");
    v.kind = ASSAY_OP_FREE_SIZED;
    finding = assay_finding_set_add(set, &v, &first);
    assert_false(finding->suppressed);
    assert_null(finding->accepted);
    assert_int_equal(assay_finding_set_count(set), 2);
    assert_int_equal(assay_finding_set_new(set), 1);
    assay_finding_set_free(set);
    assay_suppressions_free(all);
}

/* By seed one finding is content-foreign or content-stale. */
static void what_fingerprints_do_not_tell_apart(void **state)
{
    struct assay_suppressions *all;
    struct assay_profile profile;
    struct assay_violation v = violation(ASSAY_OP_CALLOC, ASSAY_RELATION_CONTENT_STALE);
    (void)state;
    v.property = ASSAY_PROPERTY_C10;
    assert_int_equal(load("C10 calloc content-foreign = known\n"
                          "C08 free content-stale = damage is seen by whoever looks next\n",
                          &all, NULL),
                     0);
    assert_string_equal(reason(all, &v, "glibc"), "known");
    v.size_band = 12;
    assert_string_equal(reason(all, &v, "glibc"), "known");
    v.relation = ASSAY_RELATION_CRASH;
    assert_null(reason(all, &v, "glibc"));
    v = violation(ASSAY_OP_REALLOC, ASSAY_RELATION_CONTENT_STALE);
    v.property = ASSAY_PROPERTY_C08;
    assert_non_null(reason(all, &v, "glibc"));
    v.relation = ASSAY_RELATION_CONTENT_ZEROED;
    assert_null(reason(all, &v, "glibc"));
    v.relation = ASSAY_RELATION_CONTENT_STALE;
    v.races = true; /* the fingerprint of any damage, which the line does not mean */
    assert_null(reason(all, &v, "glibc"));
    assay_suppressions_free(all);

    assay_profile_generic(&profile);
    profile.accepted[profile.accepted_count++] =
        (struct assay_accepted){.property = ASSAY_PROPERTY_C10,
                                .kind = ASSAY_OP_CALLOC,
                                .relation = ASSAY_RELATION_CONTENT_FOREIGN,
                                .reason = "accepted"};
    v = violation(ASSAY_OP_CALLOC, ASSAY_RELATION_CONTENT_UNKNOWN);
    v.property = ASSAY_PROPERTY_C10;
    assert_string_equal(assay_finding_accepted(&v, &profile), "accepted");
    v.kind = ASSAY_OP_REALLOC;
    assert_null(assay_finding_accepted(&v, &profile));
}

static void the_nearest_of_a_line_that_fits_nothing(void **state)
{
    struct assay_suppressions *all;
    struct assay_violation v = violation(ASSAY_OP_FREE, ASSAY_RELATION_WRONG_ERRNO);
    char fingerprint[ASSAY_FINGERPRINT_BYTES], nearest[96];
    (void)state;
    assert_int_equal(load("C19 realloc * = known\nC01 malloc * = known\n", &all, NULL), 0);
    assert_null(assay_suppressed(all, &v, "glibc", false));
    assert_string_equal(assay_suppressions_get(all, 0)->nearest, "");
    assert_null(reason(all, &v, "glibc"));
    assay_finding_fingerprint(&v, fingerprint);
    snprintf(nearest, sizeof nearest, "C19 free wrong-errno, fingerprint %s", fingerprint);
    assert_string_equal(assay_suppressions_get(all, 0)->nearest, nearest);
    assert_string_equal(assay_suppressions_get(all, 1)->nearest, "");
    assay_suppressions_free(all);
}

static void a_fingerprint_of_an_older_scheme_fits(void **state)
{
    struct assay_suppressions *all;
    struct assay_violation v = violation(ASSAY_OP_REALLOC, ASSAY_RELATION_CONTENT_STALE);
    char text[64], then[ASSAY_FINGERPRINT_BYTES], today[ASSAY_FINGERPRINT_BYTES];
    (void)state;
    v.property = ASSAY_PROPERTY_C12;
    assay_finding_fingerprint_by(1, &v, then);
    assay_finding_fingerprint(&v, today);
    snprintf(text, sizeof text, "%s = of last year\n", then);
    assert_int_equal(load(text, &all, NULL), 0);
    assert_string_equal(reason(all, &v, "glibc"), "of last year");
    assert_string_equal(assay_suppressions_get(all, 0)->today, today);
    assay_suppressions_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fingerprint_of_an_older_scheme_fits),
        cmocka_unit_test(the_first_that_fits),
        cmocka_unit_test(what_fingerprints_do_not_tell_apart),
        cmocka_unit_test(the_nearest_of_a_line_that_fits_nothing),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(a_set_counts_them_as_accepted),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
