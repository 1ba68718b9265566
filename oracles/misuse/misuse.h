/* Programs of misuse: what an attacker, or a bug, does to an allocator, as ops; and what came of
 * it.
 *
 * A row of misuse.def is one variant of one measured property (S01-S30). Its builder writes the
 * program in stages: it is called again after each stage was executed, sees the results, and can
 * aim (at the object's neighbour, at a word that it read). Each op has a mark: which moment of the
 * misuse it is, and what is expected of it. The verdict is a pure function of events, marks and how
 * the child ended. Host only; memory belongs to struct assay_misuse and is kept from trial to
 * trial. */
#ifndef ASSAY_MISUSE_H
#define ASSAY_MISUSE_H

#include "oracles/judge.h"
#include "oracles/misuse/tags.h"
#include "traces/event.h"
#include "traces/runner/session.h"

enum assay_moment {
    ASSAY_MOMENT_SETUP,
    ASSAY_MOMENT_MISUSE,
    ASSAY_MOMENT_OWN_FREE,       /* the free of the object that was misused */
    ASSAY_MOMENT_NEIGHBOUR_FREE, /* the free of the object next to it */
    ASSAY_MOMENT_NEXT_MALLOC,
    ASSAY_MOMENT_LATER, /* within the ops that follow */
    ASSAY_MOMENT_COUNT
};
const char *assay_moment_name(unsigned moment);

/* What a misuse brought about where it was not noticed. */
enum assay_effect {
    ASSAY_EFFECT_NONE,
    ASSAY_EFFECT_OVERLAP,    /* two live objects share bytes */
    ASSAY_EFFECT_FOREIGN,    /* an allocation came from the program's own memory */
    ASSAY_EFFECT_WRITE,      /* the allocator wrote where the program neither wrote nor freed */
    ASSAY_EFFECT_ARBITRARY,  /* the same, a word that the program chose at a place that it chose */
    ASSAY_EFFECT_CORRUPT,    /* the program's own write reached another live object */
    ASSAY_EFFECT_LEAK,       /* bytes of a dead object can be read */
    ASSAY_EFFECT_POINTER,    /* a word that points into a mapping of the process can be read */
    ASSAY_EFFECT_RECLAIMED,  /* the freed range was handed out again */
    ASSAY_EFFECT_ADJACENT,   /* no third object fits between two, or they are at most 16 bytes apart
                              */
    ASSAY_EFFECT_ACCESSIBLE, /* an access that should fault did not */
    ASSAY_EFFECT_ANSWERED,   /* a question about no object was answered */
    ASSAY_EFFECT_UNNOTICED,  /* damage was there to see and was not seen */
    ASSAY_EFFECT_METADATA,   /* a word near an object changed when another was allocated or freed */
    ASSAY_EFFECT_EXECUTABLE, /* a page that can be written and executed */
    ASSAY_EFFECT_LOST,       /* a live object's memory is gone */
    ASSAY_EFFECT_HANG,
    ASSAY_EFFECT_MEMORY, /* the child used more than it may */
    ASSAY_EFFECT_COUNT
};
const char *assay_effect_name(unsigned effect);

/* What is expected of an op; where it is not so, the mark's effect has come about. */
enum assay_expect {
    ASSAY_EXPECT_NOTHING,
    ASSAY_EXPECT_SAME,      /* value is word */
    ASSAY_EXPECT_DIFFERENT, /* value is not word */
    ASSAY_EXPECT_UNTAGGED,  /* value's upper half is not word's */
    ASSAY_EXPECT_NO_POINTER,
    ASSAY_EXPECT_FILLED, /* value is one byte, zero or another, repeated */
    ASSAY_EXPECT_FAULT,
    ASSAY_EXPECT_ZERO,   /* the answer of a query, or the result of a resize, is 0 */
    ASSAY_EXPECT_NOT_AT, /* the result does not overlap [word, word + other) */
    ASSAY_EXPECT_APART,  /* the result is no neighbour of object number other */
    ASSAY_EXPECT_DEATH,  /* the child does not come past this op */
    ASSAY_EXPECT_NO_WX   /* no mapping can be written and executed */
};

struct assay_mark {
    uint8_t moment, expect, effect;
    bool soft; /* the effect counts only where nothing is noticed later */
    uint32_t other;
    uint64_t word;
};

struct assay_mapping {
    uint64_t from, to;
    bool readable, writable, executable;
    bool anonymous; /* of no file, and not the stack's or the kernel's */
    bool allocator; /* the data of the subject's own image */
};

enum { ASSAY_MISUSE_NOTES = 64 };

struct assay_misuse {
    struct assay_event *events;
    struct assay_mark *marks;
    size_t n, room;
    uint32_t objects;     /* the last number given */
    uint16_t thread;      /* that makes the ops that are put */
    uint64_t size;        /* of the objects of interest */
    uint64_t trial, draw; /* draw: random bits of this trial */
    uint64_t missing;     /* APIs that the subject lacks */
    const struct assay_mapping *maps;
    size_t map_count;
    unsigned stage;
    const char *reason;                /* set: the trial cannot be made */
    uint64_t note[ASSAY_MISUSE_NOTES]; /* the builder's own, zero at stage 0 */
    /* of rows that are figures */
    bool measured;
    uint64_t value;
};

enum assay_misuse_flag {
    ASSAY_MISUSE_THREADS = 1 << 0,  /* ops of several threads; each stage is of one */
    ASSAY_MISUSE_MAPS = 1 << 1,     /* the builder and the verdict want the mappings */
    ASSAY_MISUSE_USABLE = 1 << 2,   /* usable sizes are asked for */
    ASSAY_MISUSE_BITS = 1 << 3,     /* one trial for each of 256 bits */
    ASSAY_MISUSE_NUMBER = 1 << 4,   /* a figure: least, mean and most of the values */
    ASSAY_MISUSE_ENTROPY = 1 << 5,  /* a figure: entropy of the values */
    ASSAY_MISUSE_MODEL = 1 << 6,    /* of the tag model: TAGS(policy, access) of variants.h */
    ASSAY_MISUSE_LAYOUT = 1 << 8,   /* says nothing where the system draws no addresses */
    ASSAY_MISUSE_SIZES = 1 << 7,    /* each trial has a size of its own, 24 bytes to 40,000 */
    ASSAY_MISUSE_OPERATORS = 1 << 9 /* assay_misuse_functions() serve */
};
enum { ASSAY_MISUSE_BIT_TRIALS = 256 };
/* The size of a trial's objects, of rows with SIZES. */
uint64_t assay_misuse_size(uint64_t trial);

enum assay_promise {
    ASSAY_PROMISE_NONE,
    ASSAY_PROMISE_DETECTS,
    ASSAY_PROMISE_PREVENTS,
    ASSAY_PROMISE_AT_MOST, /* of a number: none of its values is above the key's, 0 = no promise */
    ASSAY_PROMISE_AT_LEAST /* the same; of entropy: bits */
};

struct assay_misuse_info {
    enum assay_property row;
    const char *variant;
    /* Puts the ops of m->stage; false: the program is complete, or m->reason says why there is
     * none.
     */
    bool (*build)(struct assay_misuse *m, unsigned argument);
    unsigned argument, flags;
    enum assay_promise promise;
    size_t promise_offset; /* of the key in struct assay_profile */
    const char *promise_key;
};
/* Symbols of C++'s operators that serve as malloc, free and free_sized in the variant's programs;
 * NULL: the usual function. Of variants with OPERATORS. */
struct assay_misuse_functions {
    const char *allocate, *release, *release_sized;
};
const struct assay_misuse_functions *assay_misuse_functions(const struct assay_misuse_info *info);
/* Returns the number of variants, in the order of misuse.def. */
size_t assay_misuse_list(const struct assay_misuse_info **ret_rows);
/* What the profile answers for the row: whether it promises that. */
bool assay_misuse_promised(const struct assay_misuse_info *info,
                           const struct assay_profile *profile);
/* How far figures are looked for; one that came so far has no end that was seen. */
enum { ASSAY_MISUSE_REUSE_MOST = 4096, ASSAY_MISUSE_GUARD_FARTHEST = 4 << 20 };
/* The promised bound of a number; 0: none. */
uint32_t assay_misuse_bound(const struct assay_misuse_info *info,
                            const struct assay_profile *profile);

/* Empties m for the next trial; memory is kept. size, missing and maps are left alone. */
void assay_misuse_begin(struct assay_misuse *m, uint64_t trial, uint64_t draw);
void assay_misuse_free(struct assay_misuse *m);

enum assay_misuse_outcome {
    ASSAY_MISUSE_VOID, /* the misuse could not be made */
    ASSAY_MISUSE_DETECTED,
    ASSAY_MISUSE_NEUTRALISED,
    ASSAY_MISUSE_EFFECT,
    ASSAY_MISUSE_COUNT
};

enum assay_how {
    ASSAY_HOW_NONE,
    ASSAY_HOW_ABORT,  /* SIGABRT, SIGTRAP or SIGILL: the allocator says so */
    ASSAY_HOW_FAULT,  /* the allocator itself ran into unmapped memory */
    ASSAY_HOW_ACCESS, /* the program's access faulted */
    ASSAY_HOW_EXIT,
    ASSAY_HOW_COUNT
};
const char *assay_how_name(unsigned how);

/* Bits: the effects that the row is about, of S15 to S18; 0 of the others. */
uint32_t assay_misuse_own_effects(enum assay_property row);

struct assay_misuse_verdict {
    enum assay_misuse_outcome outcome;
    enum assay_effect effect;
    uint32_t effects;         /* bits: all that were seen */
    enum assay_moment moment; /* where it was noticed, also if that was after an effect */
    enum assay_how how;       /* NONE: it was not noticed */
    size_t at;                /* the op of the detection or the effect */
    const char *reason;       /* of VOID */
    bool broke_off;           /* VOID because the child ended in the set-up, at op `at` */
};

/* How the child ended: state RUNNING or ENDED means that it came through. at: index of the op in
 * progress. */
struct assay_misuse_end {
    enum assay_session_state state;
    int signal;
    size_t at;
};

/* A trial of a MODEL row: no child, no ops. */
void assay_misuse_model(const struct assay_misuse_info *info, const struct assay_tags *tags,
                        uint64_t size, uint64_t draw, struct assay_misuse_verdict *ret_verdict);
/* Pure in the events and marks of m, its mappings, and the end. */
void assay_misuse_judge(const struct assay_misuse *m, const struct assay_misuse_end *end,
                        struct assay_misuse_verdict *ret_verdict);

#endif
