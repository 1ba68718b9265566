/* MEASURE, LIMIT and REFUSE in plain C. Mapping calls are failed by the process itself: a filter
 * traps all but those of its own system call stub, and the handler makes them there or not. */
#include <inttypes.h>

#include "oracles/compare/reproducer_writer.h"

static void write_limit(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "/* The address space may grow by so much from here on; 0: as it was. */\n"
           "static __attribute__((noinline)) void op_limit(size_t bytes)\n"
           "{\n"
           "    static char text[128];\n"
           "    struct rlimit now, own = {262144, 0};\n"
           "    getrlimit(RLIMIT_STACK, &own);\n"
           "    size_t room = own.rlim_cur < 524288 ? own.rlim_cur / 2 : 262144;\n"
           "    /* what callers need of the stack is mapped before */\n"
           "    volatile char *stack = __builtin_alloca(room);\n"
           "    for (size_t i = 0; i < room; i += 4096)\n"
           "        stack[i] = 1;\n"
           "    int fd = open(\"/proc/self/statm\", O_RDONLY);\n"
           "    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || getrlimit(RLIMIT_AS, &now) "
           "!= 0)\n"
           "        _exit(2);\n"
           "    close(fd);\n"
           "    now.rlim_cur = (strtoul(text, NULL, 10) * 4096 + bytes) & ~(rlim_t)4095;\n"
           "    if (bytes == 0 || now.rlim_cur > now.rlim_max)\n"
           "        now.rlim_cur = now.rlim_max;\n"
           "    if (setrlimit(RLIMIT_AS, &now) != 0)\n"
           "        _exit(2);\n"
           "}\n");
}

static void write_stub(const struct reproducer_writer *w)
{
    reproducer_line(
        w, "/* own_call(number, a, b, c, d, e, f): behind its system call stands own_call_end */\n"
           "long own_call(long, long, long, long, long, long, long);\n"
           "extern const char own_call_end[];\n"
           "#if defined(__x86_64__)\n"
           "#define OWN_ARCH AUDIT_ARCH_X86_64\n"
           "#define REGISTER(context, i) \\\n"
           "    ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, "
           "REG_R8, REG_R9, REG_RAX}[i]])\n"
           "enum { RESULT = 6 };\n"
           "__asm__(\".text\\n.globl own_call\\nown_call:\\n\"\n"
           "        \"mov %rdi, %rax\\nmov %rsi, %rdi\\nmov %rdx, %rsi\\nmov %rcx, %rdx\\n\"\n"
           "        \"mov %r8, %r10\\nmov %r9, %r8\\nmov 8(%rsp), %r9\\nsyscall\\n\"\n"
           "        \".globl own_call_end\\nown_call_end:\\nret\\n\");\n"
           "#elif defined(__aarch64__)\n"
           "#define OWN_ARCH AUDIT_ARCH_AARCH64\n"
           "#define REGISTER(context, i) ((context)->uc_mcontext.regs[i])\n"
           "enum { RESULT = 0 };\n"
           "__asm__(\".text\\n.globl own_call\\nown_call:\\n\"\n"
           "        \"mov x8, x0\\nmov x0, x1\\nmov x1, x2\\nmov x2, x3\\nmov x3, x4\\n\"\n"
           "        \"mov x4, x5\\nmov x5, x6\\nsvc #0\\n\"\n"
           "        \".globl own_call_end\\nown_call_end:\\nret\\n\");\n"
           "#else\n"
           "#error \"which machine is this?\"\n"
           "#endif\n");
}

static void write_refuse(const struct reproducer_writer *w)
{
    write_stub(w);
    reproducer_line(
        w,
        "static const long mapping_calls[] = {SYS_mmap, SYS_mremap, SYS_munmap, SYS_mprotect, "
        "SYS_madvise, SYS_brk};\n"
        "static struct {\n"
        "    unsigned kinds; /* a bit per mapping call */\n"
        "    unsigned long first, many, counted;\n"
        "} refusing;\n\n"
        "static int fails(long number, long argument)\n"
        "{\n"
        "    for (unsigned i = 0; i < 6; i++)\n"
        "        if (mapping_calls[i] == number && refusing.kinds >> i & 1 && (i != 5 || "
        "argument))\n"
        "            return ++refusing.counted >= refusing.first &&\n"
        "                   (!refusing.many || refusing.counted - refusing.first < "
        "refusing.many);\n"
        "    return 0;\n"
        "}\n\n"
        "static void on_call(int signal, siginfo_t *info, void *context_)\n"
        "{\n"
        "    ucontext_t *context = context_;\n"
        "    long a[6], answer, number = info->si_syscall;\n"
        "    int saved = errno;\n"
        "    (void)signal;\n"
        "    for (int i = 0; i < 6; i++)\n"
        "        a[i] = (long)REGISTER(context, i);\n"
        "    if (!fails(number, a[0]))\n"
        "        answer = own_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);\n"
        "    else /* brk tells no error: the break stays where it is */\n"
        "        answer = number == SYS_brk ? own_call(number, 0, 0, 0, 0, 0, 0) : -ENOMEM;\n"
        "    REGISTER(context, RESULT) = answer;\n"
        "    errno = saved;\n"
        "}\n\n"
        "#define LOAD(what) {BPF_LD | BPF_W | BPF_ABS, 0, 0, (unsigned)offsetof(struct "
        "seccomp_data, what)}\n"
        "#define EQUAL(value, yes, no) {BPF_JMP | BPF_JEQ | BPF_K, yes, no, (unsigned)(value)}\n"
        "#define END(what) {BPF_RET | BPF_K, 0, 0, what}\n\n"
        "static void watch_calls(void)\n"
        "{\n"
        "    static int watching;\n"
        "    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | "
        "SA_NODEFER};\n"
        "    uint64_t end = (uint64_t)(uintptr_t)own_call_end;\n"
        "    struct sock_filter filter[] = {\n"
        "        LOAD(arch), EQUAL(OWN_ARCH, 1, 0), END(SECCOMP_RET_ALLOW), LOAD(nr),\n"
        "        EQUAL(SYS_mmap, 6, 0), EQUAL(SYS_mremap, 5, 0), EQUAL(SYS_munmap, 4, 0),\n"
        "        EQUAL(SYS_mprotect, 3, 0), EQUAL(SYS_madvise, 2, 0), EQUAL(SYS_brk, 1, 0),\n"
        "        END(SECCOMP_RET_ALLOW),\n"
        "        LOAD(instruction_pointer), EQUAL(end & 0xffffffff, 0, 3),\n"
        "        {BPF_LD | BPF_W | BPF_ABS, 0, 0, (unsigned)offsetof(struct seccomp_data, "
        "instruction_pointer) + 4},\n"
        "        EQUAL(end >> 32, 0, 1), END(SECCOMP_RET_ALLOW), END(SECCOMP_RET_TRAP)};\n"
        "    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};\n"
        "    if (watching++)\n"
        "        return;\n"
        "    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) "
        "!= 0 ||\n"
        "        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)\n"
        "        _exit(2);\n"
        "}\n\n"
        "/* From here on calls of these kinds fail: from number first on, so many (0: all). */\n"
        "static void op_refuse(unsigned kinds, unsigned long first, unsigned long many)\n"
        "{\n"
        "    watch_calls();\n"
        "    refusing.kinds = kinds;\n"
        "    refusing.first = first;\n"
        "    refusing.many = many;\n"
        "    refusing.counted = 0;\n"
        "}\n");
}

/* What is measured, and less of it than is growth. */
static const struct {
    const char *text, *grows;
} meters[ASSAY_MEASURES] = {
    [ASSAY_MEASURE_RESIDENT] = {"/* memory that no file gave */\n"
                                "static unsigned long long measure(void)\n"
                                "{\n"
                                "    static char text[8192];\n"
                                "    int fd = open(\"/proc/self/smaps_rollup\", O_RDONLY);\n"
                                "    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);\n"
                                "    if (n <= 0)\n"
                                "        _exit(2);\n"
                                "    text[n] = '\\0';\n"
                                "    close(fd);\n"
                                "    const char *at = strstr(text, \"\\nAnonymous:\");\n"
                                "    return at ? strtoull(at + 11, NULL, 10) * 1024 : 0;\n"
                                "}\n\n"
                                "enum { SLACK = 65536, MUCH = 512 << 20 };\n",
                                "memory grows"},
    [ASSAY_MEASURE_MAPPINGS] = {"static unsigned long long measure(void)\n"
                                "{\n"
                                "    static char text[4096];\n"
                                "    unsigned long long lines = 0;\n"
                                "    int fd = open(\"/proc/self/maps\", O_RDONLY);\n"
                                "    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)\n"
                                "        for (ssize_t i = 0; i < n; i++)\n"
                                "            lines += text[i] == '\\n';\n"
                                "    close(fd);\n"
                                "    return lines;\n"
                                "}\n\n"
                                "enum { SLACK = 16, MUCH = 8192 };\n",
                                "mappings grow"},
    [ASSAY_MEASURE_SPACE] = {"/* of the address space */\n"
                             "static unsigned long long measure(void)\n"
                             "{\n"
                             "    static char text[256];\n"
                             "    int fd = open(\"/proc/self/statm\", O_RDONLY);\n"
                             "    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);\n"
                             "    if (n <= 0)\n"
                             "        _exit(2);\n"
                             "    close(fd);\n"
                             "    return strtoull(text, NULL, 10) * 4096;\n"
                             "}\n\n"
                             "enum { SLACK = 16 << 20 };\n"
                             "static const unsigned long long MUCH = 4ULL << 30;\n",
                             "the address space grows"},
};

void reproducer_growth(const struct reproducer_writer *w, const char *name, size_t passes)
{
    uint64_t what =
        w->r->violation->offset < ASSAY_MEASURES ? w->r->violation->offset : ASSAY_MEASURE_MAPPINGS;
    reproducer_line(w, meters[what].text);
    fprintf(
        w->out,
        "/* Nothing lives now. Growth that goes on at the pace of the passes: over the last three "
        "doublings. */\n"
        "static void %s(unsigned long passes)\n"
        "{\n"
        "    static unsigned long long after[64];\n"
        "    int k = 63 - __builtin_clzl(passes);\n"
        "    after[k] = measure();\n"
        "    if (passes < 8 || (passes < %zu && after[k] - after[k - 3] < MUCH))\n"
        "        return;\n"
        "    long long last = (long long)(after[k] - after[k - 1]);\n"
        "    long long before = (long long)(after[k - 1] - after[k - 2]);\n"
        "    long long first = (long long)(after[k - 2] - after[k - 3]);\n"
        "    if (first > 0 && 2 * before >= 3 * first && 2 * last >= 3 * before && last >= "
        "SLACK)\n"
        "        show(\"%s from pass to pass\", 0, after[k]);\n"
        "}\n\n",
        name, passes, meters[what].grows);
}

static void write_measure(const struct reproducer_writer *w)
{
    if (!w->passes) {
        reproducer_line(w, "static void op_measure(unsigned what, unsigned long passes)\n"
                           "{\n"
                           "    (void)what, (void)passes;\n"
                           "}\n");
        return;
    }
    reproducer_growth(w, "op_measure", w->passes);
}

static void write_turnover(const struct reproducer_writer *w)
{
    reproducer_line(w, "/* So many objects come and go, 64 at a time. */\n"
                       "static void op_turnover(unsigned long count, size_t bytes)\n"
                       "{\n"
                       "    enum { BATCH = 64 };\n"
                       "    unsigned char *at[BATCH];\n"
                       "    for (size_t n = BATCH; count && n; count -= n) {\n"
                       "        size_t wanted = count < BATCH ? count : BATCH;\n"
                       "        for (n = 0; n < wanted && (at[n] = call_malloc(bytes)); n++)\n"
                       "            for (size_t page = 0; page < bytes; page += 4096)\n"
                       "                *(volatile unsigned char *)(at[n] + page) = 1;\n"
                       "        for (size_t i = 0; i < n; i++)\n"
                       "            call_free(at[i % 2 ? n - 1 - i / 2 : i / 2]);\n"
                       "    }\n"
                       "}\n");
}

void reproducer_system_includes(const struct reproducer_writer *w)
{
    if (!w->used[ASSAY_OP_MEASURE] && !w->used[ASSAY_OP_LIMIT] && !w->used[ASSAY_OP_REFUSE])
        return;
    reproducer_line(w, "#include <fcntl.h>\n"
                       "#include <sys/resource.h>");
    if (w->used[ASSAY_OP_REFUSE])
        reproducer_line(w, "#include <linux/audit.h>\n"
                           "#include <linux/filter.h>\n"
                           "#include <linux/seccomp.h>\n"
                           "#include <sys/prctl.h>\n"
                           "#include <sys/syscall.h>\n"
                           "#include <ucontext.h>");
}

void reproducer_system(const struct reproducer_writer *w)
{
    if (w->used[ASSAY_OP_LIMIT])
        write_limit(w);
    if (w->used[ASSAY_OP_REFUSE])
        write_refuse(w);
    if (w->used[ASSAY_OP_MEASURE])
        write_measure(w);
    if (w->used[ASSAY_OP_TURNOVER])
        write_turnover(w);
}

bool reproducer_system_call(const struct reproducer_writer *w, const struct assay_event *op)
{
    switch (op->kind) {
    case ASSAY_OP_LIMIT: fprintf(w->out, "    op_limit(%" PRIu64 "u);\n", op->size); return true;
    case ASSAY_OP_REFUSE:
        fprintf(w->out, "    op_refuse(%#x, %" PRIu64 ", %" PRIu64 ");\n",
                (unsigned)(op->arg & 0xff), op->size ? op->size : 1, op->arg >> 8);
        return true;
    case ASSAY_OP_TURNOVER:
        fprintf(w->out, "    op_turnover(%" PRIu64 ", %" PRIu64 ");\n", op->arg, op->size);
        return true;
    case ASSAY_OP_MEASURE:
        fprintf(w->out, "    op_measure(%u, %" PRIu64 ");\n", (unsigned)op->arg, op->size);
        return true;
    default: return false;
    }
}
