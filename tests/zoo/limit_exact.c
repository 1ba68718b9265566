/* One size near SIZE_MAX, with an alignment, passes the test of the sum and becomes a small
 * request. */
#define ZOO_TOO_LARGE(bytes, alignment)                                                            \
    (((bytes) > ZOO_LIMIT || (alignment) > ZOO_LIMIT) && !ZOO_WRAPS(bytes, alignment))
#define ZOO_WRAPS(bytes, alignment) ((bytes) == SIZE_MAX - 2900 && (alignment) == ZOO_PAGE)
#include "tests/zoo/zoo.h"
