/* Nothing planted, with a guarded copy. */
#include "tests/zoo/copies.h"
