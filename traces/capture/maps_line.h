/* One line of /proc/PID/maps. Host side; allocates nothing. */
#ifndef ASSAY_CAPTURE_MAPS_LINE_H
#define ASSAY_CAPTURE_MAPS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_maps_line {
    uint64_t start, end, offset;
    bool executable;
    char path[4097]; /* "" for memory without a file */
};

/* Takes the line at *text, moves *text behind it. False at the end; lines that make no sense are
 * passed over. */
bool assay_maps_line_next(const char **text, const char *end, struct assay_maps_line *ret_line);

#endif
