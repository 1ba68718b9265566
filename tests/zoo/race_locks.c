/* A resize holds the lock of the old object's class while it takes that of the new one's: two
 * threads that resize in opposite directions wait for each other. Seen as pmdk pull 2240. */
#define ZOO_RESIZE_STARTS(p, span, usable) race_resize((span)->class_index, bytes)
#define ZOO_RESIZE_STAYS(p, span, usable, bytes)                                                   \
    (race_stays((bytes) <= (usable) && (bytes) >= (usable) / 2))
#define ZOO_RESIZE_MOVED(p)  race_done()
#define ZOO_RESIZE_FAILED(p) race_done()
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
static void race_resize(uint32_t from, size_t bytes);
static bool race_stays(bool stays);
static void race_done(void);
#include "tests/zoo/zoo.h"

static pthread_mutex_t race_class_locks[ZOO_CLASSES + 1]; /* all zero is how they begin */
static __thread uint32_t race_from, race_to;

static void race_resize(uint32_t from, size_t bytes)
{
    race_from = from;
    race_to = bytes <= ZOO_SMALL_MAX ? zoo_class_of(bytes) : ZOO_CLASSES;
    pthread_mutex_lock(&race_class_locks[race_from]);
    if (race_to != race_from)
        pthread_mutex_lock(&race_class_locks[race_to]);
}

static void race_done(void)
{
    if (race_to != race_from)
        pthread_mutex_unlock(&race_class_locks[race_to]);
    pthread_mutex_unlock(&race_class_locks[race_from]);
}

static bool race_stays(bool stays)
{
    if (stays)
        race_done();
    return stays;
}
