/* operator new and delete of C++, under the names that compilers give them on 64-bit systems. What
 * fails goes through the program's new handler and ends in std::bad_alloc, both of its own C++
 * library: it is not linked to this one.
 *
 * A program may replace new and delete of one object, or of arrays, and leave it at that: the
 * standard says that all other forms then call these. So every form asks whether the forms that it
 * stands for are still the ones here, and calls the program's where not. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "bw_sync.h"
#include "default_heap.h"
#include "probes.h"

typedef void new_handler(void);
typedef new_handler *get_new_handler(void);
typedef void throw_bad_alloc(void);

/* std::get_new_handler and std::__throw_bad_alloc. */
get_new_handler _ZSt15get_new_handlerv __attribute__((weak));
throw_bad_alloc _ZSt17__throw_bad_allocv __attribute__((weak));

/* The C++ library that came too late or too privately for the weak names above: with a plug-in of a
 * C program. Kept from then on. NULL where there is none. */
static void *cxx_library(void)
{
    static void *known;
    void *library = bw_load_pointer(&known);
    if (library == NULL)
        library = dlopen("libstdc++.so.6", RTLD_NOLOAD | RTLD_LAZY);
    if (library == NULL)
        library = dlopen("libc++.so.1", RTLD_NOLOAD | RTLD_LAZY);
    bw_store_pointer(&known, library);
    return library;
}

static void *in_cxx_library(const char *name)
{
    void *library = cxx_library();
    return library != NULL ? dlsym(library, name) : NULL;
}

static new_handler *current_handler(void)
{
    get_new_handler *get = _ZSt15get_new_handlerv;
    if (get == NULL)
        *(void **)&get = in_cxx_library("_ZSt15get_new_handlerv");
    return get != NULL ? get() : NULL;
}

static _Noreturn void fail(void)
{
    static const char line[] = "bulwark: operator new failed, and no C++ library is loaded that "
                               "could throw std::bad_alloc\n";
    throw_bad_alloc *throw = _ZSt17__throw_bad_allocv;
    if (throw == NULL)
        *(void **)&throw = in_cxx_library("_ZSt17__throw_bad_allocv");
    if (throw != NULL)
        throw();
    ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored;
    abort();
}

static void *allocate(size_t size, enum bw_family family, size_t alignment)
{
    struct bw_heap *heap = bw_default_heap();
    if (heap == NULL || (alignment & (alignment - 1)) != 0 || alignment == 0)
        return NULL;
    return bw_new(heap, size, family, alignment);
}

/* Throws, or returns an object. */
static __attribute__((noinline, cold)) void *again(size_t size, enum bw_family family,
                                                   size_t alignment)
{
    for (;;) {
        new_handler *handler = current_handler();
        if (handler == NULL)
            fail();
        handler();
        void *p = allocate(size, family, alignment);
        if (p != NULL)
            return p;
    }
}

static inline void *try_object(size_t size, enum bw_family family, size_t alignment)
{
    BW_PROBE1(mem_allocate_start, size);
    void *p = allocate(size, family, alignment);
    BW_PROBE2(mem_allocate_end, p, size);
    return p;
}

static inline void *new_object(size_t size, enum bw_family family, size_t alignment)
{
    BW_PROBE1(mem_allocate_start, size);
    void *p = allocate(size, family, alignment);
    if (__builtin_expect(p == NULL, 0))
        p = again(size, family, alignment);
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

/* The function of this name that the program uses, as the dynamic loader bound it for this library:
 * read anew, so that no compiler takes it for the one below. */
#define BOUND(name)                                                                                \
    ({                                                                                             \
        __typeof__(&name) bound_ = name;                                                           \
        __asm__("" : "+r"(bound_));                                                                \
        bound_;                                                                                    \
    })

/* An exported function, and a name that is always the one here. */
#define PUBLIC(result, name, ...)                                                                  \
    BW_EXPORT result name(__VA_ARGS__);                                                            \
    extern __typeof__(name) own##name __attribute__((alias(#name), visibility("hidden")));         \
    result name(__VA_ARGS__)

PUBLIC(void *, _Znwm, size_t size)
{
    BW_NOTE_CALLER();
    return new_object(size, BW_FAMILY_NEW, 1);
}

PUBLIC(void *, _ZnwmSt11align_val_t, size_t size, size_t alignment)
{
    BW_NOTE_CALLER();
    return new_object(size, BW_FAMILY_NEW, alignment);
}

PUBLIC(void, _ZdlPv, void *p)
{
    BW_NOTE_CALLER();
    delete_object(p, BW_FAMILY_NEW, BW_SIZE_UNKNOWN, 0);
}

PUBLIC(void, _ZdlPvSt11align_val_t, void *p, size_t alignment)
{
    BW_NOTE_CALLER();
    delete_object(p, BW_FAMILY_NEW, BW_SIZE_UNKNOWN, alignment);
}

/* Both of a pair are asked for, so that an object is made and deleted by the same rule. A program
 * that is not position-independent and takes the address of one looks like one that replaces it:
 * then all forms go through it, and end here. */
#define ARE_OWN(name_new, name_delete)                                                             \
    __builtin_expect(BOUND(name_new) == own##name_new && BOUND(name_delete) == own##name_delete, 1)

static inline bool plain(void)
{
    return ARE_OWN(_Znwm, _ZdlPv);
}

static inline bool aligned(void)
{
    return ARE_OWN(_ZnwmSt11align_val_t, _ZdlPvSt11align_val_t);
}

#define NEW_BY(name, base, base_is_own, family, alignment, parameters, base_arguments)             \
    PUBLIC(void *, name, UNPACK parameters)                                                        \
    {                                                                                              \
        if (!base_is_own())                                                                        \
            return BOUND(base) base_arguments;                                                     \
        BW_NOTE_CALLER();                                                                          \
        return new_object(size, BW_FAMILY_##family, alignment);                                    \
    }

#define DELETE_BY(name, base, base_is_own, family, bytes, alignment, parameters, base_arguments)   \
    PUBLIC(void, name, UNPACK parameters)                                                          \
    {                                                                                              \
        if (!base_is_own()) {                                                                      \
            BOUND(base) base_arguments;                                                            \
            return;                                                                                \
        }                                                                                          \
        BW_NOTE_CALLER();                                                                          \
        delete_object(p, BW_FAMILY_##family, bytes, alignment);                                    \
    }

#define UNPACK(...) __VA_ARGS__

NEW_BY(_Znam, _Znwm, plain, NEW_ARRAY, 1, (size_t size), (size))
NEW_BY(_ZnamSt11align_val_t, _ZnwmSt11align_val_t, aligned, NEW_ARRAY, alignment,
       (size_t size, size_t alignment), (size, alignment))
DELETE_BY(_ZdaPv, _ZdlPv, plain, NEW_ARRAY, BW_SIZE_UNKNOWN, 0, (void *p), (p))
DELETE_BY(_ZdaPvSt11align_val_t, _ZdlPvSt11align_val_t, aligned, NEW_ARRAY, BW_SIZE_UNKNOWN,
          alignment, (void *p, size_t alignment), (p, alignment))

static inline bool plain_arrays(void)
{
    return plain() && ARE_OWN(_Znam, _ZdaPv);
}

static inline bool aligned_arrays(void)
{
    return aligned() && ARE_OWN(_ZnamSt11align_val_t, _ZdaPvSt11align_val_t);
}

DELETE_BY(_ZdlPvm, _ZdlPv, plain, NEW, size, 0, (void *p, size_t size), (p))
DELETE_BY(_ZdaPvm, _ZdaPv, plain_arrays, NEW_ARRAY, size, 0, (void *p, size_t size), (p))
DELETE_BY(_ZdlPvmSt11align_val_t, _ZdlPvSt11align_val_t, aligned, NEW, size, alignment,
          (void *p, size_t size, size_t alignment), (p, alignment))
DELETE_BY(_ZdaPvmSt11align_val_t, _ZdaPvSt11align_val_t, aligned_arrays, NEW_ARRAY, size, alignment,
          (void *p, size_t size, size_t alignment), (p, alignment))
DELETE_BY(_ZdlPvRKSt9nothrow_t, _ZdlPv, plain, NEW, BW_SIZE_UNKNOWN, 0,
          (void *p, const void *nothrow), (p))
DELETE_BY(_ZdaPvRKSt9nothrow_t, _ZdaPv, plain_arrays, NEW_ARRAY, BW_SIZE_UNKNOWN, 0,
          (void *p, const void *nothrow), (p))
DELETE_BY(_ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdlPvSt11align_val_t, aligned, NEW, BW_SIZE_UNKNOWN,
          alignment, (void *p, size_t alignment, const void *nothrow), (p, alignment))
DELETE_BY(_ZdaPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_t, aligned_arrays, NEW_ARRAY,
          BW_SIZE_UNKNOWN, alignment, (void *p, size_t alignment, const void *nothrow),
          (p, alignment))

/* The program's new, or its handler, may throw, and only C++ can catch: the C++ library's own
 * nothrow form does, around the throwing form that the program uses, ours or not. */
#define NEW_NOTHROW(name, base, base_is_own, family, alignment, parameters, arguments,             \
                    base_arguments)                                                                \
    static __attribute__((noinline, cold)) void *caught##name(UNPACK parameters)                   \
    {                                                                                              \
        static void *known;                                                                        \
        void *(*catching)parameters;                                                               \
        void *found = bw_load_pointer(&known);                                                     \
        if (found == NULL)                                                                         \
            found = in_cxx_library(#name);                                                         \
        bw_store_pointer(&known, found);                                                           \
        *(void **)&catching = found;                                                               \
        if (catching != NULL)                                                                      \
            return catching arguments;                                                             \
        return BOUND(base) base_arguments;                                                         \
    }                                                                                              \
    BW_EXPORT void *name(UNPACK parameters);                                                       \
    void *name(UNPACK parameters)                                                                  \
    {                                                                                              \
        if (!base_is_own())                                                                        \
            return caught##name arguments;                                                         \
        BW_NOTE_CALLER();                                                                          \
        void *p = try_object(size, BW_FAMILY_##family, alignment);                                 \
        if (__builtin_expect(p == NULL, 0) && current_handler() != NULL)                           \
            return caught##name arguments;                                                         \
        return p;                                                                                  \
    }

NEW_NOTHROW(_ZnwmRKSt9nothrow_t, _Znwm, plain, NEW, 1, (size_t size, const void *nothrow),
            (size, nothrow), (size))
NEW_NOTHROW(_ZnamRKSt9nothrow_t, _Znam, plain_arrays, NEW_ARRAY, 1,
            (size_t size, const void *nothrow), (size, nothrow), (size))
NEW_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t, _ZnwmSt11align_val_t, aligned, NEW, alignment,
            (size_t size, size_t alignment, const void *nothrow), (size, alignment, nothrow),
            (size, alignment))
NEW_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t, _ZnamSt11align_val_t, aligned_arrays, NEW_ARRAY,
            alignment, (size_t size, size_t alignment, const void *nothrow),
            (size, alignment, nothrow), (size, alignment))
