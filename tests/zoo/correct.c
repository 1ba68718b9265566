/* Nothing planted: no oracle may flag it. */
#include "tests/zoo/zoo.h"
