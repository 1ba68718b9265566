/* What a moving realloc leaves behind stays counted as in use. */
#define ZOO_RESIZE_MOVED(p) (zoo_used += malloc_usable_size(p))
#include "tests/zoo/offers.h"
