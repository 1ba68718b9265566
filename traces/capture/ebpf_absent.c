/* Built where eBPF capture is not: says so. */
#include "traces/capture/capture.h"

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
