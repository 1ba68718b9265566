/* Probes: each answers one key of a profile by asking a child. The asking is staged: a few ops, a
 * look at their results, the next ones. A probe says what it tried (assay_fact_line), and either
 * tells the key or says why not. Host only. */
#ifndef ASSAY_TOOLS_PROFILE_PROBE_H
#define ASSAY_TOOLS_PROFILE_PROBE_H

#include "tools/profile.h"

/* A child that is asked. All zero but for config: none yet; it starts with the first op. */
struct assay_asking {
    struct assay_measuring *measure;
    struct assay_session_config config;
    struct assay_session *session;
    uint32_t objects; /* the last number given */
    bool gone;
    char end[160]; /* how it ended: "malloc(8) ended by signal 6" */
};

void assay_asking_begin(struct assay_asking *asking, struct assay_measuring *measure);
/* Executes ops[0..n) in place, any n. False: the child is gone (then, and afterwards). */
bool assay_asking_run(struct assay_asking *asking, struct assay_event *ops, size_t n);
/* One op; its events are plain: kind, size, arg, object. Bears a new object where the kind does. */
bool assay_asking_op(struct assay_asking *asking, struct assay_event *op);
bool assay_asking_lacks(const struct assay_asking *asking, enum assay_op kind);
void assay_asking_end(struct assay_asking *asking);
/* "posix_memalign(64, 100)" */
const char *assay_asking_call(const struct assay_event *op, char *ret_text, size_t room);

/* The probes, by their names in profile_keys.def. */
typedef void assay_profile_probe(struct assay_measuring *measure, struct assay_profile_fact *fact);
#define PROBE(name) assay_profile_probe assay_profile_probe_##name;
#define CELLS
#define TRIED(property)
#define NOT_MEASURED(why)
#define ASSAY_PROFILE_KEY(TYPE, key, how, meaning) how
#include "oracles/profile_keys.def"
#undef PROBE
#undef CELLS
#undef TRIED
#undef NOT_MEASURED

#endif
