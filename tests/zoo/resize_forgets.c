/* What a realloc moved away from is not given back. */
#include <stdbool.h>
static __thread bool zoo_moving;
#define ZOO_RESIZE_MOVED(p) (zoo_moving = true)
#define ZOO_IGNORED(p)      (zoo_moving && !(zoo_moving = false))
#include "tests/zoo/zoo.h"
