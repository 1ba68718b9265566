/* Profiles as text: profiles/<name>.ini, sections [profile] and [accepted]. A section [expect]
 * belongs to the zoo's own test and is passed over. */
#include "oracles/profile.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracles/judge.h"

struct loading {
    struct assay_profile profile;
    char message[300]; /* of the first bad line */
};

enum value_type { TYPE_ANSWER, TYPE_ZERO_RESIZE, TYPE_U32, TYPE_MANTISSA, TYPE_BYTES, TYPE_NAME };

static const struct key {
    const char *name;
    enum value_type type;
    size_t offset;
} keys[] = {
#define KEY(field, type)                                                                           \
    {                                                                                              \
#field, type, offsetof(struct assay_profile, field)                                        \
    }
    KEY(name, TYPE_NAME),
    KEY(min_alignment, TYPE_U32),
    KEY(budget_live_bytes, TYPE_BYTES),
    KEY(budget_object_bytes, TYPE_BYTES),
    KEY(max_alignment, TYPE_BYTES),
    KEY(malloc_zero_null, TYPE_ANSWER),
    KEY(realloc_zero, TYPE_ZERO_RESIZE),
    KEY(usable_is_requested, TYPE_ANSWER),
    KEY(usable_writable, TYPE_ANSWER),
    KEY(realloc_keeps_alignment, TYPE_ANSWER),
    KEY(posix_memalign_keeps_errno, TYPE_ANSWER),
    KEY(aligned_alloc_refuses_bad_alignment, TYPE_ANSWER),
    KEY(large_errno_everywhere, TYPE_ANSWER),
    KEY(detects_double_free, TYPE_ANSWER),
    KEY(detects_invalid_free, TYPE_ANSWER),
    KEY(detects_sized_mismatch, TYPE_ANSWER),
    KEY(detects_overflow_at_free, TYPE_ANSWER),
    KEY(detects_family_mismatch, TYPE_ANSWER),
    KEY(detects_write_after_free, TYPE_ANSWER),
    KEY(detects_bad_query, TYPE_ANSWER),
    KEY(zeroes_on_free, TYPE_ANSWER),
    KEY(zero_size_faults, TYPE_ANSWER),
    KEY(delays_reuse, TYPE_ANSWER),
    KEY(random_neighbours, TYPE_ANSWER),
    KEY(no_overlap, TYPE_ANSWER),
    KEY(never_executable, TYPE_ANSWER),
    KEY(separates_metadata, TYPE_ANSWER),
    KEY(max_threads, TYPE_U32),
    KEY(cheri_mantissa, TYPE_MANTISSA),
#undef KEY
};

static int complain(struct loading *loading, const char *what, const char *name, const char *more)
{
    if (loading->message[0] == '\0')
        snprintf(loading->message, sizeof loading->message, "%s '%.60s'%s", what, name, more);
    return 0;
}

/* Returns the index of text among the names, or -1. */
static int choice(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

/* A number with an optional K, M or G (powers of 1024). */
static bool parse_bytes(const char *text, uint64_t *ret_value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    unsigned shift = 0;
    if (errno != 0)
        return false;
    if (*end != '\0') {
        const char *letters = "KMG", *at = strchr(letters, *end);
        if (!at || end[1] != '\0')
            return false;
        shift = 10 * (unsigned)(at - letters + 1);
    }
    if (value > UINT64_MAX >> shift)
        return false;
    *ret_value = value << shift;
    return true;
}

static int set_key(struct loading *loading, const struct key *key, const char *value)
{
    static const char *const answers[] = {"unknown", "no", "yes"};
    static const char *const zero_resizes[] = {"unknown", "frees", "unique"};
    char *field = (char *)&loading->profile + key->offset;
    uint64_t number;
    int index;
    switch (key->type) {
    case TYPE_NAME:
        if (value[0] == '\0' || strlen(value) >= sizeof loading->profile.name)
            return complain(loading, "the value of", key->name, " must have 1 to 31 characters");
        snprintf(loading->profile.name, sizeof loading->profile.name, "%s", value);
        return 1;
    case TYPE_ANSWER:
        index = choice(value, answers, 3);
        if (index < 0)
            return complain(loading, "the value of", key->name, " must be yes, no or unknown");
        *(uint8_t *)field = (uint8_t)index;
        return 1;
    case TYPE_ZERO_RESIZE:
        index = choice(value, zero_resizes, 3);
        if (index < 0)
            return complain(loading, "the value of", key->name,
                            " must be frees, unique or unknown");
        *(uint8_t *)field = (uint8_t)index;
        return 1;
    case TYPE_U32:
        if (!parse_bytes(value, &number) || number > UINT32_MAX)
            return complain(loading, "the value of", key->name, " must be a number below 2^32");
        *(uint32_t *)(void *)field = (uint32_t)number;
        return 1;
    case TYPE_MANTISSA:
        if (!parse_bytes(value, &number) || (number != 0 && (number < 5 || number > 32)))
            return complain(loading, "the value of", key->name,
                            " must be 14, 16 or 8 (bits, 5 to 32), or 0 for no promise");
        *(uint32_t *)(void *)field = (uint32_t)number;
        return 1;
    case TYPE_BYTES:
    default:
        if (!parse_bytes(value, &number))
            return complain(loading, "the value of", key->name,
                            " must be a number, or one with K, M or G");
        *(uint64_t *)(void *)field = number;
        return 1;
    }
}

static unsigned relation_by_name(const char *name)
{
    for (unsigned i = 1; i < ASSAY_RELATION_COUNT; i++)
        if (strcmp(name, assay_relation_name(i)) == 0)
            return i;
    return ASSAY_RELATION_NONE;
}

/* "C22", "C22 pvalloc" or "C22 pvalloc not-null" = reason. */
static int add_accepted(struct loading *loading, const char *name, const char *reason)
{
    struct assay_profile *profile = &loading->profile;
    if (profile->accepted_count == ASSAY_PROFILE_ACCEPTED_MAX)
        return complain(loading, "no room for", name, ": a profile accepts at most 16 findings");
    struct assay_accepted *accepted = &profile->accepted[profile->accepted_count];
    char id[8] = "", op[32] = "", relation[32] = "", rest[2] = "";
    int words = sscanf(name, "%7s %31s %31s %1s", id, op, relation, rest);
    if (words > 3)
        return complain(loading, "too many words in", name, "");
    accepted->property = (uint16_t)assay_property_by_id(id);
    accepted->kind = words > 1 ? (uint8_t)assay_op_by_name(op, strlen(op)) : 0;
    accepted->relation = words > 2 ? (uint8_t)relation_by_name(relation) : 0;
    if (words < 1 || accepted->property == ASSAY_PROPERTY_NONE)
        return complain(loading, "unknown property in", name, "");
    if (words > 1 && accepted->kind == ASSAY_OP_NONE)
        return complain(loading, "unknown op in", name, "");
    if (words > 2 && accepted->relation == ASSAY_RELATION_NONE)
        return complain(loading, "unknown relation in", name, "");
    if (reason[0] == '\0' || strlen(reason) >= sizeof accepted->reason)
        return complain(loading, "the reason of", name, " must have 1 to 91 characters");
    snprintf(accepted->reason, sizeof accepted->reason, "%s", reason);
    profile->accepted_count++;
    return 1;
}

static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct loading *loading = user;
    if (strcmp(section, "expect") == 0)
        return 1;
    if (strcmp(section, "accepted") == 0)
        return add_accepted(loading, name, value);
    if (strcmp(section, "profile") != 0)
        return complain(loading, "unknown section", section, ", or no section at all");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(name, keys[i].name) == 0)
            return set_key(loading, &keys[i], value);
    return complain(loading, "unknown key", name, "");
}

int assay_profile_load(const char *path, struct assay_profile *profile, struct assay_error *err)
{
    struct loading loading = {.message = ""};
    FILE *file = fopen(path, "re");
    if (!file)
        return assay_fail_errno(err, "cannot open the profile '%s'", path);
    assay_profile_generic(&loading.profile);
    int line = ini_parse_file(file, take_line, &loading);
    bool unreadable = ferror(file);
    fclose(file);
    if (unreadable)
        return assay_fail(err, ASSAY_E_SYSTEM, "cannot read the profile '%s'", path);
    if (line != 0)
        return assay_fail(err, ASSAY_E_FORMAT, "%s:%d: %s", path, line,
                          loading.message[0] ? loading.message : "not 'key = value'");
    uint32_t alignment = loading.profile.min_alignment;
    if (alignment & (alignment - 1))
        return assay_fail(err, ASSAY_E_FORMAT,
                          "%s: the value of 'min_alignment' must be a power of two", path);
    *profile = loading.profile;
    return 0;
}

/* The folders that may hold shipped profiles: beside the installed program, then the source's. */
static bool find_shipped(const char *name, char *ret_path, size_t bytes)
{
    char exe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (length > 0) {
        exe[length] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash) {
            *slash = '\0';
            int n = snprintf(ret_path, bytes, "%s/../share/assay/profiles/%s.ini", exe, name);
            if (n > 0 && (size_t)n < bytes && access(ret_path, R_OK) == 0)
                return true;
        }
    }
    int n = snprintf(ret_path, bytes, ASSAY_PROFILE_DIR "/%s.ini", name);
    return n > 0 && (size_t)n < bytes && access(ret_path, R_OK) == 0;
}

int assay_profile_find(const char *subject, struct assay_profile *profile, struct assay_error *err)
{
    static const char *const shipped[] = {"bulwark",  "jemalloc", "mimalloc",
                                          "tcmalloc", "scudo",    "glibc"};
    const char *slash = strrchr(subject, '/'), *file = slash ? slash + 1 : subject;
    char path[PATH_MAX + 64];
    const char *name = "generic";
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++)
        if (strstr(file, shipped[i])) {
            name = shipped[i];
            break;
        }
    if (find_shipped(name, path, sizeof path))
        return assay_profile_load(path, profile, err);
    assay_profile_generic(profile);
    return 0;
}
