#include "traces/format.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/trace_format.h"

const struct assay_format assay_formats[] = {
#define ASSAY_FORMAT(name, summary, import, export) {#name, summary, import, export},
#include "traces/formats/formats.def"
#undef ASSAY_FORMAT
    {0},
};

const struct assay_format *assay_format_by_name(const char *name)
{
    for (const struct assay_format *format = assay_formats; format->name; format++)
        if (strcmp(format->name, name) == 0)
            return format;
    return NULL;
}

/* A meta line, a comment, or the name of an op begins our text. */
static bool is_text(const char *head, size_t n)
{
    size_t word = 0;
    if (n > 0 && (head[0] == '%' || head[0] == '#'))
        return memchr(head, '\0', n) == NULL;
    while (word < n && !isspace((unsigned char)head[word]))
        word++;
    return assay_op_by_name(head, word) != ASSAY_OP_NONE;
}

const struct assay_format *assay_format_guess(const char *path, struct assay_error *err)
{
    char head[4096];
    struct stat status;
    if (strcmp(path, "-") == 0) {
        assay_fail(err, ASSAY_E_USAGE, "standard input cannot be looked at: say its --format");
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 || fstat(fd, &status) != 0 ? -1 : 0;
    if (n == 0 && !S_ISDIR(status.st_mode))
        n = read(fd, head, sizeof head);
    if (n < 0)
        assay_fail_errno(err, "cannot read '%s'", path);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return NULL;
    if (S_ISDIR(status.st_mode))
        assay_fail(err, ASSAY_E_FORMAT, "cannot read '%s': it is a directory", path);
    else if (n == 0)
        assay_fail(err, ASSAY_E_TRUNCATED, "cannot read '%s': it is empty", path);
    else if (n >= TRACE_MAGIC_BYTES && memcmp(head, TRACE_MAGIC, TRACE_MAGIC_BYTES) == 0)
        return assay_format_by_name("trace");
    else if (is_text(head, (size_t)n))
        return assay_format_by_name("text");
    else
        assay_fail(err, ASSAY_E_FORMAT,
                   "cannot tell the format of '%s'; 'assay list formats' shows those that can be "
                   "read",
                   path);
    return NULL;
}
