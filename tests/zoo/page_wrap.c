/* Large sizes are rounded to pages before they are tested: the last 4,095 wrap to nothing. Source:
 * isoalloc issue 7. */
#define ZOO_REQUEST(bytes) ((bytes) > ZOO_SMALL_MAX ? ((bytes) + 4095) & ~(size_t)4095 : (bytes))
#include "tests/zoo/zoo.h"
