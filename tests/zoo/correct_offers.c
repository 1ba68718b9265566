/* Offers a zeroing resize, good sizes, statistics and a heap walk, all of them right. */
#include "tests/zoo/offers.h"
