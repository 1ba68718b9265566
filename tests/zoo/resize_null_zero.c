/* realloc(NULL, 0) gives NULL where malloc(0) does not. Source: seastar issue 978. */
#define ZOO_RESIZE_NULL(bytes) ((bytes) ? malloc(bytes) : NULL)
#include "tests/zoo/zoo.h"
