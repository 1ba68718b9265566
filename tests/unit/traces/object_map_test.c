/* The object map against the obvious array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/core/random.h"
#include "traces/object_map.h"

#define OBJECTS 5000

static void agrees_with_an_array(void **state)
{
    (void)state;
    static uint64_t values[OBJECTS + 1];
    struct assay_object_map map = {0};
    struct assay_random random;
    size_t live = 0;
    assay_random_seed(&random, 1);
    assert_null(assay_object_map_get(&map, 1));
    assay_object_map_remove(&map, 1);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t object = 1 + (uint32_t)assay_random_below(&random, OBJECTS);
        const struct assay_object_entry *entry = assay_object_map_get(&map, object);
        assert_int_equal(entry != NULL, values[object] != 0);
        if (entry)
            assert_true(entry->value == values[object] && entry->extra == object * 3);
        live -= values[object] != 0;
        values[object] = assay_random_below(&random, 2) ? i + 1 : 0;
        live += values[object] != 0;
        if (values[object])
            assert_int_equal(assay_object_map_put(&map, object, values[object], object * 3), 0);
        else
            assay_object_map_remove(&map, object);
        assert_int_equal(map.n, live);
    }
    assay_object_map_clear(&map);
    assert_null(assay_object_map_get(&map, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_an_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
