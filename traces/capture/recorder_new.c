/* operator new and delete: recorded as one call with its family; what they call inside is nested.
 *
 * A process without libstdc++ never calls these. Where the library came by dlopen with local scope
 * there is no next operator to be found: then malloc and free serve, as the defaults of every C++
 * library here do. Built with -fexceptions: a throwing operator new must find the mark removed. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "traces/capture/recorder.h"

struct call {
    struct recorder_thread *self;
    void *result;
    uint64_t size, alignment, caller;
    unsigned family;
};

static void end_call(struct call *call)
{
    if (!call->self)
        return;
    recorder_call(call->self, false,
                  call->family == ASSAY_FAMILY_ALIGNED ? ASSAY_OP_MEMALIGN : ASSAY_OP_MALLOC, 0,
                  call->family, call->result ? 0 : ENOMEM, call->result, call->size,
                  call->alignment, call->caller);
    recorder_leave(call->self);
}

static void *fallback(size_t size, size_t alignment)
{
    void *p;
    if (alignment == 0)
        p = malloc(size ? size : 1);
    else if (posix_memalign(&p, alignment, size) != 0)
        p = NULL;
    return p;
}

static void begin_free(struct recorder_thread *self, void *p, size_t size, unsigned family,
                       uint64_t caller)
{
    if (self)
        recorder_call(self, true, ASSAY_OP_FREE, 0, family, 0, p, size, 0, caller);
}

#define FIND(name)                                                                                 \
    static __typeof__(&name) next;                                                                 \
    static bool sought;                                                                            \
    if (RECORDER_UNLIKELY(!sought)) {                                                              \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                 \
        sought = true;                                                                             \
    }

/* A nothrow variant has one more argument, a const std::nothrow_t &. Throwing variants without a
 * next operator cannot throw from here: they end the program as an uncaught bad_alloc would. */
#define NEW(name, parameters, arguments, bytes, aligned, call_family, throws)                      \
    RECORDER_EXPORT void *name parameters;                                                         \
    RECORDER_EXPORT void *name parameters                                                          \
    {                                                                                              \
        __attribute__((cleanup(end_call))) struct call call = {                                    \
            recorder_enter(), NULL, bytes, aligned, RECORDER_CALLER, call_family};                 \
        FIND(name)                                                                                 \
        call.result = next ? next arguments : fallback(bytes, aligned);                            \
        if (!call.result && throws && !next)                                                       \
            abort();                                                                               \
        return call.result;                                                                        \
    }

#define DELETE(name, parameters, arguments, bytes, call_family)                                    \
    RECORDER_EXPORT void name parameters;                                                          \
    RECORDER_EXPORT void name parameters                                                           \
    {                                                                                              \
        struct recorder_thread *self = recorder_enter();                                           \
        FIND(name)                                                                                 \
        begin_free(self, p, bytes, call_family, RECORDER_CALLER);                                  \
        if (next)                                                                                  \
            next arguments;                                                                        \
        else                                                                                       \
            free(p);                                                                               \
        if (self)                                                                                  \
            recorder_leave(self);                                                                  \
    }

NEW(_Znwm, (size_t n), (n), n, 0, ASSAY_FAMILY_NEW, true)
NEW(_Znam, (size_t n), (n), n, 0, ASSAY_FAMILY_NEW_ARRAY, true)
NEW(_ZnwmRKSt9nothrow_t, (size_t n, const void *t), (n, t), n, 0, ASSAY_FAMILY_NEW, false)
NEW(_ZnamRKSt9nothrow_t, (size_t n, const void *t), (n, t), n, 0, ASSAY_FAMILY_NEW_ARRAY, false)
NEW(_ZnwmSt11align_val_t, (size_t n, size_t a), (n, a), n, a, ASSAY_FAMILY_ALIGNED, true)
NEW(_ZnamSt11align_val_t, (size_t n, size_t a), (n, a), n, a, ASSAY_FAMILY_ALIGNED, true)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, const void *t), (n, a, t), n, a,
    ASSAY_FAMILY_ALIGNED, false)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, const void *t), (n, a, t), n, a,
    ASSAY_FAMILY_ALIGNED, false)
DELETE(_ZdlPv, (void *p), (p), 0, ASSAY_FAMILY_NEW)
DELETE(_ZdaPv, (void *p), (p), 0, ASSAY_FAMILY_NEW_ARRAY)
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, const void *t), (p, t), 0, ASSAY_FAMILY_NEW)
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, const void *t), (p, t), 0, ASSAY_FAMILY_NEW_ARRAY)
DELETE(_ZdlPvm, (void *p, size_t n), (p, n), n, ASSAY_FAMILY_SIZED)
DELETE(_ZdaPvm, (void *p, size_t n), (p, n), n, ASSAY_FAMILY_SIZED)
DELETE(_ZdlPvSt11align_val_t, (void *p, size_t a), (p, a), 0, ASSAY_FAMILY_ALIGNED)
DELETE(_ZdaPvSt11align_val_t, (void *p, size_t a), (p, a), 0, ASSAY_FAMILY_ALIGNED)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *t), (p, a, t), 0,
       ASSAY_FAMILY_ALIGNED)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *t), (p, a, t), 0,
       ASSAY_FAMILY_ALIGNED)
DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a), n, ASSAY_FAMILY_ALIGNED)
DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a), n, ASSAY_FAMILY_ALIGNED)
