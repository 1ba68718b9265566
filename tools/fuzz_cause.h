/* What a confirmed violation comes of: one bug that shows in many ways is told once.
 *
 * Usable sizes that are too large do their damage where the rig, which may by the profile, writes
 * what is usable: whatever shows then, and not where these bytes are left alone, is a consequence
 * of what C04, C06 or C09 says, or, where these have said nothing yet, is told in their place.
 * Content of an aligned object that a resize loses (C16) is C12's where an object that is not
 * aligned loses the same byte, and reallocarray's is realloc's. Content that is lost across threads
 * (C28) is what it is called where one thread loses it, too. What ends the program at an
 * object that survived a refused resize (C13) is C26 where it does without that resize. All are
 * tried, so that another bug is not hidden. */
#ifndef ASSAY_FUZZ_CAUSE_H
#define ASSAY_FUZZ_CAUSE_H

#include "tools/fuzz_finding.h"

/* True if it is a consequence of what was told, and counted as that. The program and its result may
 * become plainer ones of the same cause. */
bool assay_fuzz_is_consequence(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                               struct assay_trial_result *result, uint32_t hang_ms);

#endif
