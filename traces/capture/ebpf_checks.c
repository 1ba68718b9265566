/* What the eBPF capture needs of the machine, tried and not guessed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/capture/ebpf.h"

/* From linux/capability.h */
enum { CAPABILITY_SYS_ADMIN = 21, CAPABILITY_PERFMON = 38, CAPABILITY_BPF = 39 };

static uint64_t effective_capabilities(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long mask = 0;
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "CapEff:", 7) == 0)
            mask = strtoull(line + 7, NULL, 16);
    if (status)
        fclose(status);
    return mask;
}

static bool may_trace(void)
{
    uint64_t mask = effective_capabilities(), bpf = UINT64_C(1) << CAPABILITY_BPF,
             perfmon = UINT64_C(1) << CAPABILITY_PERFMON;
    return (mask >> CAPABILITY_SYS_ADMIN & 1) != 0 || (mask & (bpf | perfmon)) == (bpf | perfmon);
}

static bool has_btf(void)
{
    return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

/* Loads the programs with a small ring and follows fork, exec and exit; probes nothing. */
static int try_load(enum assay_ebpf_mode *ret_mode, struct assay_error *err)
{
    struct assay_ebpf_tuning tuning = {.ring_bytes = 1 << 16};
    struct assay_ebpf *ebpf = NULL;
    int rc = assay_ebpf_start(&tuning, NULL, 0, NULL, 0, &ebpf, err);
    if (rc < 0)
        return rc;
    *ret_mode = assay_ebpf_mode_used(ebpf);
    assay_ebpf_stop(ebpf);
    return 0;
}

int assay_capture_ebpf_available(struct assay_error *why_not)
{
    enum assay_ebpf_mode mode;
    if (!may_trace())
        return assay_fail(why_not, ASSAY_E_PERMISSION,
                          "ebpf needs root, or the capabilities bpf and perfmon");
    if (!has_btf())
        return assay_fail(why_not, ASSAY_E_UNSUPPORTED,
                          "ebpf needs a kernel with BTF (/sys/kernel/btf/vmlinux)");
    return try_load(&mode, why_not);
}

/* "malloc push, free branch, ...": the sites of the functions that matter in a library. */
static bool describe_sites(const char *path, char *text, size_t bytes)
{
    static const char *const names[] = {"malloc", "free", "calloc", "realloc"};
    struct assay_probe_file *file;
    struct assay_error err;
    bool cheap = true;
    int used = snprintf(text, bytes, "%s:", path);
    if (assay_probe_file_open(path, &file, &err) < 0) {
        snprintf(text, bytes, "%.150s", err.text);
        return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct assay_probe_site site;
        bool found = assay_probe_site_find(file, names[i], &site, NULL) == 0;
        cheap &= found && site.kind != ASSAY_SITE_STEPPED;
        if (used >= 0 && (size_t)used < bytes)
            used += snprintf(text + used, bytes - (size_t)used, "%s %s %s", i ? "," : "", names[i],
                             found ? assay_site_kind_name(site.kind) : "missing");
    }
    assay_probe_file_close(file);
    return cheap;
}

bool assay_ebpf_check_programs(char *text, size_t bytes)
{
    struct assay_error err;
    enum assay_ebpf_mode mode;
    bool fine = may_trace() && has_btf() && try_load(&mode, &err) == 0;
    if (fine)
        snprintf(text, bytes, "they load; probes are attached by %s", assay_ebpf_mode_name(mode));
    else if (assay_capture_ebpf_available(&err) < 0)
        snprintf(text, bytes, "%s", err.text);
    return fine;
}

bool assay_ebpf_check_sites(char *text, size_t bytes)
{
    struct assay_ebpf_library library;
    struct assay_error err;
    if (assay_ebpf_libraries("/bin/sh", &library, 1, &err) > 0)
        return describe_sites(library.path, text, bytes);
    snprintf(text, bytes, "%s", err.text);
    return false;
}
