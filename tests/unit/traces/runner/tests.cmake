assay_unit_test(traces/runner/touch_test.c assay_bare)
assay_unit_test(traces/runner/ranges_test.c assay_bare)
assay_unit_test(traces/runner/executor_test.c assay_bare)
