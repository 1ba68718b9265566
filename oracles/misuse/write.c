/* S06-S09, S19, S20, S28: writes beside objects and into freed ones. */
#include "oracles/misuse/build.h"
#include "oracles/misuse/variants.h"
#include "traces/core/random.h"

enum { PICKED = 5, NUL_BYTES = 1, WORDS = 4, MEBIBYTE = 1 << 20, FREED = 8, CALLS = 1024 };

static const struct assay_mark corrupt = {
    .moment = LATER, .expect = ASSAY_EXPECT_SAME, .effect = ASSAY_EFFECT_CORRUPT, .soft = true};

static uint64_t draw_word(const struct assay_misuse *m, uint64_t n)
{
    uint64_t state = m->draw ^ n;
    return assay_splitmix64(&state);
}

/* What follows a write beside object a, whose neighbour is b: whose free notices? The content of
 * the others is looked at last, for it is the program's own write that reached it. */
static void after_damage(struct assay_misuse *m, uint32_t first, uint32_t a, uint32_t b)
{
    if (b)
        assay_misuse_check(m, b, m->size, corrupt);
    assay_misuse_release(m, a, OWN_FREE);
    if (b)
        assay_misuse_release(m, b, NEIGHBOUR_FREE);
    assay_misuse_observe(m, OBSERVERS, m->size);
    assay_misuse_observe_sizes(m);
    for (uint32_t object = first; object < first + OBJECTS; object++)
        if (object != a && object != b)
            assay_misuse_check(m, object, m->size, corrupt);
    for (uint32_t object = first; object < first + OBJECTS; object++)
        if (object != a && object != b)
            assay_misuse_release(m, object, LATER);
    for (unsigned i = 0; i < OBSERVERS; i++)
        assay_misuse_malloc(m, m->size, LATER);
}

static void pattern(struct assay_misuse *m, uint32_t object, uint64_t offset, uint64_t bytes)
{
    assay_misuse_put(m,
                     (struct assay_event){
                         .kind = ASSAY_OP_WRITE, .object = object, .arg = offset, .size = bytes},
                     (struct assay_mark){.moment = MISUSE});
}

static bool beside(struct assay_misuse *m, unsigned reach, bool before)
{
    static const uint64_t bytes[] = {
        [REACH_NUL] = NUL_BYTES, [REACH_1] = 1,      [REACH_8] = WORD,
        [REACH_32] = 32,         [REACH_WORDS] = 32, [REACH_MEBIBYTE] = MEBIBYTE};
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, m->size);
        return true;
    }
    if (m->stage > 1)
        return false;
    uint32_t first = 1, a = first + PICKED, b = 0;
    /* where nobody is near, any object will do */
    (void)assay_misuse_neighbours(m, first, OBJECTS, before, &a, &b);
    uint64_t at = before ? 0 - bytes[reach] : m->size;
    switch (reach) {
    case REACH_NUL: assay_misuse_store(m, a, at, 0, NUL_BYTES, MISUSE); break;
    case REACH_1: assay_misuse_store(m, a, at, draw_word(m, 1) | 1, 1, MISUSE); break;
    case REACH_8: assay_misuse_store(m, a, at, draw_word(m, 1), WORD, MISUSE); break;
    case REACH_WORDS: /* what looks like a pointer into the heap */
        for (unsigned i = 0; i < WORDS; i++)
            assay_misuse_store(m, a, at + i * WORD, assay_misuse_address(m, first), WORD, MISUSE);
        break;
    default: pattern(m, a, at, bytes[reach]); break;
    }
    after_damage(m, first, a, b);
    return true;
}

ASSAY_BUILDER(overflow)
{
    return beside(m, variant, false);
}

ASSAY_BUILDER(underflow)
{
    return beside(m, variant, true);
}

/* 8 bytes behind all that the object may use, or right before it: its own free must say so. */
ASSAY_BUILDER(damaged_free)
{
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, m->size);
        return true;
    }
    if (m->stage > 1)
        return false;
    uint32_t object = 1 + PICKED;
    uint64_t usable = m->size;
    for (size_t i = 0; i < m->n; i++)
        if (m->events[i].born == object && m->events[i].flags & ASSAY_FLAG_USABLE &&
            m->events[i].usable_extra > 0)
            usable += (uint64_t)m->events[i].usable_extra;
    assay_misuse_store(m, object, variant == DAMAGE_BEHIND ? usable : (uint64_t)-WORD,
                       draw_word(m, 2), WORD, MISUSE);
    assay_misuse_put(m, (struct assay_event){.kind = ASSAY_OP_FREE, .object = object},
                     (struct assay_mark){.moment = OWN_FREE,
                                         .expect = ASSAY_EXPECT_DEATH,
                                         .effect = ASSAY_EFFECT_UNNOTICED});
    return true;
}

/* Words into the first 32 bytes of a freed object, or the last word of it alone. */
static void payload(struct assay_misuse *m, uint32_t freed, unsigned kind, uint64_t target)
{
    if (kind == PAYLOAD_LAST)
        assay_misuse_store(m, freed, m->size - WORD, draw_word(m, 16), WORD, MISUSE);
    for (unsigned i = 0; i < WORDS && kind != PAYLOAD_LAST; i++) {
        uint64_t word = target;
        if (kind == PAYLOAD_RANDOM)
            word = draw_word(m, 16 + i);
        if (kind == PAYLOAD_MANGLED) /* as glibc 2.32 and later hide a link */
            word = assay_misuse_address(m, freed) >> 12 ^ target;
        assay_misuse_store(m, freed, (uint64_t)i * WORD, word, WORD, MISUSE);
    }
}

/* Calls that bring a freed slot back, also one that is held for a while. */
static void use_heap(struct assay_misuse *m)
{
    for (unsigned i = 0; i < CALLS; i++) {
        uint32_t object = assay_misuse_malloc(m, m->size, LATER);
        if (i % 4)
            assay_misuse_release(m, object, LATER);
    }
    assay_misuse_observe_sizes(m);
}

static uint64_t metadata_address(const struct assay_misuse *m)
{
    for (size_t i = 0; i < m->map_count; i++)
        if (m->maps[i].allocator && m->maps[i].writable)
            return m->maps[i].from + 256;
    return 0;
}

ASSAY_BUILDER(write_after_free)
{
    uint32_t first = 1, freed = first + PICKED, live = first + PICKED + 4;
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, m->size);
        assay_misuse_release(m, freed - 1, SETUP); /* a list of one may end at once */
        assay_misuse_release(m, freed, SETUP);
        /* its address, and what stands at the target */
        m->note[0] = assay_misuse_put(m,
                                      (struct assay_event){.kind = ASSAY_OP_STORE,
                                                           .place = ASSAY_PLACE_GLOBAL,
                                                           .arg = 128,
                                                           .size = assay_misuse_word(m, 0, 0)},
                                      (struct assay_mark){.moment = SETUP});
        return true;
    }
    if (m->stage > 1)
        return false;
    uint64_t target = m->events[m->note[0]].address;
    if (variant == PAYLOAD_HEAP)
        target = assay_misuse_address(m, live);
    if (variant == PAYLOAD_METADATA)
        target = metadata_address(m);
    if (target == 0) {
        m->reason = "no page of the allocator's own data was found";
        return false;
    }
    payload(m, freed, variant, target);
    assay_misuse_observe(m, OBSERVERS, m->size);
    struct assay_mark wrote = {
        .moment = LATER, .expect = ASSAY_EXPECT_SAME, .effect = ASSAY_EFFECT_WRITE};
    for (uint32_t object = first; object < first + OBJECTS; object++)
        if (object != freed && object != freed - 1)
            assay_misuse_check(m, object, m->size, wrote);
    wrote.word = assay_misuse_word(m, 0, 0);
    assay_misuse_put(
        m,
        (struct assay_event){
            .kind = ASSAY_OP_READ, .place = ASSAY_PLACE_GLOBAL, .arg = 128, .size = WORD},
        wrote);
    for (uint32_t object = first; object < first + OBJECTS; object++)
        if (object != freed && object != freed - 1)
            assay_misuse_release(m, object, LATER);
    use_heap(m);
    return true;
}

/* Every freed object is overwritten; then the heap is used. */
ASSAY_BUILDER(free_list)
{
    (void)variant;
    if (m->stage > 0)
        return false;
    uint32_t first = assay_misuse_objects(m, OBJECTS, m->size);
    for (uint32_t object = first; object < first + FREED; object++)
        assay_misuse_release(m, object, SETUP);
    for (uint32_t object = first; object < first + FREED; object++)
        for (unsigned i = 0; i < 2; i++)
            assay_misuse_store(m, object, (uint64_t)i * WORD, draw_word(m, 2 * object + i), WORD,
                               MISUSE);
    assay_misuse_observe(m, OBSERVERS, m->size);
    use_heap(m);
    return true;
}

/* True if the byte is one that an object of the set-up holds. */
static bool is_held(const struct assay_misuse *m, uint32_t first, uint64_t at)
{
    for (uint32_t object = first; object < first + OBJECTS; object++) {
        uint64_t address = assay_misuse_address(m, object);
        if (address && at - address < m->size)
            return true;
    }
    return false;
}

/* One bit of the 32 bytes on one side of an object: the trial's number says which. */
ASSAY_BUILDER(flip)
{
    enum { BYTES = 32, BITS = 8 };
    bool behind = (variant & ~(unsigned)FLIP_SPARING) == FLIP_BEHIND;
    uint32_t first = 1, a = first + PICKED, b = 0;
    switch (m->stage) {
    case 0: assay_misuse_objects(m, OBJECTS, m->size); return true;
    case 1: {
        uint64_t offsets[BYTES], count = 0;
        (void)assay_misuse_neighbours(m, first, OBJECTS, !behind, &a, &b);
        for (uint64_t i = 0; i < BYTES; i++) {
            uint64_t at = behind ? m->size + i : (uint64_t)0 - 1 - i;
            if (!(variant & FLIP_SPARING) || !is_held(m, first, assay_misuse_address(m, a) + at))
                offsets[count++] = at;
        }
        if (count == 0) {
            m->reason = "all bytes beside it are other objects'";
            return false;
        }
        uint64_t bit = m->trial % (count * BITS);
        m->note[0] = a;
        m->note[1] = b;
        m->note[2] = offsets[bit / BITS];
        m->note[3] = UINT64_C(1) << bit % BITS;
        m->note[4] = assay_misuse_put(
            m,
            (struct assay_event){.kind = ASSAY_OP_READ, .object = a, .arg = m->note[2], .size = 1},
            (struct assay_mark){.moment = SETUP});
        return true;
    }
    case 2:
        assay_misuse_store(m, (uint32_t)m->note[0], m->note[2],
                           m->events[m->note[4]].value ^ m->note[3], 1, MISUSE);
        after_damage(m, first, (uint32_t)m->note[0], (uint32_t)m->note[1]);
        return true;
    default: return false;
    }
}

/* A copy of as much as there is, which must work, and one of more. */
ASSAY_BUILDER(guarded_copy)
{
    enum { FROM = 1 + PICKED, TO = FROM + 1, MUCH = 64 * 1024 };
    if (m->missing >> ASSAY_OP_GUARDED_COPY & 1) {
        m->reason = "not offered: the profile names no guarded_copy in [symbols]";
        return false;
    }
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, m->size);
        m->note[0] = assay_misuse_malloc(m, MUCH, SETUP);
        struct assay_event copy = {
            .kind = ASSAY_OP_GUARDED_COPY, .object = TO, .arg = FROM, .size = m->size};
        assay_misuse_put(m, copy, (struct assay_mark){.moment = SETUP});
        assay_misuse_read(m, TO, 0,
                          (struct assay_mark){.moment = SETUP,
                                              .expect = ASSAY_EXPECT_SAME,
                                              .effect = ASSAY_EFFECT_LOST,
                                              .word = assay_misuse_word(m, FROM, 0)});
        return true;
    }
    if (m->stage > 1)
        return false;
    uint32_t object = variant == COPY_FROM_BEHIND ? FROM : TO, large = (uint32_t)m->note[0];
    uint64_t size = m->size + 1;
    for (size_t i = 0; i < m->n; i++)
        if (m->events[i].born == object && m->events[i].kind == ASSAY_OP_MALLOC &&
            variant != COPY_ONE_MORE)
            size += (uint64_t)m->events[i].usable_extra;
    struct assay_event copy = {.kind = ASSAY_OP_GUARDED_COPY,
                               .object = object == FROM ? large : TO,
                               .arg = object == FROM ? FROM : large,
                               .size = variant == COPY_MUCH ? MUCH : size};
    assay_misuse_put(m, copy,
                     (struct assay_mark){.moment = MISUSE,
                                         .expect = ASSAY_EXPECT_DEATH,
                                         .effect = ASSAY_EFFECT_UNNOTICED});
    return true;
}
