/* Correct: an electric fence. Each object is a mapping that ends at an unreadable page, so the
 * system's mappings are at an end long before memory is. */
#include "tests/zoo/fence.h"
