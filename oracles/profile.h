/* A profile: what an allocator promises where the standards leave it open. Plain data, so that it
 * can be handed to a runner through shared memory; the .ini files in profiles/ are its text form
 * (profile.c, host only). `generic` promises nothing. */
#ifndef ASSAY_PROFILE_H
#define ASSAY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/core/error.h"

enum assay_answer { ASSAY_ANSWER_UNKNOWN, ASSAY_ANSWER_NO, ASSAY_ANSWER_YES };

enum assay_zero_resize {
    ASSAY_ZERO_RESIZE_UNKNOWN,
    ASSAY_ZERO_RESIZE_FREES,
    ASSAY_ZERO_RESIZE_UNIQUE
};

enum { ASSAY_PROFILE_ACCEPTED_MAX = 16 };

/* A finding known and proved real: listed, never counted as new. */
struct assay_accepted {
    uint16_t property; /* enum assay_property */
    uint8_t kind;      /* enum assay_op, 0 = any */
    uint8_t relation;  /* enum assay_relation, 0 = any */
    char reason[92];
};

struct assay_profile {
    char name[32];
    uint32_t min_alignment;       /* 0: min(16, largest power of two <= size); else always this */
    uint64_t budget_live_bytes;   /* C01 holds below this: 0 = 256 MiB */
    uint64_t budget_object_bytes; /* 0 = 64 MiB */
    uint64_t max_alignment;       /* C01 holds up to this alignment: 0 = one page */
    uint8_t malloc_zero_null;     /* enum assay_answer: malloc(0) is NULL */
    uint8_t realloc_zero;         /* enum assay_zero_resize */
    uint8_t usable_is_requested;  /* usable_size gives exactly the requested size */
    uint8_t usable_writable;      /* C09: all of [0, usable) may be written */
    uint8_t realloc_keeps_alignment;
    uint8_t posix_memalign_keeps_errno;
    uint8_t aligned_alloc_refuses_bad_alignment; /* C21 */
    uint8_t large_errno_everywhere;              /* C22: ENOMEM from the aligned APIs as well */
    uint8_t detects_double_free;                 /* S01 immediate */
    uint8_t detects_invalid_free;                /* S02 */
    uint8_t detects_sized_mismatch;              /* S03 */
    uint8_t detects_overflow_at_free;            /* S08 */
    uint8_t detects_family_mismatch;             /* S04 */
    uint8_t detects_write_after_free;            /* S09, S19: when the memory is reused */
    uint8_t detects_bad_query;                   /* S26 */
    uint8_t zeroes_on_free;                      /* S10, S11, S24: nothing of it can be read */
    uint8_t zero_size_faults;                    /* S22 */
    uint8_t delays_reuse;                        /* S12: not by the next allocation */
    uint8_t random_neighbours;                   /* S13 */
    uint8_t no_overlap;                          /* S15-S18, of the attacks that are tried */
    uint8_t never_executable;                    /* S23 */
    uint8_t separates_metadata;                  /* S29, S30 */
    uint32_t max_threads;                        /* 0 = no promise */
    uint32_t cheri_mantissa; /* C37: bits of the mantissa of capability bounds, 0 = no promise */
    uint32_t accepted_count;
    struct assay_accepted accepted[ASSAY_PROFILE_ACCEPTED_MAX];
};

/* The profile that promises nothing. Allocates nothing. */
void assay_profile_generic(struct assay_profile *profile);
/* Reads an .ini file (inih). Errors name the file, the line and the key. Host only. */
int assay_profile_load(const char *path, struct assay_profile *profile, struct assay_error *err);
/* The shipped profile for a subject name ("glibc", "jemalloc", ..., or a path whose file name
 * contains one of them); generic if there is none. Host only: looks in the source/installed profile
 * folders. */
int assay_profile_find(const char *subject, struct assay_profile *profile, struct assay_error *err);

#endif
