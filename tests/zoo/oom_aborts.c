/* Where there is no more memory the process is ended. Source: sanitizers issue 889. */
#define ZOO_NO_MEMORY() (zoo_die("out of memory\n"), (void *)NULL)
#include "tests/zoo/zoo.h"
