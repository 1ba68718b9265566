/* posix_memalign answers a bad alignment with ENOMEM. Source: prosper pull 435. */
#define ZOO_MEMALIGN_CODE ENOMEM
#include "tests/zoo/zoo.h"
