/* The word that was meant: for "did you mean". Allocates nothing. */
#ifndef ASSAY_NEAREST_H
#define ASSAY_NEAREST_H

#include <stddef.h>

/* Number of single-letter edits (insert, delete, change, swap) between two words, at most `limit`
 * + 1. */
unsigned assay_edit_distance(const char *a, const char *b, unsigned limit);
/* The first of the names that is nearest to it, two edits away at most; NULL if none is. */
const char *assay_nearest(const char *word, const char *(*name_of)(size_t i), size_t count);

#endif
