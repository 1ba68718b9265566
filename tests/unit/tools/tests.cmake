assay_unit_test(tools/fuzz_guide_test.c assay_fuzzing)
assay_unit_test(tools/human_test.c assay_tools)
assay_unit_test(tools/options_test.c assay_tools)
assay_unit_test(tools/shell_test.c assay_tools)
