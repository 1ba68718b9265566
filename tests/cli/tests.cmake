# Golden runs of the command line: one test per case.
file(GLOB cases CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*.cmd")
foreach(case IN LISTS cases)
    get_filename_component(name "${case}" NAME_WE)
    add_test(NAME "cli_${name}" COMMAND "${CMAKE_CURRENT_LIST_DIR}/run" "${CMAKE_BINARY_DIR}" "${case}")
    set_tests_properties("cli_${name}" PROPERTIES LABELS cli TIMEOUT 300 SKIP_RETURN_CODE 5)
endforeach()
