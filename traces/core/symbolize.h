/* From a crashed process's registers, stack and list of mapped files to names: which functions were
 * on the stack, in which files, at which source lines, and the code around the crash.
 *
 * libdwfl over files on disk; the process itself is gone. Works without symbols (module and offset
 * remain) and without unwind tables (frame pointers, else one frame). Fetches nothing from
 * anywhere: separate debug information is taken from /usr/lib/debug by build-id. Host only; safe to
 * call from several threads. */
#ifndef ASSAY_CORE_SYMBOLIZE_H
#define ASSAY_CORE_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_frame {
    char module[64];   /* base name of the file, "" if the address is in none */
    char build_id[44]; /* hex, "" if it has none */
    uint64_t offset;   /* address in the file's own numbering */
    char symbol[96];   /* "" unless a function symbol covers the address */
    uint64_t symbol_offset, symbol_bytes;
    char source[256]; /* "" if not known; of the subject alone */
    unsigned line;
    bool subject;   /* the file is the subject */
    bool c_library; /* the file is the C library (and not the subject) */
};

struct assay_symbolize {
    const char *maps; /* lines of /proc/PID/maps */
    size_t maps_bytes;
    const uint64_t *registers;   /* DWARF's order, the pc last */
    unsigned register_count, sp; /* index of the stack pointer */
    const void *stack;           /* memory from the stack pointer upward */
    size_t stack_bytes;
    const char *subject; /* its path; "": the C library */
    const char *last;    /* base name of a module at which to stop, NULL: go on */
    bool names_only;     /* no source lines: debug information of large files takes its time */
};

/* Code of the first frame, from its function's start (or the pc) to a little behind the pc, and not
 * beyond the function's end. */
struct assay_code {
    unsigned char *bytes; /* malloc'ed, NULL if not to be had */
    size_t count;
    uint64_t offset; /* of bytes[0], in the file's own numbering */
    size_t at;       /* index of the pc's byte */
};

/* Returns the number of frames, 0 if there is nothing to tell. ret_code may be NULL; free its
 * bytes. */
unsigned assay_symbolize_stack(const struct assay_symbolize *in, struct assay_frame *ret_frames,
                               unsigned max, struct assay_code *ret_code);

/* The name as the programmer wrote it: without what compilers append (.isra.0, .cold, Rust's hash)
 * and which a rebuild may change. What is not printable becomes '?'. */
void assay_symbol_plain(const char *symbol, char *ret_name, size_t room);

#endif
