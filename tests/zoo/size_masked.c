/* Of the word before an object, the size of the one that stands there, the lower half is looked at:
 * an underflow by a byte goes unnoticed. As where flags share the word with a size. */
#define HARD_SIZE(word) ((word)&UINT32_MAX)
#include "tests/zoo/hardened.h"
