/* 64 bytes are added for a header before the size is tested: the last 64 sizes wrap into small
 * ones. Source: FreeGuard issue 1. */
#define ZOO_REQUEST(bytes) ((bytes) + 64)
#include "tests/zoo/zoo.h"
