#include "traces/trace_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/trace_format.h"

/* Returns like read, without interruptions. */
static ssize_t read_some(int from, void *to, size_t n)
{
    ssize_t got;
    do
        got = read(from, to, n);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool write_all(int to, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(to, bytes, n);
        if (written < 0 && errno != EINTR)
            return false;
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

static int copy(int from, int to, const char *name, uint64_t most_bytes, struct assay_error *err)
{
    static const char magic[TRACE_MAGIC_BYTES] = TRACE_MAGIC;
    char buffer[65536];
    uint64_t total = 0;
    ssize_t got;
    while ((got = read_some(from, buffer, sizeof buffer)) > 0) {
        size_t n = (size_t)got;
        for (size_t i = 0; i < n && total + i < sizeof magic; i++)
            if (buffer[i] != magic[total + i])
                return assay_fail(err, ASSAY_E_FORMAT, "cannot read '%s': it is not an assay trace",
                                  name);
        total += n;
        if (total > most_bytes)
            return assay_fail(err, ASSAY_E_LIMIT,
                              "cannot read '%s': more than %" PRIu64
                              " MiB came through a pipe; save it to a file and name that",
                              name, most_bytes >> 20);
        if (!write_all(to, buffer, n))
            return assay_fail_errno(err, "cannot copy '%s' to a temporary file", name);
    }
    return got < 0 ? assay_fail_errno(err, "cannot read '%s'", name) : 0;
}

int trace_spool(int from, const char *name, uint64_t most_bytes, int *ret_fd,
                struct assay_error *err)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/assay-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return assay_fail_errno(err, "cannot create a temporary file for '%s'", name);
    unlink(path);
    int code = copy(from, fd, name, most_bytes, err);
    if (code < 0)
        close(fd);
    else
        *ret_fd = fd;
    return code;
}
