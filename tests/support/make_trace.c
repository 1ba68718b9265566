/* make_trace FILE [OPS [SEED [SIZE]]]: writes a trace of a legal random program, the same for the
 * same arguments. */
#include <stdio.h>
#include <stdlib.h>

#include "traces/core/random.h"
#include "traces/trace.h"

enum { LIVE_MAX = 600 };

static int fail(const struct assay_error *err)
{
    fprintf(stderr, "make_trace: %s\n", err->text);
    return 3;
}

int main(int argc, char **argv)
{
    struct assay_trace_meta meta = {.has = ASSAY_HAS_ORDER | ASSAY_HAS_THREAD, .method = "test"};
    struct assay_trace_totals totals = {.threads = 1, .processes = 1};
    struct assay_trace_writer *writer;
    struct assay_error err;
    struct assay_random random;
    uint32_t live[LIVE_MAX], count = 0;
    long ops = argc > 2 ? strtol(argv[2], NULL, 0) : 20000;
    uint64_t size = argc > 4 ? strtoull(argv[4], NULL, 0) : 400;
    assay_random_seed(&random, argc > 3 ? strtoull(argv[3], NULL, 0) : 1);
    if (argc < 2)
        return 2;
    if (assay_trace_create(argv[1], &meta, NULL, &writer, &err) < 0)
        return fail(&err);
    for (long i = 0; i < ops; i++) {
        struct assay_event event = {.kind = ASSAY_OP_MALLOC};
        uint64_t dice = assay_random_below(&random, 100);
        if (count == LIVE_MAX || (count > 64 && dice < 45)) {
            uint32_t at = (uint32_t)assay_random_below(&random, count);
            event.kind = ASSAY_OP_FREE;
            event.object = live[at];
            live[at] = live[--count];
        } else if (count > 64 && dice < 52) {
            uint32_t at = (uint32_t)assay_random_below(&random, count);
            event.kind = ASSAY_OP_REALLOC;
            event.object = live[at];
            event.size = 1 + assay_random_below(&random, size + size * 3 / 4);
            event.born = live[at] = ++totals.objects;
        } else {
            event.size = 1 + assay_random_below(&random, size);
            event.born = live[count++] = ++totals.objects;
        }
        if (assay_trace_append(writer, &event, 1, &err) < 0)
            return fail(&err);
    }
    return assay_trace_close(writer, &totals, &err) < 0 ? fail(&err) : 0;
}
