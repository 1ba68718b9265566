# The eBPF capture. ASSAY_EBPF AUTO takes it where clang (for BPF), bpftool, libbpf, libelf and Capstone are.
# The kernel types come from vmlinux_min.h and are relocated when the programs are loaded, so the build needs neither
# BTF nor a kernel's headers. In: the library assay_capture. Out: sources and libraries added to it.
pkg_check_modules(LIBBPF IMPORTED_TARGET GLOBAL libbpf>=1.0)
pkg_check_modules(LIBELF IMPORTED_TARGET GLOBAL libelf)
pkg_check_modules(CAPSTONE IMPORTED_TARGET GLOBAL capstone)
find_program(ASSAY_BPF_CLANG NAMES clang clang-19 clang-16 clang-14 DOC "compiler for the BPF programs")
find_program(ASSAY_BPFTOOL bpftool PATHS /usr/sbin /sbin)
mark_as_advanced(ASSAY_BPF_CLANG ASSAY_BPFTOOL)

if(LIBELF_FOUND AND CAPSTONE_FOUND)
    add_library(assay_probe_site STATIC probe_site.c)
    target_link_libraries(assay_probe_site PUBLIC assay_bare PRIVATE PkgConfig::LIBELF PkgConfig::CAPSTONE)
endif()

set(missing)
foreach(part IN ITEMS LIBBPF_FOUND LIBELF_FOUND CAPSTONE_FOUND ASSAY_BPF_CLANG ASSAY_BPFTOOL)
    if(NOT ${part})
        list(APPEND missing "${part}")
    endif()
endforeach()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    list(APPEND missing "x86-64")
endif()
set(have TRUE)
if(missing)
    set(have FALSE)
endif()
list(JOIN missing ", " missing)
assay_feature(ASSAY_EBPF ${have} "${missing}")
set(ASSAY_HAVE_EBPF ${ASSAY_EBPF_ENABLED} CACHE INTERNAL "the eBPF capture is built")

if(NOT ASSAY_EBPF_ENABLED)
    target_sources(assay_capture PRIVATE ebpf_absent.c)
    return()
endif()

set(generated "${CMAKE_BINARY_DIR}/generated/bpf")
set(object "${generated}/capture.bpf.o")
set(skeleton "${generated}/capture.skel.h")
file(MAKE_DIRECTORY "${generated}")
add_custom_command(OUTPUT "${skeleton}"
    COMMAND "${ASSAY_BPF_CLANG}" -target bpf -g -O2 -Wall -Wextra -Wno-unused-parameter -Werror -D__TARGET_ARCH_x86
            "-I${CMAKE_SOURCE_DIR}" "-I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}" -MD -MF "${object}.d"
            -c "${CMAKE_CURRENT_SOURCE_DIR}/capture.bpf.c" -o "${object}.full"
    COMMAND "${ASSAY_BPFTOOL}" gen object "${object}" "${object}.full"
    COMMAND sh -c "{ echo '// NOLINTBEGIN' && '${ASSAY_BPFTOOL}' gen skeleton '${object}' name capture_bpf && echo '// NOLINTEND'; } >'${skeleton}.new' && mv '${skeleton}.new' '${skeleton}'"
    DEPENDS capture.bpf.c ebpf_record.h vmlinux_min.h
    COMMENT "BPF programs of the capture" VERBATIM)
target_sources(assay_capture PRIVATE ebpf.c ebpf_attach.c ebpf_checks.c ebpf_libraries.c ebpf_maps.c ebpf_threads.c "${skeleton}")
target_include_directories(assay_capture SYSTEM PRIVATE "${generated}")
target_link_libraries(assay_capture PUBLIC assay_probe_site PRIVATE PkgConfig::LIBBPF)
