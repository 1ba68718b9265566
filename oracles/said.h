/* Whether what a subject wrote to its standard error is a report of corruption, in the words that
 * allocators use. Not for what it writes besides: a warning is allowed, and banners are. Host only,
 * no memory of its own. */
#ifndef ASSAY_SAID_H
#define ASSAY_SAID_H

#include <stdbool.h>
#include <stddef.h>

/* True if the text has such a line; ret_line gets the first, cut off to `bytes`. */
bool assay_said_corruption(const char *text, char *ret_line, size_t bytes);
/* What is looked for, in any case of letters; NULL behind the last. */
const char *assay_said_word(size_t i);

#endif
