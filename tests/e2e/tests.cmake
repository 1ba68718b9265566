# Whole runs of assay.
add_test(NAME e2e_diff_symbolic COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/e2e/diff.sh" "${CMAKE_BINARY_DIR}/bin" "${CMAKE_BINARY_DIR}/lib")
set_tests_properties(e2e_diff_symbolic PROPERTIES LABELS e2e TIMEOUT 120)
