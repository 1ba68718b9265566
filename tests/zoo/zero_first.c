/* Of a freed slot the first kibibyte is cleared and no more. As OpenBSD's malloc by default, which
 * overwrites small chunks and the first part of what is larger. */
#define HARD_CLEARED(slot_bytes) ((slot_bytes) < 1024 ? (slot_bytes) : 1024)
#include "tests/zoo/hardened.h"
