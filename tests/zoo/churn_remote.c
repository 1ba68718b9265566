/* What is freed behind the end of the thread that allocated it is not used again. */
#define ZOO_SPAN_FIELDS  pid_t owner;
#define ZOO_ALLOCATED(p) (zoo_span_of(p)->owner = churn_self())
#define ZOO_IGNORED(p)   churn_lost(p)
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/types.h>
static pid_t churn_self(void);
static bool churn_lost(const void *p);
#include "tests/zoo/zoo.h"

static pid_t churn_self(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static bool churn_lost(const void *p)
{
    pid_t owner = zoo_span_of(p)->owner;
    int saved = errno;
    bool lost = owner != churn_self() && syscall(SYS_tgkill, getpid(), owner, 0) != 0;
    errno = saved;
    return lost;
}
