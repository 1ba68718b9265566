#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/runner/mapping_faults.h"

/* Where the heap begins: field 47 of /proc/PID/stat, counted behind the name in parentheses. */
static uint64_t first_break(pid_t pid)
{
    enum { BEHIND_NAME = 45 };
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 0; at && field < BEHIND_NAME; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

uint64_t assay_mapping_break(const struct assay_mapping_faults *faults, pid_t pid)
{
    char path[64], line[512];
    uint64_t end = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strstr(line, "[heap]"))
            end = strtoull(strchr(line, '-') + 1, NULL, 16);
    if (file)
        fclose(file);
    if (end == 0)
        return first_break(pid);
    /* the break stands in the last page, where it was asked to */
    uint64_t asked = faults->asked_break;
    return asked <= end && end - asked < 4096 ? asked : end;
}
