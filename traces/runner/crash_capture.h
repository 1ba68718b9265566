/* What the host needs to say where a crash was: registers, the mapped files, the stack.
 *
 * Taken in the signal handler (async-signal-safe: open, read and copies), into shared memory, and
 * read by the host once the process is gone. The host trusts none of it: strings are bounded, paths
 * are opened as regular files only. */
#ifndef ASSAY_CRASH_CAPTURE_H
#define ASSAY_CRASH_CAPTURE_H

#include <stdatomic.h>
#include <stdint.h>

#if defined(__aarch64__)
enum { ASSAY_REGISTERS = 33, ASSAY_REGISTER_SP = 31, ASSAY_REGISTER_PC = 32 };
#else
enum { ASSAY_REGISTERS = 17, ASSAY_REGISTER_SP = 7, ASSAY_REGISTER_PC = 16 };
#endif

enum {
    ASSAY_CAPTURE_STACK_BYTES = 24 * 1024,
    ASSAY_CAPTURE_MAPS_BYTES = 32 * 1024,
};

enum assay_capture_access {
    ASSAY_ACCESS_UNKNOWN,
    ASSAY_ACCESS_READ,
    ASSAY_ACCESS_WRITE,
    ASSAY_ACCESS_EXECUTE
};

struct assay_crash_capture {
    _Atomic uint32_t whole; /* written last; 0: what stands here is not all of it */
    int32_t signal, code;   /* si_signo, si_code */
    uint32_t beside;        /* the thread, where its calls were not the op in hand; 0: they were */
    uint64_t fault;         /* si_addr where the signal has one */
    uint8_t fault_known;
    uint8_t access;                      /* enum assay_capture_access: as the processor said */
    uint8_t mapped;                      /* fault lies in a mapping, of these rights */
    char rights[5];                      /* "rw-p" */
    uint64_t registers[ASSAY_REGISTERS]; /* in DWARF's order, the pc last */
    uint64_t stack_end;                  /* of the mapping that holds the stack pointer, 0 = none */
    uint32_t stack_bytes;                /* copied, from the stack pointer upward */
    uint32_t maps_bytes;
    uint32_t mappings; /* of the process */
    unsigned char stack[ASSAY_CAPTURE_STACK_BYTES];
    char maps[ASSAY_CAPTURE_MAPS_BYTES]; /* lines of /proc/self/maps that name a file */
};

/* From the handler's arguments (siginfo_t, ucontext_t). */
void assay_crash_capture(struct assay_crash_capture *capture, const void *info,
                         const void *context);
/* The calling thread, of index `thread`, makes calls beside the op in hand; 0: no more. */
void assay_crash_beside(uint32_t thread);

#endif
