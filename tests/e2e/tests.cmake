# Whole runs of assay.
add_test(NAME e2e_diff_symbolic COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/e2e/diff.sh" "${CMAKE_BINARY_DIR}/bin" "${CMAKE_BINARY_DIR}/lib")
set_tests_properties(e2e_diff_symbolic PROPERTIES LABELS e2e TIMEOUT 120)
add_test(NAME e2e_replay COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/e2e/replay.sh" "${CMAKE_BINARY_DIR}/bin" "${CMAKE_BINARY_DIR}/lib")
set_tests_properties(e2e_replay PROPERTIES LABELS e2e TIMEOUT 300)
if(NOT ASSAY_SANITIZE AND NOT ASSAY_COVERAGE)
    add_test(NAME e2e_allocation_ban COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/e2e/allocation_ban.sh" "${CMAKE_BINARY_DIR}")
    set_tests_properties(e2e_allocation_ban PROPERTIES LABELS e2e TIMEOUT 60)
endif()
