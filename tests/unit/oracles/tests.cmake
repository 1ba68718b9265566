assay_unit_test(oracles/judge_test.c assay_judge)
assay_unit_test(oracles/index_test.c assay_judge)
assay_unit_test(oracles/profile_test.c assay_oracles)
assay_unit_test(oracles/finding_test.c assay_oracles)
