assay_unit_test(oracles/judge_test.c assay_judge)
assay_unit_test(oracles/index_test.c assay_judge)
assay_unit_test(oracles/compare/minimise_test.c assay_compare assay_fuzzers)
assay_unit_test(oracles/compare/reproducer_test.c assay_compare)
