#include "traces/core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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
            const char *reason = strerrordesc_np(saved);
            size_t room = sizeof err->text - (size_t)n;
            char *end = err->text + n;
            if (!reason)
                snprintf(end, room, ": errno %d", saved);
            else
                snprintf(end, room, ": %s", reason);
            if (reason && room > 3 && end[2] >= 'A' && end[2] <= 'Z')
                end[2] = (char)(end[2] - 'A' + 'a');
        }
    }
    errno = saved;
    return code;
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
