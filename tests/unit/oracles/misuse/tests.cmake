assay_unit_test(oracles/misuse/verdict_test.c assay_misuse)
assay_unit_test(oracles/misuse/tags_test.c assay_misuse m)
