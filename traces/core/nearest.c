#include "traces/core/nearest.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned assay_edit_distance(const char *a, const char *b, unsigned limit)
{
    enum { WORD = 47 };
    unsigned rows[3][WORD + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > WORD || m > WORD)
        return limit + 1;
    for (unsigned j = 0; j <= m; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            row[j] = least(least(above[j] + 1, row[j - 1] + 1),
                           above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return least(rows[n % 3][m], limit + 1);
}

const char *assay_nearest(const char *word, const char *(*name_of)(size_t i), size_t count)
{
    enum { LIMIT = 3 };
    const char *nearest = NULL;
    unsigned best = LIMIT;
    for (size_t i = 0; i < count; i++) {
        const char *name = name_of(i);
        unsigned distance = assay_edit_distance(name, word, LIMIT);
        if (distance < best && distance < strlen(name)) {
            best = distance;
            nearest = name;
        }
    }
    return nearest;
}
