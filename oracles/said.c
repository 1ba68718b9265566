#include "oracles/said.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"corrupt",         "double free",     "double-free",
                                    "invalid free",    "invalid pointer", "heap overflow",
                                    "buffer overflow", "use after free",  "use-after-free"};

const char *assay_said_word(size_t i)
{
    return i < sizeof words / sizeof *words ? words[i] : NULL;
}

bool assay_said_corruption(const char *text, char *ret_line, size_t bytes)
{
    const char *first = NULL;
    for (size_t i = 0; assay_said_word(i); i++) {
        const char *at = strcasestr(text, assay_said_word(i));
        if (at && (!first || at < first))
            first = at;
    }
    if (!first)
        return false;
    while (first > text && first[-1] != '\n')
        first--;
    snprintf(ret_line, bytes, "%.*s", (int)strcspn(first, "\n"), first);
    return true;
}
