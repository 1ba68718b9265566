assay_unit_test(traces/core/arena_test.c assay_bare)
assay_unit_test(traces/event_test.c assay_bare)
