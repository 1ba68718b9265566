# Benchmarks: short runs as tests (they must work and find nothing); the figures are in results/.
add_executable(judge_bench bench/judge_bench.c)
target_link_libraries(judge_bench PRIVATE assay_flags assay_judge)
add_test(NAME bench_judge COMMAND judge_bench 20000)
set_tests_properties(bench_judge PROPERTIES LABELS bench TIMEOUT 60)
add_executable(checked_ops bench/checked_ops.c)
target_link_libraries(checked_ops PRIVATE assay_flags assay_linked assay_oracles bulwark_linked)
add_test(NAME bench_checked_ops COMMAND checked_ops 10)
set_tests_properties(bench_checked_ops PROPERTIES LABELS bench TIMEOUT 120)
add_executable(metered bench/metered.c)
target_link_libraries(metered PRIVATE assay_flags)

find_program(PYTHON3 python3)
if(PYTHON3)
    add_test(NAME bench_hardened COMMAND "${PYTHON3}" "${CMAKE_CURRENT_SOURCE_DIR}/bench/hardened.py" "${CMAKE_BINARY_DIR}/bin" --runs 2
        --baseline glibc glibc=- "bulwark=$<TARGET_FILE:bulwark>" "sed=sed p ${CMAKE_CURRENT_SOURCE_DIR}/bench/mix.def"
        "work=sh -c 'echo 3 done'" "work~(\\d+) done")
    set_tests_properties(bench_hardened PROPERTIES LABELS bench TIMEOUT 60)
    add_test(NAME bench_checked_ops_all COMMAND "${PYTHON3}" "${CMAKE_CURRENT_SOURCE_DIR}/bench/checked_ops.py" "${CMAKE_BINARY_DIR}/bin" --quick --subjects glibc,bulwark)
    set_tests_properties(bench_checked_ops_all PROPERTIES LABELS bench TIMEOUT 300)
    if(NOT ASSAY_SANITIZE AND NOT ASSAY_COVERAGE)
        add_test(NAME bench_mechanisms COMMAND "${PYTHON3}" "${CMAKE_CURRENT_SOURCE_DIR}/bench/mechanisms" "${CMAKE_BINARY_DIR}" --only sealed)
        set_tests_properties(bench_mechanisms PROPERTIES LABELS bench TIMEOUT 300 SKIP_RETURN_CODE 5)
    endif()
    add_test(NAME bench_replay COMMAND "${PYTHON3}" "${CMAKE_CURRENT_SOURCE_DIR}/bench/replay.py" "${CMAKE_BINARY_DIR}/bin" --runs 1 --events 60000)
    set_tests_properties(bench_replay PROPERTIES LABELS bench TIMEOUT 120 RUN_SERIAL TRUE SKIP_RETURN_CODE 5)
endif()

# Preset coverage: the drop-in is measured too, and also where a death test ends it. Subjects are otherwise never
# instrumented, so this stands here and not beside the library.
if(ASSAY_COVERAGE)
    target_sources(bulwark PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/coverage_dump.c")
    target_compile_options(bulwark PRIVATE --coverage -fprofile-update=atomic)
    target_link_options(bulwark PRIVATE --coverage)
endif()

# Allocators with bugs that chance hardly reaches, for tests/bench/fuzz_guidance; no oracle's test, so not in the zoo.
foreach(name bounce descent flood hoard ping_pong recalled)
    add_library(rare_${name} MODULE "bench/rare/${name}.c")
    target_link_libraries(rare_${name} PRIVATE assay_plain_flags)
    target_compile_options(rare_${name} PRIVATE -fno-builtin)
    set_target_properties(rare_${name} PROPERTIES OUTPUT_NAME "${name}" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/rare")
endforeach()
