# Registries are .def files whose rows are NAME(first, second, ...): C reads them as X-macros, CMake with this.

# assay_read_registry(<out> <file> <macro>): <out> becomes the list of first arguments of <macro>(...) rows.
function(assay_read_registry out file macro)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(STRINGS "${file}" rows REGEX "^${macro}\\(")
    set(names)
    foreach(row IN LISTS rows)
        string(REGEX REPLACE "^${macro}\\(([A-Za-z0-9_]+).*" "\\1" name "${row}")
        list(APPEND names "${name}")
    endforeach()
    set(${out} ${names} PARENT_SCOPE)
endfunction()
