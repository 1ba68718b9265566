/* The names table is complete and reversible; sizes and alignments follow the op kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/event.h"

static void every_kind_has_a_name_that_leads_back(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < ASSAY_OP_COUNT; kind++) {
        const char *name = assay_op_info(kind)->name;
        assert_non_null(name);
        assert_int_equal(assay_op_by_name(name, strlen(name)), kind);
    }
    assert_string_equal(assay_op_info(250)->name, "unknown");
    assert_int_equal(assay_op_by_name("mallo", 5), ASSAY_OP_NONE);
}

static void bytes_multiply_and_saturate(void **state)
{
    uint64_t bytes;
    struct assay_event event = {.kind = ASSAY_OP_CALLOC, .size = 6, .arg = 7};
    (void)state;
    assert_true(assay_event_bytes(&event, &bytes));
    assert_int_equal(bytes, 42);
    event.arg = UINT64_MAX / 2;
    assert_false(assay_event_bytes(&event, &bytes));
    assert_true(bytes == UINT64_MAX);
    event.kind = ASSAY_OP_MALLOC;
    assert_true(assay_event_bytes(&event, &bytes));
    assert_int_equal(bytes, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_that_leads_back),
        cmocka_unit_test(bytes_multiply_and_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
