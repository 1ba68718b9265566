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

/* Sizes of the objects in which stale bytes, or pointers, are looked for. */
static uint64_t fresh_size(const struct assay_misuse *m, unsigned variant, unsigned i)
{
    static const uint64_t mix[] = {24, 104, 600, CHUNKY, CHUNKY, 9000};
    switch (variant) {
    case FRESH_STALE_OTHER_SIZE: return m->size * (2 + i % 4);
    case FRESH_POINTER: return mix[i % (sizeof mix / sizeof *mix)];
    default: return m->size;
    }
}

/* Objects 1 to MANY are made and freed. */
static void make_old(struct assay_misuse *m, unsigned variant)
{
    bool pointers = variant == FRESH_POINTER; /* never written: what is read is the allocator's */
    if (!pointers)
        assay_misuse_objects(m, MANY, m->size);
    for (unsigned i = 0; i < MANY && pointers; i++)
        assay_misuse_malloc(m, fresh_size(m, variant, i), SETUP);
    for (uint32_t object = 1; object <= MANY; object += pointers && object % 4 == 3 ? 2 : 1)
        assay_misuse_release(m, object, SETUP);
}

/* Does it stand, at least in part, where one of the first MANY stood? */
static bool stands_on_old(const struct assay_misuse *m, const struct assay_event *fresh)
{
    for (size_t i = 0; i < m->n && m->events[i].born <= MANY; i++) {
        const struct assay_event *old = &m->events[i];
        if (assay_event_bears(old) && old->address && fresh->address < old->address + old->size &&
            old->address < fresh->address + fresh->size)
            return true;
    }
    return false;
}

static void look_at_fresh(struct assay_misuse *m, unsigned variant, uint32_t object, uint64_t size)
{
    bool pointers = variant == FRESH_POINTER;
    for (uint64_t at = 0; at + WORD <= size && at < 2 * WORD * WORD; at += WORD)
        assay_misuse_read(m, object, at,
                          (struct assay_mark){
                              .moment = LATER,
                              .expect = pointers ? ASSAY_EXPECT_NO_POINTER : ASSAY_EXPECT_UNTAGGED,
                              .effect = pointers ? ASSAY_EFFECT_POINTER : ASSAY_EFFECT_LEAK,
                              .word = assay_misuse_word(m, object, at)});
}

/* Where reuse is delayed it takes many objects until some stand where freed ones stood. */
enum { STEP = 256, MOST = 2048, MOST_BYTES = 1 << 26 };

/* How many the next stage makes; 0: enough of them are tried. note: the number so far. */
static unsigned next_step(const struct assay_misuse *m, uint64_t *note)
{
    if (*note >= MOST || *note * m->size >= MOST_BYTES)
        return 0;
    unsigned step = m->stage == 0 ? MANY : STEP;
    *note += step;
    return step;
}

/* Those that stand where freed ones stood are looked at; where none does, and for pointers, which
 * fresh slots may hold too, also others of the last. */
ASSAY_BUILDER(fresh)
{
    enum { LAST, ALL, LOOKED }; /* notes: made by the last stage, by all; is this the end? */
    size_t last = m->note[LAST], from = m->n - last;
    bool reused = false;
    if (m->note[LOOKED])
        return false;
    for (size_t i = from; i < m->n && !reused; i++)
        reused = stands_on_old(m, &m->events[i]);
    if (m->stage == 0)
        make_old(m, variant);
    unsigned step = reused ? 0 : next_step(m, &m->note[ALL]);
    m->note[LAST] = step;
    for (unsigned i = 0; i < step; i++)
        assay_misuse_malloc(m, fresh_size(m, variant, i), NEXT_MALLOC);
    if (step > 0)
        return true;
    bool others = !reused || variant == FRESH_POINTER;
    for (unsigned i = 0, left = others ? MANY : 0; i < last; i++) {
        struct assay_event fresh = m->events[from + i];
        bool old = stands_on_old(m, &fresh);
        if (!old && left == 0)
            continue;
        left -= !old;
        look_at_fresh(m, variant, fresh.born, fresh.size);
    }
    m->note[LOOKED] = 1;
    return true;
}

/* What a resize shows behind the old end. Never written by the program: zero, or one byte as a
 * filler; what differs is a dead object's, a pointer or a canary. */
ASSAY_BUILDER(grown)
{
    enum { GROWN_MOST = 3 };
    enum { FROM, ALL }; /* notes: where the last stage began, made by all of them */
    (void)variant;
    for (size_t i = m->note[FROM]; m->stage > 0 && i < m->n; i++)
        if (m->events[i].kind == ASSAY_OP_REALLOC && stands_on_old(m, &m->events[i]))
            return false;
    if (m->stage == 0)
        make_old(m, FRESH_STALE);
    m->note[FROM] = m->n;
    unsigned step = next_step(m, &m->note[ALL]);
    for (unsigned i = 0; i < step; i++) {
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
    return step > 0;
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
