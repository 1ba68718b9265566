#include "traces/core/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const error_texts[] = {
    "no error",
#define ASSAY_ERROR(name, text) text,
#include "traces/core/errors.def"
#undef ASSAY_ERROR
};

const char *assay_error_name(int code)
{
    int index = -code;
    if (index < 0 || index >= ASSAY_ERROR_COUNT)
        return "unknown error";
    return error_texts[index];
}

int assay_fail(struct assay_error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        err->code = code;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return code;
}

struct assay_reason assay_reason(int error)
{
    struct assay_reason reason;
    const char *text = strerrordesc_np(error);
    if (!text)
        snprintf(reason.text, sizeof reason.text, "errno %d", error);
    else
        snprintf(reason.text, sizeof reason.text, "%s", text);
    if (reason.text[0] >= 'A' && reason.text[0] <= 'Z')
        reason.text[0] = (char)(reason.text[0] - 'A' + 'a');
    return reason;
}

int assay_fail_errno(struct assay_error *err, const char *format, ...)
{
    int saved = errno;
    int code = ASSAY_E_SYSTEM;
    if (saved == EPERM || saved == EACCES)
        code = ASSAY_E_PERMISSION;
    else if (saved == ENOENT)
        code = ASSAY_E_NOT_FOUND;
    if (err) {
        va_list args;
        err->code = code;
        va_start(args, format);
        int n = vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        if (n >= 0 && (size_t)n < sizeof err->text) {
            struct assay_reason reason = assay_reason(saved);
            snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", reason.text);
        }
    }
    errno = saved;
    return code;
}

int assay_fail_mapping(struct assay_error *err, const char *what, size_t bytes)
{
    struct rlimit limit;
    int saved = errno;
    size_t mebibytes = (bytes >> 20) + ((bytes & ((1u << 20) - 1)) != 0);
    bool limited =
        saved == ENOMEM && getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    if (limited)
        return assay_fail(err, ASSAY_E_SYSTEM,
                          "cannot map %zu MiB of %s: the address space is limited to %zu MiB; lift "
                          "the limit with 'ulimit -v unlimited'",
                          mebibytes, what, (size_t)limit.rlim_cur >> 20);
    return assay_fail_errno(err, "cannot map %zu MiB of %s", mebibytes, what);
}

_Noreturn void assay_bug(const char *file, int line, const char *what)
{
    char text[300];
    int n = snprintf(text, sizeof text, "assay: bug: %s:%d: %s\n", file, line, what);
    if (n > (int)sizeof text)
        n = (int)sizeof text;
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(70);
    _exit(70);
}
