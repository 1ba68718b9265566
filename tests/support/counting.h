/* The counters of the counting allocator: a file of this layout, mapped by it and by the test. */
#ifndef ASSAY_COUNTING_H
#define ASSAY_COUNTING_H

#include <stdatomic.h>
#include <stdint.h>

#define ASSAY_COUNTING_VARIABLE "ASSAY_COUNTING"

enum assay_counted {
    ASSAY_COUNTED_MALLOC,
    ASSAY_COUNTED_CALLOC,
    ASSAY_COUNTED_REALLOC,
    ASSAY_COUNTED_FREE,
    ASSAY_COUNTED_ALIGNED, /* aligned_alloc, posix_memalign */
    ASSAY_COUNTED_USABLE,
    ASSAY_COUNTED
};

struct assay_counting {
    _Atomic uint64_t calls[ASSAY_COUNTED];
};

#endif
