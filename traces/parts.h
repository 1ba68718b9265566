/* Where the other parts of assay are (runner, recorder, engine, libbulwark.so), seen from the
 * executable that runs: beside it as in the build tree, or where 'cmake --install' puts them.
 *
 * Not for subjects and not for what the user names. Nothing here allocates. */
#ifndef ASSAY_PARTS_H
#define ASSAY_PARTS_H

#include <stdbool.h>

struct assay_part {
    char path[4400];   /* of the part; empty when it was not found */
    char folder[4096]; /* of the executable */
};

/* Fills the caller's struct. Returns whether there is a readable file of that name. */
bool assay_part_find(struct assay_part *ret_part, const char *name);

#endif
