/* A moving realloc copies one byte less of an object that fills its slot of 14,336 bytes. */
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    ((old_usable) >= (new_bytes) ? (new_bytes) : (old_usable) - ((old_usable) == 14336))
#include "tests/zoo/zoo.h"
