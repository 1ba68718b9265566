# The trace format: golden files, its description, and what the command line says to bad input.
add_test(NAME format_golden COMMAND "${CMAKE_CURRENT_LIST_DIR}/golden.py" "${CMAKE_SOURCE_DIR}" $<TARGET_FILE:assay>)
add_test(NAME format_bad_input COMMAND "${CMAKE_CURRENT_LIST_DIR}/bad_input" $<TARGET_FILE:assay>)
set_tests_properties(format_golden format_bad_input PROPERTIES LABELS format TIMEOUT 120 SKIP_RETURN_CODE 5)
