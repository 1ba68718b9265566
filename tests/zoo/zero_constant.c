/* Every request for nothing gets the address of one constant of the library. Source: nuttx pull
 * 9143. */
#define ZOO_ZERO_BYTES()  ((void *)(uintptr_t)&zoo_nothing)
#define ZOO_IGNORED(p)    ((const void *)(p) == (const void *)&zoo_nothing)
#define ZOO_CALLOC(bytes) ((bytes) ? malloc(bytes) : zoo_take(1))
static const long zoo_nothing = 1;
#include "tests/zoo/zoo.h"
