/* S15-S18: what an attacker makes of a misuse. Overlap and allocation in foreign memory are seen at
 * the results; a write of the allocator by words that the program put down and never freed, looked
 * at between the allocations, as the attack may end the process at a later one. What lies in a
 * range that the program itself gave to free is the allocator's, and no effect. */
#include "oracles/misuse/build.h"
#include "oracles/misuse/variants.h"

enum { PICKED = 5, TARGET_AT = 1024, TARGET_WORDS = 8, CHUNKY = 1200, LARGER = 4096 };

/* What the attacker would have the allocator write. */
#define CHOSEN UINT64_C(0x4141424243434444)

static size_t target(struct assay_misuse *m, unsigned i, bool store, struct assay_mark mark)
{
    return assay_misuse_put(
        m,
        (struct assay_event){.kind = store ? ASSAY_OP_STORE : ASSAY_OP_READ,
                             .place = ASSAY_PLACE_GLOBAL,
                             .arg = TARGET_AT + (uint64_t)i * WORD,
                             .size = store ? assay_misuse_word(m, 0, (uint64_t)i * WORD) : WORD},
        mark);
}

static void look_at_target(struct assay_misuse *m, uint64_t chosen)
{
    for (unsigned i = 0; i < TARGET_WORDS; i++) {
        struct assay_mark mark = {.moment = LATER,
                                  .expect = ASSAY_EXPECT_DIFFERENT,
                                  .effect = ASSAY_EFFECT_ARBITRARY,
                                  .word = chosen};
        target(m, i, false, mark);
        mark.expect = ASSAY_EXPECT_SAME;
        mark.effect = ASSAY_EFFECT_WRITE;
        mark.word = assay_misuse_word(m, 0, (uint64_t)i * WORD);
        target(m, i, false, mark);
    }
}

/* All but what was given to free: two neighbours by number, or one. */
static void look_at_objects(struct assay_misuse *m, uint32_t first, uint32_t freed, bool two)
{
    for (uint32_t object = first; object < first + OBJECTS; object++)
        if (object != freed && (!two || object != freed - 1))
            assay_misuse_check(m, object, m->size,
                               (struct assay_mark){.moment = LATER,
                                                   .expect = ASSAY_EXPECT_SAME,
                                                   .effect = ASSAY_EFFECT_WRITE});
}

/* Words 0 and 1 of a freed object become a link, in both orders, to a place and a value. */
static void store_pair(struct assay_misuse *m, uint32_t freed, uint64_t place, uint64_t value)
{
    bool turned = m->draw & 1;
    for (unsigned i = 0; i < 4; i++)
        assay_misuse_store(m, freed, (uint64_t)i * WORD, (i % 2 == 0) == turned ? place : value,
                           WORD, MISUSE);
}

/* The word before an object becomes what a header of twice its size would say. */
static bool size_word(struct assay_misuse *m)
{
    uint32_t a = 0, b = 0;
    if (!assay_misuse_neighbours(m, 1, OBJECTS, false, &a, &b)) {
        m->reason = "no two objects are near each other";
        return false;
    }
    uint64_t bytes = 3 * ((m->size + 8 + 15) & ~(uint64_t)15) | 1;
    m->note[TARGET_WORDS] = b;
    assay_misuse_store(m, b, (uint64_t)-WORD, bytes, WORD, MISUSE);
    assay_misuse_release(m, b, NEIGHBOUR_FREE);
    for (unsigned i = 0; i < OBSERVERS; i++)
        assay_misuse_malloc(m, (bytes & ~(uint64_t)15) - 8, i == 0 ? NEXT_MALLOC : LATER);
    return true;
}

/* Looks after 1, 2, 4, ... allocations: the first of them may write, and the next one die of it. */
static void observe(struct assay_misuse *m, unsigned variant, uint64_t size, uint32_t freed,
                    uint64_t chosen)
{
    for (unsigned i = 0; i < OBSERVERS; i++) {
        assay_misuse_malloc(m, size, i == 0 ? NEXT_MALLOC : LATER);
        if (i & (i + 1))
            continue;
        look_at_target(m, chosen);
        if (variant == ATTACK_SIZE_WORD)
            look_at_objects(m, 1, freed, false);
        else if (variant != ATTACK_PAIR_LARGE)
            look_at_objects(m, 1, freed, true);
    }
}

ASSAY_BUILDER(attack)
{
    uint64_t size = variant == ATTACK_PAIR_LARGE ? CHUNKY : m->size;
    uint32_t first = 1, freed = first + PICKED;
    if (m->stage == 0) {
        assay_misuse_objects(m, OBJECTS, size);
        for (unsigned i = 0; i < TARGET_WORDS; i++)
            m->note[i] = target(m, i, true, (struct assay_mark){.moment = SETUP});
        if (variant != ATTACK_SIZE_WORD && variant != ATTACK_FORGED) {
            assay_misuse_release(m, freed - 1, SETUP);
            assay_misuse_release(m, freed, SETUP);
        }
        for (unsigned i = 0; i < OBSERVERS && variant == ATTACK_FREE_AFTER_REUSE; i++)
            assay_misuse_malloc(m, size, SETUP);
        return true;
    }
    if (m->stage > 1)
        return false;
    uint64_t place = m->events[m->note[0]].address, chosen = CHOSEN;
    switch (variant) {
    case ATTACK_DOUBLE_FREE: /* the usual way around a check of the last one freed */
        for (unsigned i = 0; i < 2; i++)
            assay_misuse_store(m, freed, (uint64_t)i * WORD, 0, WORD, MISUSE);
        assay_misuse_release(m, freed, MISUSE);
        break;
    case ATTACK_FREE_AFTER_REUSE: assay_misuse_release(m, freed, MISUSE); break;
    case ATTACK_LINK_TO_OBJECT:
    case ATTACK_MANGLED_LINK: {
        uint64_t link = variant == ATTACK_MANGLED_LINK ? place : assay_misuse_address(m, first);
        if (variant == ATTACK_MANGLED_LINK || m->draw & 1)
            link ^= assay_misuse_address(m, freed) >> 12;
        assay_misuse_store(m, freed, 0, link, WORD, MISUSE);
        break;
    }
    case ATTACK_LINK_TO_STATIC: assay_misuse_store(m, freed, 0, place, WORD, MISUSE); break;
    case ATTACK_SIZE_WORD:
        if (!size_word(m))
            return false;
        break;
    case ATTACK_FORGED:
        assay_misuse_put(m,
                         (struct assay_event){.kind = ASSAY_OP_FREE, .place = ASSAY_PLACE_FORGED},
                         (struct assay_mark){.moment = MISUSE});
        for (unsigned i = 0; i < OBSERVERS; i++)
            assay_misuse_malloc(m, 48, LATER);
        break;
    default:
        chosen = assay_misuse_address(m, first); /* both are addresses: a link has two ends */
        store_pair(m, freed, place, chosen);
        break;
    }
    observe(m, variant, size, variant == ATTACK_SIZE_WORD ? (uint32_t)m->note[TARGET_WORDS] : freed,
            chosen);
    for (unsigned i = 0; i < OBSERVERS && variant == ATTACK_PAIR_LARGE; i++)
        assay_misuse_malloc(m, LARGER, LATER); /* sorts what was freed */
    if (variant == ATTACK_PAIR_LARGE)
        look_at_target(m, chosen);
    return true;
}
