/* Nothing planted, with promises of security. */
#include "tests/zoo/hardened.h"
