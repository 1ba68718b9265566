/* What is live at a point of a program, as the program's author sees it: every request that must be
 * refused bears nothing, every other one is taken to succeed (the executor skips ops on an object
 * that was refused after all). Decoder, encoder and generator keep the same list and the same idea
 * of what is legal, so that "the k-th live object" means the same to all three. The storage is the
 * caller's; allocates nothing. */
#ifndef ASSAY_LIVE_H
#define ASSAY_LIVE_H

#include "fuzzers/program.h"

/* A request of this many bytes or more is beyond any address space and must be refused; the range
 * between the largest object wanted and this is never asked for, because the answer is open. */
#define ASSAY_SIZE_REFUSED (UINT64_C(1) << 48)
/* The largest alignment that a program relies on getting. */
#define ASSAY_ALIGNMENT_MAX (UINT64_C(1) << 20)
/* The longest access. */
#define ASSAY_ACCESS_MAX (UINT64_C(1) << 16)

enum { ASSAY_LIVE_UNSIZED = 255 };

struct assay_live_object {
    uint32_t object;
    uint16_t alignment_log; /* 0: free_sized is legal; ASSAY_LIVE_UNSIZED: neither is; else
                               free_aligned_sized is, with alignment 1 << (this - 1) */
    bool certain;           /* the request had no excuse to be refused */
    uint64_t bytes;
};

struct assay_live {
    struct assay_live_object *objects; /* in an order that depends on the ops only */
    size_t count;
    size_t capacity; /* at least limits.max_live_objects + 1 */
    uint64_t bytes;
    uint32_t born;      /* highest object number given out */
    uint32_t last_free; /* object that the last op freed for sure, 0 = none */
};

/* Makes the proposal a legal op within the limits (another kind where it cannot be had) and gives
 * it its object numbers. index is the operand's place in the list, ignored for ops without an
 * operand; a null pointer operand is place NULL. A double free is proposed as a free with
 * ASSAY_FLAG_MISUSE. Only the op half of *op is used. Returns the operand's place in the list. */
size_t assay_live_fit(const struct assay_live *live, const struct assay_program_limits *limits,
                      struct assay_event *op, size_t index);
/* Brings the list up to date after a fitted op whose operand stands at index. */
void assay_live_apply(struct assay_live *live, const struct assay_event *op, size_t index);

/* For who looks objects up by number: places has room for the highest number and is kept current by
 * a call of place after each apply, with the same index. find returns SIZE_MAX for what is not
 * live. */
void assay_live_place(const struct assay_live *live, uint16_t *places, size_t index);
size_t assay_live_find(const struct assay_live *live, const uint16_t *places, uint32_t object);

#endif
