# Real programs carried by libbulwark.so: same answers as without it, and no complaint.
file(GLOB carry_scripts CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/carry_*.sh")
foreach(script IN LISTS carry_scripts)
    get_filename_component(name "${script}" NAME_WE)
    if(ASSAY_SANITIZE)
        add_test(NAME e2e_${name} COMMAND sh -c "echo 'a sanitized library cannot be preloaded'; exit 5")
    else()
        add_test(NAME e2e_${name} COMMAND "${script}" "$<TARGET_FILE:bulwark>" "${CMAKE_SOURCE_DIR}")
    endif()
    set_tests_properties(e2e_${name} PROPERTIES LABELS e2e TIMEOUT 300 SKIP_RETURN_CODE 5)
endforeach()

# Many small objects: guards must not use up the mappings.
add_executable(carry_gigabyte "${CMAKE_CURRENT_LIST_DIR}/gigabyte.c")
target_compile_options(carry_gigabyte PRIVATE -std=gnu17 -D_GNU_SOURCE -O2 -g)
set_target_properties(carry_gigabyte PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/carry")
if(NOT ASSAY_SANITIZE)
    add_test(NAME e2e_carry_gigabyte COMMAND carry_gigabyte)
    set_tests_properties(e2e_carry_gigabyte PROPERTIES LABELS e2e TIMEOUT 300 SKIP_RETURN_CODE 5
        ENVIRONMENT "LD_PRELOAD=$<TARGET_FILE:bulwark>")
endif()
