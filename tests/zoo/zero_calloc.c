/* calloc of nothing gives NULL where malloc(0) does not. Source: esbmc pull 5404. */
#define ZOO_CALLOC(bytes) ((bytes) ? malloc(bytes) : NULL)
#include "tests/zoo/zoo.h"
