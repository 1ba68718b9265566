/* Ops that say where the next ones are made: another thread, a handler. */
#ifndef ASSAY_DIRECTED_PLACE_H
#define ASSAY_DIRECTED_PLACE_H

#include "fuzzers/directed/build.h"

static inline void control(struct assay_directed *d, enum assay_op kind, uint64_t arg,
                           uint64_t size)
{
    assay_directed_put(d, (struct assay_event){.kind = (uint8_t)kind, .arg = arg, .size = size});
}

static inline void start_thread(struct assay_directed *d, uint16_t thread)
{
    d->thread = 0;
    control(d, ASSAY_OP_THREAD_START, thread, 0);
    d->thread = thread;
}

static inline void end_thread(struct assay_directed *d)
{
    control(d, ASSAY_OP_THREAD_EXIT, 0, 0);
    d->thread = 0;
}

#endif
