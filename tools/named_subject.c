#include "tools/named_subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/core/printable.h"

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

void assay_say_generic(const char *subject, const char *ini, const struct assay_profile *profile)
{
    struct assay_printable shown;
    if (!ini && strcmp(profile->name, "generic") == 0)
        fprintf(stderr,
                "no shipped profile is of '%s', by soname or file name: nothing is taken as "
                "promised; 'assay profile' measures one, --profile takes it\n",
                assay_printable(&shown, subject));
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
    bool file = strchr(subject, '/') || strstr(subject, ".so");
    return file && realpath(subject, absolute) ? absolute : subject;
}
