#include "tools/named_subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/core/printable.h"

/* ---- adapters ------------------------------------------------------------------------------- */

static const char flags_name[] = "ASSAY_ADAPTER_FLAGS";

/* As the flags are split at spaces and the linker's at commas, some names cannot be said. */
static void put_rpath(FILE *out, const char *folder)
{
    char absolute[PATH_MAX];
    if (realpath(folder, absolute) && !strpbrk(absolute, " ,"))
        fprintf(out, " -Wl,-rpath,%s", absolute);
}

/* What is linked from a folder is loaded from there, and what is missing is missed while linking,
 * not by the process that loads it. Returns whether there were flags. */
static bool extend_flags(void)
{
    static bool extended;
    const char *flags = extended ? NULL : getenv(flags_name);
    bool set = flags != NULL;
    char *text = NULL, *words = strdup(flags ? flags : ""), *rest = words;
    size_t bytes;
    FILE *out = extended ? NULL : open_memstream(&text, &bytes);
    if (out && words) {
        bool folder = false;
        fprintf(out, "%s -Wl,--no-undefined", words);
        for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
            if (folder || (strncmp(word, "-L", 2) == 0 && word[2]))
                put_rpath(out, folder ? word : word + 2);
            folder = !folder && strcmp(word, "-L") == 0;
        }
    }
    if (out && fclose(out) == 0 && words)
        extended = setenv(flags_name, text, true) == 0;
    free(text);
    free(words);
    return set;
}

int assay_subject_for(const char *subject, const struct assay_subject_names *names,
                      struct assay_subject_spec *ret_spec, struct assay_error *err)
{
    static bool set;
    bool adapter = strncmp(subject, "adapter:", 8) == 0;
    if (adapter)
        set |= extend_flags();
    int code = assay_subject_find_named(subject, names, ret_spec, err);
    if (adapter && code == ASSAY_E_SUBJECT && err && strstr(err->text, "said why above")) {
        const struct assay_error why = *err;
        assay_fail(err, code, "%.300s (if symbols are undefined: %s their library, '-L. -lmine')",
                   why.text, set ? "ASSAY_ADAPTER_FLAGS must name" : "set ASSAY_ADAPTER_FLAGS to");
    }
    return code;
}

/* --------------------------------------------------------------------------------------------- */

int assay_named_subject(const char *subject, const char *ini, struct assay_subject_spec *ret_spec,
                        struct assay_profile *ret_profile, struct assay_error *err)
{
    struct assay_subject_spec spec;
    struct assay_profile profile;
    struct assay_error of_profile;
    int found = ini ? assay_profile_load(ini, &profile, &of_profile)
                    : assay_profile_find(subject, &profile, &of_profile);
    int code = assay_subject_for(subject, found < 0 ? NULL : &profile.names, &spec, err);
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
