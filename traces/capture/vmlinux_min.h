/* The few kernel types that capture.bpf.c reads, relocated to the running kernel when loaded
 * (CO-RE): nothing here depends on the machine that builds, and none of its layout is used. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <stdbool.h>
#include <linux/bpf.h>

/* A probe's context: its layout is fixed, and the verifier wants it read without relocation. */
struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
        flags, sp, ss;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

struct mm_struct;
struct linux_binprm;

struct signal_struct {
    atomic_t live;
};

struct upid {
    int nr;
};

struct pid {
    unsigned int level;
    struct upid numbers[1];
};

struct task_struct {
    int pid;
    int tgid;
    int exit_code;
    struct pid *thread_pid;
    struct mm_struct *mm;
    struct signal_struct *signal;
};

#pragma clang attribute pop

#endif
