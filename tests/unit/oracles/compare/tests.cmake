assay_unit_test(oracles/compare/behaviour_test.c assay_compare)
