/* How large things are: in every variant but one as the machine and its programs have them. The
 * flat one is small enough to try every program: classes of 0, 16 and 32 bytes, pages of 64 bytes,
 * two slabs of a page to a class, no large objects. */
#ifndef BW_SCALE_H
#define BW_SCALE_H

#include "policy.h"

enum { BW_FLAT = bw_policy_scaled_down };

enum {
    BW_PAGE_SHIFT_MIN = BW_FLAT ? 6 : 12,  /* every page is a multiple of this */
    BW_CLASS_SHIFT_MAX = BW_FLAT ? 7 : 36, /* the regions of the classes */
    BW_CLASS_SHIFT_MIN = BW_FLAT ? 7 : 14,
    BW_SLAB_TARGET = BW_FLAT ? 64 : 16 << 10, /* bytes of a slab */
    BW_BATCH_BYTES = BW_FLAT ? 32 : 4 << 10,
    BW_BATCH_MAX = BW_FLAT ? 2 : 32,
    BW_PAGES_REACH = BW_FLAT ? 0 : 65536, /* between metadata and whatever else there is */
    BW_WINDOW_SHIFT = BW_FLAT ? 28 : 38,  /* of large objects */
    BW_CELL_SHIFT = 22
};

#endif
