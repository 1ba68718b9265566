/* One class is chosen too small, for exactly its largest size: the comparison of one entry of a
 * table is off by one. */
#define ZOO_CLASS_OF(bytes) (zoo_class_of(bytes) - ((bytes) == 14336))
#include "tests/zoo/zoo.h"
