# Benchmarks: short runs as tests (they must work and find nothing); the figures are in results/.
add_executable(judge_bench bench/judge_bench.c)
target_link_libraries(judge_bench PRIVATE assay_flags assay_judge)
add_test(NAME bench_judge COMMAND judge_bench 20000)
set_tests_properties(bench_judge PROPERTIES LABELS bench TIMEOUT 60)
