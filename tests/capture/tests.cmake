# Capture, end to end: programs whose calls are known, and both sources on them.
# No sanitizers here: what is recorded must be the program's own calls.
foreach(program IN ITEMS known_calls thread_calls life_calls)
    add_executable(${program} capture/${program}.c)
    target_link_libraries(${program} PRIVATE pthread)
    target_include_directories(${program} PRIVATE "${CMAKE_SOURCE_DIR}")
    target_compile_definitions(${program} PRIVATE _GNU_SOURCE)
    target_compile_options(${program} PRIVATE -std=gnu17 -Wall -Wextra -fno-builtin -O1)
endforeach()

# The same program with the C library inside, where there is a static one and no sanitizer.
find_library(ASSAY_STATIC_LIBC NAMES libc.a PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
mark_as_advanced(ASSAY_STATIC_LIBC)
if(ASSAY_STATIC_LIBC AND NOT ASSAY_SANITIZE)
    add_executable(known_calls_static capture/known_calls.c)
    target_link_libraries(known_calls_static PRIVATE assay_flags -static)
    target_compile_options(known_calls_static PRIVATE -fno-builtin -O1)
endif()

if(ASSAY_HAVE_EBPF AND TARGET assay_recorder)
    add_executable(capture_ebpf_test capture/ebpf_test.c capture/run.c)
    target_link_libraries(capture_ebpf_test PRIVATE assay_capture PkgConfig::CMOCKA PkgConfig::LIBBPF)
    target_compile_definitions(capture_ebpf_test PRIVATE ASSAY_BINARY_DIR="${CMAKE_BINARY_DIR}")
    add_dependencies(capture_ebpf_test known_calls thread_calls assay_recorder)
    add_test(NAME capture_ebpf COMMAND capture_ebpf_test)
    set_tests_properties(capture_ebpf PROPERTIES LABELS "needs-bpf;e2e" TIMEOUT 400 SKIP_RETURN_CODE 5
        RUN_SERIAL TRUE) # it counts the machine's BPF programs
endif()

add_executable(static_calls capture/known_calls.c)
target_include_directories(static_calls PRIVATE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(static_calls PRIVATE _GNU_SOURCE)
target_compile_options(static_calls PRIVATE -std=gnu17)
target_link_options(static_calls PRIVATE -static)

add_executable(capture_preload_test capture/preload_test.c capture/run.c)
target_link_libraries(capture_preload_test PRIVATE assay_capture PkgConfig::CMOCKA)
target_compile_definitions(capture_preload_test PRIVATE
    ASSAY_BINARY_DIR="${CMAKE_BINARY_DIR}" ASSAY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_dependencies(capture_preload_test known_calls thread_calls life_calls static_calls assay_recorder support_counting)
add_test(NAME capture_preload COMMAND capture_preload_test)
set_tests_properties(capture_preload PROPERTIES LABELS e2e TIMEOUT 180 SKIP_RETURN_CODE 5)

# The labels that a tracer of Bulwark finds by name.
if(NOT ASSAY_SANITIZE)
    add_executable(capture_probes_test capture/probes_test.c)
    target_link_libraries(capture_probes_test PRIVATE assay_flags PkgConfig::CMOCKA)
    target_compile_options(capture_probes_test PRIVATE -fno-builtin)
    add_test(NAME capture_probes COMMAND capture_probes_test "$<TARGET_FILE:bulwark>")
    set_tests_properties(capture_probes PROPERTIES LABELS unit TIMEOUT 120)
endif()
