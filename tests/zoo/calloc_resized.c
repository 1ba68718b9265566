/* What a realloc has left is not marked as used, so that calloc does not clear it. Source: sgx-lkl-
 * musl pull 2. */
#define ZOO_RESIZE_MOVED(p) (zoo_vacated = (p))
#define ZOO_CLEAR_BYTES(p, bytes, span)                                                            \
    ((span)->class_index == ZOO_CLASSES || (p) == zoo_vacated ? 0 : (bytes))
static void *zoo_vacated;
#include "tests/zoo/zoo.h"
