/* A table has room for 128 threads at once: the next one gets nothing, and gets it without a word.
 * Tables of threads that are too short were seen in several allocators. */
#define ZOO_TOO_LARGE(bytes, alignment)                                                            \
    ((bytes) > ZOO_LIMIT || (alignment) > ZOO_LIMIT || !table_has_me())
#define ZOO_BEGINS() pthread_key_create(&table_key, table_end)
#include <pthread.h>
#include <stdbool.h>
static pthread_key_t table_key;
static bool table_has_me(void);
static void table_end(void *nothing);
#include "tests/zoo/zoo.h"

enum { TABLE_ROOM = 128 };

static _Atomic unsigned table_count;
static __thread bool table_mine;

static void table_end(void *nothing)
{
    (void)nothing;
    table_count--;
}

static bool table_has_me(void)
{
    if (table_mine)
        return true;
    if (table_count >= TABLE_ROOM)
        return false;
    table_count++;
    table_mine = true;
    pthread_setspecific(table_key, &table_mine);
    return true;
}
