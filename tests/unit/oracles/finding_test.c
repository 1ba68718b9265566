/* Findings: one fingerprint per kind of violation, words that say what is wrong, JSON without
 * addresses. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/finding.h"

static struct assay_violation overlap(uint64_t op_index, uint32_t object, uint64_t address)
{
    return (struct assay_violation){
        .property = ASSAY_PROPERTY_C05,
        .kind = ASSAY_OP_MALLOC,
        .relation = ASSAY_RELATION_OVERLAP_PARTIAL,
        .object = object,
        .other = 1,
        .size_band = 6,
        .op_index = op_index,
        .seen = address,
        .event = {.kind = ASSAY_OP_MALLOC, .size = 40, .born = object, .address = address}};
}

static void fingerprints_say_the_kind_only(void **state)
{
    char a[ASSAY_FINGERPRINT_BYTES], b[ASSAY_FINGERPRINT_BYTES];
    (void)state;
    struct assay_violation one = overlap(10, 4, 0x1000), two = overlap(900, 77, 0x7f00000);
    two.size_band = 9; /* still small */
    assay_finding_fingerprint(&one, a);
    assay_finding_fingerprint(&two, b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 16);
    two.size_band = 11;
    assay_finding_fingerprint(&two, b);
    assert_string_not_equal(a, b);
    two = one;
    two.relation = ASSAY_RELATION_OVERLAP_SAME_START;
    assay_finding_fingerprint(&two, b);
    assert_string_not_equal(a, b);
    two = one;
    two.kind = ASSAY_OP_CALLOC;
    assay_finding_fingerprint(&two, b);
    assert_string_not_equal(a, b);
    two = one;
    two.property = ASSAY_PROPERTY_C06;
    assay_finding_fingerprint(&two, b);
    assert_string_not_equal(a, b);
    assert_string_equal(a, "10db4d9afe6d9b14"); /* stable over builds and releases */
}

/* Where content is missing, what the memory held before is chance; where it is damaged it is not.
 */
static void what_stands_in_lost_contents_place_does_not_count(void **state)
{
    static const uint8_t lost[] = {ASSAY_PROPERTY_C10, ASSAY_PROPERTY_C12, ASSAY_PROPERTY_C16};
    char a[ASSAY_FINGERPRINT_BYTES], b[ASSAY_FINGERPRINT_BYTES];
    struct assay_violation one = overlap(10, 4, 0x1000), two;
    (void)state;
    one.relation = ASSAY_RELATION_CONTENT_FOREIGN;
    for (size_t i = 0; i <= sizeof lost; i++) {
        one.property = i < sizeof lost ? lost[i] : ASSAY_PROPERTY_C08;
        two = one;
        two.relation = ASSAY_RELATION_CONTENT_UNKNOWN;
        assay_finding_fingerprint(&one, a);
        assay_finding_fingerprint(&two, b);
        assert_int_equal(strcmp(a, b) == 0, i < sizeof lost);
    }
}

/* Which call an unordered pair of calls hits, and how, is chance; what was lost is another bug. */
static void races_are_one_kind(void **state)
{
    struct assay_violation one = overlap(10, 4, 0x1000), other = one, again;
    char a[ASSAY_FINGERPRINT_BYTES], b[ASSAY_FINGERPRINT_BYTES];
    (void)state;
    one.races = other.races = true;
    other.property = ASSAY_PROPERTY_C26;
    other.relation = ASSAY_RELATION_CRASH;
    other.kind = ASSAY_OP_CALLOC;
    snprintf(other.function, sizeof other.function, "take");
    assay_finding_fingerprint(&one, a);
    assay_finding_fingerprint(&other, b);
    assert_string_equal(a, b);
    assert_in_range(assay_finding_rank(&one), 0, assay_finding_rank(&other) - 1);
    json_t *saved = assay_finding_json(&one, "x");
    assert_true(assay_finding_known(saved, &again));
    assay_finding_fingerprint(&again, b);
    assert_string_equal(a, b);
    json_decref(saved);
    other.relation = ASSAY_RELATION_HANG;
    assay_finding_fingerprint(&other, b);
    assert_string_not_equal(a, b);
    one.races = false;
    assay_finding_fingerprint(&one, b);
    assert_string_not_equal(a, b);
}

/* Damage is somebody else's doing than his who notices it; a bad alignment is bad for all sizes. */
static void who_notices_damage_does_not_count(void **state)
{
    char a[ASSAY_FINGERPRINT_BYTES], b[ASSAY_FINGERPRINT_BYTES];
    struct assay_violation one = overlap(10, 4, 0x1000), two;
    (void)state;
    one.property = ASSAY_PROPERTY_C08;
    one.relation = ASSAY_RELATION_CONTENT_ZEROED;
    one.kind = ASSAY_OP_FREE;
    two = one;
    two.kind = ASSAY_OP_CHECK;
    assay_finding_fingerprint(&one, a);
    assay_finding_fingerprint(&two, b);
    assert_string_equal(a, b);
    assay_finding_fingerprint_by(2, &two, b);
    assert_string_not_equal(a, b);
    one.relation = two.relation = ASSAY_RELATION_CRASH;
    assay_finding_fingerprint(&one, a);
    assay_finding_fingerprint(&two, b);
    assert_string_not_equal(a, b);
    /* of usable bytes neither who is told nor what he sees; how large the object is counts */
    static const uint8_t usable[] = {ASSAY_PROPERTY_C06, ASSAY_PROPERTY_C09};
    for (size_t i = 0; i < sizeof usable; i++) {
        one.property = two.property = usable[i];
        one.relation = i ? ASSAY_RELATION_CONTENT_ZEROED : ASSAY_RELATION_OVERLAP_PARTIAL;
        two.relation = i ? ASSAY_RELATION_CONTENT_FOREIGN : ASSAY_RELATION_OVERLAP_SAME_START;
        assay_finding_fingerprint(&one, a);
        assay_finding_fingerprint(&two, b);
        assert_string_equal(a, b);
        assay_finding_fingerprint_by(3, &one, a);
        assay_finding_fingerprint_by(3, &two, b);
        assert_string_not_equal(a, b);
        two.size_band = one.size_band + 10;
        assay_finding_fingerprint(&one, a);
        assay_finding_fingerprint(&two, b);
        assert_string_not_equal(a, b);
        two.size_band = one.size_band;
    }
    one.property = ASSAY_PROPERTY_C20;
    one.kind = ASSAY_OP_POSIX_MEMALIGN;
    two = one;
    two.size_band = 14;
    assay_finding_fingerprint(&one, a);
    assay_finding_fingerprint(&two, b);
    assert_string_equal(a, b);
}

/* What was saved tells as much as it takes to make its fingerprint again, by any scheme. */
static void saved_findings_are_known_again(void **state)
{
    struct assay_violation one = overlap(10, 4, 0x1000), again;
    char was[ASSAY_FINGERPRINT_BYTES], now[ASSAY_FINGERPRINT_BYTES], of[ASSAY_FINGERPRINT_BYTES];
    (void)state;
    one.property = ASSAY_PROPERTY_C12;
    one.relation = ASSAY_RELATION_CONTENT_FOREIGN;
    one.kind = ASSAY_OP_REALLOC;
    assay_finding_fingerprint_by(1, &one, was);
    assay_finding_fingerprint(&one, now);
    assert_string_not_equal(was, now);
    json_t *saved = assay_finding_json(&one, "x");
    assert_int_equal(json_integer_value(json_object_get(saved, "fingerprint_scheme")),
                     ASSAY_FINGERPRINT_SCHEME);
    assert_true(assay_finding_known(saved, &again));
    assay_finding_fingerprint_by(1, &again, of);
    assert_string_equal(of, was);
    assay_finding_fingerprint(&again, of);
    assert_string_equal(of, now);
    json_object_set_new(saved, "op", json_string("never"));
    assert_false(assay_finding_known(saved, &again));
    json_decref(saved);
}

static void size_classes(void **state)
{
    struct assay_violation v = {0};
    (void)state;
    assert_string_equal(assay_finding_size_class(&v), "empty");
    v.size_band = 10; /* to 1023 */
    assert_string_equal(assay_finding_size_class(&v), "small");
    v.size_band = 17;
    assert_string_equal(assay_finding_size_class(&v), "medium");
    v.size_band = 63;
    assert_string_equal(assay_finding_size_class(&v), "large");
    v.size_band = 64;
    assert_string_equal(assay_finding_size_class(&v), "oversize");
}

static void text_tells_the_history(void **state)
{
    struct assay_event events[] = {
        {.kind = ASSAY_OP_MALLOC,
         .size = 64,
         .born = 1,
         .address = 0x1000,
         .flags = ASSAY_FLAG_EXECUTED},
        {.kind = ASSAY_OP_MALLOC,
         .size = 64,
         .born = 2,
         .address = 0x2000,
         .flags = ASSAY_FLAG_EXECUTED},
        {.kind = ASSAY_OP_MALLOC,
         .size = 40,
         .born = 3,
         .address = 0x1010,
         .flags = ASSAY_FLAG_EXECUTED},
    };
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    (void)state;
    struct assay_violation v = overlap(2, 3, 0x1010);
    assay_finding_text(out, &v, "broken", events, 3);
    fclose(out);
    assert_non_null(strstr(text, "C05 violated by broken: a new object is disjoint"));
    assert_non_null(strstr(text, "op 2: malloc(40)"));
    assert_non_null(strstr(text, "object 3 shares bytes with live object 1"));
    assert_non_null(strstr(text, "op 0: malloc(64) -> object 1 at 0x1000"));
    assert_null(strstr(text, "object 2"));
    free(text);
}

static void lines_name_codes_and_signals(void **state)
{
    char line[256];
    struct assay_violation v = {.property = ASSAY_PROPERTY_C01,
                                .kind = ASSAY_OP_MALLOC,
                                .relation = ASSAY_RELATION_WRONG_ERRNO,
                                .expected = ENOMEM,
                                .size_band = 28};
    (void)state;
    assay_finding_line(line, sizeof line, &v);
    assert_string_equal(line,
                        "C01 malloc large wrong-errno: expected ENOMEM, seen errno unchanged");
    v.property = ASSAY_PROPERTY_C26;
    v.relation = ASSAY_RELATION_CRASH;
    v.event.signal = SIGSEGV;
    assay_finding_line(line, sizeof line, &v);
    assert_string_equal(line, "C26 malloc large crash: signal SIGSEGV");
    v.event.kind = ASSAY_OP_MALLOC;
    v.event.size = UINT64_MAX - 8;
    assay_finding_line(line, sizeof line, &v);
    assert_string_equal(line, "C26 malloc(18446744073709551607) large crash: signal SIGSEGV");
    v.kind = ASSAY_OP_NONE;
    v.event = (struct assay_event){.kind = ASSAY_OP_NONE, .signal = SIGSEGV};
    assay_finding_line(line, sizeof line, &v);
    assert_string_equal(line, "C26 no call in hand large crash: signal SIGSEGV");
}

/* Every relation and every property has words, and JSON with the keys that scripts rely on. */
static void everything_can_be_told(void **state)
{
    (void)state;
    for (unsigned property = 1; property < ASSAY_PROPERTY_COUNT; property++)
        for (unsigned relation = 1; relation < ASSAY_RELATION_COUNT; relation++) {
            struct assay_violation v = overlap(5, 3, UINT64_C(0x7fabcdef0123));
            char line[256];
            v.property = (uint16_t)property;
            v.relation = (uint8_t)relation;
            assay_finding_line(line, sizeof line, &v);
            assert_true(strlen(line) > 20);
            json_t *json = assay_finding_json(&v, "subject.so");
            assert_non_null(json);
            const char *const names[] = {"property", "op",       "fingerprint",
                                         "subject",  "severity", "relation"};
            for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                assert_true(json_is_string(json_object_get(json, names[i])));
            assert_true(json_is_object(json_object_get(json, "evidence")));
            if (relation == ASSAY_RELATION_OVERLAP_PARTIAL || relation == ASSAY_RELATION_NOT_NULL) {
                char *text = json_dumps(json, 0);
                assert_null(strstr(text, "140376")); /* 0x7fabcdef0123 in decimal */
                assert_null(strstr(text, "abcdef0123"));
                free(text);
            }
            json_decref(json);
        }
}

static void one_report_per_kind(void **state)
{
    struct assay_profile profile;
    bool first;
    (void)state;
    assay_profile_generic(&profile);
    profile.accepted_count = 1;
    profile.accepted[0] = (struct assay_accepted){
        .property = ASSAY_PROPERTY_C22, .kind = ASSAY_OP_PVALLOC, .reason = "known"};
    struct assay_finding_set *set = assay_finding_set_create(&profile);
    for (uint32_t i = 0; i < 1000; i++) {
        struct assay_violation v = overlap(i, i + 2, 0x1000 * i);
        assert_non_null(assay_finding_set_add(set, &v, &first));
        assert_int_equal(first, i == 0);
    }
    for (unsigned kind = 1; kind < 40; kind++) {
        struct assay_violation v = overlap(kind, 2, 1);
        v.property = ASSAY_PROPERTY_C22;
        v.kind = (uint8_t)kind;
        assert_non_null(assay_finding_set_add(set, &v, &first));
    }
    assert_int_equal(assay_finding_set_count(set), 1 + 38 + 1);
    assert_int_equal(assay_finding_set_new(set), 39);
    const struct assay_finding *finding = assay_finding_set_get(set, 0);
    assert_int_equal(finding->count, 1000);
    assert_int_equal(finding->violation.op_index, 0);
    assert_null(finding->accepted);
    assert_string_equal(assay_finding_set_get(set, ASSAY_OP_PVALLOC)->accepted, "known");
    assert_null(assay_finding_set_get(set, 40));
    assay_finding_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints_say_the_kind_only),
        cmocka_unit_test(what_stands_in_lost_contents_place_does_not_count),
        cmocka_unit_test(races_are_one_kind),
        cmocka_unit_test(who_notices_damage_does_not_count),
        cmocka_unit_test(saved_findings_are_known_again),
        cmocka_unit_test(size_classes),
        cmocka_unit_test(text_tells_the_history),
        cmocka_unit_test(lines_name_codes_and_signals),
        cmocka_unit_test(everything_can_be_told),
        cmocka_unit_test(one_report_per_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
