/* assay-engine as a worker: started, watched, its suspects taken up. Protocol: fuzzers/engine.h. */
#ifndef ASSAY_FUZZ_ENGINE_H
#define ASSAY_FUZZ_ENGINE_H

#include "tools/fuzz.h"

/* Is an engine installed beside this program? */
bool assay_fuzz_engine_there(void);
/* Runs it into OUT/engine until the limits of the state's configuration. A suspect becomes a
 * finding when a runner with libbulwark.so confirms it. Returns 0 or ASSAY_E_*. */
int assay_fuzz_engine(struct assay_fuzz_state *state, const char *out, bool quiet,
                      struct assay_error *err);

#endif
