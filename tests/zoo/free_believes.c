/* What is no memory of the allocator's is taken for an object all the same, by the size in the word
 * before it, and handed out. */
#include <stdbool.h>
#include <stddef.h>
static bool believed_put(void *p);
static void *believed_take(size_t bytes);
#define ZOO_IGNORED(p)                 believed_put(p)
#define ZOO_SHORTCUT(bytes, alignment) ((alignment) <= 16 ? believed_take(bytes) : NULL)
#include "tests/zoo/linked.h"

enum { BELIEVED_HEADER = 16, BELIEVED_FLAGS = 7 };
static void *believed;
static size_t believed_room;

static bool believed_put(void *p)
{
    struct zoo_span **entry = zoo_directory_at(p, false);
    if (entry && *entry)
        return false;
    pthread_mutex_lock(&zoo_lock);
    believed = p;
    believed_room = (((const size_t *)p)[-1] & ~(size_t)BELIEVED_FLAGS) - BELIEVED_HEADER;
    pthread_mutex_unlock(&zoo_lock);
    return true;
}

static void *believed_take(size_t bytes)
{
    void *p = NULL;
    pthread_mutex_lock(&zoo_lock);
    if (believed && bytes <= believed_room) {
        p = believed;
        believed = NULL;
    }
    pthread_mutex_unlock(&zoo_lock);
    return p;
}
