/* The hooks: the allocation API, each call recorded on its way to the next library in line.
 *
 * An allocation is stamped and recorded after it returned, a release before it is called, a resize
 * as both; so the time for which an object is recorded as live is never longer than it was. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/capture/recorder.h"

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    void (*free)(void *);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
} real;

/* dlsym may allocate before it can tell us where malloc is. */
static _Alignas(16) char bootstrap[16384];
static size_t bootstrap_used;

static void *bootstrap_take(size_t bytes)
{
    if (bytes > sizeof bootstrap - bootstrap_used) {
        static const char text[] = "assay recorder: no allocator to be found behind the recorder\n";
        if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
            _exit(127);
        _exit(127);
    }
    void *p = bootstrap + bootstrap_used;
    bootstrap_used += (bytes + 15) & ~(size_t)15;
    return p;
}

static bool multiply(size_t count, size_t size, size_t *ret_bytes)
{
    if (!__builtin_mul_overflow(count, size, ret_bytes))
        return true;
    errno = ENOMEM;
    return false;
}

static bool from_bootstrap(const void *p)
{
    return RECORDER_UNLIKELY((uintptr_t)p - (uintptr_t)bootstrap < sizeof bootstrap);
}

static __attribute__((cold)) void resolve(void)
{
    static bool resolving;
    if (resolving)
        return;
    resolving = true;
    *(void **)&real.free = dlsym(RTLD_NEXT, "free");
    *(void **)&real.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real.reallocarray = dlsym(RTLD_NEXT, "reallocarray");
    *(void **)&real.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&real.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&real.memalign = dlsym(RTLD_NEXT, "memalign");
    *(void **)&real.valloc = dlsym(RTLD_NEXT, "valloc");
    *(void **)&real.pvalloc = dlsym(RTLD_NEXT, "pvalloc");
    *(void **)&real.malloc_usable_size = dlsym(RTLD_NEXT, "malloc_usable_size");
    *(void **)&real.malloc = dlsym(RTLD_NEXT, "malloc");
}

static inline bool ready(void)
{
    if (RECORDER_UNLIKELY(!real.malloc))
        resolve();
    return RECORDER_LIKELY(real.malloc != NULL);
}

uint64_t recorder_next_malloc(void)
{
    return ready() ? (uint64_t)(uintptr_t)real.malloc : 0;
}

static inline int error_of(const void *result)
{
    return RECORDER_LIKELY(result != NULL) ? 0 : errno;
}

/* An allocating call that ends in `expression`. */
#define ALLOCATE(KIND, size, arg, expression)                                                      \
    struct recorder_thread *self = recorder_enter();                                               \
    void *p = (expression);                                                                        \
    if (RECORDER_LIKELY(self != NULL)) {                                                           \
        recorder_call(self, false, ASSAY_OP_##KIND, 0, ASSAY_FAMILY_MALLOC, error_of(p), p, size,  \
                      arg, RECORDER_CALLER);                                                       \
        recorder_leave(self);                                                                      \
    }                                                                                              \
    return p

RECORDER_EXPORT void *malloc(size_t size)
{
    if (!ready())
        return bootstrap_take(size);
    ALLOCATE(MALLOC, size, 0, real.malloc(size));
}

RECORDER_EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!ready())
        return multiply(count, size, &bytes) ? bootstrap_take(bytes) : NULL;
    ALLOCATE(CALLOC, size, count, real.calloc(count, size));
}

RECORDER_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    if (!ready())
        return NULL;
    ALLOCATE(ALIGNED_ALLOC, size, alignment, real.aligned_alloc(alignment, size));
}

RECORDER_EXPORT void *memalign(size_t alignment, size_t size)
{
    if (!ready())
        return NULL;
    ALLOCATE(MEMALIGN, size, alignment, real.memalign(alignment, size));
}

RECORDER_EXPORT void *valloc(size_t size)
{
    if (!ready())
        return NULL;
    ALLOCATE(VALLOC, size, 0, real.valloc(size));
}

RECORDER_EXPORT void *pvalloc(size_t size)
{
    if (!ready())
        return NULL;
    ALLOCATE(PVALLOC, size, 0, real.pvalloc(size));
}

RECORDER_EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!ready())
        return ENOMEM;
    struct recorder_thread *self = recorder_enter();
    int error = real.posix_memalign(out, alignment, size);
    if (RECORDER_LIKELY(self != NULL)) {
        recorder_call(self, false, ASSAY_OP_POSIX_MEMALIGN, 0, ASSAY_FAMILY_MALLOC, error,
                      error ? NULL : *out, size, alignment, RECORDER_CALLER);
        recorder_leave(self);
    }
    return error;
}

/* errno tells a failed resize from realloc(p, 0) that freed: it must not be an old one. */
#define RESIZE(KIND, count, expression)                                                            \
    struct recorder_thread *self = recorder_enter();                                               \
    if (RECORDER_UNLIKELY(self == NULL))                                                           \
        return (expression);                                                                       \
    recorder_call(self, true, ASSAY_OP_##KIND, ASSAY_FLAG_BEGIN, ASSAY_FAMILY_MALLOC, 0, old,      \
                  size, count, RECORDER_CALLER);                                                   \
    int saved = errno;                                                                             \
    errno = 0;                                                                                     \
    void *p = (expression);                                                                        \
    recorder_call(self, false, ASSAY_OP_##KIND, ASSAY_FLAG_END, ASSAY_FAMILY_MALLOC, error_of(p),  \
                  p, 0, 0, 0);                                                                     \
    if (errno == 0)                                                                                \
        errno = saved;                                                                             \
    recorder_leave(self);                                                                          \
    return p

RECORDER_EXPORT void *realloc(void *old, size_t size)
{
    if (!ready() || from_bootstrap(old)) {
        void *p = ready() ? malloc(size) : bootstrap_take(size);
        if (p && old) {
            size_t rest = (size_t)(bootstrap + sizeof bootstrap - (char *)old);
            memcpy(p, old, size < rest ? size : rest);
        }
        return p;
    }
    RESIZE(REALLOC, 0, real.realloc(old, size));
}

RECORDER_EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (!ready() || from_bootstrap(old))
        return multiply(count, size, &bytes) ? realloc(old, bytes) : NULL;
    RESIZE(REALLOCARRAY, count, real.reallocarray(old, count, size));
}

/* A releasing call, recorded before it is made. */
#define RELEASE(KIND, size, arg)                                                                   \
    struct recorder_thread *self = recorder_enter();                                               \
    if (RECORDER_LIKELY(self != NULL))                                                             \
    recorder_call(self, true, ASSAY_OP_##KIND, 0, ASSAY_FAMILY_MALLOC, 0, p, size, arg,            \
                  RECORDER_CALLER)

RECORDER_EXPORT void free(void *p)
{
    if (!ready() || from_bootstrap(p))
        return;
    /* The C library frees what it kept for an ended thread, mostly nothing: no reason for a log. */
    if (RECORDER_UNLIKELY(!p) && recorder_ended && recorder_control) {
        atomic_fetch_add_explicit(&recorder_control->library, 1, memory_order_relaxed);
        return;
    }
    RELEASE(FREE, 0, 0);
    real.free(p);
    if (RECORDER_LIKELY(self != NULL))
        recorder_leave(self);
}

/* C23; found when first called, since a failed dlsym allocates. */
RECORDER_EXPORT void free_sized(void *p, size_t size);
RECORDER_EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size);

RECORDER_EXPORT void free_sized(void *p, size_t size)
{
    if (!ready() || from_bootstrap(p))
        return;
    RELEASE(FREE_SIZED, size, 0);
    if (!real.free_sized)
        *(void **)&real.free_sized = dlsym(RTLD_NEXT, "free_sized");
    if (real.free_sized)
        real.free_sized(p, size);
    else
        real.free(p);
    if (RECORDER_LIKELY(self != NULL))
        recorder_leave(self);
}

RECORDER_EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size)
{
    if (!ready() || from_bootstrap(p))
        return;
    RELEASE(FREE_ALIGNED_SIZED, size, alignment);
    if (!real.free_aligned_sized)
        *(void **)&real.free_aligned_sized = dlsym(RTLD_NEXT, "free_aligned_sized");
    if (real.free_aligned_sized)
        real.free_aligned_sized(p, alignment, size);
    else
        real.free(p);
    if (RECORDER_LIKELY(self != NULL))
        recorder_leave(self);
}

RECORDER_EXPORT size_t malloc_usable_size(void *p)
{
    if (!ready() || from_bootstrap(p))
        return 0;
    struct recorder_thread *self = recorder_enter();
    size_t answer = real.malloc_usable_size(p);
    if (RECORDER_LIKELY(self != NULL)) {
        recorder_call(self, false, ASSAY_OP_USABLE_SIZE, 0, ASSAY_FAMILY_MALLOC, 0, p, answer, 0,
                      RECORDER_CALLER);
        recorder_leave(self);
    }
    return answer;
}
