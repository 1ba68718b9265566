/* Nothing planted, with C++'s operators. */
#include "tests/zoo/operators.h"
