/* The smallest adapter: an allocator with two calls of its own names. Copy it, put your allocator's
 * calls in place of the C library's, and run it:   ASSAY_ADAPTER_FLAGS="-L. -lmine" assay fuzz
 * --subject adapter:mine.c What stays NULL in the table is never called, and what only it could
 * show is not judged. */
#include "assay_subject.h"

#include <stdlib.h>

static void *mine_alloc(size_t size)
{
    return malloc(size);
}

static void mine_free(void *p)
{
    free(p);
}

const struct assay_subject assay_subject = {
    .name = "mine",
    .malloc = mine_alloc,
    .free = mine_free,
};
