#include <errno.h>
#include <limits.h>

#include "traces/runner/executor_state.h"

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/* Objects by address, those at one place in the order that they came in: a radix sort, since qsort
 * may allocate. `list` has room for n more behind it. Returns the sorted half. */
static struct walked *sort(struct walked *list, size_t n)
{
    struct walked *other = list + n;
    for (unsigned shift = 0; shift < sizeof list->address * CHAR_BIT; shift += DIGIT_BITS) {
        uint32_t from[DIGITS] = {0}, at = 0;
        for (size_t i = 0; i < n; i++)
            from[list[i].address >> shift & (DIGITS - 1)]++;
        if (n == 0 || from[list[0].address >> shift & (DIGITS - 1)] == n)
            continue;
        for (unsigned digit = 0; digit < DIGITS; digit++) {
            uint32_t count = from[digit];
            from[digit] = at;
            at += count;
        }
        for (size_t i = 0; i < n; i++)
            other[from[list[i].address >> shift & (DIGITS - 1)]++] = list[i];
        struct walked *sorted = other;
        other = list;
        list = sorted;
    }
    return list;
}

struct walking {
    struct assay_executor *ex;
    struct walked *list; /* sorted */
    size_t count, last;  /* where the block before this one began: most walks go upwards */
    uint64_t wrong;
    uint32_t first; /* object that was shown wrongly */
};

static void blame(struct walking *walking, uint32_t object)
{
    if (walking->wrong++ == 0)
        walking->first = object;
}

/* The first object at or behind an address. */
static size_t find(struct walking *walking, uintptr_t address)
{
    enum { NEAR = 8 };
    const struct walked *list = walking->list;
    size_t from = 0, to = walking->count, last = walking->last;
    if (last < to && list[last].address < address) {
        from = last + 1;
        for (size_t i = from; i < to && i < from + NEAR; i++)
            if (list[i].address >= address)
                return walking->last = i;
    }
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (list[middle].address < address)
            from = middle + 1;
        else
            to = middle;
    }
    return walking->last = from;
}

/* A block in use: the live objects in it are seen (aligned ones begin inside their block). One that
 * begins where a freed object did, and holds no live one, should not be in use. */
static void take_block(void *argument, void *address, size_t bytes)
{
    struct walking *walking = argument;
    struct assay_executor *ex = walking->ex;
    uintptr_t start = (uintptr_t)address, end = start + bytes;
    size_t at = find(walking, start), first = at;
    bool live = false;
    struct walked *list = walking->list;
    for (; at < walking->count && (list[at].address < end || list[at].address == start); at++) {
        struct walked *entry = &list[at];
        const struct record *r = &ex->records[entry->object];
        if (r->state != STATE_LIVE)
            continue;
        live = true;
        if (entry->seen++ || entry->address + r->bytes > end)
            blame(walking, entry->object);
    }
    if (!live && first < walking->count && list[first].address == start)
        blame(walking, list[first].object);
}

static void take_objects(struct walking *walking, bool live)
{
    const struct assay_executor *ex = walking->ex;
    for (uint32_t object = 1; object <= ex->highest; object++) {
        const struct record *r = &ex->records[object];
        if (r->state != STATE_UNBORN && (r->state == STATE_LIVE) == live)
            ex->walked[walking->count++] = (struct walked){(uintptr_t)r->address, object, 0};
    }
}

void assay_executor_walk(struct assay_executor *ex, struct assay_event *event)
{
    struct walking walking = {.ex = ex};
    event->value = 0;
    take_objects(&walking, true);
    take_objects(&walking, false);
    walking.list = sort(ex->walked, walking.count);
    errno = 0;
    int code = ex->subject.heap_walk(take_block, &walking);
    if (code != 0) {
        event->error = (uint8_t)(code > 0 && code <= UINT8_MAX ? code : ENOTSUP);
        return;
    }
    for (size_t i = 0; i < walking.count; i++)
        if (walking.list[i].seen == 0 && ex->records[walking.list[i].object].state == STATE_LIVE)
            blame(&walking, walking.list[i].object);
    event->value = walking.wrong;
    event->wrong_at = walking.first;
}
