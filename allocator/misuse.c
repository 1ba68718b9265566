/* The words for pointers that are not what they should be, and for memory that was damaged. */
#include "meta.h"

#include "canary.h"

void bw_not_an_object(enum bw_intent intent, const void *p, size_t size, const char *state,
                      const char *detail, size_t number)
{
    static const char *const rules[] = {"invalid free", "invalid realloc", "invalid usable_size"};
    bw_fatal(&(struct bw_misuse){.rule = rules[intent],
                                 .address = p,
                                 .size = size,
                                 .state = state,
                                 .detail = detail,
                                 .number = number});
}

void bw_freed_object(enum bw_intent intent, const void *p, size_t size, const char *state)
{
    static const char *const rules[] = {"double free", "realloc after free",
                                        "usable_size after free"};
    bw_fatal(
        &(struct bw_misuse){.rule = rules[intent], .address = p, .size = size, .state = state});
}

void bw_check_claim(const struct bw_claim *claim, const void *p, size_t size, unsigned class_index,
                    bool spilled)
{
    struct bw_misuse misuse = {.address = p, .size = size, .state = "live"};
    size_t claimed = claim->size + (bw_mutant(claim_strict) && size % 16 == 8);
    if (claimed != size && claim->size != BW_SIZE_UNKNOWN && !bw_mutant(claim_unchecked)) {
        misuse.rule = "size mismatch";
        misuse.detail = "freed with size";
        misuse.number = claim->size;
        bw_fatal(&misuse);
    }
    size_t alignment = claim->alignment;
    if (alignment == 0)
        return;
    bool fits = (alignment & (alignment - 1)) == 0 && ((uintptr_t)p & (alignment - 1)) == 0;
    /* The class of a slot shows the alignment that was asked for, unless its class was full. */
    if (fits && !spilled && class_index < BW_CLASS_COUNT)
        fits = alignment <= BW_SLOT_ALIGNMENT_MAX && size <= BW_REQUEST_MAX &&
               bw_class_for(size, alignment) == class_index;
    if (!fits) {
        misuse.rule = "alignment mismatch";
        misuse.detail = "freed with alignment";
        misuse.number = alignment;
        bw_fatal(&misuse);
    }
}

/* Who wrote there: the object's own program from its end on, the one behind it backwards, or
 * neither. */
struct bw_misuse bw_overflow_of(uint64_t secret, const uint8_t *p, size_t size, const uint8_t *end,
                                size_t slack, const uint8_t *behind)
{
    size_t first = bw_canary_first_damaged(secret, p, end, slack);
    struct bw_misuse misuse = {.rule = "overflow",
                               .address = p,
                               .size = size,
                               .state = "live",
                               .detail = "first changed byte at offset",
                               .number = first,
                               .guess = "an index too large, or a stray write"};
    const uint8_t *last = bw_canary_last_damaged(secret, p, end, slack);
    if (first == size)
        misuse.guess = p[first] == 0 && last == p + first + 1
                           ? "the final NUL of a string that fills it"
                           : "a write past its end";
    else if (behind == end && last == end) {
        misuse.guess = "a write before the object behind it, at";
        misuse.guess_object = behind;
    }
    return misuse;
}

/* `before` is the object before it where that one is damaged too. */
struct bw_misuse bw_stale_write_of(const uint8_t *p, size_t size, size_t bytes, const char *state,
                                   const uint8_t *before)
{
    return (struct bw_misuse){.rule = "write after free",
                              .address = p,
                              .size = size,
                              .state = state,
                              .detail = "first changed byte at offset",
                              .number = bw_first_nonzero(p, bytes),
                              .guess = before != NULL ? "an overflow of the object before it, at"
                                                      : "a pointer that was kept",
                              .guess_object = before};
}
