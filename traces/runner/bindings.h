/* Which symbols of a subject's library serve which ops.
 *
 * A drop-in is reached through the names of the C library, which the dynamic linker bound to the
 * preloaded library. What has another name, or another signature, is reached by its place in the
 * library: the host reads the symbol table, the runner adds the library's base. Plain data: it goes
 * through shared memory. */
#ifndef ASSAY_BINDINGS_H
#define ASSAY_BINDINGS_H

#include <stdint.h>

#include "traces/event.h"

/* What a profile says of a subject's names; all empty: the usual ones. */
enum { ASSAY_PREFIX_BYTES = 16, ASSAY_SYMBOL_BYTES = 48 };
struct assay_subject_names {
    char prefix[ASSAY_PREFIX_BYTES];                 /* before every symbol of apis.def */
    char symbol[ASSAY_OP_COUNT][ASSAY_SYMBOL_BYTES]; /* instead of those of apis.def; no prefix */
};

enum assay_form {
    ASSAY_FORM_PLAIN,
    ASSAY_FORM_RALLOCX,   /* void *(void *, size_t, int flags) */
    ASSAY_FORM_NALLOCX,   /* size_t (size_t, int flags) */
    ASSAY_FORM_MALLINFO2, /* struct mallinfo2 (void) */
    ASSAY_FORM_MALLINFO,  /* struct mallinfo (void) */
    ASSAY_FORM_ITERATE,   /* int (uintptr_t, size_t, callback, void *), malloc_disable around it */
    ASSAY_FORM_VISIT,     /* bool (heap, bool, visitor, void *), the heap by mi_heap_get_default */
};

/* In the place of a function: there is one that returns its address (STT_GNU_IFUNC). */
#define ASSAY_BINDING_RESOLVER (UINT64_C(1) << 63)

struct assay_binding {
    uint64_t offset;        /* of the function in its library, 0 = bound by the dynamic linker */
    uint64_t before, after; /* of those that the form needs beside it, 0 = none */
    uint8_t form;           /* enum assay_form */
};

struct assay_bindings {
    uint64_t device, inode; /* of the library */
    struct assay_binding by_kind[ASSAY_OP_COUNT];
};

#endif
