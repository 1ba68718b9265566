/* The host's half of the eBPF capture, in parts: which library to probe, load and attach, follow a
 * process, take records. assay_capture_ebpf() in ebpf.c puts them together.
 *
 * Nothing outlives the handle: programs, maps and links are file descriptors, so the kernel removes
 * every probe when the process ends, however it ends. No limit of the process is changed. */
#ifndef ASSAY_CAPTURE_EBPF_H
#define ASSAY_CAPTURE_EBPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "traces/capture/capture.h"
#include "traces/capture/ebpf_record.h"
#include "traces/capture/probe_site.h"
#include "traces/core/error.h"

/* How probes are attached: the best that the kernel has. */
enum assay_ebpf_mode {
    ASSAY_EBPF_MODE_AUTO,
    ASSAY_EBPF_MODE_SESSION, /* one multi link, entry and return in one probe (Linux 6.13) */
    ASSAY_EBPF_MODE_MULTI,   /* a multi link for entries and one for returns (6.6) */
    ASSAY_EBPF_MODE_PERF,    /* a perf event per probe (5.15); slow to detach */
};

/* For tests and for what a user may tune; zero is the default. */
struct assay_ebpf_tuning {
    enum assay_ebpf_mode mode;
    size_t ring_bytes;        /* a power of two of at least a page; 0 = 64 MiB */
    unsigned sluggish_us;     /* sleep before each look at the ring: to provoke loss */
    const char *libraries[4]; /* probe these instead of what the command is found to load */
};

/* One probed function. */
struct assay_ebpf_function {
    const char *name;
    uint8_t kind;   /* enum assay_op */
    uint8_t family; /* enum assay_family */
    uint8_t shape;  /* enum assay_ebpf_shape */
    bool frequent;  /* worth a warning when its site is a slow one */
};
/* The table; *ret_n rows. An index into it is struct assay_ebpf_record.function. */
const struct assay_ebpf_function *assay_ebpf_functions(size_t *ret_n);

/* The libraries whose functions serve the command's allocations: first the allocator that its
 * dynamic loader will bind malloc to (LD_PRELOAD and DT_NEEDED in the loader's own order, as the
 * loader itself lists them), then the C library if it is another file (a child may use it). A
 * script stands for its interpreter, a static executable that defines malloc for itself.
 * `path` is the executable. Returns the number of paths filled (1 or 2), ASSAY_E_UNSUPPORTED with
 * the reason, ASSAY_E_NOT_FOUND, ASSAY_E_FORMAT, ASSAY_E_SYSTEM. */
struct assay_ebpf_library {
    char path[4096];
};
int assay_ebpf_libraries(const char *path, struct assay_ebpf_library *libraries, size_t n,
                         struct assay_error *err);

/* True if the file defines malloc and free. */
bool assay_ebpf_serves(const char *path, bool *ret_is_libc);

/* Appends a line to notes, as far as there is room. */
void assay_ebpf_note(char *notes, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct assay_ebpf;

/* Loads the programs and attaches them to the libraries. ret_notes (may be NULL) gets one line per
 * thing that a user should know (slow sites). Returns 0, ASSAY_E_PERMISSION, ASSAY_E_UNSUPPORTED,
 * ASSAY_E_SYSTEM. */
int assay_ebpf_start(const struct assay_ebpf_tuning *tuning,
                     const struct assay_ebpf_library *libraries, size_t n, char *ret_notes,
                     size_t notes_bytes, struct assay_ebpf **ret_ebpf, struct assay_error *err);
/* Follows a process from now on, with all that it starts. Only for one that has a single thread. */
int assay_ebpf_follow(struct assay_ebpf *ebpf, pid_t pid, struct assay_error *err);
/* Hands over the records that are pending, oldest first, until none is left or take returns
 * non-zero (that record counts as taken). Returns what take returned, or 0. */
int assay_ebpf_consume(struct assay_ebpf *ebpf,
                       int (*take)(void *self, const struct assay_ebpf_record *record), void *self);
/* A descriptor that becomes readable when much is pending. */
int assay_ebpf_wake_fd(const struct assay_ebpf *ebpf);
void assay_ebpf_counters(const struct assay_ebpf *ebpf, struct assay_ebpf_counters *ret_counters);
enum assay_ebpf_mode assay_ebpf_mode_used(const struct assay_ebpf *ebpf);
const char *assay_ebpf_mode_name(enum assay_ebpf_mode mode);
void assay_ebpf_stop(struct assay_ebpf *ebpf);

/* As assay_capture_ebpf. */
int assay_capture_ebpf_tuned(const struct assay_capture_config *config,
                             const struct assay_ebpf_tuning *tuning,
                             struct assay_capture_result *result, struct assay_error *err);

/* For `assay doctor`: whether the programs load here, and whether the C library's functions have
 * cheap sites. One line of text each, in both cases. */
bool assay_ebpf_check_programs(char *text, size_t bytes);
bool assay_ebpf_check_sites(char *text, size_t bytes);

#endif
