/* A size of one byte over a class above 1 KiB gets the slots of that class. Source: nebula pull
 * 181. */
#define ZOO_CLASS_OF(bytes) zoo_class_of((bytes) > 1024 ? (bytes)-1 : (bytes))
#include "tests/zoo/zoo.h"
