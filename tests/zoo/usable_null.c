/* malloc_usable_size looks for the span of a null pointer. Source: jemalloc 3.0.0,
 * malloc_usable_size. */
#define ZOO_USABLE_NULL() zoo_usable_of(zoo_span_of(NULL), NULL)
#include "tests/zoo/zoo.h"
