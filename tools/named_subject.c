#include "tools/named_subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

const char *assay_subject_anywhere(const char *subject, char absolute[PATH_MAX])
{
    char real[PATH_MAX];
    if (strncmp(subject, "adapter:", 8) == 0) {
        if (!realpath(subject + 8, real))
            return subject;
        snprintf(absolute, PATH_MAX, "adapter:%.*s", PATH_MAX - 16, real);
        return absolute;
    }
    return strchr(subject, '/') && realpath(subject, absolute) ? absolute : subject;
}
