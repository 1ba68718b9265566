/* Of all powers of two, an alignment to 2^18 gives 2^17 only. */
#define ZOO_LARGE_ALIGNMENT(alignment) ((alignment) == 1 << 18 ? (size_t)1 << 17 : (alignment))
#include "tests/zoo/zoo.h"
