/* Strings from outside (arguments, files, what a subject wrote) as people may be shown them.
 *
 * What steers a terminal, or would make one line two, stands escaped: control characters (C0, DEL,
 * C1), line separators, marks that turn the direction of writing, and bytes that are not UTF-8.
 * For people only: JSON has rules of its own, and a line to paste is tools/shell.h's. Nothing here
 * allocates. */
#ifndef ASSAY_CORE_PRINTABLE_H
#define ASSAY_CORE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

struct assay_printable {
    char text[16400]; /* a path of PATH_MAX bytes, each escaped */
};

/* The text with "\n", "\t", "\r" and "\x1b" in place of what must not be shown; cut with "..." if
 * it does not fit. Fills and returns the caller's buffer, so that several may stand in one printf.
 */
const char *assay_printable(struct assay_printable *buffer, const char *text);
/* The same into any room, without the dots. Like snprintf: returns the bytes that the whole takes,
 * always ends with a zero if there is room; no escape is cut in two. */
size_t assay_printable_text(char *out, size_t room, const char *text);
/* Bytes of the character at text, which is not empty; a byte that is not UTF-8 is one of its own.
 * *ret_printable: it may be shown as it is. */
size_t assay_printable_next(const char *text, bool *ret_printable);

#endif
