/* A freed mapping is given back at once, and so the next one gets its place. */
#define HARD_HOLDS(bytes) ((void)(bytes), false)
#include "tests/zoo/hardened.h"
