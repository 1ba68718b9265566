/* A subject: the allocator under test, as a table of functions with the C library's own signatures.
 *
 * A drop-in .so needs none of this: the runner is started with LD_PRELOAD and fills the table from
 * its exports. An adapter is a C file of some 20 lines that includes only this header and defines
 *     const struct assay_subject assay_subject = { .name = "mine", .malloc = my_alloc, .free =
 * my_free }; for an allocator with another API, a symbol prefix, or a heap or pool (kept in a
 * static variable of the adapter). A NULL member is an API that the subject lacks: it is never
 * called, and its properties are not judged. */
#ifndef ASSAY_SUBJECT_H
#define ASSAY_SUBJECT_H

#include <stddef.h>

struct assay_subject {
    const char *name;
    int (*setup)(void);  /* once, before the first op; not 0 = cannot run */
    void (*reset)(void); /* between two programs, after the runner freed what was live; may drop
                            everything at once */
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *p, size_t size);
    void *(*reallocarray)(void *p, size_t count, size_t size);
    void (*free)(void *p);
    void (*free_sized)(void *p, size_t size);
    void (*free_aligned_sized)(void *p, size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    size_t (*malloc_usable_size)(void *p);
    size_t (*malloc_object_size)(void *p);
    int (*malloc_trim)(size_t pad);
    /* realloc that zeroes what lies behind the old usable size; p may be NULL, size is never 0 */
    void *(*rezalloc)(void *p, size_t size);
    /* the usable size that malloc(size) would have */
    size_t (*malloc_good_size)(size_t size);
    /* bytes in use, as uordblks of mallinfo2; with mapped != 0 also those of objects in mappings of
     * their own, where they are counted apart (hblkhd). 0: no statistics are kept */
    size_t (*statistics)(int mapped);
    /* calls block once for each object in use; 0, or an error: then nothing is judged */
    int (*heap_walk)(void (*block)(void *argument, void *address, size_t bytes), void *argument);
    /* memcpy that stops the process where it would leave an object */
    void *(*guarded_copy)(void *to, const void *from, size_t bytes);
};

#endif
