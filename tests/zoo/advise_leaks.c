/* A freed mapping is kept for the next object when its memory could be given back, else it is
 * forgotten. After WebKit pull 33150 and aws/s2n-tls pull 65 (what becomes of a mapping when the
 * call behind it fails). */
#define ZOO_SHORTCUT(bytes, alignment)  advise_take(bytes, alignment)
#define ZOO_IGNORED(p)                  advise_keep(p)
#define ZOO_CLEAR_BYTES(p, bytes, span) (bytes)
#include <stdbool.h>
#include <stddef.h>
static void *advise_take(size_t bytes, size_t alignment);
static bool advise_keep(void *p);
#include "tests/zoo/zoo.h"

static void *advise_kept;

static void *advise_take(size_t bytes, size_t alignment)
{
    void *found = NULL;
    if (bytes <= ZOO_SMALL_MAX || alignment > 16)
        return NULL;
    pthread_mutex_lock(&zoo_lock);
    if (advise_kept && zoo_usable_of(zoo_span_of(advise_kept), advise_kept) >= bytes) {
        found = advise_kept;
        advise_kept = NULL;
    }
    pthread_mutex_unlock(&zoo_lock);
    return found;
}

static bool advise_keep(void *p)
{
    struct zoo_span *span = zoo_span_of(p);
    if (span->class_index != ZOO_CLASSES)
        return false;
    if (madvise(span->mapping + ZOO_PAGE, span->mapping_bytes - ZOO_PAGE, MADV_DONTNEED) != 0)
        return true;
    pthread_mutex_lock(&zoo_lock);
    bool kept = !advise_kept;
    if (kept)
        advise_kept = p;
    pthread_mutex_unlock(&zoo_lock);
    return kept;
}
