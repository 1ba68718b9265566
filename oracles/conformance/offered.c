/* C17, C24, C25, C34: of functions beyond the standards, where a subject offers them; and sized
 * release. C36: where a profile promises it. */
#include "oracles/oracle.h"

/* The executor looked at [old usable, new) for zeroes and at the bytes before for what stood there.
 */
enum assay_outcome assay_oracle_C17(const struct assay_case *c, struct assay_verdict *v)
{
    if (!c->succeeded || !(c->event->checked & ASSAY_FACT_ZERO))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->event->failed & ASSAY_FACT_ZERO)
        return assay_fact_violated(v, ASSAY_FACT_ZERO);
    return ASSAY_OUTCOME_HOLDS;
}

/* Judged at the release, and where the memory comes out again: see misplaced(). */
enum assay_outcome assay_oracle_C24(const struct assay_case *c, struct assay_verdict *v)
{
    enum assay_relation stopped = assay_case_stopped(c);
    if (ASSAY_ON_SIZED >> c->kind & 1) {
        if (stopped != ASSAY_RELATION_NONE) /* the judge asks this where C26 does not say it */
            return assay_violated(v, stopped, 0, c->event->signal);
        return c->operand ? ASSAY_OUTCOME_HOLDS : ASSAY_OUTCOME_NOT_APPLICABLE;
    }
    if (!c->misplaced)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (c->overlap == 0)
        return assay_violated(v, ASSAY_RELATION_OTHER, c->bytes,
                              c->bytes + (uint64_t)(int64_t)c->event->usable_extra);
    v->other = c->overlap;
    return assay_violated(v, ASSAY_RELATION_OVERLAP_PARTIAL, 0, c->event->address);
}

/* Allocators that give what was requested as usable hide what a class can hold; not those that have
 * told it of another object of this class. */
static bool hides_capacity(const struct assay_case *c)
{
    return c->event->usable_extra == 0 &&
           (c->profile->usable_is_requested == ASSAY_ANSWER_YES ||
            (c->profile->usable_is_requested == ASSAY_ANSWER_UNKNOWN &&
             c->good_told != c->good_size));
}

/* An answer of 0 says that such a request is refused. */
enum assay_outcome assay_oracle_C25(const struct assay_case *c, struct assay_verdict *v)
{
    if (c->kind == ASSAY_OP_GOOD_SIZE) {
        uint64_t asked = c->event->size, answer = c->event->value;
        if (asked > c->profile->budget_object_bytes)
            return ASSAY_OUTCOME_NOT_APPLICABLE;
        return answer >= asked ? ASSAY_OUTCOME_HOLDS
                               : assay_violated(v, ASSAY_RELATION_OTHER, asked, answer);
    }
    if (!c->succeeded || c->good_size == 0 || !(c->event->flags & ASSAY_FLAG_USABLE))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    uint64_t most = c->profile->good_size_exact_to;
    if ((most != 0 && c->bytes > most) || hides_capacity(c))
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    uint64_t usable = c->bytes + (uint64_t)(int64_t)c->event->usable_extra;
    if (usable != c->good_size)
        return assay_violated(v, ASSAY_RELATION_OTHER, usable, c->good_size);
    return ASSAY_OUTCOME_HOLDS;
}

/* Statistics of 0 say that none are kept; a heap that could not be walked says so by a code. */
enum assay_outcome assay_oracle_C34(const struct assay_case *c, struct assay_verdict *v)
{
    uint64_t value = c->event->value;
    if (c->kind == ASSAY_OP_HEAP_WALK) {
        if (c->event->error != 0)
            return ASSAY_OUTCOME_NOT_APPLICABLE;
        v->other = c->event->wrong_at;
        return value == 0 ? ASSAY_OUTCOME_HOLDS : assay_violated(v, ASSAY_RELATION_OTHER, 0, value);
    }
    if (value == 0)
        return ASSAY_OUTCOME_NOT_APPLICABLE;
    if (value < c->used_least)
        return assay_violated(v, ASSAY_RELATION_OTHER, c->used_least, value);
    if (c->used_most != 0 && value > c->used_most) {
        v->offset = 1; /* too much, not too little */
        return assay_violated(v, ASSAY_RELATION_OTHER, c->used_most, value);
    }
    return ASSAY_OUTCOME_HOLDS;
}

/* One run does not tell: trials of programs that are run twice compare the two, and count. */
enum assay_outcome assay_oracle_C36(const struct assay_case *c, struct assay_verdict *v)
{
    (void)c, (void)v;
    return ASSAY_OUTCOME_NOT_APPLICABLE;
}
