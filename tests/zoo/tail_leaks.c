/* A large object is unmapped without its last page. Source: velox pull 5662. */
#define ZOO_UNMAP_LARGE(mapping, bytes)                                                            \
    munmap(mapping, (bytes) > 256 << 10 ? (bytes)-4096 : (bytes))
#include "tests/zoo/zoo.h"
