/* S10, S11, S22, S24: what can be read that should not. */
#include "oracles/misuse/build.h"
#include "oracles/misuse/variants.h"

enum { PICKED = 5, MANY = 32, LARGE_BYTES = 256 * 1024, BETWEEN = 64, CHUNKY = 2000 };

static void look_back(struct assay_misuse *m, uint32_t object, uint64_t at)
{
    assay_misuse_read(m, object, at,
                      (struct assay_mark){.moment = MISUSE,
                                          .expect = ASSAY_EXPECT_DIFFERENT,
                                          .effect = ASSAY_EFFECT_LEAK,
                                          .word = assay_misuse_word(m, object, at)});
}

static uint64_t middle(uint64_t size)
{
    return (size / 2) & ~(uint64_t)(WORD - 1);
}

ASSAY_BUILDER(read_after_free)
{
    uint64_t size = variant == STALE_LARGE ? LARGE_BYTES : m->size;
    if (m->stage > 0)
        return false;
    uint32_t object = assay_misuse_objects(m, OBJECTS, size) + PICKED;
    assay_misuse_release(m, object, SETUP);
    for (unsigned i = 0; i < BETWEEN && variant == STALE_LATER; i++)
        assay_misuse_release(m, assay_misuse_malloc(m, 4 * m->size + 8, SETUP), SETUP);
    look_back(m, object, 0);
    look_back(m, object, middle(size));
    look_back(m, object, size - WORD);
    return true;
}

ASSAY_BUILDER(erased)
{
    uint64_t size = variant & ERASED_LARGE ? LARGE_BYTES : m->size;
    if (m->stage > 0)
        return false;
    uint32_t object = assay_misuse_objects(m, OBJECTS, size) + PICKED;
    assay_misuse_release(m, object, SETUP);
    switch (variant & ~(unsigned)ERASED_LARGE) {
    case ERASED_FIRST: look_back(m, object, 0); break;
    case ERASED_MIDDLE: look_back(m, object, middle(size)); break;
    default: look_back(m, object, size - WORD); break;
    }
    return true;
}

/* Two kinds of what fresh memory may tell: a dead object's bytes, a pointer of the allocator's. */
ASSAY_BUILDER(fresh)
{
    static const uint64_t mix[] = {24, 104, 600, CHUNKY, CHUNKY, 9000};
    enum { SIZES = sizeof mix / sizeof *mix };
    bool pointers = variant == FRESH_POINTER;
    uint64_t size = m->size;
    if (m->stage > 0)
        return false;
    if (pointers) { /* never written: what is read is the allocator's */
        for (unsigned i = 0; i < MANY; i++)
            assay_misuse_malloc(m, mix[i % SIZES], SETUP);
        for (uint32_t object = 1; object <= MANY; object += object % 4 == 3 ? 2 : 1)
            assay_misuse_release(m, object, SETUP);
    } else {
        assay_misuse_objects(m, MANY, size);
        for (uint32_t object = 1; object <= MANY; object++)
            assay_misuse_release(m, object, SETUP);
    }
    for (unsigned i = 0; i < MANY; i++) {
        if (pointers)
            size = mix[i % SIZES];
        else if (variant == FRESH_STALE_OTHER_SIZE)
            size = m->size * (2 + i % 4);
        uint32_t object = assay_misuse_malloc(m, size, NEXT_MALLOC);
        for (uint64_t at = 0; at + WORD <= size && at < 2 * WORD * WORD; at += WORD)
            assay_misuse_read(
                m, object, at,
                (struct assay_mark){.moment = LATER,
                                    .expect =
                                        pointers ? ASSAY_EXPECT_NO_POINTER : ASSAY_EXPECT_UNTAGGED,
                                    .effect = pointers ? ASSAY_EFFECT_POINTER : ASSAY_EFFECT_LEAK,
                                    .word = assay_misuse_word(m, object, at)});
    }
    return true;
}

/* What a resize shows behind the old end. Never written by the program: zero, or one byte as a
 * filler; what differs is a dead object's, a pointer or a canary. */
ASSAY_BUILDER(grown)
{
    enum { GROWN_MOST = 3 };
    (void)variant;
    if (m->stage > 0)
        return false;
    assay_misuse_objects(m, MANY, m->size);
    for (uint32_t object = 1; object <= MANY; object++)
        assay_misuse_release(m, object, SETUP);
    for (unsigned i = 0; i < MANY; i++) {
        uint64_t size = m->size + i % WORD * WORD, more = (1 + i % GROWN_MOST) * WORD;
        uint32_t object = assay_misuse_malloc(m, size, SETUP);
        assay_misuse_fill(m, object, size);
        assay_misuse_put(m,
                         (struct assay_event){.kind = ASSAY_OP_REALLOC,
                                              .object = object,
                                              .size = size + more,
                                              .born = ++m->objects},
                         (struct assay_mark){.moment = NEXT_MALLOC});
        for (uint64_t at = size; at < size + more; at += WORD)
            assay_misuse_read(m, m->objects, at,
                              (struct assay_mark){.moment = LATER,
                                                  .expect = ASSAY_EXPECT_FILLED,
                                                  .effect = ASSAY_EFFECT_LEAK});
    }
    return true;
}

ASSAY_BUILDER(empty)
{
    if (m->stage > 0)
        return false;
    assay_misuse_objects(m, OBJECTS, m->size);
    uint32_t object = assay_misuse_malloc(m, 0, SETUP);
    assay_misuse_put(
        m,
        (struct assay_event){.kind = variant == EMPTY_WRITE ? ASSAY_OP_STORE : ASSAY_OP_READ,
                             .object = object,
                             .size = 1,
                             .born = variant == EMPTY_WRITE},
        (struct assay_mark){
            .moment = MISUSE, .expect = ASSAY_EXPECT_FAULT, .effect = ASSAY_EFFECT_ACCESSIBLE});
    return true;
}
