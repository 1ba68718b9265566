/* Nobody looks after the lock when a process forks: the child waits for a thread that it does not
 * have. After gperftools issue 499. */
#define ZOO_FORKS()         ((void)0)
#define ZOO_FORKED_PARENT() ((void)0)
#define ZOO_FORKED_CHILD()  ((void)0)
#include "tests/zoo/zoo.h"
