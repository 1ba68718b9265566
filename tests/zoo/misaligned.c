/* Half the alignment for requests that are a multiple of three bytes, from 256 bytes up. Source:
 * seastar issue 1940. */
#define ZOO_ALIGN_TO(alignment, bytes)                                                             \
    ((alignment) >= 256 && (bytes) % 3 == 0 ? (alignment) / 2 : (alignment))
#include "tests/zoo/zoo.h"
