/* What a resize in place cuts off gets its header 16 bytes early, over the last that are kept. Of a
 * larger object these were in its middle, of which most objects show a few words only. */
#define ZOO_RESIZE_STAYS(p, span, usable, bytes) zoo_cut(p, usable, bytes)
#include <stdbool.h>
#include <stddef.h>
static bool zoo_cut(void *p, size_t usable, size_t bytes);
#include "tests/zoo/zoo.h"

static bool zoo_cut(void *p, size_t usable, size_t bytes)
{
    enum { HEADER_BYTES = 16, LEAST_CUT = 512 };
    size_t kept = (bytes + HEADER_BYTES - 1) / HEADER_BYTES * HEADER_BYTES;
    if (bytes > usable)
        return false;
    if (usable - bytes >= LEAST_CUT) {
        const size_t header[] = {kept, usable - kept};
        memcpy((char *)p + kept - HEADER_BYTES, header, sizeof header);
    }
    return true;
}
