/* What stands at an address of this process, by /proc/self/maps. Async-signal-safe: no allocation,
 * no lock. */
#ifndef BW_MAPS_H
#define BW_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bw_maps_name {
    char name[64];    /* a file's name without its folder, "[stack]", or empty: without a name */
    uintptr_t offset; /* into the image of that file; 0 where it is none */
    bool mapped;      /* false: nothing stands there */
};

/* false where /proc cannot be read. */
bool bw_maps_find(const void *address, struct bw_maps_name *ret_place);

#endif
