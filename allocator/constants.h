/* What is settled at the start of a process and never changes again: on pages of its own, read-only
 * from then on, and sealed where the kernel can, so that no later mprotect opens it. A linked heap
 * leaves it writable. */
#ifndef BW_CONSTANTS_H
#define BW_CONSTANTS_H

#include <stdbool.h>

#include "bulwark.h"
#include "options.h"

struct bw_constants {
    void *heap; /* of the drop-in; by bw_load_pointer */
    struct bw_options options;
    bw_fatal_hook *fatal_hook;
    void *fatal_hook_self;
};

extern struct bw_constants bw_constants;

/* Returns whether they are read-only now. */
bool bw_constants_seal(void);

#endif
