/* From its own exit handler on nothing is handed out. After SerenityOS pull 894. */
#define ZOO_ENDS() (exit_reached = true)
#define ZOO_TOO_LARGE(bytes, alignment)                                                            \
    (exit_reached || (bytes) > ZOO_LIMIT || (alignment) > ZOO_LIMIT)
#include <stdbool.h>
static bool exit_reached;
#include "tests/zoo/zoo.h"
