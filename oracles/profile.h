/* A profile: what an allocator promises where the standards leave it open. Plain data, so that it
 * can be handed to a runner through shared memory; the .ini files in profiles/ are its text form
 * (profile_load.c, host only). `generic` promises nothing. Its keys are profile_keys.def. */
#ifndef ASSAY_PROFILE_H
#define ASSAY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/core/error.h"
#include "traces/runner/bindings.h"

enum assay_answer { ASSAY_ANSWER_UNKNOWN, ASSAY_ANSWER_NO, ASSAY_ANSWER_YES };

enum assay_zero_resize {
    ASSAY_ZERO_RESIZE_UNKNOWN,
    ASSAY_ZERO_RESIZE_FREES,
    ASSAY_ZERO_RESIZE_UNIQUE
};

enum { ASSAY_PROFILE_ACCEPTED_MAX = 40 };

/* A finding known and proved real: listed, never counted as new. */
struct assay_accepted {
    uint16_t property; /* enum assay_property */
    uint8_t kind;      /* enum assay_op, 0 = any */
    uint8_t relation;  /* enum assay_relation, 0 = any */
    char reason[92];
};

/* One field per row of profile_keys.def. */
#define ASSAY_PROFILE_FIELD_ANSWER      uint8_t  /* enum assay_answer */
#define ASSAY_PROFILE_FIELD_ZERO_RESIZE uint8_t  /* enum assay_zero_resize */
#define ASSAY_PROFILE_FIELD_U32         uint32_t /* 0 = no promise */
#define ASSAY_PROFILE_FIELD_ALIGNMENT   uint32_t /* 0 = min(16, largest power of two <= size) */
#define ASSAY_PROFILE_FIELD_BYTES       uint64_t /* 0 = the key's default */
#define ASSAY_PROFILE_FIELD_MANTISSA    uint32_t /* 0 = no promise */

struct assay_profile {
    char name[32];
#define ASSAY_PROFILE_KEY(TYPE, key, how, meaning) ASSAY_PROFILE_FIELD_##TYPE key;
#include "oracles/profile_keys.def"
    struct assay_subject_names names; /* of its functions */
    uint32_t accepted_count;
    struct assay_accepted accepted[ASSAY_PROFILE_ACCEPTED_MAX];
};

enum assay_profile_type {
    ASSAY_PROFILE_ANSWER,
    ASSAY_PROFILE_ZERO_RESIZE,
    ASSAY_PROFILE_U32,
    ASSAY_PROFILE_ALIGNMENT,
    ASSAY_PROFILE_BYTES,
    ASSAY_PROFILE_MANTISSA
};

struct assay_profile_key {
    const char *name, *meaning;
    enum assay_profile_type type;
    size_t offset; /* of the field in struct assay_profile */
};
/* Returns the number of keys, in the order of profile_keys.def; name is not among them. Host only.
 */
size_t assay_profile_keys(const struct assay_profile_key **ret_keys);
/* The value as the .ini files have it ("yes", "frees", "64M"). Host only. */
void assay_profile_value(const struct assay_profile *profile, const struct assay_profile_key *key,
                         char *ret_text, size_t room);

/* The profile that promises nothing. Allocates nothing. */
void assay_profile_generic(struct assay_profile *profile);
/* Reads an .ini file (inih). Errors name the file, the line and the key. Host only. */
int assay_profile_load(const char *path, struct assay_profile *profile, struct assay_error *err);
/* The shipped profile for a subject name ("glibc", "jemalloc", ...) or a path, by the library's
 * soname or else by the whole of its file name; generic if there is none. Host only: looks in the
 * source/installed profile folders. */
int assay_profile_find(const char *subject, struct assay_profile *profile, struct assay_error *err);

#endif
