/* A forked process knows where to free what it inherited, not how large it is. */
#define ZOO_SPAN_FIELDS                    pid_t process;
#define ZOO_ALLOCATED(p)                   (zoo_span_of(p)->process = getpid())
#define ZOO_RESIZE_STARTS(p, span, usable) resize_starts(span)
struct zoo_span;
static void resize_starts(const struct zoo_span *span);
#include "tests/zoo/zoo.h"

static void resize_starts(const struct zoo_span *span)
{
    if (span->process != getpid())
        zoo_die("not a span of this process\n");
}
