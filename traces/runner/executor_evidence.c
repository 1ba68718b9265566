#include <string.h>

#include "traces/runner/executor_state.h"

/* Whose pattern stands in the damaged object at this offset: an object whose range covers the word,
 * or, failing that, any whose pattern has this word near its start. What ought to stand elsewhere
 * in the content is no older one. */
static uint32_t whose(const struct assay_executor *ex, const struct assay_content *content,
                      uint32_t object, uint64_t offset, uint64_t word)
{
    enum { NEAR_WORDS = 1 << 16, BEFORE_WORDS = 128 };
    uintptr_t address = (uintptr_t)ex->records[object].address + offset;
    for (uint32_t k = 1; k <= ex->highest; k++) {
        const struct record *r = &ex->records[k];
        uintptr_t base = (uintptr_t)r->address;
        if (r->state == STATE_UNBORN || address < base || address - base >= r->bytes + r->slack)
            continue;
        /* the damaged word may start inside one of k's words: compare the bytes that k has here */
        for (uint16_t epoch = 0; epoch <= r->epoch; epoch++) {
            struct assay_content own = {.key = assay_touch_mixed_key(ex->mixed_seed, k, epoch),
                                        .bytes = r->bytes,
                                        .whole = true};
            if ((k != object || epoch != r->epoch) &&
                assay_content_expected(&own, address - base) == word)
                return k;
        }
    }
    uint32_t found;
    uint16_t epoch;
    bool known = assay_touch_whose_word(ex->seed, word + BEFORE_WORDS * ASSAY_TOUCH_STRIDE,
                                        NEAR_WORDS, ex->highest, &found, &epoch);
    uint64_t key = known ? assay_touch_mixed_key(ex->mixed_seed, found, epoch) : 0;
    bool own =
        key == content->key || (content->run_from < content->run_to && key == content->run_key);
    return known && !own ? found : 0;
}

void assay_executor_evidence(struct assay_executor *ex, enum assay_fact fact, uint32_t object,
                             uint64_t offset, uint64_t expected, uint64_t seen, uint32_t owner)
{
    struct assay_event *event = &ex->events[ex->next];
    uint8_t bits = (uint8_t)fact;
    if (!(event->failed & bits) || event->wrong_at > offset)
        event->wrong_at = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset;
    event->checked |= bits;
    event->failed |= bits;
    if (ex->evidence_count == EVIDENCE_MAX)
        return;
    struct assay_event *evidence = &ex->evidence[ex->evidence_count++];
    memset(evidence, 0, sizeof *evidence);
    evidence->kind = ASSAY_OP_EVIDENCE;
    evidence->thread = event->thread;
    evidence->process = event->process;
    evidence->object = object;
    evidence->arg = offset;
    evidence->size = expected;
    evidence->value = seen;
    evidence->born = owner;
    evidence->checked = evidence->failed = bits;
    evidence->flags = ASSAY_FLAG_EXECUTED;
    evidence->site = (uint32_t)ex->next; /* which of the events that run() was given */
    evidence->wrong_at = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset;
}

/* Up to 8 bytes from offset, zero-filled at the object's end. */
static uint64_t bytes_at(const struct assay_content *content, uint64_t offset, uint64_t end)
{
    uint64_t word = 0;
    uint64_t n = end - offset < 8 ? end - offset : 8;
    memcpy(&word, content->base + offset, n);
    return word;
}

void assay_executor_damage(struct assay_executor *ex, enum assay_fact fact,
                           const struct assay_content *content, uint32_t object, uint64_t offset,
                           uint64_t end, uint64_t expected)
{
    uint64_t seen = bytes_at(content, offset, end);
    uint64_t n = end - offset < 8 ? end - offset : 8;
    if (n < 8)
        expected &= (UINT64_C(1) << (8 * n)) - 1;
    /* the pattern's owner is read off a whole wrong word: the one that starts here, or the object's
     * own word around it, or the next */
    uint64_t at = offset & ~UINT64_C(7);
    uint32_t owner = n == 8 ? whose(ex, content, object, offset, seen) : 0;
    for (; owner == 0 && at < offset + 8 && at + 8 <= end; at += 8) {
        uint64_t word = bytes_at(content, at, end);
        if (at != offset && word != assay_content_expected(content, at))
            owner = whose(ex, content, object, at, word);
    }
    assay_executor_evidence(ex, fact, object, offset, expected, seen, owner);
    ex->records[object].flags |= RECORD_UNKNOWN;
}
