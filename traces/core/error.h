/* Errors: 0 or positive is fine, negative is ASSAY_E_*; the text goes into a caller-owned struct.
 *
 * Not for findings (data about a subject) and not for bugs of ours (assay_bug(), exit 70).
 * Allocates nothing: safe in the runner. */
#ifndef ASSAY_CORE_ERROR_H
#define ASSAY_CORE_ERROR_H

#include <stddef.h>

enum assay_error_index {
    ASSAY_ERROR_INDEX_NONE,
#define ASSAY_ERROR(name, text) ASSAY_ERROR_INDEX_##name,
#include "traces/core/errors.def"
#undef ASSAY_ERROR
    ASSAY_ERROR_COUNT
};

enum assay_error_code {
    ASSAY_OK = 0,
#define ASSAY_ERROR(name, text) ASSAY_E_##name = -ASSAY_ERROR_INDEX_##name,
#include "traces/core/errors.def"
#undef ASSAY_ERROR
};

struct assay_error {
    int code;       /* ASSAY_E_* or 0 */
    char text[500]; /* one line, lower case, no full stop: what, where, what to do next */
};

/* Returns the fixed text of an ASSAY_E_* code ("unknown error" for others). */
const char *assay_error_name(int code);

/* Fills err (may be NULL) and returns code, so that `return assay_fail(err, ASSAY_E_FORMAT, "...")`
 * reads well. Formats with vsnprintf into the fixed buffer: no allocation for %s %d %u %x %zu and
 * their kin. */
int assay_fail(struct assay_error *err, int code, const char *format, ...)
    __attribute__((format(__printf__, 3, 4)));

/* As assay_fail with code ASSAY_E_SYSTEM (ASSAY_E_PERMISSION for EPERM/EACCES, ASSAY_E_NOT_FOUND
 * for ENOENT) and ": <strerror of errno>" added. */
int assay_fail_errno(struct assay_error *err, const char *format, ...)
    __attribute__((format(__printf__, 2, 3)));

/* As assay_fail_errno, of an mmap of so many bytes; names a limit on address space (ulimit -v). */
int assay_fail_mapping(struct assay_error *err, const char *what, size_t bytes);

/* What errno says, as messages here are written: "no such file or directory". */
struct assay_reason {
    char text[80];
};
struct assay_reason assay_reason(int error);

/* A bug of ours: one line with file and line to stderr by write(2), then _exit(70). */
_Noreturn void assay_bug(const char *file, int line, const char *what);
#define ASSAY_CHECK(condition) ((condition) ? (void)0 : assay_bug(__FILE__, __LINE__, #condition))

#endif
