/* The rows of options.def as they were chosen for this process. For the drop-in. */
#ifndef BW_OPTIONS_H
#define BW_OPTIONS_H

#include <stdint.h>

#include "policy.h"

struct bw_options {
#define BW_OPTION(name, default_, most, allowed, what) uint64_t name;
#include "options.def"
#undef BW_OPTION
};

/* Defaults, then what the environment says. Never allocates. Unknown names and values are told on
 * standard error and change nothing. */
void bw_options_read(struct bw_options *ret_options);

#endif
