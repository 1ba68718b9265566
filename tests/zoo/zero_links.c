/* Of a freed slot the allocator's own words are cleared and no more, and what was freed last is
 * handed out next: a fresh object holds pointers that others left. As glibc's tcache, which clears
 * its key. */
#define HARD_CLEARED(slot_bytes)      ((slot_bytes) < 16 ? (slot_bytes) : 16)
#define HARD_QUEUE(slot, class_index) ((void)(slot), (void)hard_last[class_index])
#include "tests/zoo/hardened.h"
