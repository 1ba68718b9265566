assay_unit_test(tools/human_test.c assay_tools)
assay_unit_test(tools/options_test.c assay_tools)
assay_unit_test(tools/shell_test.c assay_tools)
assay_unit_test(tools/output_test.c assay_output)
