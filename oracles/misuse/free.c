/* S01-S05 and S26: pointers that are given back, or asked about, wrongly. */
#include "oracles/misuse/build.h"
#include "oracles/misuse/variants.h"

enum {
    PICKED = 5, /* of the objects of a set-up */
    LARGE_BYTES = 512 * 1024,
    MANY = 1024,
    PAGE = 4096,
    ALIGNMENT = 64
};

#define FAR          (UINT64_C(1) << 30)
#define NONCANONICAL (UINT64_C(1) << 62)
#define UNMAPPED     UINT64_C(0x10000)

/* A free that is one too many, by the number of the object that stood there. */
static void free_again(struct assay_misuse *m, uint32_t object)
{
    assay_misuse_release(m, object, MISUSE);
}

static bool after_reuse(struct assay_misuse *m, uint32_t object)
{
    enum { STEP = 64, MOST = 2048 };
    if (m->stage > 0) {
        uint64_t address = assay_misuse_address(m, object);
        for (size_t i = m->n - STEP; i < m->n; i++)
            if (m->events[i].address == address) {
                free_again(m, object);
                assay_misuse_observe(m, OBSERVERS, m->size);
                m->note[1] = 1;
                return true;
            }
    }
    if (m->stage * STEP >= MOST) {
        m->reason = "the freed address did not come back";
        return false;
    }
    for (unsigned i = 0; i < STEP; i++)
        assay_misuse_malloc(m, m->size, SETUP);
    return true;
}

static bool across_threads(struct assay_misuse *m, unsigned variant)
{
    static const struct {
        uint16_t first, second;
    } threads[] = {{0, 1}, {1, 0}};
    unsigned order = variant == DOUBLE_REMOTE_LOCAL;
    switch (m->stage) {
    case 0: m->note[0] = assay_misuse_objects(m, OBJECTS, m->size) + PICKED; return true;
    case 1:
        m->thread = threads[order].first;
        assay_misuse_release(m, (uint32_t)m->note[0], SETUP);
        return true;
    case 2:
        m->thread = threads[order].second;
        free_again(m, (uint32_t)m->note[0]);
        return true;
    case 3: assay_misuse_observe(m, OBSERVERS, m->size); return true;
    case 4: /* each thread has places of its own to allocate from */
        m->thread ^= 1;
        for (unsigned i = 0; i < OBSERVERS; i++)
            assay_misuse_malloc(m, m->size, LATER);
        return true;
    default: return false;
    }
}

ASSAY_BUILDER(double_free)
{
    if (variant == DOUBLE_ACROSS_THREADS || variant == DOUBLE_REMOTE_LOCAL)
        return across_threads(m, variant);
    uint64_t size = variant == DOUBLE_LARGE ? LARGE_BYTES : m->size;
    if (m->stage > 0) {
        bool goes_on = variant == DOUBLE_AFTER_REUSE && !m->note[1];
        return goes_on && after_reuse(m, (uint32_t)m->note[0]);
    }
    uint32_t first = assay_misuse_objects(m, OBJECTS, size), a = first + PICKED, b = a + 2;
    unsigned between = variant == DOUBLE_AFTER_1 ? 1 : variant == DOUBLE_AFTER_1024 ? MANY : 0;
    m->note[0] = a;
    assay_misuse_release(m, a, SETUP);
    if (variant == DOUBLE_AFTER_REUSE)
        return after_reuse(m, a);
    if (variant == DOUBLE_ABA)
        assay_misuse_release(m, b, SETUP);
    for (unsigned i = 0; i < between; i++) /* of a size that the freed slot does not serve */
        assay_misuse_malloc(m, 4 * m->size + 8, SETUP);
    free_again(m, a);
    assay_misuse_observe(m, OBSERVERS, size);
    return true;
}

ASSAY_BUILDER(invalid_free)
{
    static const struct {
        enum assay_place place;
        uint64_t offset;
    } where[] = {
        [INVALID_SMALL] = {ASSAY_PLACE_SMALL, 1},
        [INVALID_NONCANONICAL] = {ASSAY_PLACE_WILD, NONCANONICAL},
        [INVALID_STACK] = {ASSAY_PLACE_STACK, 0},
        [INVALID_STATIC] = {ASSAY_PLACE_GLOBAL, 64},
        [INVALID_UNREADABLE] = {ASSAY_PLACE_GUARD, 64},
        [INVALID_INTERIOR_1] = {ASSAY_PLACE_OBJECT, 1},
        [INVALID_INTERIOR_8] = {ASSAY_PLACE_OBJECT, 8},
        [INVALID_INTERIOR_16] = {ASSAY_PLACE_OBJECT, 16},
        [INVALID_NEXT_PAGE] = {ASSAY_PLACE_OBJECT, PAGE},
        [INVALID_FAR] = {ASSAY_PLACE_OBJECT, FAR},
        [INVALID_FORGED] = {ASSAY_PLACE_FORGED, 0},
        [INVALID_UNMAPPED] = {ASSAY_PLACE_WILD, UNMAPPED},
    };
    if (m->stage > 0)
        return false;
    uint32_t first = assay_misuse_objects(m, OBJECTS, m->size);
    bool inside = where[variant].place == ASSAY_PLACE_OBJECT;
    assay_misuse_put(m,
                     (struct assay_event){.kind = ASSAY_OP_FREE,
                                          .place = (uint8_t)where[variant].place,
                                          .object = inside ? first + PICKED : 0,
                                          .arg = where[variant].offset},
                     (struct assay_mark){.moment = MISUSE});
    assay_misuse_observe(m, OBSERVERS, m->size);
    if (variant == INVALID_FORGED) /* the forged header says 64 bytes with the header */
        for (unsigned i = 0; i < OBSERVERS; i++)
            assay_misuse_malloc(m, 48, LATER);
    /* what was given to free, if by an inner address, is the allocator's to write into */
    for (uint32_t object = first; object < first + OBJECTS; object++)
        if (!inside || object != first + PICKED)
            assay_misuse_check(m, object, m->size,
                               (struct assay_mark){.moment = LATER,
                                                   .expect = ASSAY_EXPECT_SAME,
                                                   .effect = ASSAY_EFFECT_WRITE});
    return true;
}

ASSAY_BUILDER(sized_free)
{
    bool aligned = variant == SIZED_ALIGNED_SIZE || variant == SIZED_ALIGNMENT;
    if (m->stage > 0 || lacks(m, aligned ? ASSAY_OP_FREE_ALIGNED_SIZED : ASSAY_OP_FREE_SIZED))
        return false;
    assay_misuse_objects(m, OBJECTS, m->size);
    struct assay_event make = {.kind = aligned ? ASSAY_OP_ALIGNED_ALLOC : ASSAY_OP_MALLOC,
                               .size = m->size,
                               .arg = aligned ? ALIGNMENT : 0,
                               .born = ++m->objects};
    assay_misuse_put(m, make, (struct assay_mark){.moment = SETUP});
    struct assay_event release = {.kind =
                                      aligned ? ASSAY_OP_FREE_ALIGNED_SIZED : ASSAY_OP_FREE_SIZED,
                                  .object = m->objects,
                                  .size = m->size,
                                  .arg = aligned ? ALIGNMENT : 0};
    switch (variant) {
    case SIZED_ONE_MORE: release.size = m->size + 1; break;
    case SIZED_HALF: release.size = m->size / 2; break;
    case SIZED_DOUBLE:
    case SIZED_ALIGNED_SIZE: release.size = 2 * m->size; break;
    case SIZED_ZERO: release.size = 0; break;
    default: release.arg = 2 * ALIGNMENT; break;
    }
    assay_misuse_put(m, release, (struct assay_mark){.moment = MISUSE});
    assay_misuse_observe(m, OBSERVERS, m->size);
    assay_misuse_observe_sizes(m);
    for (unsigned i = 0; i < OBSERVERS;
         i++) /* the slot may have gone to the class that was named */
        assay_misuse_malloc(m, release.size, LATER);
    return true;
}

ASSAY_BUILDER(family)
{
    bool of_aligned = variant == FAMILY_SIZED_OF_ALIGNED;
    if (m->stage > 0 || lacks(m, of_aligned ? ASSAY_OP_FREE_SIZED : ASSAY_OP_FREE_ALIGNED_SIZED))
        return false;
    assay_misuse_objects(m, OBJECTS, m->size);
    struct assay_event make = {.kind = of_aligned ? ASSAY_OP_ALIGNED_ALLOC : ASSAY_OP_MALLOC,
                               .size = m->size,
                               .arg = of_aligned ? ALIGNMENT : 0,
                               .born = ++m->objects};
    struct assay_event release = {.kind = of_aligned ? ASSAY_OP_FREE_SIZED
                                                     : ASSAY_OP_FREE_ALIGNED_SIZED,
                                  .object = m->objects,
                                  .size = m->size,
                                  .arg = of_aligned ? 0 : ALIGNMENT};
    assay_misuse_put(m, make, (struct assay_mark){.moment = SETUP});
    assay_misuse_put(m, release, (struct assay_mark){.moment = MISUSE});
    assay_misuse_observe(m, OBSERVERS, m->size);
    assay_misuse_observe_sizes(m);
    return true;
}

#define NEW          "_Znwm"
#define NEW_ARRAY    "_Znam"
#define DELETE       "_ZdlPv"
#define DELETE_ARRAY "_ZdaPv"
#define DELETE_SIZED "_ZdlPvm"

const struct assay_misuse_functions *assay_misuse_functions(const struct assay_misuse_info *info)
{
    static const struct assay_misuse_functions functions[] = {
        [OPERATOR_FREE_OF_NEW] = {NEW, NULL, NULL},
        [OPERATOR_FREE_OF_NEW_ARRAY] = {NEW_ARRAY, NULL, NULL},
        [OPERATOR_DELETE_OF_MALLOC] = {NULL, DELETE, NULL},
        [OPERATOR_DELETE_ARRAY_OF_MALLOC] = {NULL, DELETE_ARRAY, NULL},
        [OPERATOR_DELETE_OF_NEW_ARRAY] = {NEW_ARRAY, DELETE, NULL},
        [OPERATOR_DELETE_ARRAY_OF_NEW] = {NEW, DELETE_ARRAY, NULL},
        [OPERATOR_SIZED_ONE_MORE] = {NEW, DELETE, DELETE_SIZED},
        [OPERATOR_SIZED_HALF] = {NEW, DELETE, DELETE_SIZED},
        [OPERATOR_SIZED_DOUBLE] = {NEW, DELETE, DELETE_SIZED}};
    return info->flags & ASSAY_MISUSE_OPERATORS ? &functions[info->argument] : NULL;
}

/* malloc, free and free_sized are operators here: all objects are made by one, and what is released
 * is released by another, or with another size. */
ASSAY_BUILDER(operators)
{
    const uint64_t sizes[] = {[OPERATOR_SIZED_ONE_MORE] = m->size + 1,
                              [OPERATOR_SIZED_HALF] = m->size / 2,
                              [OPERATOR_SIZED_DOUBLE] = 2 * m->size};
    bool sized = variant >= OPERATOR_SIZED_ONE_MORE;
    if (m->stage > 0 || (sized && lacks(m, ASSAY_OP_FREE_SIZED)))
        return false;
    assay_misuse_objects(m, OBJECTS, m->size);
    assay_misuse_put(m,
                     (struct assay_event){.kind = sized ? ASSAY_OP_FREE_SIZED : ASSAY_OP_FREE,
                                          .object = 1 + OBJECTS / 2,
                                          .size = sized ? sizes[variant] : 0},
                     (struct assay_mark){.moment = MISUSE});
    assay_misuse_observe(m, OBSERVERS, m->size);
    assay_misuse_observe_sizes(m);
    return true;
}

/* The object of the last step that stands where a freed one of the set-up stood; 0: none does. */
static uint32_t recycled(const struct assay_misuse *m, uint32_t first, unsigned step)
{
    for (size_t i = m->n - step; i < m->n; i++)
        for (uint32_t freed = first + 2; freed < first + OBJECTS; freed++)
            if (m->events[i].address && m->events[i].address == assay_misuse_address(m, freed))
                return m->events[i].born;
    return 0;
}

/* A victim lives whose address stands all over freed objects; a new object in such a place (where
 * none comes in time: the last new one) is not written, and one of its words is taken for a
 * pointer. */
ASSAY_BUILDER(uninitialised)
{
    enum { STEP = 256, MOST = 2048 };
    uint64_t word_at = variant == UNINIT_FREE_FIRST ? 0 : 16;
    static const uint8_t kinds[] = {[UNINIT_FREE_FIRST] = ASSAY_OP_FREE,
                                    [UNINIT_FREE_THIRD] = ASSAY_OP_FREE,
                                    [UNINIT_REALLOC] = ASSAY_OP_REALLOC,
                                    [UNINIT_USABLE] = ASSAY_OP_USABLE_SIZE};
    uint32_t first = (uint32_t)m->note[0], fresh = 0;
    switch (m->note[1]) { /* what is next */
    case 0:
        if (lacks(m, (enum assay_op)kinds[variant]))
            return false;
        m->note[0] = assay_misuse_objects(m, OBJECTS, m->size);
        m->note[1] = 1;
        return true;
    case 1: {
        uint64_t address = assay_misuse_address(m, first + 1);
        for (unsigned i = 2; i < OBJECTS; i++)
            for (uint64_t at = 0; at + WORD <= m->size; at += WORD)
                assay_misuse_store(m, first + i, at, address, WORD, SETUP);
        for (unsigned i = 2; i < OBJECTS; i++)
            assay_misuse_release(m, first + i, SETUP);
        assay_misuse_malloc(m, m->size, SETUP);
        m->note[1] = 2;
        m->note[2] = 1; /* made in the last step, */
        m->note[3] = 1; /* and in all */
        return true;
    }
    case 2:
        fresh = recycled(m, first, (unsigned)m->note[2]);
        if (!fresh && m->note[3] < MOST) {
            for (unsigned i = 0; i < STEP; i++)
                assay_misuse_malloc(m, m->size, SETUP);
            m->note[2] = STEP;
            m->note[3] += STEP;
            return true;
        }
        m->note[4] = assay_misuse_read(m, fresh ? fresh : m->objects, word_at,
                                       (struct assay_mark){.moment = SETUP});
        m->note[1] = 3;
        return true;
    case 3: {
        bool query = variant == UNINIT_USABLE;
        bool resize = variant == UNINIT_REALLOC;
        assay_misuse_put(
            m,
            (struct assay_event){.kind = kinds[variant],
                                 .place = ASSAY_PLACE_WILD,
                                 .arg = m->events[m->note[4]].value,
                                 .size = resize ? 2 * m->size : 0,
                                 .born = resize ? ++m->objects : 0},
            (struct assay_mark){.moment = MISUSE,
                                .expect = query ? ASSAY_EXPECT_ZERO : ASSAY_EXPECT_NOTHING,
                                .effect = ASSAY_EFFECT_ANSWERED});
        assay_misuse_observe(m, OBSERVERS, m->size);
        m->note[1] = 4;
        return true;
    }
    default: return false;
    }
}

ASSAY_BUILDER(bad_query)
{
    static const struct {
        enum assay_op kind;
        bool freed;
    } queries[] = {[QUERY_USABLE_FREED] = {ASSAY_OP_USABLE_SIZE, true},
                   [QUERY_USABLE_INTERIOR] = {ASSAY_OP_USABLE_SIZE, false},
                   [QUERY_OBJECT_FREED] = {ASSAY_OP_OBJECT_SIZE, true},
                   [QUERY_OBJECT_INTERIOR] = {ASSAY_OP_OBJECT_SIZE, false},
                   [QUERY_REALLOC_FREED] = {ASSAY_OP_REALLOC, true},
                   [QUERY_REALLOC_INTERIOR] = {ASSAY_OP_REALLOC, false}};
    enum assay_op kind = queries[variant].kind;
    if (m->stage > 0 || lacks(m, kind))
        return false;
    uint32_t object = assay_misuse_objects(m, OBJECTS, m->size) + PICKED;
    bool resize = kind == ASSAY_OP_REALLOC;
    if (queries[variant].freed)
        assay_misuse_release(m, object, SETUP);
    assay_misuse_put(m,
                     (struct assay_event){.kind = (uint8_t)kind,
                                          .object = object,
                                          .arg = queries[variant].freed ? 0 : 16,
                                          .size = resize ? 2 * m->size : 0,
                                          .born = resize ? ++m->objects : 0},
                     (struct assay_mark){.moment = MISUSE,
                                         .expect = ASSAY_EXPECT_ZERO,
                                         .effect = ASSAY_EFFECT_ANSWERED});
    assay_misuse_observe(m, OBSERVERS, m->size);
    return true;
}
