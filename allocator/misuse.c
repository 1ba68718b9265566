/* The words for pointers that are not what they should be. */
#include "meta.h"

void bw_not_an_object(enum bw_intent intent, const void *p, size_t size, const char *state,
                      const char *detail, size_t number)
{
    static const char *const rules[] = {"invalid free", "invalid realloc", "invalid usable_size"};
    bw_fatal(&(struct bw_misuse){rules[intent], p, size, state, detail, number});
}

void bw_freed_object(enum bw_intent intent, const void *p, size_t size, const char *state)
{
    static const char *const rules[] = {"double free", "realloc after free",
                                        "usable_size after free"};
    bw_fatal(&(struct bw_misuse){rules[intent], p, size, state, NULL, 0});
}

void bw_check_claim(const struct bw_claim *claim, const void *p, size_t size, unsigned class_index,
                    bool spilled)
{
    if (claim->size != size)
        bw_fatal(
            &(struct bw_misuse){"size mismatch", p, size, "live", "freed with size", claim->size});
    size_t alignment = claim->alignment;
    if (alignment == 0)
        return;
    bool fits = (alignment & (alignment - 1)) == 0 && ((uintptr_t)p & (alignment - 1)) == 0;
    /* The class of a slot shows the alignment that was asked for, unless its class was full. */
    if (fits && !spilled && class_index < BW_CLASS_COUNT)
        fits = alignment <= BW_SLOT_ALIGNMENT_MAX && size <= BW_REQUEST_MAX &&
               bw_class_for(size, alignment) == class_index;
    if (!fits)
        bw_fatal(&(struct bw_misuse){"alignment mismatch", p, size, "live", "freed with alignment",
                                     alignment});
}
