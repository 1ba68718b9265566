/* The good size of a request that fills its class is that of the next one: < for <=. */
#define ZOO_GOOD_SMALL(bytes) ((bytes) < ZOO_SMALL_MAX ? (bytes) + 1 : (bytes))
#include "tests/zoo/offers.h"
