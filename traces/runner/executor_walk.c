#include <errno.h>

#include "traces/runner/executor_state.h"

/* Objects by address, the live one first where several stood at one place. */
static bool before(const struct assay_executor *ex, const struct walked *a, const struct walked *b)
{
    if (a->address != b->address)
        return a->address < b->address;
    return ex->records[a->object].state == STATE_LIVE && ex->records[b->object].state != STATE_LIVE;
}

/* Heapsort: qsort may allocate. */
static void sink_down(const struct assay_executor *ex, struct walked *list, size_t at, size_t n)
{
    for (size_t child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
        if (child + 1 < n && before(ex, &list[child], &list[child + 1]))
            child++;
        if (!before(ex, &list[at], &list[child]))
            return;
        struct walked other = list[at];
        list[at] = list[child];
        list[child] = other;
    }
}

static void sort(const struct assay_executor *ex, struct walked *list, size_t n)
{
    for (size_t at = n / 2; at-- > 0;)
        sink_down(ex, list, at, n);
    for (size_t end = n; end-- > 1;) {
        struct walked first = list[0];
        list[0] = list[end];
        list[end] = first;
        sink_down(ex, list, 0, end);
    }
}

struct walking {
    struct assay_executor *ex;
    size_t count;
    uint64_t wrong;
    uint32_t first; /* object that was shown wrongly */
};

static void blame(struct walking *walking, uint32_t object)
{
    if (walking->wrong++ == 0)
        walking->first = object;
}

/* The first object at or behind an address. */
static size_t find(const struct walking *walking, uintptr_t address)
{
    const struct walked *list = walking->ex->walked;
    size_t from = 0, to = walking->count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (list[middle].address < address)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
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
    for (; at < walking->count && (ex->walked[at].address < end || ex->walked[at].address == start);
         at++) {
        struct walked *entry = &ex->walked[at];
        const struct record *r = &ex->records[entry->object];
        if (r->state != STATE_LIVE)
            continue;
        live = true;
        if (entry->seen++ || entry->address + r->bytes > end)
            blame(walking, entry->object);
    }
    if (!live && first < walking->count && ex->walked[first].address == start)
        blame(walking, ex->walked[first].object);
}

void assay_executor_walk(struct assay_executor *ex, struct assay_event *event)
{
    struct walking walking = {.ex = ex};
    event->value = 0;
    for (uint32_t object = 1; object <= ex->highest; object++)
        if (ex->records[object].state != STATE_UNBORN)
            ex->walked[walking.count++] =
                (struct walked){(uintptr_t)ex->records[object].address, object, 0};
    sort(ex, ex->walked, walking.count);
    errno = 0;
    int code = ex->subject.heap_walk(take_block, &walking);
    if (code != 0) {
        event->error = (uint8_t)(code > 0 && code <= UINT8_MAX ? code : ENOTSUP);
        return;
    }
    for (size_t i = 0; i < walking.count; i++)
        if (ex->walked[i].seen == 0 && ex->records[ex->walked[i].object].state == STATE_LIVE)
            blame(&walking, ex->walked[i].object);
    event->value = walking.wrong;
    event->wrong_at = walking.first;
}
