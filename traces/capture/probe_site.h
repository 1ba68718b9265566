/* Where to put a uprobe so that the kernel need not single-step: from a function's symbol forward
 * to the first instruction that the kernel emulates.
 *
 * A probe on an emulated instruction costs 0.4-0.6 us, on any other about 10 us (measured; see
 * struct assay_probe_site.cost_ns). The site lies on every path through the function, is reached
 * once per call, and there rdi, rsi, rdx and rsp still are what the caller passed: so the return
 * address is at (rsp) and a return probe may sit there too. Source of the instruction classes:
 * Linux arch/x86/kernel/uprobes.c (branch_setup_xol_ops, push_setup_xol_ops, can_optimize).
 * Reads ELF files only; never loads them. Host side. */
#ifndef ASSAY_CAPTURE_PROBE_SITE_H
#define ASSAY_CAPTURE_PROBE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/core/error.h"

enum assay_site_kind {
    ASSAY_SITE_NOP5,    /* the five-byte nop: newer kernels rewrite it to a call */
    ASSAY_SITE_NOP,     /* another nop that the kernel knows */
    ASSAY_SITE_PUSH,    /* push of a 64-bit register */
    ASSAY_SITE_BRANCH,  /* direct jmp, jcc or call */
    ASSAY_SITE_STEPPED, /* the symbol itself, on an instruction that the kernel single-steps */
};

struct assay_probe_site {
    uint64_t function; /* virtual address of the symbol, as in the file */
    uint64_t address;  /* virtual address of the site */
    uint64_t offset;   /* offset of the site in the file: what a uprobe wants */
    unsigned after;    /* bytes from symbol to site */
    unsigned cost_ns;  /* expected cost of an empty probe there */
    enum assay_site_kind kind;
};

struct assay_probe_file;

/* Opens an ELF file of this machine's architecture. Returns 0; ASSAY_E_NOT_FOUND,
 * ASSAY_E_PERMISSION, ASSAY_E_FORMAT, ASSAY_E_UNSUPPORTED. */
int assay_probe_file_open(const char *path, struct assay_probe_file **ret_file,
                          struct assay_error *err);
void assay_probe_file_close(struct assay_probe_file *file);

/* The interpreter's path; NULL for a static executable and for a library. */
const char *assay_probe_file_interpreter(const struct assay_probe_file *file);
/* The i-th DT_NEEDED name; NULL beyond the last. */
const char *assay_probe_file_needed(const struct assay_probe_file *file, size_t i);
/* DT_RUNPATH, else DT_RPATH; NULL when there is none. */
const char *assay_probe_file_runpath(const struct assay_probe_file *file);
/* The build-id in hex, "" when there is none. */
const char *assay_probe_file_build_id(const struct assay_probe_file *file);
/* True if the file defines a function of that name (.dynsym, then .symtab; the default version). */
bool assay_probe_file_defines(const struct assay_probe_file *file, const char *symbol);

/* The best site of a function. Falls back to the symbol itself with kind STEPPED.
 * Returns 0; ASSAY_E_NOT_FOUND (no such function), ASSAY_E_UNSUPPORTED (resolved at run time),
 * ASSAY_E_FORMAT. */
int assay_probe_site_find(const struct assay_probe_file *file, const char *symbol,
                          struct assay_probe_site *ret_site, struct assay_error *err);

/* The same on bare code: `n` bytes (at most the function) that run at `address`. Fills address,
 * after, cost_ns and kind (function = address, offset = after). Never fails: worst is STEPPED. */
void assay_probe_site_in_code(const uint8_t *code, size_t n, uint64_t address,
                              struct assay_probe_site *ret_site);

/* "nop5", "nop", "push", "branch", "stepped". */
const char *assay_site_kind_name(enum assay_site_kind kind);

#endif
