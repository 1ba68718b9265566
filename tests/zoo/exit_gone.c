/* The library's destructor takes the directory away, and handlers of exit that run later still
 * call. After vampire pull 388. */
#define ZOO_ENDS() exit_goes()
static void exit_goes(void);
#include "tests/zoo/zoo.h"

static void exit_goes(void)
{
    for (size_t i = 0; i < sizeof zoo_directory / sizeof *zoo_directory; i++)
        if (zoo_directory[i])
            munmap(zoo_directory[i], sizeof(void *) << ZOO_LEAF_BITS);
}
