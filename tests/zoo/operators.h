/* The correct allocator of zoo.h with C++'s operators, which notices what releases what. What they
 * made is in a table of its own; objects beyond its room are not looked at. An animal defines one
 * OPERATORS_* macro otherwise. */
#ifndef OPERATORS_MATCH /* may one release what the other made? */
#define OPERATORS_MATCH(made, by) ((made) == (by))
#endif
#ifndef OPERATORS_SIZE_FITS /* what a sized delete says */
#define OPERATORS_SIZE_FITS(bytes, said) ((bytes) == (said))
#endif
enum operators_family { OPERATORS_MALLOC, OPERATORS_NEW, OPERATORS_ARRAY };
#define ZOO_IGNORED(p) operators_released(p)
#include <stdbool.h>
static bool operators_released(void *p);
#include "tests/zoo/zoo.h"

enum { OPERATORS_ROOM = 1024, OPERATORS_TRIES = 16 };
static struct {
    void *at;
    size_t bytes;
    enum operators_family family;
} operators_made[OPERATORS_ROOM + OPERATORS_TRIES];
static pthread_mutex_t operators_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool operators_used, operators_full; /* without them no lock is taken */

static unsigned operators_place(const void *p)
{
    return (unsigned)((uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15) >> 32) % OPERATORS_ROOM;
}

static void *operators_new(size_t bytes, enum operators_family family)
{
    void *p = malloc(bytes);
    bool done = !p;
    operators_used = true;
    pthread_mutex_lock(&operators_lock);
    for (unsigned i = operators_place(p), end = i + OPERATORS_TRIES; i < end && !done; i++) {
        if (operators_made[i].at)
            continue;
        operators_made[i].at = p;
        operators_made[i].bytes = bytes;
        operators_made[i].family = family;
        done = true;
    }
    operators_full |= !done;
    pthread_mutex_unlock(&operators_lock);
    return p;
}

/* said: what a sized delete says, 0: nothing. */
static void operators_check(void *p, enum operators_family by, size_t said)
{
    bool found = false, right = true;
    if (by == OPERATORS_MALLOC && !operators_used)
        return;
    pthread_mutex_lock(&operators_lock);
    for (unsigned i = operators_place(p), end = i + OPERATORS_TRIES; p && i < end && !found; i++) {
        if (operators_made[i].at != p)
            continue;
        found = true;
        right = OPERATORS_MATCH(operators_made[i].family, by) &&
                (!said || OPERATORS_SIZE_FITS(operators_made[i].bytes, said));
        operators_made[i].at = NULL;
    }
    pthread_mutex_unlock(&operators_lock);
    if (!right || (p && !found && !operators_full && !OPERATORS_MATCH(OPERATORS_MALLOC, by)))
        zoo_die("released by another family, or with another size\n");
}

static bool operators_released(void *p)
{
    operators_check(p, OPERATORS_MALLOC, 0);
    return false;
}

static void operators_delete(void *p, enum operators_family by, size_t said)
{
    operators_check(p, by, said);
    free(p);
}

/* new, new[], delete, delete[] and the sized ones, by the names that C++ gives them */
void *_Znwm(size_t bytes);
void *_Znam(size_t bytes);
void _ZdlPv(void *p);
void _ZdaPv(void *p);
void _ZdlPvm(void *p, size_t bytes);
void _ZdaPvm(void *p, size_t bytes);

ZOO_EXPORT void *_Znwm(size_t bytes)
{
    return operators_new(bytes, OPERATORS_NEW);
}

ZOO_EXPORT void *_Znam(size_t bytes)
{
    return operators_new(bytes, OPERATORS_ARRAY);
}

ZOO_EXPORT void _ZdlPv(void *p)
{
    operators_delete(p, OPERATORS_NEW, 0);
}

ZOO_EXPORT void _ZdaPv(void *p)
{
    operators_delete(p, OPERATORS_ARRAY, 0);
}

ZOO_EXPORT void _ZdlPvm(void *p, size_t bytes)
{
    operators_delete(p, OPERATORS_NEW, bytes);
}

ZOO_EXPORT void _ZdaPvm(void *p, size_t bytes)
{
    operators_delete(p, OPERATORS_ARRAY, bytes);
}
