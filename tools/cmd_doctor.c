/* assay doctor: what this machine offers, what each thing is for, and what to do where it is
 * missing. Every check tries the thing itself, in a child where trying could hurt. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/options.h"
#include "traces/capture/ebpf.h"
#include "traces/parts.h"
#include "traces/core/printable.h"
#include "traces/runner/session.h"
#include "traces/runner/supervise.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum status { STATUS_OK, STATUS_LIMITED, STATUS_MISSING };
static const char *const status_names[] = {"ok", "limited", "missing"};

struct outcome {
    enum status status;
    char found[200]; /* what was seen */
};

struct check {
    const char *name;
    const char *serves; /* what it is for */
    const char *means;  /* what is lost without it */
    const char *next;   /* what to do on a machine */
    const char *in_ci;  /* what lets it through in a container, NULL: containers do not refuse it */
    bool essential;
    void (*look)(struct outcome *outcome);
};

static void found(struct outcome *outcome, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void found(struct outcome *outcome, enum status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    outcome->status = status;
    vsnprintf(outcome->found, sizeof outcome->found, format, args);
    va_end(args);
}

static const char *reason(int error)
{
    static struct assay_reason kept;
    kept = assay_reason(error);
    return kept.text;
}

/* First line of a file, without newline. False when it cannot be read. */
static bool first_line(const char *path, char *buffer, size_t bytes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = fgets(buffer, (int)bytes, file) != NULL;
    fclose(file);
    if (got)
        buffer[strcspn(buffer, "\n")] = '\0';
    return got;
}

static long number_in(const char *path, long otherwise)
{
    char line[64];
    return first_line(path, line, sizeof line) ? strtol(line, NULL, 10) : otherwise;
}

/* A word of /proc/self/status, as a number of the given base. */
static uint64_t own_status(const char *key, int base)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t value = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            value = strtoull(line + strlen(key) + 1, NULL, base);
    if (file)
        fclose(file);
    return value;
}

/* Runs try() in a child; returns the errno that it exits with (0 = it works). */
static int try_in_child(int (*try)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0)
        _exit(try());
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}

static void look_kernel(struct outcome *outcome)
{
    struct utsname name;
    uname(&name);
    char *rest = name.release;
    unsigned long major = strtoul(rest, &rest, 10);
    unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    bool new_enough = major > 5 || (major == 5 && minor >= 10);
    found(outcome, new_enough ? STATUS_OK : STATUS_LIMITED, "%s %s %s", name.sysname, name.release,
          name.machine);
}

static void look_machine(struct outcome *outcome)
{
    cpu_set_t set;
    long cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct assay_human human;
    char cgroup[64];
    if (first_line("/sys/fs/cgroup/memory.max", cgroup, sizeof cgroup) && cgroup[0] != 'm') {
        uint64_t limit = strtoull(cgroup, NULL, 10);
        if (limit < bytes)
            bytes = limit;
    }
    found(outcome, bytes >= UINT64_C(1) << 30 ? STATUS_OK : STATUS_LIMITED, "%ld CPU, %s", cpus,
          assay_human_bytes(&human, bytes));
}

static void look_clock(struct outcome *outcome)
{
    char line[64] = "unknown";
    first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", line,
               sizeof line);
    found(outcome, strcmp(line, "tsc") == 0 ? STATUS_OK : STATUS_LIMITED, "%s", line);
}

static void look_address_space(struct outcome *outcome)
{
    struct assay_human human;
    struct rlimit limit;
    size_t bytes = (size_t)1 << 40;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *p = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    int error = errno;
    if (p != MAP_FAILED) {
        munmap(p, bytes);
        found(outcome, STATUS_OK, "1 TiB reserved, overcommit_memory=%ld, max_map_count=%ld",
              number_in("/proc/sys/vm/overcommit_memory", -1),
              number_in("/proc/sys/vm/max_map_count", -1));
    } else if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        found(outcome, STATUS_MISSING, "RLIMIT_AS is %s",
              assay_human_bytes(&human, limit.rlim_cur));
    } else {
        found(outcome, STATUS_MISSING, "%s, overcommit_memory=%ld", reason(error),
              number_in("/proc/sys/vm/overcommit_memory", -1));
    }
}

static void look_guard(struct outcome *outcome)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        found(outcome, STATUS_MISSING, "%s", reason(errno));
        return;
    }
    if (madvise(p, page, MADV_GUARD_INSTALL) == 0)
        found(outcome, STATUS_OK, "works");
    else
        found(outcome, STATUS_LIMITED, "%s", reason(errno));
    munmap(p, page);
}

static int try_personality(void)
{
    return personality(ADDR_NO_RANDOMIZE) < 0 ? errno : 0;
}

static void look_personality(struct outcome *outcome)
{
    int error = try_in_child(try_personality);
    if (error == 0)
        found(outcome, STATUS_OK, "address-space randomisation can be switched off");
    else
        found(outcome, STATUS_LIMITED, "%s", reason(error));
}

static void look_seccomp(struct outcome *outcome)
{
    int error = assay_supervisor_check();
    if (error == 0)
        found(outcome, STATUS_OK, "system calls of a child can be answered");
    else
        found(outcome, STATUS_LIMITED, "user notification: %s", reason(error));
}

static void look_shared_memory(struct outcome *outcome)
{
    struct assay_human human;
    struct statvfs fs;
    int fd = memfd_create("assay-doctor", MFD_CLOEXEC);
    if (fd < 0) {
        found(outcome, STATUS_MISSING, "memfd_create: %s", reason(errno));
        return;
    }
    close(fd);
    if (statvfs("/dev/shm", &fs) < 0) {
        found(outcome, STATUS_LIMITED, "/dev/shm: %s", reason(errno));
        return;
    }
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    found(outcome, bytes >= UINT64_C(256) << 20 ? STATUS_OK : STATUS_LIMITED, "%s free in /dev/shm",
          assay_human_bytes(&human, bytes));
}

static void look_btf(struct outcome *outcome)
{
    if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
        found(outcome, STATUS_OK, "/sys/kernel/btf/vmlinux");
    else
        found(outcome, STATUS_MISSING, "/sys/kernel/btf/vmlinux: %s", reason(errno));
}

static void look_bpf(struct outcome *outcome)
{
    enum { CAPABILITY_SYS_ADMIN = 21, CAPABILITY_PERFMON = 38, CAPABILITY_BPF = 39 };
    uint64_t effective = own_status("CapEff", 16);
    bool admin = effective >> CAPABILITY_SYS_ADMIN & 1;
    bool both = (effective >> CAPABILITY_BPF & 1) && (effective >> CAPABILITY_PERFMON & 1);
    /* BPF_MAP_CREATE of a one-element array: the attribute starts with type, key size, value
     * size, entries. */
    uint32_t attribute[32] = {2, 4, 4, 1};
    long fd = syscall(SYS_bpf, 0, attribute, sizeof attribute);
    int error = errno;
    if (fd >= 0)
        close((int)fd);
    if (fd < 0)
        found(outcome, STATUS_MISSING, "the kernel refuses a map: %s", reason(error));
    else if (admin || both)
        found(outcome, STATUS_OK, admin ? "CAP_SYS_ADMIN" : "CAP_BPF and CAP_PERFMON");
    else
        found(outcome, STATUS_MISSING, "neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON");
}

static void look_perf(struct outcome *outcome)
{
    struct perf_event_attr attribute = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attribute,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .exclude_kernel = 1,
    };
    long fd = syscall(SYS_perf_event_open, &attribute, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    long paranoid = number_in("/proc/sys/kernel/perf_event_paranoid", -9);
    if (fd >= 0) {
        close((int)fd);
        found(outcome, STATUS_OK, "works, perf_event_paranoid=%ld", paranoid);
    } else {
        found(outcome, STATUS_LIMITED, "%s, perf_event_paranoid=%ld", reason(errno), paranoid);
    }
}

static void look_uprobes(struct outcome *outcome)
{
    long type = number_in("/sys/bus/event_source/devices/uprobe/type", -1);
    if (type >= 0)
        found(outcome, STATUS_OK, "event source type %ld", type);
    else
        found(outcome, STATUS_MISSING, "/sys/bus/event_source/devices/uprobe/type cannot be read");
}

static void look_ebpf_programs(struct outcome *outcome)
{
    bool fine = assay_ebpf_check_programs(outcome->found, sizeof outcome->found);
    outcome->status = fine ? STATUS_OK : STATUS_MISSING;
}

static void look_probe_sites(struct outcome *outcome)
{
    bool fine = assay_ebpf_check_sites(outcome->found, sizeof outcome->found);
    outcome->status = fine ? STATUS_OK : STATUS_LIMITED;
}

static void look_part(struct outcome *outcome, const char *name)
{
    struct assay_part part;
    if (assay_part_find(&part, name))
        found(outcome, STATUS_OK, "%s", name);
    else
        found(outcome, STATUS_MISSING, "%s is not beside assay", name);
}

static void look_runner(struct outcome *outcome)
{
    look_part(outcome, "assay-runner");
}

static void look_engine(struct outcome *outcome)
{
    look_part(outcome, "assay-engine");
}

static void look_bulwark(struct outcome *outcome)
{
    look_part(outcome, "libbulwark.so");
}

static void look_recorder(struct outcome *outcome)
{
    look_part(outcome, "libassay_recorder.so");
}

static void look_subjects(struct outcome *outcome)
{
    static const char *const names[] = {"jemalloc", "mimalloc", "tcmalloc", "scudo", NULL};
    char list[100] = "glibc";
    int used = (int)strlen(list), present = 0;
    for (size_t i = 0; names[i]; i++) {
        struct assay_subject_spec spec;
        struct assay_error err;
        if (assay_subject_find(names[i], &spec, &err) != 0)
            continue;
        used += snprintf(list + used, sizeof list - (size_t)used, " %s", names[i]);
        present++;
    }
    found(outcome, present == 4 ? STATUS_OK : STATUS_LIMITED, "%s", list);
}

static void look_compiler(struct outcome *outcome)
{
    const char *path = getenv("PATH");
    char copy[4096], candidate[4200];
    snprintf(copy, sizeof copy, "%s", path ? path : "/usr/bin:/bin");
    char *rest = NULL;
    for (char *part = strtok_r(copy, ":", &rest); part; part = strtok_r(NULL, ":", &rest)) {
        snprintf(candidate, sizeof candidate, "%s/cc", part);
        if (access(candidate, X_OK) == 0) {
            found(outcome, STATUS_OK, "%.180s", candidate);
            return;
        }
    }
    found(outcome, STATUS_LIMITED, "no cc in PATH");
}

static const struct check checks[] = {
    {"kernel", "everything", "kernels before 5.10 are not tried", "use Linux 5.10 or later", NULL,
     false, look_kernel},
    {"machine", "everything", "with less than 1 GiB long captures and big replays do not fit",
     "give it more memory", "raise the container's memory limit", false, look_machine},
    {"address space", "bulwark, runner", "allocators that reserve address space cannot start",
     "set vm.overcommit_memory to 0 or 1 and 'ulimit -v unlimited'",
     "do not run the job under 'ulimit -v'", true, look_address_space},
    {"shared memory", "runner, capture", "spill files go to $TMPDIR instead of memory",
     "make /dev/shm larger", "docker run --shm-size=1g", false, look_shared_memory},
    {"clock", "capture", "stamps come from one shared counter: slower, no durations",
     "boot with clocksource=tsc if the processor's counter is stable", NULL, false, look_clock},
    {"guard pages", "bulwark", "guards cost a mapping each (mprotect)",
     "use Linux 6.13 or later for MADV_GUARD_INSTALL", NULL, false, look_guard},
    {"frozen layout", "fuzz, reproduce, diff",
     "addresses differ from run to run: findings say 'reproduced n of m'",
     "allow personality(ADDR_NO_RANDOMIZE)", "docker run --security-opt seccomp=unconfined", false,
     look_personality},
    {"seccomp notify", "fuzz, reproduce, diff",
     "a subject that asks the kernel itself gets real random bytes: findings say 'reproduced n of "
     "m'; mapping calls fail only where they are made by name (mmap, sbrk, ...)",
     "use a kernel with CONFIG_SECCOMP_FILTER, and no sandbox that refuses a listener",
     "docker run --security-opt seccomp=unconfined", false, look_seccomp},
    {"bpf", "capture --method ebpf", "capture uses the preload recorder",
     "run capture as root, or give assay CAP_BPF and CAP_PERFMON",
     "docker run --privileged, or --cap-add BPF --cap-add PERFMON --cap-add SYS_PTRACE", false,
     look_bpf},
    {"btf", "capture --method ebpf", "eBPF programs cannot be fitted to this kernel",
     "use a kernel with CONFIG_DEBUG_INFO_BTF", "mount /sys into the container", false, look_btf},
    {"uprobes", "capture --method ebpf", "no probe can be set in a user's library",
     "use a kernel with CONFIG_UPROBES", "mount /sys into the container", false, look_uprobes},
    {"ebpf programs", "capture --method ebpf", "capture uses the preload recorder",
     "see the rows bpf, btf and uprobes; or build with -DASSAY_EBPF=ON to see what is missing",
     "docker run --cap-add BPF --cap-add PERFMON", false, look_ebpf_programs},
    {"probe sites", "capture --method ebpf", "a probed call costs 10 us in place of 0.9",
     "capture --method preload, or another build of the C library", NULL, false, look_probe_sites},
    {"perf events", "bench, access sampling", "no hardware counters, no watchpoints",
     "set kernel.perf_event_paranoid to 2 or less", "docker run --cap-add PERFMON", false,
     look_perf},
    {"runner", "replay, fuzz, diff", "no subject can be run", "build or install assay-runner", NULL,
     true, look_runner},
    {"recorder", "capture --method preload", "capture needs eBPF",
     "build or install libassay_recorder.so", NULL, false, look_recorder},
    {"bulwark", "--subject bulwark", "the shipped allocator is not there",
     "build or install libbulwark.so", NULL, false, look_bulwark},
    {"subjects", "--subject NAME", "not every allocator can be compared with by name",
     "install libjemalloc2, libmimalloc2.0, libgoogle-perftools4 and libclang-rt-14-dev", NULL,
     false, look_subjects},
    {"engine", "fuzz --guidance coverage", "fuzzing of Bulwark is not guided by coverage",
     "install clang and libclang-rt-14-dev, then configure with -DASSAY_ENGINE=ON", NULL, false,
     look_engine},
    {"compiler", "--subject adapter:FILE.c, reproducers",
     "adapters and C reproducers cannot be compiled", "install gcc or clang as cc",
     "install gcc in the image", false, look_compiler},
};

struct options {
    struct assay_common common;
    bool ci;
};

enum { KEY_CI = ASSAY_KEY_FIRST };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case KEY_CI: options->ci = true; return 0;
    case ARGP_KEY_ARG: return assay_usage(state, "doctor takes no argument, '%s' is one", arg);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const char *container(void)
{
    static const char *const marks[][2] = {{"/.dockerenv", "docker"},
                                           {"/run/.containerenv", "podman"},
                                           {"/run/systemd/container", "container"}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (access(marks[i][0], F_OK) == 0)
            return marks[i][1];
    return own_status("Seccomp", 10) == 2 ? "a seccomp filter" : NULL;
}

static void print_check(const struct check *check, const struct outcome *outcome, bool ci)
{
    struct assay_printable found;
    printf("%-8s %-14s %s\n", status_names[outcome->status], check->name,
           assay_printable(&found, outcome->found));
    if (outcome->status == STATUS_OK)
        return;
    printf("%24sfor %s: %s\n", "", check->serves, check->means);
    printf("%24snext: %s\n", "", ci && check->in_ci ? check->in_ci : check->next);
}

int assay_cmd_doctor(int argc, char **argv)
{
    static const struct argp_option option_table[] = {
        {"ci", KEY_CI, NULL, 0,
         "only what containers refuse, with the option of the container that allows it", 0},
        {0},
    };
    static const struct argp argp = {option_table,
                                     parse,
                                     "",
                                     "Tells what this machine offers to assay.\v"
                                     "Exit: 0, 2 usage, 3 what assay cannot do without is missing.",
                                     assay_common_children,
                                     NULL,
                                     NULL};
    struct options options = {0};
    assay_options_parse(&argp, argc, argv, 0, &options);

    json_int_t counts[3] = {0};
    bool essential = true;
    const char *inside = container();
    bool people = !options.common.emit.json;
    if (people && options.ci)
        printf("container: %s\n", inside ? inside : "none recognised");
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        const struct check *check = &checks[i];
        struct outcome outcome = {.status = STATUS_MISSING, .found = ""};
        if (options.ci && !check->in_ci)
            continue;
        check->look(&outcome);
        counts[outcome.status]++;
        if (check->essential && outcome.status == STATUS_MISSING)
            essential = false;
        if (people)
            print_check(check, &outcome, options.ci);
        assay_emit_object(&options.common.emit, "assay.doctor.check",
                          json_pack("{s:s, s:s, s:o, s:s, s:s, s:s}", "check", check->name,
                                    "status", status_names[outcome.status], "found",
                                    assay_emit_string(outcome.found), "serves", check->serves,
                                    "means", check->means, "next",
                                    options.ci && check->in_ci ? check->in_ci : check->next));
    }
    if (people)
        printf("%lld ok, %lld limited, %lld missing%s\n", (long long)counts[STATUS_OK],
               (long long)counts[STATUS_LIMITED], (long long)counts[STATUS_MISSING],
               essential ? "" : "; assay cannot work here");
    assay_emit_object(&options.common.emit, "assay.doctor",
                      json_pack("{s:I, s:I, s:I, s:b, s:s?}", "ok", counts[STATUS_OK], "limited",
                                counts[STATUS_LIMITED], "missing", counts[STATUS_MISSING],
                                "essential", (int)essential, "container", inside));
    return essential ? ASSAY_EXIT_CLEAN : ASSAY_EXIT_CANNOT_RUN;
}
