#include "traces/runner/crash_capture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static __thread uint32_t thread_beside;

void assay_crash_beside(uint32_t thread)
{
    thread_beside = thread;
}

/* ---- registers ---- */

/* True of an access. What was sent by kill, or by the kernel for want of room for a signal's frame,
 * bears no address, whatever an earlier fault left in the registers. */
static bool is_of_access(const struct assay_crash_capture *capture)
{
    return (capture->signal == SIGSEGV || capture->signal == SIGBUS) && capture->code > 0 &&
           capture->code != SI_KERNEL;
}

static void take_registers(struct assay_crash_capture *capture, const ucontext_t *machine)
{
#if defined(__x86_64__)
    enum { FAULT_PAGE = 14, ERROR_WRITE = 1 << 1, ERROR_FETCH = 1 << 4 };
    static const int order[ASSAY_REGISTERS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                               REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                               REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    const greg_t *registers = machine->uc_mcontext.gregs;
    for (int i = 0; i < ASSAY_REGISTERS; i++)
        capture->registers[i] = (uint64_t)registers[order[i]];
    if (!is_of_access(capture))
        return;
    /* a general protection fault bears no address, whatever si_addr says */
    capture->fault_known = registers[REG_TRAPNO] == FAULT_PAGE || capture->signal == SIGBUS;
    if (registers[REG_TRAPNO] == FAULT_PAGE)
        capture->access = registers[REG_ERR] & ERROR_FETCH   ? ASSAY_ACCESS_EXECUTE
                          : registers[REG_ERR] & ERROR_WRITE ? ASSAY_ACCESS_WRITE
                                                             : ASSAY_ACCESS_READ;
#elif defined(__aarch64__)
    for (int i = 0; i < 31; i++)
        capture->registers[i] = machine->uc_mcontext.regs[i];
    capture->registers[ASSAY_REGISTER_SP] = machine->uc_mcontext.sp;
    capture->registers[ASSAY_REGISTER_PC] = machine->uc_mcontext.pc;
    capture->fault_known = is_of_access(capture);
#else
    (void)machine;
#endif
}

/* ---- mappings ---- */

struct line {
    char text[512];
    size_t length;
    bool cut;
};

static uint64_t hex(const char **at)
{
    uint64_t value = 0;
    for (;; ++*at) {
        char c = **at;
        if (c >= '0' && c <= '9')
            value = value * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uint64_t)(c - 'a' + 10);
        else
            return value;
    }
}

/* "from-to rights offset device inode   name" */
static void take_line(struct assay_crash_capture *capture, const struct line *line)
{
    const char *at = line->text;
    uint64_t from = hex(&at);
    if (*at++ != '-')
        return;
    uint64_t to = hex(&at);
    if (*at++ != ' ' || line->length < (size_t)(at - line->text) + 4)
        return;
    if (capture->fault_known && capture->fault >= from && capture->fault < to) {
        capture->mapped = 1;
        memcpy(capture->rights, at, 4);
    }
    uint64_t sp = capture->registers[ASSAY_REGISTER_SP];
    if (sp >= from && sp < to && at[0] == 'r')
        capture->stack_end = to;
    if (line->cut || !strchr(at, '/') ||
        line->length + 1 > sizeof capture->maps - 1 - capture->maps_bytes)
        return;
    memcpy(capture->maps + capture->maps_bytes, line->text, line->length);
    capture->maps_bytes += (uint32_t)line->length;
    capture->maps[capture->maps_bytes++] = '\n';
}

static void take_maps(struct assay_crash_capture *capture)
{
    char buffer[1024];
    struct line line = {.length = 0};
    ssize_t n;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] == '\n') {
                line.text[line.length] = '\0';
                take_line(capture, &line);
                capture->mappings++;
                line.length = 0;
                line.cut = false;
            } else if (line.length < sizeof line.text - 1) {
                line.text[line.length++] = buffer[i];
            } else {
                line.cut = true;
            }
        }
    if (fd >= 0)
        close(fd);
}

/* The stack is copied as bytes, the gaps between its objects too: no memcpy, which address
 * sanitizers watch. */
__attribute__((no_sanitize_address)) static void take_stack(struct assay_crash_capture *capture)
{
    uint64_t sp = capture->registers[ASSAY_REGISTER_SP];
    if (capture->stack_end <= sp)
        return;
    uint64_t bytes = capture->stack_end - sp;
    if (bytes > sizeof capture->stack)
        bytes = sizeof capture->stack;
    const volatile uint8_t *stack = (const volatile uint8_t *)(uintptr_t)sp;
    for (uint64_t i = 0; i < bytes; i++)
        capture->stack[i] = stack[i];
    capture->stack_bytes = (uint32_t)bytes;
}

void assay_crash_capture(struct assay_crash_capture *capture, const void *info, const void *context)
{
    const siginfo_t *signal = info;
    capture->signal = signal->si_signo;
    capture->code = signal->si_code;
    capture->beside = thread_beside;
    take_registers(capture, context);
    if (capture->fault_known)
        capture->fault = (uint64_t)(uintptr_t)signal->si_addr;
    take_maps(capture);
    take_stack(capture);
    atomic_store(&capture->whole, 1);
}
