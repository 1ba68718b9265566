# assay-engine, the coverage-guided fuzzer, is always compiled with clang: directly where CC is clang, else by a sub-build of
# the same tree (libFuzzer needs clang and brings its own main).
find_program(ASSAY_CLANG NAMES clang clang-14)
assay_feature(ASSAY_ENGINE "${ASSAY_CLANG}" "clang")
if(NOT ASSAY_ENGINE_ENABLED)
    return()
endif()

if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    get_target_property(sources bulwark_linked SOURCES)
    get_target_property(options bulwark_linked COMPILE_OPTIONS)
    list(TRANSFORM sources PREPEND "${CMAKE_SOURCE_DIR}/allocator/")
    add_library(bulwark_covered STATIC ${sources})
    target_link_libraries(bulwark_covered PRIVATE assay_flags)
    target_compile_options(bulwark_covered PRIVATE ${options} -fsanitize=fuzzer-no-link)
    add_library(traces_covered STATIC ${ASSAY_TRACE_SOURCES})
    target_link_libraries(traces_covered PUBLIC assay_bare PRIVATE PkgConfig::ZSTD)
    target_compile_options(traces_covered PRIVATE -fsanitize=fuzzer-no-link)
    foreach(target IN LISTS fuzz_targets)
        set(engine fuzz_${target})
        if(target STREQUAL "model")
            set(engine assay-engine)
        endif()
        add_executable(${engine} fuzz_${target}.c)
        set(subject ${fuzz_${target}_subject})
        if(fuzz_${target}_covered)
            set(subject ${fuzz_${target}_covered})
        else()
            target_compile_options(${engine} PRIVATE -fsanitize=fuzzer-no-link)
        endif()
        target_link_libraries(${engine} PRIVATE assay_flags ${fuzz_${target}_libraries} ${subject})
        target_link_options(${engine} PRIVATE -fsanitize=fuzzer)
    endforeach()
else()
    include(ExternalProject)
    ExternalProject_Add(assay_engine_build
        SOURCE_DIR "${CMAKE_SOURCE_DIR}" BINARY_DIR "${CMAKE_BINARY_DIR}/engine" STAMP_DIR "${CMAKE_BINARY_DIR}/engine-stamp"
        TMP_DIR "${CMAKE_BINARY_DIR}/engine-tmp"
        CMAKE_ARGS -DCMAKE_C_COMPILER=${ASSAY_CLANG} -DCMAKE_BUILD_TYPE=RelWithDebInfo
            "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g" -DASSAY_EBPF=OFF -DASSAY_MAN=OFF -DASSAY_ENGINE=ON
        BUILD_COMMAND "${CMAKE_COMMAND}" --build <BINARY_DIR> --target assay-engine
        INSTALL_COMMAND "${CMAKE_COMMAND}" -E copy_if_different <BINARY_DIR>/bin/assay-engine "${CMAKE_BINARY_DIR}/bin/assay-engine"
        BUILD_ALWAYS ON USES_TERMINAL_BUILD OFF)
endif()
install(PROGRAMS "${CMAKE_BINARY_DIR}/bin/assay-engine" DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/assay")
