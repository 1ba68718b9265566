/* Whether what was taken is a fresh mapping, and so zero, is noted under the lock in a variable for
 * all, and calloc reads it when it holds the lock no longer. */
#define ZOO_ALLOCATED(p)                (race_fresh = zoo_span_of(p)->class_index == ZOO_CLASSES)
#define ZOO_CLEAR_BYTES(p, bytes, span) (race_fresh ? 0 : (bytes))
#include <stdbool.h>
static volatile bool race_fresh;
#include "tests/zoo/zoo.h"
