/* All functions have a prefix, which the profile names. */
#include "tests/zoo/prefix.h"
#include "tests/zoo/offers.h"
