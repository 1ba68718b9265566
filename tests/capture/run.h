/* A capture as a test holds it: what was asked, what came, and the trace's events in memory. Shared
 * by the tests of both sources; a failure ends the test. */
#ifndef ASSAY_TESTS_CAPTURE_RUN_H
#define ASSAY_TESTS_CAPTURE_RUN_H

#include "traces/capture/capture.h"

struct run {
    struct assay_capture_config config;
    struct assay_capture_result result;
    struct assay_event *events;
    size_t n;
    char path[64]; /* of the trace */
};

/* Reads the trace at path, which must be complete and hold what the result says. */
void run_load(struct run *run);
size_t run_count(const struct run *run, enum assay_op kind);
/* Removes the trace; the run is as new. */
void run_release(struct run *run);

#endif
