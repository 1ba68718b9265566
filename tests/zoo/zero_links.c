/* Of a freed slot the allocator's own words are cleared and no more: a fresh object holds pointers
 * that others left. As glibc's tcache, which clears its key. */
#define HARD_CLEARED(slot_bytes) ((slot_bytes) < 16 ? (slot_bytes) : 16)
#include "tests/zoo/hardened.h"
