/* posix_memalign returns its error and sets errno to it as well, where the profile says that it
 * leaves errno alone. */
#define ZOO_MEMALIGN_FAILED(out) (errno = EINVAL)
#include "tests/zoo/zoo.h"
