/* Of a freed slot no more than its first 32 bytes are cleared. */
#define HARD_CLEARED(slot_bytes) ((slot_bytes) < 32 ? (slot_bytes) : 32)
#include "tests/zoo/hardened.h"
