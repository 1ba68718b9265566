#include "note.h"

#include "large.h"
#include "slab.h"
#include "slab_slot.h"
#include "thread.h"

static struct bw_note *note_of_slot(const struct bw_class *class, struct bw_slab *slab,
                                    uint32_t slot)
{
    struct bw_note *notes = (struct bw_note *)(slab->tags + class->slots);
    return &notes[slot];
}

static void set_allocated(struct bw_note *note, uint8_t made)
{
    note->made = made;
    if (bw_policy_sites) {
        note->allocated_at[0] = bw_thread()->caller;
        note->freed_at[0] = NULL;
    }
}

void bw_note_allocated(struct bw_heap *heap, const void *p, uint8_t made)
{
    if (bw_slab_owns(heap, p)) {
        struct place place = locate(heap, p);
        set_allocated(
            note_of_slot(place.class, bw_slab_record(place.class, place.slab_index), place.slot),
            made);
        return;
    }
    struct bw_note note = {.made = made};
    set_allocated(&note, made);
    (void)bw_large_note(heap, p, &note, NULL);
}

/* Of a live object that starts at p. */
static bool read_live(struct bw_heap *heap, const void *p, struct bw_note *ret_note,
                      size_t *ret_size)
{
    if (!bw_slab_owns(heap, p))
        return bw_large_note(heap, p, NULL, ret_note) && (*ret_size = BW_SIZE_UNKNOWN) != 0;
    struct place place = locate(heap, p);
    if (!place.in_slot || place.offset != 0)
        return false;
    uint32_t tag = bw_load_u16(tag_at(&place));
    if (!(tag & BW_TAG_LIVE))
        return false;
    struct bw_note *note =
        note_of_slot(place.class, bw_slab_record(place.class, place.slab_index), place.slot);
    *ret_note = *note;
    *ret_size = place.class->size - slack_of(tag);
    if (bw_policy_sites)
        note->freed_at[0] = bw_thread()->caller;
    return true;
}

static const char *const families[BW_FAMILY_COUNT][BW_FAMILY_COUNT] = {
    {NULL, "made by malloc, freed by delete", "made by malloc, freed by delete[]"},
    {"made by new, freed by free or realloc", NULL, "made by new, freed by delete[]"},
    {"made by new[], freed by free or realloc", "made by new[], freed by delete", NULL},
};

void bw_note_freeing(struct bw_heap *heap, const void *p, enum bw_family family,
                     const struct bw_claim *claim)
{
    struct bw_note note;
    struct bw_misuse misuse = {.address = p, .state = "live", .number = BW_NO_NUMBER};
    if (p == NULL || !read_live(heap, p, &note, &misuse.size) || !bw_policy_families)
        return;
    size_t alignment = (size_t)1 << (note.made & 63);
    enum bw_family made = note.made >> 6;
    if (made != family) {
        misuse.rule = "family mismatch";
        misuse.detail = families[made][family];
        bw_fatal(&misuse);
    }
    /* free and realloc take aligned objects, the sized functions and delete do not */
    bool must_claim = family != BW_FAMILY_MALLOC || claim != NULL;
    size_t claimed = claim == NULL || claim->alignment == 0 ? 1 : claim->alignment;
    if (!must_claim || claimed == alignment)
        return;
    misuse.rule = "alignment mismatch";
    misuse.detail = claimed == 1 ? "freed without its alignment" : "freed with alignment";
    misuse.number = claimed == 1 ? alignment : claimed;
    bw_fatal(&misuse);
}

void bw_note_sites(struct bw_heap *heap, const void *p, const void **ret_allocated,
                   const void **ret_freed)
{
    struct bw_note note;
    *ret_allocated = *ret_freed = NULL;
    if (!bw_policy_sites)
        return;
    if (!bw_slab_owns(heap, p)) {
        if (!bw_large_note_around(heap, p, &note))
            return;
    } else {
        struct place place = locate(heap, p);
        if (!place.in_slot || bw_load_u16(tag_at(&place)) == 0)
            return;
        struct bw_slab *slab = bw_slab_record(place.class, place.slab_index);
        note = *note_of_slot(place.class, slab, place.slot);
    }
    *ret_allocated = note.allocated_at[0];
    *ret_freed = note.freed_at[0];
}
