/* Where an executor sends what happened: the seam between executors and judges.
 *
 * before() is called just before the op reaches the subject, after() once result and facts are
 * filled in, end() once when the program is over (all live objects verified). The executor owns the
 * event; a sink that keeps it copies it. In the runner a sink allocates nothing. NULL members are
 * not called. */
#ifndef ASSAY_SINK_H
#define ASSAY_SINK_H

#include "traces/event.h"

struct assay_sink {
    void *self;
    void (*before)(void *self, const struct assay_event *op);
    void (*after)(void *self, const struct assay_event *event);
    void (*end)(void *self);
};

#endif
