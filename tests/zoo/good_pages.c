/* The good size of a large request forgets the header in front of it. */
#define ZOO_GOOD_LARGE(bytes) (((bytes) + ZOO_PAGE - 1) & ~(size_t)(ZOO_PAGE - 1))
#include "tests/zoo/offers.h"
