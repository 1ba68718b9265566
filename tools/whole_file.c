#include "tools/whole_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "traces/trace.h"

int assay_whole_file(const char *path, void (*write)(FILE *out, const void *self), const void *self,
                     struct assay_error *err)
{
    char *target = NULL, *partial = NULL;
    int code = assay_trace_target(path, &target, err);
    if (code < 0)
        return code;
    if (asprintf(&partial, "%s.partial", target) < 0) {
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
