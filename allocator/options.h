/* The rows of options.def as they were chosen for this process. For the drop-in. */
#ifndef BW_OPTIONS_H
#define BW_OPTIONS_H

#include <stddef.h>
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
/* The value of `variable`, which ends in =, or NULL. buffer: where it stands if the C library does
 * not know its environment yet. Never allocates. */
const char *bw_environment_find(const char *variable, char *buffer, size_t bytes);

#endif
