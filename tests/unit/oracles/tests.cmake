assay_unit_test(oracles/judge_test.c assay_judge)
