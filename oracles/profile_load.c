/* Profiles as text: profiles/<name>.ini, sections [profile], [symbols] and [accepted]. A section
 * [expect] belongs to the zoo's own test and is passed over. */
#include "oracles/profile.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracles/hint.h"
#include "oracles/judge.h"

struct loading {
    struct assay_profile profile;
    char message[300]; /* of the first bad line */
};

static const struct assay_profile_key keys[] = {
#define ASSAY_PROFILE_KEY(TYPE, key, how, meaning)                                                 \
    {#key, meaning, ASSAY_PROFILE_##TYPE, offsetof(struct assay_profile, key)},
#include "oracles/profile_keys.def"
};

static const char *const answers[] = {"unknown", "no", "yes"};
static const char *const zero_resizes[] = {"unknown", "frees", "unique"};

size_t assay_profile_keys(const struct assay_profile_key **ret_keys)
{
    *ret_keys = keys;
    return sizeof keys / sizeof *keys;
}

static int complain(struct loading *loading, const char *what, const char *name, const char *more)
{
    if (loading->message[0] == '\0')
        snprintf(loading->message, sizeof loading->message, "%s '%.60s'%s", what, name, more);
    return 0;
}

static bool is_symbol(const char *text)
{
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '.' && *at != '$')
            return false;
    return text[0] != '\0';
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

static int set_name(struct loading *loading, const char *value)
{
    if (value[0] == '\0' || strlen(value) >= sizeof loading->profile.name)
        return complain(loading, "the value of", "name", " must have 1 to 31 characters");
    snprintf(loading->profile.name, sizeof loading->profile.name, "%s", value);
    return 1;
}

static int set_key(struct loading *loading, const struct assay_profile_key *key, const char *value)
{
    char *field = (char *)&loading->profile + key->offset;
    uint64_t number = 0;
    bool parsed = parse_bytes(value, &number);
    int index;
    switch (key->type) {
    case ASSAY_PROFILE_ANSWER:
        index = choice(value, answers, 3);
        if (index < 0)
            return complain(loading, "the value of", key->name, " must be yes, no or unknown");
        *(uint8_t *)field = (uint8_t)index;
        return 1;
    case ASSAY_PROFILE_ZERO_RESIZE:
        index = choice(value, zero_resizes, 3);
        if (index < 0)
            return complain(loading, "the value of", key->name,
                            " must be frees, unique or unknown");
        *(uint8_t *)field = (uint8_t)index;
        return 1;
    case ASSAY_PROFILE_U32:
    case ASSAY_PROFILE_ALIGNMENT:
        if (!parsed || number > UINT32_MAX)
            return complain(loading, "the value of", key->name, " must be a number below 2^32");
        if (key->type == ASSAY_PROFILE_ALIGNMENT && number & (number - 1))
            return complain(loading, "the value of", key->name, " must be a power of two");
        break;
    case ASSAY_PROFILE_MANTISSA:
        if (!parsed || (number != 0 && (number < 5 || number > 32)))
            return complain(loading, "the value of", key->name,
                            " must be 14, 16 or 8 (bits, 5 to 32), or 0 for no promise");
        break;
    case ASSAY_PROFILE_BYTES:
    default:
        if (!parsed)
            return complain(loading, "the value of", key->name,
                            " must be a number, or one with K, M or G");
        *(uint64_t *)(void *)field = number;
        return 1;
    }
    *(uint32_t *)(void *)field = (uint32_t)number;
    return 1;
}

void assay_profile_value(const struct assay_profile *profile, const struct assay_profile_key *key,
                         char *ret_text, size_t room)
{
    const char *field = (const char *)profile + key->offset, *letter = "";
    uint64_t number;
    switch (key->type) {
    case ASSAY_PROFILE_ANSWER:
        snprintf(ret_text, room, "%s", answers[*(const uint8_t *)field % 3]);
        return;
    case ASSAY_PROFILE_ZERO_RESIZE:
        snprintf(ret_text, room, "%s", zero_resizes[*(const uint8_t *)field % 3]);
        return;
    case ASSAY_PROFILE_BYTES: number = *(const uint64_t *)(const void *)field; break;
    default: number = *(const uint32_t *)(const void *)field; break;
    }
    for (const char *next = "KMG"; *next && number && number % 1024 == 0; next++) {
        number /= 1024;
        letter = next;
    }
    snprintf(ret_text, room, "%llu%.1s", (unsigned long long)number, letter);
}

/* "C22", "C22 pvalloc", "C22 pvalloc not-null" or "C22 any not-null" = reason. */
static int add_accepted(struct loading *loading, const char *name, const char *reason)
{
    struct assay_profile *profile = &loading->profile;
    if (profile->accepted_count == ASSAY_PROFILE_ACCEPTED_MAX)
        return complain(loading, "no room for", name, ": a profile accepts at most 40 findings");
    struct assay_accepted *accepted = &profile->accepted[profile->accepted_count];
    char id[8] = "", op[32] = "", relation[32] = "", rest[2] = "";
    int words = sscanf(name, "%7s %31s %31s %1s", id, op, relation, rest);
    if (words > 3)
        return complain(loading, "too many words in", name, "");
    accepted->property = (uint16_t)assay_property_by_id(id);
    bool named = words > 1 && strcmp(op, "any") != 0;
    accepted->kind = named ? (uint8_t)assay_op_by_name(op, strlen(op)) : 0;
    accepted->relation = words > 2 ? (uint8_t)assay_relation_by_name(relation) : 0;
    if (words < 1 || accepted->property == ASSAY_PROPERTY_NONE)
        return complain(loading, "unknown property in", name, "; 'assay list properties' has them");
    if (named && accepted->kind == ASSAY_OP_NONE)
        return complain(loading, "unknown op in", name, assay_hint_op(op).text);
    if (words > 2 && accepted->relation == ASSAY_RELATION_NONE)
        return complain(loading, "unknown relation in", name, assay_hint_relation(relation).text);
    if (reason[0] == '\0' || strlen(reason) >= sizeof accepted->reason)
        return complain(loading, "the reason of", name, " must have 1 to 91 characters");
    snprintf(accepted->reason, sizeof accepted->reason, "%s", reason);
    profile->accepted_count++;
    return 1;
}

static int set_prefix(struct loading *loading, const char *value)
{
    if (!is_symbol(value) || strlen(value) >= ASSAY_PREFIX_BYTES)
        return complain(loading, "the value of", "symbol_prefix",
                        " must be the start of a C name, 15 characters at most");
    snprintf(loading->profile.names.prefix, ASSAY_PREFIX_BYTES, "%s", value);
    return 1;
}

/* "rezalloc = my_rezalloc": which symbol serves an op. */
static int set_symbol(struct loading *loading, const char *name, const char *symbol)
{
    enum assay_op kind = assay_op_by_name(name, strlen(name));
    enum assay_op_class op_class = assay_op_info(kind)->op_class;
    if (op_class != ASSAY_CLASS_ALLOCATE && op_class != ASSAY_CLASS_RELEASE &&
        op_class != ASSAY_CLASS_RESIZE && op_class != ASSAY_CLASS_QUERY &&
        kind != ASSAY_OP_GUARDED_COPY)
        return complain(loading, "no function is called for", name, "");
    if (!is_symbol(symbol) || strlen(symbol) >= ASSAY_SYMBOL_BYTES)
        return complain(loading, "the symbol of", name,
                        " must be a C name of at most 47 characters");
    snprintf(loading->profile.names.symbol[kind], ASSAY_SYMBOL_BYTES, "%s", symbol);
    return 1;
}

static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct loading *loading = user;
    if (strcmp(section, "expect") == 0)
        return 1;
    if (strcmp(section, "accepted") == 0)
        return add_accepted(loading, name, value);
    if (strcmp(section, "symbols") == 0)
        return set_symbol(loading, name, value);
    if (strcmp(section, "profile") != 0)
        return complain(loading, "unknown section", section, ", or no section at all");
    if (strcmp(name, "name") == 0)
        return set_name(loading, value);
    if (strcmp(name, "symbol_prefix") == 0)
        return set_prefix(loading, value);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(name, keys[i].name) == 0)
            return set_key(loading, &keys[i], value);
    return complain(loading, "unknown key", name, assay_hint_key(name).text);
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
    int why = errno;
    fclose(file);
    errno = why;
    if (unreadable)
        return assay_fail_errno(err, "cannot read the profile '%s'", path);
    if (line != 0)
        return assay_fail(err, ASSAY_E_FORMAT, "%s:%d: %s", path, line,
                          loading.message[0] ? loading.message : "not 'key = value'");
    *profile = loading.profile;
    return 0;
}
