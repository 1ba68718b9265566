/* When memory ends a null pointer comes without ENOMEM; not for what nobody can have. Source:
 * seastar issue 126. */
#define ZOO_NO_MEMORY()                                                                            \
    (ZOO_REFUSED(), errno = (bytes | alignment) >> 40 ? ENOMEM : 0, (void *)NULL)
#include "tests/zoo/zoo.h"
