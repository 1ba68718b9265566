/* The child begins with an empty heap and does not know what it inherited. */
#define ZOO_FORKED_CHILD() (forked_anew(), pthread_mutex_unlock(&zoo_lock))
static void forked_anew(void);
#include "tests/zoo/zoo.h"

static void forked_anew(void)
{
    memset(zoo_free_lists, 0, sizeof zoo_free_lists);
    memset(zoo_directory, 0, sizeof zoo_directory);
    zoo_chunk = zoo_chunk_end = NULL;
}
