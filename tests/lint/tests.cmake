# Checks of the sources themselves. They do not depend on the build type: the preset release runs them, the lints that
# need clang's view of the code run in the preset fuzz.
function(assay_lint name)
    add_test(NAME "lint_${name}" COMMAND ${ARGN})
    set_tests_properties("lint_${name}" PROPERTIES LABELS lint TIMEOUT 900 SKIP_RETURN_CODE 5)
endfunction()

set(lint "${CMAKE_CURRENT_LIST_DIR}")
assay_lint(folder_rule "${lint}/folder_rule.py" "${CMAKE_SOURCE_DIR}")
assay_lint(folder_rule_test "${lint}/folder_rule_test.sh")
assay_lint(format "${lint}/format.sh" "${CMAKE_SOURCE_DIR}")
assay_lint(shell "${lint}/shell.sh" "${CMAKE_SOURCE_DIR}")
assay_lint(spelling "${lint}/spelling.sh" "${CMAKE_SOURCE_DIR}")
assay_lint(banned "${lint}/banned.sh" "${CMAKE_SOURCE_DIR}" "${CMAKE_C_COMPILER}")
assay_lint(registries "${lint}/registries.py" "${CMAKE_SOURCE_DIR}")
assay_lint(manual "${lint}/manual.py" "${CMAKE_SOURCE_DIR}" "$<TARGET_FILE:assay>")
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    assay_lint(tidy "${lint}/tidy.py" "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}")
endif()
