/* What another thread frees goes to the list of the thread that allocated it, which is gone when
 * that has ended. After rpmalloc-zig-port issue 6. */
#define ZOO_SPAN_FIELDS             struct remote_heap *owner;
#define ZOO_ALLOCATED(p)            remote_take(p)
#define ZOO_FREED_SMALL(slot, span) remote_give((span)->owner)
#define ZOO_BEGINS()                pthread_key_create(&remote_key, remote_end)
#include <pthread.h>
struct remote_heap;
static pthread_key_t remote_key;
static void remote_end(void *heap);
static void remote_take(void *p);
static void remote_give(struct remote_heap *heap);
#include "tests/zoo/zoo.h"

struct remote_heap {
    uint64_t freed;
};

static __thread struct remote_heap *remote_own;

static void remote_take(void *p)
{
    if (!remote_own) {
        remote_own = zoo_map(ZOO_PAGE);
        if (remote_own)
            pthread_setspecific(remote_key, remote_own);
    }
    zoo_span_of(p)->owner = remote_own;
}

static void remote_give(struct remote_heap *heap)
{
    if (heap != remote_own)
        heap->freed++;
}

static void remote_end(void *heap)
{
    mprotect(heap, ZOO_PAGE, PROT_NONE);
}
