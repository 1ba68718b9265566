/* realloc of a large object moves its pages by mremap; when that fails, the object goes as well. */
#define ZOO_RESIZE_STARTS(p, span, usable)                                                         \
    do {                                                                                           \
        if ((span)->class_index == ZOO_CLASSES && bytes > (usable) && bytes < (size_t)1 << 40)     \
            return zoo_remap(p, span, bytes);                                                      \
    } while (0)
#include <stddef.h>
struct zoo_span;
static void *zoo_remap(void *p, struct zoo_span *span, size_t bytes);
#include "tests/zoo/zoo.h"

static void *zoo_remap(void *p, struct zoo_span *span, size_t bytes)
{
    size_t offset = (size_t)((char *)p - span->mapping);
    size_t room = (bytes + offset + ZOO_PAGE - 1) & ~(size_t)(ZOO_PAGE - 1);
    void *moved = NULL;
    pthread_mutex_lock(&zoo_lock);
    char *target = zoo_map_aligned(room);
    struct zoo_span **entry = target ? zoo_directory_at(target + offset, true) : NULL;
    if (entry) {
        char *old = span->mapping;
        size_t old_bytes = span->mapping_bytes;
        *zoo_directory_at(p, false) = NULL;
        span = mremap(old, old_bytes, room, MREMAP_MAYMOVE | MREMAP_FIXED, target);
        if (span == MAP_FAILED) {
            munmap(old, old_bytes);
        } else {
            span->mapping = target;
            span->mapping_bytes = room;
            span->first = moved = target + offset;
            *entry = span;
        }
    }
    pthread_mutex_unlock(&zoo_lock);
    if (!moved)
        errno = ENOMEM;
    return moved;
}
