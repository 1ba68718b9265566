/* Of the canary the first byte is taken for the object's: a write of one byte goes unnoticed. */
#define HARD_IS_INTACT(found, expected) ((found) >> 8 == (expected) >> 8)
#include "tests/zoo/hardened.h"
