/* Objects in mappings of their own are not counted as in use. */
#define ZOO_COUNT_MAPPING(bytes) ((bytes)*0)
#include "tests/zoo/offers.h"
