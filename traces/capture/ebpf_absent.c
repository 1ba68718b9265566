/* Built where eBPF capture is not: says so. */
#include <stdio.h>

#include "traces/capture/capture.h"
#include "traces/capture/ebpf.h"

int assay_capture_ebpf_available(struct assay_error *why_not)
{
    return assay_fail(why_not, ASSAY_E_UNSUPPORTED, "this build has no eBPF capture (ASSAY_EBPF)");
}

int assay_capture_ebpf(const struct assay_capture_config *config,
                       struct assay_capture_result *result, struct assay_error *err)
{
    *result = (struct assay_capture_result){.method = "ebpf"};
    return assay_capture_ebpf_available(err);
}

bool assay_ebpf_check_programs(char *text, size_t bytes)
{
    struct assay_error why;
    assay_capture_ebpf_available(&why);
    snprintf(text, bytes, "%s", why.text);
    return false;
}

bool assay_ebpf_check_sites(char *text, size_t bytes)
{
    return assay_ebpf_check_programs(text, bytes);
}
