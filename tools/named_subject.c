#include "tools/named_subject.h"

int assay_named_subject(const char *subject, const char *ini, struct assay_subject_spec *ret_spec,
                        struct assay_profile *ret_profile, struct assay_error *err)
{
    struct assay_subject_spec spec;
    struct assay_profile profile;
    struct assay_error of_profile;
    int found = ini ? assay_profile_load(ini, &profile, &of_profile)
                    : assay_profile_find(subject, &profile, &of_profile);
    int code = assay_subject_find_named(subject, found < 0 ? NULL : &profile.names, &spec, err);
    if (code < 0)
        return code;
    if (found < 0) {
        *err = of_profile;
        return found;
    }
    *ret_spec = spec;
    *ret_profile = profile;
    return 0;
}
