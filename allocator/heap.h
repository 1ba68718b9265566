/* A heap without the errno of the public names: what api.c and the drop-in share. */
#ifndef BW_HEAP_H
#define BW_HEAP_H

#include "meta.h"

struct bw_heap *bw_heap_make(const struct bw_config *config);

#endif
