/* The slots of a span follow its header as closely as 16 bytes allow: bounds that a capability can
 * hold for an object reach into its neighbours. Source: CheriBSD issue 162, of jemalloc. */
#define ZOO_FIRST_SLOT ((sizeof(struct zoo_span) + 15) & ~(size_t)15)
#include "tests/zoo/zoo.h"
