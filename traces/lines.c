#include "traces/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct assay_lines {
    int fd;
    char *name;
    uint64_t number;
    size_t at, n; /* unread part of the buffer */
    bool end;
    char buffer[ASSAY_LINE_MAX * 2];
};

int assay_lines_open(const char *path, struct assay_lines **ret_lines, struct assay_error *err)
{
    struct stat status;
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int code = assay_fail_errno(err, "cannot open '%s'", path);
        if (fd >= 0)
            close(fd);
        return code;
    }
    if (S_ISDIR(status.st_mode)) {
        close(fd);
        return assay_fail(err, ASSAY_E_FORMAT, "cannot read '%s': it is a directory", path);
    }
    struct assay_lines *lines = malloc(sizeof *lines);
    char *name = strdup(standard_input ? "standard input" : path);
    if (!lines || !name) {
        free(lines);
        free(name);
        close(fd);
        return assay_fail(err, ASSAY_E_MEMORY, "cannot open '%s': out of memory", path);
    }
    lines->fd = fd;
    lines->name = name;
    lines->number = 0;
    lines->at = lines->n = 0;
    lines->end = false;
    *ret_lines = lines;
    return 0;
}

static int fill(struct assay_lines *lines, struct assay_error *err)
{
    memmove(lines->buffer, lines->buffer + lines->at, lines->n);
    lines->at = 0;
    ssize_t got;
    do
        got = read(lines->fd, lines->buffer + lines->n, sizeof lines->buffer - lines->n - 1);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return assay_fail_errno(err, "cannot read '%s'", lines->name);
    lines->end = got == 0;
    lines->n += (size_t)got;
    return 0;
}

int assay_lines_next(struct assay_lines *lines, char **ret_line, struct assay_error *err)
{
    char *end;
    lines->number++;
    while (!(end = memchr(lines->buffer + lines->at, '\n', lines->n)) && !lines->end) {
        if (lines->n > ASSAY_LINE_MAX)
            return assay_lines_fail(lines, err, "the line is too long");
        int code = fill(lines, err);
        if (code)
            return code;
    }
    if (lines->n == 0)
        return 0;
    char *line = lines->buffer + lines->at;
    size_t length = end ? (size_t)(end - line) : lines->n;
    if (length > ASSAY_LINE_MAX)
        return assay_lines_fail(lines, err, "the line is too long");
    if (memchr(line, '\0', length))
        return assay_lines_fail(lines, err, "a zero byte: this is not a text file");
    line[length] = '\0';
    size_t used = length + (end != NULL);
    lines->at += used;
    lines->n -= used;
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    *ret_line = line;
    return 1;
}

uint64_t assay_lines_number(const struct assay_lines *lines)
{
    return lines->number;
}

int assay_lines_fail(const struct assay_lines *lines, struct assay_error *err, const char *what)
{
    return assay_fail(err, ASSAY_E_FORMAT, "cannot read '%s': line %llu: %s", lines->name,
                      (unsigned long long)lines->number, what);
}

void assay_lines_close(struct assay_lines *lines)
{
    if (!lines)
        return;
    close(lines->fd);
    free(lines->name);
    free(lines);
}
