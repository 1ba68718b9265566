/* Capture: run a command and write every allocation call of its process tree to a trace file.
 *
 * Two sources, one result. The preload recorder needs no privileges and sees dynamically linked
 * programs; eBPF needs root or CAP_BPF and sees a program that cannot be preloaded. Both feed
 * assemble.h, so that their traces are the same where the calls are the same. Host side. A function
 * here writes the output under a temporary name and renames it when the file is whole; on failure
 * nothing stands under the final name. */
#ifndef ASSAY_CAPTURE_H
#define ASSAY_CAPTURE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "traces/core/error.h"
#include "traces/trace.h"

/* What a progress callback is told, about twice a second and once at the end. */
struct assay_capture_progress {
    uint64_t events;  /* assembled so far */
    uint64_t dropped; /* lost so far */
    uint64_t bytes;   /* written to the output so far, 0 if not known yet */
    uint64_t wall_ns; /* since the command started */
    bool ended;       /* the command has ended; what is left is being written */
};

struct assay_capture_config {
    char *const *argv;     /* the command, NULL-terminated; argv[0] is looked up in PATH */
    const char *output;    /* final path */
    const char *recorder;  /* path of libassay_recorder.so; NULL: found beside the executable */
    const char *directory; /* for spill files; NULL: /dev/shm or $TMPDIR */
    bool scrub;            /* leave command line, host and module paths out */
    bool no_addresses, no_callers;
    uint64_t max_time_ns; /* 0: none; then the command is ended with SIGTERM, SIGKILL 2 s later */
    /* Set from a signal handler to end the command early; the file is still whole. May be NULL. */
    const volatile sig_atomic_t *stop;
    void (*progress)(void *self, const struct assay_capture_progress *progress);
    void *progress_self;
};

struct assay_capture_result {
    struct assay_trace_totals totals;
    uint64_t bytes;      /* size of the file */
    uint64_t wall_ns;    /* the command's run time under capture */
    int status;          /* of the command, as waitpid gives it */
    const char *method;  /* "preload" or "ebpf" */
    const char *clock;   /* "tsc", "monotonic", "counter" */
    bool timed_out;      /* max_time_ns ended the command */
    bool interrupted;    /* stop ended the command */
    bool started;        /* the command ran: another method must not run it again */
    unsigned unfollowed; /* processes that were seen but could not be recorded */
    char notes[1000];    /* what a user should know, one line each, "" if nothing */
};

/* Both return 0 and fill result, or ASSAY_E_NOT_FOUND, _PERMISSION (the command, the output),
 * _UNSUPPORTED (this method cannot serve this command here; the text says why), _SYSTEM, _MEMORY.
 * With a failure before the command ran, result->started is false. */
int assay_capture_preload(const struct assay_capture_config *config,
                          struct assay_capture_result *result, struct assay_error *err);
int assay_capture_ebpf(const struct assay_capture_config *config,
                       struct assay_capture_result *result, struct assay_error *err);

/* As assay_capture_preload, with stamps from a shared counter even where a TSC is good (tests). */
int assay_capture_preload_by_counter(const struct assay_capture_config *config,
                                     struct assay_capture_result *result, struct assay_error *err);

/* 0, or ASSAY_E_UNSUPPORTED / ASSAY_E_PERMISSION with the reason; runs nothing. */
int assay_capture_ebpf_available(struct assay_error *why_not);

/* Parts both methods share. */

/* Finds `name` as execvp would. Returns 0 and the path in buffer, ASSAY_E_NOT_FOUND,
 * ASSAY_E_PERMISSION. */
int assay_capture_find(const char *name, char *buffer, size_t bytes, struct assay_error *err);

/* Fills meta from the machine and config: command (quoted), host, kernel, start time. Strings live
 * in *meta_strings and are valid as long as it is. */
struct assay_capture_strings {
    char command[4096], host[256], kernel[256], allocator[4096], build_id[80];
};
void assay_capture_describe(const struct assay_capture_config *config, const char *method,
                            const char *clock, struct assay_capture_strings *strings,
                            struct assay_trace_meta *ret_meta);

/* The GNU build-id of an ELF file in hex; empty when it has none. */
void assay_capture_build_id(const char *path, char *buffer, size_t bytes);

#endif
