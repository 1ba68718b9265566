#include <string.h>

#include "traces/runner/executor_state.h"

enum { PLACE_BYTES = 4096 };

static _Alignas(4096) char global_place[PLACE_BYTES];
/* A plausible allocated chunk of 64 bytes with a plausible next chunk, as in "house of spirit". */
static _Alignas(16) uint64_t forged_place[32] = {[0] = 0, [1] = 0x41, [9] = 0x41, [17] = 0x1001};

static char *uninitialised(struct assay_executor *ex, uint64_t size)
{
    if (!ex->subject.malloc || !ex->subject.free)
        return NULL;
    char *p = ex->subject.malloc(size ? size : 64), *word = NULL;
    if (!p)
        return NULL;
    if (size == 0 || size >= sizeof word)
        memcpy(&word, p, sizeof word);
    ex->subject.free(p);
    return word;
}

char *assay_executor_place(struct assay_executor *ex, const struct assay_event *event,
                           uint64_t offset)
{
    switch (event->place) {
    case ASSAY_PLACE_OBJECT:
        return event->object ? ex->records[event->object].address + offset : NULL;
    case ASSAY_PLACE_SMALL:
    case ASSAY_PLACE_WILD: return (char *)(uintptr_t)offset;
    case ASSAY_PLACE_STACK: return ex->stack_place + offset;
    case ASSAY_PLACE_GLOBAL: return global_place + offset;
    case ASSAY_PLACE_FORGED: return (char *)&forged_place[2] + offset;
    case ASSAY_PLACE_GUARD: return ex->guard_page + offset;
    case ASSAY_PLACE_UNINITIALISED: return uninitialised(ex, offset);
    case ASSAY_PLACE_NULL:
    default: return NULL;
    }
}
