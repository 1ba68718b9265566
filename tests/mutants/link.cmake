# cmake -DFOLDER=... -DNAMES=... -P link.cmake: every name's link to FOLDER's libbulwark-mutants.so.
foreach(name IN LISTS NAMES)
    file(CREATE_LINK "${FOLDER}/libbulwark-mutants.so" "${FOLDER}/libbulwark-${name}.so" COPY_ON_ERROR)
endforeach()
