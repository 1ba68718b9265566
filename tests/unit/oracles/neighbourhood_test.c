/* Who stands where an address points, and a picture of it that holds no address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/finding_report.h"
#include "oracles/neighbourhood.h"

static struct assay_arena arena;
static struct assay_model model;

static int start(void **state)
{
    struct assay_error err;
    (void)state;
    if (assay_arena_create(&arena, assay_model_bytes(1000, 1000) + 4096, &err) < 0)
        return -1;
    return assay_model_create(&model, &arena, 1000, 1000) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    assay_arena_destroy(&arena);
    return 0;
}

static void bear(uint32_t number, uint64_t address, uint64_t bytes)
{
    struct assay_index_conflict conflict;
    struct assay_object *object = &model.objects[number];
    *object = (struct assay_object){
        .address = address, .birth = number * 10, .api = ASSAY_OP_MALLOC, .usable_extra = 8};
    object->requested = bytes & ((UINT64_C(1) << 48) - 1);
    object->flags = ASSAY_OBJECT_USABLE_KNOWN;
    assay_model_bear(&model, number, &conflict);
}

static void release(uint32_t number, uint32_t at)
{
    assay_model_end(&model, number, ASSAY_OBJECT_FREED);
    model.objects[number].death = at;
}

static void an_address_is_told_by_object(void **state)
{
    int64_t offset;
    (void)state;
    bear(1, 0x10000, 40);
    bear(2, 0x10100, 40);
    release(2, 25);
    assert_int_equal(assay_neighbourhood_find(&model, 0x10010, &offset), 1);
    assert_int_equal(offset, 16);
    assert_int_equal(assay_neighbourhood_find(&model, 0x1002c, &offset), 1); /* usable */
    assert_int_equal(assay_neighbourhood_find(&model, 0x10108, &offset), 2); /* freed */
    assert_int_equal(assay_neighbourhood_find(&model, 0xfff8, &offset), 1);  /* close before */
    assert_int_equal(offset, -8);
    assert_int_equal(assay_neighbourhood_find(&model, 0x10040, &offset), 1); /* close behind */
    assert_int_equal(offset, 64);
    assert_int_equal(assay_neighbourhood_find(&model, 0x20000, &offset), 0);
    bear(3, 0x10100, 16); /* the living before the dead */
    assert_int_equal(assay_neighbourhood_find(&model, 0x10108, &offset), 3);
}

static char *report_of(const struct assay_violation *v, const uint64_t *fault)
{
    struct assay_circumstances circumstances = {0};
    char *text = NULL;
    size_t bytes = 0;
    assay_neighbourhood_take(&model, v, fault, &circumstances.around);
    FILE *out = open_memstream(&text, &bytes);
    const struct assay_finding_report report = {
        .violation = v, .subject = "broken", .circumstances = &circumstances};
    assay_finding_report_text(out, &report);
    assert_int_equal(fclose(out), 0);
    json_t *json = json_object();
    assert_int_equal(assay_finding_report_json(json, &circumstances), 0);
    char *dump = json_dumps(json, 0);
    assert_null(strstr(dump, "65536")); /* 0x10000 */
    free(dump);
    json_decref(json);
    return text;
}

static void two_that_overlap(void **state)
{
    (void)state;
    bear(1, 0x10000, 64);
    bear(2, 0x10100, 32);
    release(2, 25);
    struct assay_violation v = {.property = ASSAY_PROPERTY_C05,
                                .kind = ASSAY_OP_MALLOC,
                                .relation = ASSAY_RELATION_OVERLAP_PARTIAL,
                                .object = 3,
                                .other = 1,
                                .op_index = 30,
                                .event = {.kind = ASSAY_OP_MALLOC,
                                          .size = 40,
                                          .born = 3,
                                          .address = 0x10010,
                                          .flags = ASSAY_FLAG_EXECUTED}};
    char *text = report_of(&v, NULL);
    assert_non_null(strstr(text, "object 3: 40 bytes, live\n    allocated at op 30: malloc"));
    assert_non_null(strstr(text, "object 1: 64 bytes (72 usable), live"));
    assert_non_null(strstr(text, "memory around object 3, 16 bytes to a cell"));
    assert_non_null(strstr(text, "        -256: . . . . . . . . . . . . . . . A\n"));
    assert_non_null(strstr(text, "          +0: # # # - . . . . . . . . . . . c\n"));
    assert_non_null(strstr(text, "  c  object 2, freed, +240 to +272"));
    assert_null(strstr(text, "10010"));
    free(text);
}

static void the_byte_in_question_is_marked(void **state)
{
    (void)state;
    bear(1, 0x10000, 48);
    bear(2, 0x10040, 48);
    struct assay_violation v = {.property = ASSAY_PROPERTY_C08,
                                .kind = ASSAY_OP_FREE,
                                .relation = ASSAY_RELATION_CONTENT_FOREIGN,
                                .object = 2,
                                .other = 1,
                                .offset = 17,
                                .event = {.kind = ASSAY_OP_FREE, .object = 2}};
    char *text = report_of(&v, NULL);
    assert_non_null(strstr(text, "=>        +0: B[B]B"));
    free(text);
    uint64_t fault = 0x10000 + 40; /* a crash is about its own address */
    v.relation = ASSAY_RELATION_CRASH;
    text = report_of(&v, &fault);
    assert_non_null(strstr(text, "=>        +0: A A[A]"));
    free(text);
    fault = 0x7f0000000000; /* near nothing: the object of the op */
    text = report_of(&v, &fault);
    assert_non_null(strstr(text, "memory around object 2"));
    free(text);
}

static void nothing_has_a_place(void **state)
{
    (void)state;
    struct assay_violation v = {.property = ASSAY_PROPERTY_C01,
                                .kind = ASSAY_OP_MALLOC,
                                .relation = ASSAY_RELATION_NULL,
                                .object = 5,
                                .event = {.kind = ASSAY_OP_MALLOC, .size = 40, .born = 5}};
    char *text = report_of(&v, NULL);
    assert_null(strstr(text, "memory around"));
    assert_non_null(strstr(text, "SUMMARY: assay: C01"));
    free(text);
}

/* Crowded, and scales from bytes to gigabytes: it ends, and stays within its lines. */
static void any_heap_has_a_picture(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 600; i++)
        bear(i, 0x10000 + 16 * (i % 150), 16 + i % 50);
    for (uint32_t i = 601; i <= 610; i++)
        bear(i, 0x100000 + ((uint64_t)(i - 601) << 32), UINT64_C(1) << 31);
    for (uint32_t i = 1; i <= 610; i += 3) {
        struct assay_violation v = {.property = ASSAY_PROPERTY_C08,
                                    .kind = ASSAY_OP_FREE,
                                    .relation = ASSAY_RELATION_CONTENT_UNKNOWN,
                                    .object = i,
                                    .offset = UINT64_C(1) << (i % 60)};
        char *text = report_of(&v, NULL);
        size_t lines = 0;
        for (const char *at = text; *at; at++)
            lines += *at == '\n';
        assert_true(lines < 60);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_is_told_by_object, start, stop),
        cmocka_unit_test_setup_teardown(two_that_overlap, start, stop),
        cmocka_unit_test_setup_teardown(the_byte_in_question_is_marked, start, stop),
        cmocka_unit_test_setup_teardown(nothing_has_a_place, start, stop),
        cmocka_unit_test_setup_teardown(any_heap_has_a_picture, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
