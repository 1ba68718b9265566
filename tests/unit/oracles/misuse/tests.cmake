assay_unit_test(oracles/misuse/sequential_test.c assay_misuse m)
assay_unit_test(oracles/misuse/verdict_test.c assay_misuse)
