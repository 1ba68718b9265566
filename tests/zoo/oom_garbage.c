/* A mapping that could not be had is a null pointer to which the header's size is added; what
 * nobody can have is refused. Source: bitcoin pull 15117. */
#define ZOO_NO_MEMORY() (ZOO_REFUSED(), (bytes | alignment) >> 40 ? NULL : (void *)ZOO_HEADER_BYTES)
#include "tests/zoo/zoo.h"
