#include "traces/parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ASSAY_LIBDIR and ASSAY_LIBEXECDIR: as configured, under the prefix or absolute. */
bool assay_part_find(struct assay_part *ret_part, const char *name)
{
    static const char *const folders[] = {".",          "../" ASSAY_LIBEXECDIR "/assay",
                                          "../lib",     "../" ASSAY_LIBDIR,
                                          ASSAY_LIBDIR, ASSAY_LIBEXECDIR "/assay"};
    ssize_t n = readlink("/proc/self/exe", ret_part->folder, sizeof ret_part->folder - 1);
    ret_part->folder[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(ret_part->folder, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        bool absolute = folders[i][0] == '/';
        if (!absolute && i >= 4)
            continue; /* of the last two only what is absolute */
        snprintf(ret_part->path, sizeof ret_part->path, "%s%s%s/%s",
                 absolute ? "" : ret_part->folder, absolute ? "" : "/", folders[i], name);
        if (access(ret_part->path, R_OK) == 0)
            return true;
    }
    ret_part->path[0] = '\0';
    return false;
}
