/* Objects of the executor: born, filled, verified, swept, resized, dead. Inlined into its loop, of
 * which these are the most frequent steps; nobody but the executor's sources includes this. */
#ifndef ASSAY_EXECUTOR_OBJECTS_H
#define ASSAY_EXECUTOR_OBJECTS_H

#include <errno.h>

#include "traces/runner/executor_state.h"

enum {
    SWEEP_DENSE = 256, /* up to so many live objects one is swept at every op, */
    SWEEP_SPARSE = 8,  /* beyond, at every eighth */
    SLACK_MAX = 256,   /* [requested, usable) is touched with the object up to this many bytes, */
    SLACK_SAMPLED =
        ASSAY_TOUCH_TAIL_BYTES / 2, /* or this many, if the object is not touched whole; */
    SLACK_PROBE = 16,               /* of more only the end is written, and not looked at again */
};

/* What *out of a posix_memalign holds before: an address that is aligned to nothing. */
enum { UNBORN_SENTINEL = 0x5a };
#define ADDRESSABLE (UINT64_C(1) << 47)

/* Verifies what is known of a live object, its slack included. */
static inline void verify(struct assay_executor *ex, struct assay_event *event,
                          enum assay_fact fact, uint32_t object)
{
    const struct record *r = &ex->records[object];
    uint64_t at;
    if (HARDLY(r->flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, object);
    begin_touch(ex, fact, object);
    if (PROBABLY((r->flags & (RECORD_WHOLE | RECORD_RUN)) == RECORD_WHOLE)) {
        at = assay_touch_verify(content.base, content.key, 0, content.bytes);
        at = at < content.bytes ? at : UINT64_MAX;
    } else {
        at = assay_content_verify(&content, UINT64_MAX);
    }
    end_touch(ex);
    event->checked |= (uint8_t)fact;
    if (r->flags & RECORD_SLACK)
        event->checked |= ASSAY_FACT_USABLE;
    if (HARDLY(at != UINT64_MAX))
        assay_executor_damage(ex, at >= r->bytes ? ASSAY_FACT_USABLE : fact, &content, object, at,
                              content.bytes, assay_content_expected(&content, at));
}

static inline void list(struct assay_executor *ex, uint32_t object)
{
    ex->records[object].live = ex->live_count;
    ex->live[ex->live_count++] = object;
}

static inline void unlist(struct assay_executor *ex, uint32_t object)
{
    uint32_t at = ex->records[object].live, last = ex->live[--ex->live_count];
    ex->live[at] = last;
    ex->records[last].live = at;
}

static inline void die(struct assay_executor *ex, uint32_t object, bool full)
{
    ex->records[object].state = STATE_DEAD;
    if (full && PROBABLY(!ex->concurrent))
        unlist(ex, object);
}

/* One live object per step, in three stages so that neither record nor memory is waited for. */
static inline void sweep(struct assay_executor *ex, struct assay_event *event)
{
    if (HARDLY(ex->concurrent))
        return;
    if (ex->live_count > SWEEP_DENSE && ++ex->sweep_tick % SWEEP_SPARSE != 0)
        return;
    uint32_t now = ex->sweep_near, near = ex->sweep_far, far = 0;
    if (ex->live_count > 0) {
        if (ex->sweep_cursor >= ex->live_count)
            ex->sweep_cursor = 0;
        far = ex->live[ex->sweep_cursor++];
        __builtin_prefetch(&ex->records[far]);
    }
    if (near && ex->records[near].state == STATE_LIVE)
        __builtin_prefetch(ex->records[near].address);
    ex->sweep_far = far;
    ex->sweep_near = near;
    if (now && ex->records[now].state == STATE_LIVE) {
        ex->phase = PHASE_SWEEP;
        verify(ex, event, ASSAY_FACT_SIBLINGS, now);
    }
}

/* True if the op's operand is a whole live object, given by its own address. */
static inline bool owns(const struct assay_executor *ex, const struct assay_event *event,
                        uint64_t offset)
{
    return event->object != 0 && event->place == ASSAY_PLACE_OBJECT && offset == 0 &&
           ex->records[event->object].state == STATE_LIVE;
}

/* The object is smaller than it has to be, and what is foreign lies behind it: C04's affair. */
static __attribute__((noinline)) bool admits_to_less(const struct assay_executor *ex,
                                                     const struct record *r)
{
    if (!ex->ask_usable || assay_ranges_touches(ex->ranges, (uintptr_t)r->address, 1))
        return false;
    uint64_t usable = ex->subject.malloc_usable_size(r->address);
    return usable < r->bytes &&
           !assay_ranges_touches(ex->ranges, (uintptr_t)r->address, usable ? usable : 1);
}

/* Allocation succeeded, failed, or gave an address that must not be touched. */
static inline __attribute__((always_inline)) void
bear(struct assay_executor *ex, struct assay_event *event, char *address, uint64_t bytes, bool full)
{
    event->address = (uint64_t)(uintptr_t)address;
    uint32_t born = event->born;
    if (HARDLY(address == NULL || born == 0))
        return;
    struct record *r = &ex->records[born];
    *r = (struct record){.address = address, .bytes = bytes, .state = STATE_LIVE};
    if (born > ex->highest)
        ex->highest = born;
    if (HARDLY(bytes > ADDRESSABLE || address == (char *)UNBORN_SENTINEL)) {
        r->flags = RECORD_UNKNOWN; /* nobody can have so much, or got nothing: not ours to touch */
    } else if (HARDLY(assay_ranges_touches(ex->ranges, (uintptr_t)address, bytes ? bytes : 1))) {
        r->flags = RECORD_UNKNOWN;
        if (!admits_to_less(ex, r))
            assay_executor_evidence(ex, ASSAY_FACT_FOREIGN, born, 0, 0, 0, 0);
    } else {
        event->checked |= ASSAY_FACT_FOREIGN;
        if (full)
            r->flags = assay_content_whole(bytes, born, ex->content_full) ? RECORD_WHOLE : 0;
    }
    if (full && PROBABLY(!ex->concurrent))
        list(ex, born);
}

static inline void ask_usable(struct assay_executor *ex, struct assay_event *event, uint32_t object)
{
    struct record *r = &ex->records[object];
    uint64_t usable = ex->subject.malloc_usable_size(r->address);
    int64_t extra = (int64_t)(usable - r->bytes);
    event->usable_extra = extra > INT32_MAX   ? INT32_MAX
                          : extra < INT32_MIN ? INT32_MIN
                                              : (int32_t)extra;
    event->flags |= ASSAY_FLAG_USABLE;
    r->slack = extra > 0 && extra <= INT32_MAX ? (uint32_t)extra : 0;
    if (HARDLY(extra < 0)) /* what stands behind the object is not ours: C04's affair */
        r->flags |= RECORD_UNKNOWN;
}

static inline void touch_page(const struct record *r)
{
    uint64_t end = r->bytes < ASSAY_TOUCH_WHOLE_MAX ? r->bytes : ASSAY_TOUCH_WHOLE_MAX;
    for (uint64_t at = 0; at < end; at += 4096)
        *(volatile char *)(r->address + at) = 1;
}

/* Where the bytes begin that rezalloc added: behind what was usable. Without usable sizes that is
 * not known. */
static uint64_t grown_from(const struct assay_executor *ex, const struct assay_event *event)
{
    const struct record *old = &ex->records[event->object];
    if (event->object == 0 || event->place != ASSAY_PLACE_OBJECT)
        return 0;
    return ex->ask_usable ? old->bytes + old->slack : UINT64_MAX;
}

/* Content of a new object: checked where the call promises something, then filled. */
static inline void birth(struct assay_executor *ex, struct assay_event *event)
{
    uint32_t born = event->born;
    struct record *r = &ex->records[born];
    if (HARDLY(r->flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, born);
    if (event->kind == ASSAY_OP_CALLOC || HARDLY(event->kind == ASSAY_OP_REZALLOC)) {
        uint64_t from = event->kind == ASSAY_OP_CALLOC ? 0 : grown_from(ex, event);
        begin_touch(ex, ASSAY_FACT_ZERO, born);
        uint64_t at = assay_content_zero(&content, from);
        end_touch(ex);
        event->checked |= ASSAY_FACT_ZERO;
        if (HARDLY(at != UINT64_MAX)) {
            assay_executor_damage(ex, ASSAY_FACT_ZERO, &content, born, at, content.bytes, 0);
            r->flags &= (uint8_t)~RECORD_UNKNOWN; /* dirty, but ours: filled and watched */
        }
    }
    if (ex->usable_writable && r->slack > 0 &&
        r->slack <= (content.whole ? SLACK_MAX : SLACK_SAMPLED)) {
        r->flags |= RECORD_SLACK;
        content.bytes += r->slack;
    } else if (ex->usable_writable && r->slack > 0) {
        uint64_t end = r->bytes + r->slack; /* too long for more than a word at its end */
        begin_touch(ex, ASSAY_FACT_USABLE, born);
        assay_touch_fill(content.base, content.key, end - SLACK_PROBE, end);
        end_touch(ex);
        event->checked |= ASSAY_FACT_USABLE;
    }
    begin_touch(ex, ASSAY_FACT_CONTENT, born);
    if (PROBABLY(content.whole))
        assay_touch_fill(content.base, content.key, 0, content.bytes);
    else
        assay_content_fill(&content);
    end_touch(ex);
}

static inline void resized(struct assay_executor *ex, struct assay_event *event, char *result,
                           uint64_t bytes, bool owned, bool full)
{
    uint32_t object = event->object;
    if (HARDLY(result == NULL)) {
        event->address = ASSAY_ADDRESS_NULL;
        /* realloc(p, 0) that gives NULL has freed, unless it says ENOMEM; every other NULL is a
         * refusal */
        if (owned && bytes == 0 && event->error != ENOMEM)
            die(ex, object, full);
        return;
    }
    if (owned) {
        if (HARDLY(event->born == 0)) { /* refused where the trace was taken, granted here */
            ex->records[object].address = result;
            ex->records[object].bytes = bytes;
            ex->records[object].flags |= RECORD_UNKNOWN;
            event->address = (uint64_t)(uintptr_t)result;
            return;
        }
        die(ex, object, full);
    }
    bear(ex, event, result, bytes, full);
}

/* Verifies what a resize brought along: the old object's pattern at the new place; after a refusal
 * the old object itself (C13). */
static inline void verify_prefix(struct assay_executor *ex, struct assay_event *event)
{
    uint32_t object = event->object;
    struct record *old = &ex->records[object];
    if (old->flags & RECORD_UNKNOWN)
        return;
    if (event->address == ASSAY_ADDRESS_NULL) {
        if (old->state == STATE_LIVE)
            verify(ex, event, ASSAY_FACT_PREFIX, object);
        return;
    }
    if (event->born == 0 || (ex->records[event->born].flags & RECORD_UNKNOWN))
        return;
    struct assay_content content = content_of(ex, object);
    content.base = ex->records[event->born].address;
    uint64_t limit = ex->records[event->born].bytes;
    uint64_t kept = event->kind == ASSAY_OP_REZALLOC ? content.bytes : old->bytes;
    if (limit > kept) /* what stood in the old slack need not come along, unless C17 says so */
        limit = kept;
    begin_touch(ex, ASSAY_FACT_PREFIX, event->born);
    uint64_t at = assay_content_verify(&content, limit);
    end_touch(ex);
    event->checked |= ASSAY_FACT_PREFIX;
    if (HARDLY(at != UINT64_MAX)) {
        uint64_t end = limit < content.bytes ? limit : content.bytes;
        assay_executor_damage(ex, at < old->bytes ? ASSAY_FACT_PREFIX : ASSAY_FACT_ZERO, &content,
                              event->born, at, end, assay_content_expected(&content, at));
        ex->records[event->born].flags &= (uint8_t)~RECORD_UNKNOWN;
    }
}

#endif
