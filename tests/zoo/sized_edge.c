/* free_sized of a size that fills its class takes the next one. */
#define ZOO_BACK_CLASS(span)     ((span)->class_index + zoo_next)
#define ZOO_FREE_SIZED(p, bytes) (zoo_next = (bytes) == 14336 ? 1 : 0, free(p), zoo_next = 0)
#include <stdint.h>
static uint32_t zoo_next;
#include "tests/zoo/zoo.h"
