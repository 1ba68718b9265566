assay_unit_test(fuzzers/program_test.c assay_fuzzers)
assay_unit_test(fuzzers/generate_test.c assay_fuzzers)
assay_unit_test(fuzzers/linked_test.c assay_linked bulwark_linked)
