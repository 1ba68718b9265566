#include "oracles/hint.h"

#include <stdio.h>

#include "oracles/judge.h"
#include "oracles/profile.h"
#include "traces/core/nearest.h"

static struct assay_hint hint(const char *meant, const char *otherwise)
{
    struct assay_hint hint;
    if (meant)
        snprintf(hint.text, sizeof hint.text, "; did you mean '%s'?", meant);
    else
        snprintf(hint.text, sizeof hint.text, "; %s", otherwise);
    return hint;
}

static const char *relation_at(size_t i)
{
    return assay_relation_name((unsigned)i + 1);
}

struct assay_hint assay_hint_relation(const char *word)
{
    return hint(assay_nearest(word, relation_at, ASSAY_RELATION_COUNT - 1),
                "'assay list relations' names them");
}

static const char *op_at(size_t i)
{
    return assay_op_info((enum assay_op)i)->name;
}

struct assay_hint assay_hint_op(const char *word)
{
    return hint(assay_nearest(word, op_at, ASSAY_OP_COUNT), "malloc, realloc, free and the like");
}

static const char *key_at(size_t i)
{
    const struct assay_profile_key *keys;
    assay_profile_keys(&keys);
    return keys[i].name;
}

struct assay_hint assay_hint_key(const char *word)
{
    const struct assay_profile_key *keys;
    return hint(assay_nearest(word, key_at, assay_profile_keys(&keys)),
                "assay-profile(5) lists them");
}
