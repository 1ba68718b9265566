#include "traces/capture/maps_line.h"

#include <stdlib.h>
#include <string.h>

/* A hexadecimal number and the character that must follow it. */
static bool number(const char **at, char follows, uint64_t *ret_number)
{
    char *end;
    *ret_number = strtoull(*at, &end, 16);
    if (end == *at || *end != follows)
        return false;
    *at = end + 1;
    return true;
}

/* "7f00-7f10 r-xp 00028000 08:01 2    /lib/my library.so" */
static bool parse(const char *line, struct assay_maps_line *ret_line)
{
    if (!number(&line, '-', &ret_line->start) || !number(&line, ' ', &ret_line->end))
        return false;
    if (strcspn(line, " ") != 4)
        return false;
    ret_line->executable = line[2] == 'x';
    line += 5;
    if (!number(&line, ' ', &ret_line->offset))
        return false;
    for (int field = 0; field < 2; field++) { /* device, inode */
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    size_t length = strlen(line);
    if (length >= sizeof ret_line->path)
        return false;
    memcpy(ret_line->path, line, length + 1);
    return true;
}

bool assay_maps_line_next(const char **text, const char *end, struct assay_maps_line *ret_line)
{
    while (*text < end) {
        char line[sizeof ret_line->path + 128];
        const char *newline = memchr(*text, '\n', (size_t)(end - *text));
        size_t length = (size_t)((newline ? newline : end) - *text);
        const char *start = *text;
        *text = newline ? newline + 1 : end;
        if (length >= sizeof line)
            continue;
        memcpy(line, start, length);
        line[length] = '\0';
        if (parse(line, ret_line))
            return true;
    }
    return false;
}
