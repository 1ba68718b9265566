assay_unit_test(oracles/misuse/sequential_test.c assay_misuse m)
