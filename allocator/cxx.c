/* operator new and delete of C++, under the names that compilers give them on 64-bit systems. What
 * fails goes through the program's new handler and ends in std::bad_alloc, both of its own C++
 * library: it is not linked to this one. */
#include <stdlib.h>

#include "default_heap.h"
#include "probes.h"

typedef void new_handler(void);

/* std::get_new_handler and std::__throw_bad_alloc. */
new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

static void *allocate(size_t size, enum bw_family family, size_t alignment)
{
    struct bw_heap *heap = bw_default_heap();
    if (heap == NULL || (alignment & (alignment - 1)) != 0 || alignment == 0)
        return NULL;
    return bw_new(heap, size, family, alignment);
}

static __attribute__((noinline, cold)) void *again(size_t size, enum bw_family family,
                                                   size_t alignment, bool throws)
{
    for (;;) {
        new_handler *handler = _ZSt15get_new_handlerv != NULL ? _ZSt15get_new_handlerv() : NULL;
        if (handler == NULL)
            break;
        handler();
        void *p = allocate(size, family, alignment);
        if (p != NULL)
            return p;
    }
    if (!throws)
        return NULL;
    if (_ZSt17__throw_bad_allocv != NULL)
        _ZSt17__throw_bad_allocv();
    abort();
}

static inline void *new_object(size_t size, enum bw_family family, size_t alignment, bool throws)
{
    BW_PROBE1(mem_allocate_start, size);
    void *p = allocate(size, family, alignment);
    if (__builtin_expect(p == NULL, 0))
        p = again(size, family, alignment, throws);
    BW_PROBE2(mem_allocate_end, p, size);
    return p;
}

static inline void delete_object(void *p, enum bw_family family, size_t size, size_t alignment)
{
    struct bw_heap *heap = bw_default_heap();
    BW_PROBE1(mem_free_start, p);
    if (p != NULL && heap != NULL)
        bw_delete(heap, p, family, size, alignment);
    else if (p != NULL)
        bw_not_an_object(BW_INTENT_FREE, p, BW_SIZE_UNKNOWN, "no object", NULL, 0);
    BW_PROBE1(mem_free_end, p);
}

#define NEW(suffix, family, alignment, throws, ...)                                                \
    BW_EXPORT void *suffix(__VA_ARGS__);                                                           \
    void *suffix(__VA_ARGS__)                                                                      \
    {                                                                                              \
        BW_NOTE_CALLER();                                                                          \
        return new_object(size, BW_FAMILY_##family, alignment, throws);                            \
    }

/* The standard's nothrow forms may call the handler, which may throw: callers of these are C++. */
NEW(_Znwm, NEW, 1, true, size_t size)
NEW(_Znam, NEW_ARRAY, 1, true, size_t size)
NEW(_ZnwmRKSt9nothrow_t, NEW, 1, false, size_t size, const void *nothrow)
NEW(_ZnamRKSt9nothrow_t, NEW_ARRAY, 1, false, size_t size, const void *nothrow)
NEW(_ZnwmSt11align_val_t, NEW, alignment, true, size_t size, size_t alignment)
NEW(_ZnamSt11align_val_t, NEW_ARRAY, alignment, true, size_t size, size_t alignment)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW, alignment, false, size_t size, size_t alignment,
    const void *nothrow)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, NEW_ARRAY, alignment, false, size_t size, size_t alignment,
    const void *nothrow)

#define DELETE(suffix, family, bytes, alignment, ...)                                              \
    BW_EXPORT void suffix(__VA_ARGS__);                                                            \
    void suffix(__VA_ARGS__)                                                                       \
    {                                                                                              \
        BW_NOTE_CALLER();                                                                          \
        delete_object(p, BW_FAMILY_##family, bytes, alignment);                                    \
    }

DELETE(_ZdlPv, NEW, BW_SIZE_UNKNOWN, 0, void *p)
DELETE(_ZdaPv, NEW_ARRAY, BW_SIZE_UNKNOWN, 0, void *p)
DELETE(_ZdlPvm, NEW, size, 0, void *p, size_t size)
DELETE(_ZdaPvm, NEW_ARRAY, size, 0, void *p, size_t size)
DELETE(_ZdlPvSt11align_val_t, NEW, BW_SIZE_UNKNOWN, alignment, void *p, size_t alignment)
DELETE(_ZdaPvSt11align_val_t, NEW_ARRAY, BW_SIZE_UNKNOWN, alignment, void *p, size_t alignment)
DELETE(_ZdlPvmSt11align_val_t, NEW, size, alignment, void *p, size_t size, size_t alignment)
DELETE(_ZdaPvmSt11align_val_t, NEW_ARRAY, size, alignment, void *p, size_t size, size_t alignment)
DELETE(_ZdlPvRKSt9nothrow_t, NEW, BW_SIZE_UNKNOWN, 0, void *p, const void *nothrow)
DELETE(_ZdaPvRKSt9nothrow_t, NEW_ARRAY, BW_SIZE_UNKNOWN, 0, void *p, const void *nothrow)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, NEW, BW_SIZE_UNKNOWN, alignment, void *p,
       size_t alignment, const void *nothrow)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, NEW_ARRAY, BW_SIZE_UNKNOWN, alignment, void *p,
       size_t alignment, const void *nothrow)
