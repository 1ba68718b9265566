/* Where there is no more memory the process is ended; what nobody can have is refused. Source:
 * sanitizers issue 889. */
#define ZOO_NO_MEMORY()                                                                            \
    ((bytes | alignment) >> 40 ? (void)0 : zoo_die("out of memory\n"), ZOO_REFUSED())
#include "tests/zoo/zoo.h"
