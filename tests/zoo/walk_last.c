/* A heap walk leaves out the last slot of a span. */
#define ZOO_WALKS(slots) ((slots)-1)
#include "tests/zoo/offers.h"
