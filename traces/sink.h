/* Where an executor sends what happened: the seam between executors and judges.
 *
 * before() is called just before the op reaches the subject, after() once result and facts are
 * filled in, end() once when the program is over (all live objects verified). The executor owns the
 * event; a sink that keeps it copies it. In the runner a sink allocates nothing. NULL members are
 * not called. A sink that keeps a table by object number may say where: executors know which
 * operands come next and prefetch their rows. */
#ifndef ASSAY_SINK_H
#define ASSAY_SINK_H

#include "traces/event.h"

struct assay_sink {
    void *self;
    void (*before)(void *self, const struct assay_event *op);
    void (*after)(void *self, const struct assay_event *event);
    void (*end)(void *self);
    const char *table; /* row n is of object n; NULL = none */
    uint32_t row_bytes;
};

#endif
