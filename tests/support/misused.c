/* Two allocators whose answer to every misuse is known, for the matrix. By default all is believed:
 * a freed object is the head of a list whose links stand in the objects, so that a double free
 * gives one object twice and a forged link gives any address. STRICT: a table out of line, nothing
 * is handed out twice, freed memory is zeroed, and whatever is no live object ends the process. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STEP = 16, SLOTS = 1 << 20, CLASSES = 64 };

#define ARENA (UINT64_C(1) << 32)

static char *arena;
static uint64_t used;
static char lock;

static void take_lock(void)
{
    while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE))
        continue;
}

static void *bump(size_t size)
{
    if (!arena) {
        arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (arena == MAP_FAILED)
            _exit(3);
    }
    if (size > ARENA - used)
        return NULL;
    void *p = arena + used;
    used += (size + STEP - 1) / STEP * STEP;
    return p;
}

#ifdef STRICT
static struct {
    char *address;
    size_t size;
    int live;
} table[SLOTS];
static size_t count;

static void stop(const char *what)
{
    if (write(STDERR_FILENO, what, strlen(what)) < 0)
        _exit(3);
    abort();
}

static size_t find(void *p)
{
    for (size_t i = count; i > 0; i--)
        if (table[i - 1].address == p)
            return i - 1;
    stop("strict: no object\n");
    return 0;
}

static void *allocate(size_t size)
{
    char *p = bump(size + 5 * STEP); /* a gap: no two are neighbours */
    if (!p || count == SLOTS)
        return NULL;
    table[count].address = p + STEP;
    table[count].size = size;
    table[count++].live = 1;
    return p + STEP;
}

static size_t size_of(void *p)
{
    size_t i = find(p);
    if (!table[i].live)
        stop("strict: freed object\n");
    return table[i].size;
}

static void release(void *p)
{
    size_t i = find(p);
    if (!table[i].live)
        stop("strict: double free\n");
    table[i].live = 0;
    memset(p, 0, table[i].size);
}
#else
static void *lists[CLASSES];

static unsigned class_of(size_t size)
{
    size_t steps = (size + STEP - 1) / STEP;
    return steps < CLASSES ? (unsigned)steps : 0;
}

/* the class stands in the object's last word: beyond what was asked for */
static void *allocate(size_t size)
{
    unsigned class = class_of(size);
    void **head = lists[class];
    if (class && head) {
        lists[class] = *head;
        return head;
    }
    char *p = bump((class ? (size_t) class * STEP : size) + STEP);
    if (p)
        memcpy(p, &size, sizeof size);
    return p ? p + STEP : NULL;
}

static size_t size_of(void *p)
{
    size_t size;
    memcpy(&size, (char *)p - STEP, sizeof size);
    return size;
}

static void release(void *p)
{
    unsigned class = class_of(size_of(p));
    *(void **)p = lists[class];
    lists[class] = p;
}
#endif

void *malloc(size_t size)
{
    take_lock();
    void *p = allocate(size);
    __atomic_clear(&lock, __ATOMIC_RELEASE);
    return p;
}

void free(void *p)
{
    if (!p)
        return;
    take_lock();
    release(p);
    __atomic_clear(&lock, __ATOMIC_RELEASE);
}

void *calloc(size_t n, size_t size)
{
    void *p = malloc(n * size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

void *realloc(void *p, size_t size)
{
    if (!p)
        return malloc(size);
    take_lock();
    size_t old = size_of(p);
    __atomic_clear(&lock, __ATOMIC_RELEASE);
    void *q = malloc(size);
    if (q)
        memcpy(q, p, old < size ? old : size);
    if (q)
        free(p);
    return q;
}

size_t malloc_usable_size(void *p)
{
    if (!p)
        return 0;
    take_lock();
    size_t size = size_of(p);
    __atomic_clear(&lock, __ATOMIC_RELEASE);
    return size;
}
