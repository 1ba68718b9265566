# The zoo: deliberately broken small allocators, each caught by exactly its named oracle, beside a correct one.
assay_read_registry(zoo_names "${CMAKE_CURRENT_SOURCE_DIR}/zoo/zoo.def" ASSAY_ZOO)
foreach(name IN LISTS zoo_names)
    add_library(zoo_${name} MODULE "zoo/${name}.c")
    target_link_libraries(zoo_${name} PRIVATE assay_plain_flags)
    # -fno-builtin: a compiler would turn malloc + memset inside calloc into calloc
    target_compile_options(zoo_${name} PRIVATE -fno-builtin)
    set_target_properties(zoo_${name} PROPERTIES OUTPUT_NAME "${name}" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/zoo")
    # beside the library: what judges it and must catch it, for 'assay selftest'
    configure_file("zoo/${name}.ini" "${CMAKE_BINARY_DIR}/lib/zoo/${name}.ini" COPYONLY)
    install(TARGETS zoo_${name} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/assay/zoo")
    install(FILES "zoo/${name}.ini" DESTINATION "${CMAKE_INSTALL_LIBDIR}/assay/zoo")
    add_test(NAME zoo_${name} COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/zoo/check_animal" $<TARGET_FILE:assay> "${CMAKE_BINARY_DIR}/lib/zoo"
        ${name} "${CMAKE_BINARY_DIR}/zoo/${name}")
    set_tests_properties(zoo_${name} PROPERTIES LABELS zoo TIMEOUT 600)
    # Found after more than 2 s of processor time, each reproducer runs up to a minute: some 50,000 ops, a gigabyte, what depends on
    # what threads do meanwhile (races, a fork while a lock is held), leaks that take thousands of passes. zoo_selftest judges them
    # in every run.
    if(name MATCHES "^(late|limit_drifts|fork_lock|race_.*|first_twice|start_heaps|end_heaps|space_leaks|space_threads|protect_leaks|advise_leaks\
|churn_guard|churn_heap|churn_late|churn_remote|tail_leaks|maps_leak|spans_leak|resize_forgets|slots_16bit)$")
        set_tests_properties(zoo_${name} PROPERTIES LABELS "zoo;slow")
    endif()
endforeach()
# All that is found, as C.
add_test(NAME zoo_reproducers COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/zoo/check_reproducers" $<TARGET_FILE:assay> "${CMAKE_BINARY_DIR}/zoo/reproducers" 8
    "${CMAKE_BINARY_DIR}/lib/zoo" "${CMAKE_BINARY_DIR}/lib/mutants")
set_tests_properties(zoo_reproducers PROPERTIES LABELS "zoo;slow" TIMEOUT 7200)
# The score of the judges: the whole zoo, the mutants of Bulwark, the allocators that are installed.
add_test(NAME zoo_selftest COMMAND assay selftest --max-time 5s --out ${CMAKE_BINARY_DIR}/selftest)
set_tests_properties(zoo_selftest PROPERTIES LABELS zoo TIMEOUT 1800 PROCESSORS 2)
# Drop-ins in earnest: a real program runs on them, as far as the bug is not in its way.
foreach(name correct correct_otherwise misaligned usable_large usable_small null_errno free_errno size_wrap calloc_wrap double_free
        realloc_aligned realloc_fails memalign_out errno_zero)
    add_test(NAME zoo_runs_sort_${name} COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/zoo/run_sort" $<TARGET_FILE:zoo_${name}>)
    set_tests_properties(zoo_runs_sort_${name} PROPERTIES LABELS zoo TIMEOUT 30)
endforeach()

# Allocators in use: nothing new may be found on them. A few seconds in every run, 30 CPU minutes under the label slow.
foreach(subject bulwark glibc jemalloc mimalloc tcmalloc scudo)
    set(name "fuzz_${subject}_3s")
    add_test(NAME ${name} COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/zoo/check_allocator" $<TARGET_FILE:assay> ${subject} 3s
        "${CMAKE_BINARY_DIR}/zoo/${name}" --guidance none)
    set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300 SKIP_RETURN_CODE 5)
    set(name "fuzz_soak_${subject}")
    add_test(NAME ${name} COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/zoo/soak" $<TARGET_FILE:assay> "${CMAKE_BINARY_DIR}/zoo/soak" 1800 ${subject})
    set_tests_properties(${name} PROPERTIES LABELS "fuzz;slow" TIMEOUT 14400 SKIP_RETURN_CODE 5)
endforeach()
