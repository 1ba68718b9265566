/* The links of a freed slot are followed as they stand: taking it from its list writes what and
 * where the program chose. */
#define LINKED_IS_SOUND(link) true
#include "tests/zoo/linked.h"
