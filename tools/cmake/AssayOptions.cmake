# Build options. AUTO uses what the machine has; ON without it is an error; OFF leaves it out.
set(ASSAY_SANITIZE "" CACHE STRING "sanitizers for every target, e.g. address,undefined")
option(ASSAY_COVERAGE "instrument for gcov" OFF)
option(ASSAY_WERROR "warnings are errors" ON)
set(ASSAY_EBPF AUTO CACHE STRING "eBPF capture: AUTO, ON or OFF")
set(ASSAY_ENGINE AUTO CACHE STRING "assay-engine, the coverage-guided fuzzer (needs clang): AUTO, ON or OFF")

find_package(PkgConfig REQUIRED)

# One interface target carries warnings and sanitizers; CMAKE_C_FLAGS stays the user's. assay_plain_flags is the same
# without sanitizers and coverage: for what is preloaded into a process that is not instrumented (subjects, recorder).
add_library(assay_plain_flags INTERFACE)
target_compile_features(assay_plain_flags INTERFACE c_std_17)
target_compile_definitions(assay_plain_flags INTERFACE _GNU_SOURCE ASSAY_VERSION="${PROJECT_VERSION}")
target_include_directories(assay_plain_flags INTERFACE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
target_compile_options(assay_plain_flags INTERFACE -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wconversion -Wno-unused-parameter -fno-strict-aliasing
    "SHELL:-include ${CMAKE_SOURCE_DIR}/traces/core/banned.h")
if(ASSAY_WERROR)
    target_compile_options(assay_plain_flags INTERFACE -Werror)
endif()

add_library(assay_flags INTERFACE)
target_link_libraries(assay_flags INTERFACE assay_plain_flags)
if(ASSAY_SANITIZE)
    target_compile_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE})
endif()
if(ASSAY_COVERAGE)
    target_compile_options(assay_flags INTERFACE --coverage)
    target_link_options(assay_flags INTERFACE --coverage)
endif()

# assay_feature(<option> <have> <what>): resolves AUTO and records a line for the summary.
function(assay_feature option have what)
    if(${option} STREQUAL "ON" AND NOT have)
        message(FATAL_ERROR "${option}=ON, but ${what} is missing")
    endif()
    if(NOT ${option} STREQUAL "OFF" AND have)
        set(${option}_ENABLED TRUE PARENT_SCOPE)
        set(state "yes")
    elseif(${option} STREQUAL "OFF")
        set(${option}_ENABLED FALSE PARENT_SCOPE)
        set(state "no (switched off)")
    else()
        set(${option}_ENABLED FALSE PARENT_SCOPE)
        set(state "no (${what} is missing)")
    endif()
    set_property(GLOBAL APPEND_STRING PROPERTY ASSAY_SUMMARY "  ${option}: ${state}\n")
endfunction()

function(assay_print_summary)
    get_property(features GLOBAL PROPERTY ASSAY_SUMMARY)
    set(sanitizers "${ASSAY_SANITIZE}")
    if(NOT sanitizers)
        set(sanitizers none)
    endif()
    message(STATUS "Assay ${PROJECT_VERSION}\n"
        "  compiler: ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}\n"
        "  sanitizers: ${sanitizers}\n${features}")
endfunction()
