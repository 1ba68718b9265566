/* The subject's table, from the symbols that the dynamic linker bound: LD_PRELOAD comes before the
 * C library, so plain references to malloc are references to the subject. What has another name or
 * signature is called by its place in the library. No dlsym: it allocates its error text. */
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "traces/runner/runner.h"

/* Names of our own for the symbols, so that no compiler knows what they do. */
#define SUBJECT(type, name, parameters)                                                            \
    extern type subject_##name parameters __asm__(#name) __attribute__((weak))
SUBJECT(void *, malloc, (size_t));
SUBJECT(void *, calloc, (size_t, size_t));
SUBJECT(void *, realloc, (void *, size_t));
SUBJECT(void *, reallocarray, (void *, size_t, size_t));
SUBJECT(void, free, (void *));
SUBJECT(void, free_sized, (void *, size_t));
SUBJECT(void, free_aligned_sized, (void *, size_t, size_t));
SUBJECT(void *, aligned_alloc, (size_t, size_t));
SUBJECT(int, posix_memalign, (void **, size_t, size_t));
SUBJECT(void *, memalign, (size_t, size_t));
SUBJECT(void *, valloc, (size_t));
SUBJECT(void *, pvalloc, (size_t));
SUBJECT(size_t, malloc_usable_size, (void *));
SUBJECT(size_t, malloc_object_size, (void *));
SUBJECT(int, malloc_trim, (size_t));

/* ---- functions with other signatures -------------------------------------------------------- */

typedef void block_function(void *argument, void *address, size_t bytes);

enum { MALLOCX_ZERO = 0x40 };

static struct {
    void *(*rallocx)(void *, size_t, int);
    void *(*calloc)(size_t, size_t);
    size_t (*nallocx)(size_t, int);
    struct mallinfo2 (*mallinfo2)(void);
    struct mallinfo (*mallinfo)(void);
    int (*iterate)(uintptr_t, size_t, void (*)(uintptr_t, size_t, void *), void *);
    void (*disable)(void), (*enable)(void);
    bool (*visit)(const void *heap, bool blocks,
                  bool (*)(const void *, const void *, void *, size_t, void *), void *);
    void *(*heap)(void);
} other;

/* rallocx takes no null pointer. */
static void *by_rallocx(void *p, size_t size)
{
    return p ? other.rallocx(p, size, MALLOCX_ZERO) : other.calloc(1, size);
}

static size_t by_nallocx(size_t size)
{
    return other.nallocx(size, 0);
}

static size_t by_mallinfo2(int mapped)
{
    struct mallinfo2 info = other.mallinfo2();
    return info.uordblks + (mapped ? info.hblkhd : 0);
}

/* Its fields are ints that wrap. */
static size_t by_mallinfo(int mapped)
{
    struct mallinfo info = other.mallinfo();
    return (size_t)(unsigned)info.uordblks + (mapped ? (size_t)(unsigned)info.hblkhd : 0);
}

struct walk {
    block_function *block;
    void *argument;
};

static void iterated(uintptr_t base, size_t bytes, void *argument)
{
    const struct walk *walk = argument;
    walk->block(walk->argument, (void *)base, bytes);
}

static int by_iterate(block_function *block, void *argument)
{
    struct walk walk = {block, argument};
    if (other.disable)
        other.disable();
    int code = other.iterate(0, (size_t)1 << 47, iterated, &walk);
    if (other.enable)
        other.enable();
    return code;
}

static bool visited(const void *heap, const void *area, void *block, size_t bytes, void *argument)
{
    const struct walk *walk = argument;
    (void)heap, (void)area;
    if (block)
        walk->block(walk->argument, block, bytes);
    return true;
}

static int by_visit(block_function *block, void *argument)
{
    struct walk walk = {block, argument};
    return other.visit(other.heap(), true, visited, &walk) ? 0 : ENOTSUP;
}

/* ---- places in the library ------------------------------------------------------------------ */

struct library {
    const struct assay_bindings *bindings;
    uintptr_t base;
    bool found;
};

static int is_library(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct library *library = argument;
    struct stat stat_of;
    (void)size;
    if (!info->dlpi_name || !info->dlpi_name[0] || stat(info->dlpi_name, &stat_of) != 0 ||
        stat_of.st_dev != library->bindings->device || stat_of.st_ino != library->bindings->inode)
        return 0;
    library->base = info->dlpi_addr;
    library->found = true;
    return 1;
}

/* What the dynamic linker does for such a symbol, and gives to its resolver. */
static uintptr_t resolved(uintptr_t resolver)
{
#if defined(__aarch64__)
    enum { IFUNC_ARGUMENT = 62 };
    const unsigned long words = getauxval(AT_HWCAP);
    const struct {
        unsigned long bytes, hwcap, hwcap2;
    } argument = {sizeof argument, words, getauxval(AT_HWCAP2)};
    uintptr_t (*function)(uint64_t, const void *);
    memcpy(&function, &resolver, sizeof function);
    return function(words | UINT64_C(1) << IFUNC_ARGUMENT, &argument);
#else
    uintptr_t (*function)(unsigned long);
    memcpy(&function, &resolver, sizeof function);
    return function(getauxval(AT_HWCAP));
#endif
}

static void bind(void *function, const struct library *library, uint64_t place)
{
    uintptr_t address = place ? library->base + (place & ~ASSAY_BINDING_RESOLVER) : 0;
    if (place & ASSAY_BINDING_RESOLVER)
        address = resolved(address);
    memcpy(function, &address, sizeof address);
}

static void bind_other(struct assay_subject *table, const struct library *library, unsigned kind,
                       void *member)
{
    const struct assay_binding *binding = &library->bindings->by_kind[kind];
    switch ((enum assay_form)binding->form) {
    case ASSAY_FORM_RALLOCX:
        bind(&other.rallocx, library, binding->offset);
        other.calloc = table->calloc;
        table->rezalloc = other.calloc ? by_rallocx : NULL;
        break;
    case ASSAY_FORM_NALLOCX:
        bind(&other.nallocx, library, binding->offset);
        table->malloc_good_size = by_nallocx;
        break;
    case ASSAY_FORM_MALLINFO2:
        bind(&other.mallinfo2, library, binding->offset);
        table->statistics = by_mallinfo2;
        break;
    case ASSAY_FORM_MALLINFO:
        bind(&other.mallinfo, library, binding->offset);
        table->statistics = by_mallinfo;
        break;
    case ASSAY_FORM_ITERATE:
        bind(&other.iterate, library, binding->offset);
        bind(&other.disable, library, binding->before);
        bind(&other.enable, library, binding->after);
        table->heap_walk = by_iterate;
        break;
    case ASSAY_FORM_VISIT:
        bind(&other.visit, library, binding->offset);
        bind(&other.heap, library, binding->before);
        table->heap_walk = other.heap ? by_visit : NULL;
        break;
    case ASSAY_FORM_PLAIN:
    default: bind(member, library, binding->offset); break;
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

extern const struct assay_subject assay_subject __attribute__((weak));

/* What the dynamic linker binds: op kind, and name of member and symbol. */
#define STANDARD(X)                                                                                \
    X(MALLOC, malloc)                                                                              \
    X(CALLOC, calloc)                                                                              \
    X(REALLOC, realloc)                                                                            \
    X(REALLOCARRAY, reallocarray)                                                                  \
    X(FREE, free)                                                                                  \
    X(FREE_SIZED, free_sized)                                                                      \
    X(FREE_ALIGNED_SIZED, free_aligned_sized)                                                      \
    X(ALIGNED_ALLOC, aligned_alloc)                                                                \
    X(POSIX_MEMALIGN, posix_memalign)                                                              \
    X(MEMALIGN, memalign)                                                                          \
    X(VALLOC, valloc)                                                                              \
    X(PVALLOC, pvalloc)                                                                            \
    X(USABLE_SIZE, malloc_usable_size)                                                             \
    X(OBJECT_SIZE, malloc_object_size)                                                             \
    X(TRIM, malloc_trim)

struct assay_subject assay_runner_subject(bool adapter, uint64_t missing,
                                          const struct assay_bindings *bindings)
{
    struct assay_subject table;
    struct library library = {.bindings = bindings};
    memset(&table, 0, sizeof table);
    if (adapter) {
        const struct assay_subject *volatile from = &assay_subject;
        if (from)
            table = *from;
        return table;
    }
#define TAKE(KIND, name)                                                                           \
    if (!(missing >> ASSAY_OP_##KIND & 1) && bindings->by_kind[ASSAY_OP_##KIND].offset == 0)       \
        table.name = subject_##name;
    STANDARD(TAKE)
#undef TAKE
    dl_iterate_phdr(is_library, &library);
    for (unsigned kind = 0; library.found && kind < ASSAY_OP_COUNT; kind++) {
        if (missing >> kind & 1 || bindings->by_kind[kind].offset == 0)
            continue;
        switch (kind) {
#define MEMBER(KIND, name)                                                                         \
    case ASSAY_OP_##KIND: bind_other(&table, &library, kind, &table.name); break;
            STANDARD(MEMBER)
            MEMBER(REZALLOC, rezalloc)
            MEMBER(GOOD_SIZE, malloc_good_size)
            MEMBER(STATISTICS, statistics)
            MEMBER(HEAP_WALK, heap_walk)
            MEMBER(GUARDED_COPY, guarded_copy)
#undef MEMBER
        default: break;
        }
    }
    return table;
}
