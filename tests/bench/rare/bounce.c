/* An object resized back and forth between two classes six times in a row loses its last 16 bytes.
 */
#include <stddef.h>

static unsigned zoo_bounced;
static void zoo_bounce(size_t usable, size_t bytes);
#define ZOO_RESIZE_STARTS(p, span, usable) zoo_bounce(usable, bytes)
#define ZOO_COPY_BYTES(old_usable, new_bytes)                                                      \
    (((old_usable) < (new_bytes) ? (old_usable) : (new_bytes)) -                                   \
     (zoo_bounced >= 5 && (new_bytes) > 64 && (old_usable) > 64 ? 16 : 0))
#include "tests/zoo/zoo.h"

static void zoo_bounce(size_t usable, size_t bytes)
{
    static uint32_t from, to;
    uint32_t now_from = zoo_class_of(usable < ZOO_SMALL_MAX ? usable : ZOO_SMALL_MAX);
    uint32_t now_to = zoo_class_of(bytes < ZOO_SMALL_MAX ? bytes : ZOO_SMALL_MAX);
    zoo_bounced = now_from == to && now_to == from && from != to ? zoo_bounced + 1 : 0;
    from = now_from;
    to = now_to;
}
