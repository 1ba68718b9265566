#include "tools/whole_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/trace.h"

int assay_whole_file(const char *path, void (*write)(FILE *out, const void *self), const void *self,
                     struct assay_error *err)
{
    char *target = NULL, *partial = NULL;
    int code = assay_trace_target(path, &target, err);
    if (code < 0)
        return code;
    if (asprintf(&partial, "%s.partial-%ld", target, (long)getpid()) < 0) {
        free(target);
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    }
    FILE *out = fopen(partial, "we");
    bool failed = !out;
    if (out) {
        write(out, self);
        failed = ferror(out) != 0;
        failed |= fclose(out) != 0;
    }
    if (failed || rename(partial, target) != 0) {
        code = assay_fail_errno(err, "cannot write '%s'", path);
        unlink(partial);
    }
    free(partial);
    free(target);
    return code;
}

int assay_whole_file_ready(const char *path, struct assay_error *err)
{
    char *target = NULL;
    if (path[0] == '\0')
        return assay_fail(err, ASSAY_E_USAGE, "'' is no name of a file");
    int code = assay_trace_target(path, &target, err);
    if (code < 0)
        return code;
    char *slash = strrchr(target, '/');
    if (slash)
        slash[slash == target] = '\0';
    if (access(slash ? target : ".", W_OK | X_OK) != 0)
        code = assay_fail_errno(err, "cannot write '%s'", path);
    free(target);
    return code;
}

int assay_make_folder(const char *path, struct assay_error *err)
{
    char part[PATH_MAX];
    struct stat status;
    size_t length = strlen(path);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    if (length == 0 || length >= sizeof part)
        return assay_fail(err, ASSAY_E_USAGE, "'%.40s' is no name of a folder", path);
    if (stat(path, &status) == 0)
        return assay_fail(err, ASSAY_E_SYSTEM,
                          "'%.300s' is a file, and --out makes a folder: give it another name",
                          path);
    memcpy(part, path, length + 1);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/' || at[-1] == '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return assay_fail_errno(err, "cannot create '%s'", part);
        *at = '/';
    }
    if (mkdir(path, 0777) != 0)
        return assay_fail_errno(err, "cannot create '%s'", path);
    return 1;
}
