/* Kept programs: in memory and as files of a folder, each in the encoding of fuzzers/program.h.
 *
 * Only grows while a run lasts, so that a number names the same program from its keeping on. Files
 * are named by their content and appear whole. Not thread-safe: each job has its own. */
#ifndef ASSAY_FUZZ_CORPUS_H
#define ASSAY_FUZZ_CORPUS_H

#include "fuzzers/program.h"
#include "traces/core/error.h"

enum { ASSAY_FUZZ_CORPUS_MAX = 8192 };

struct assay_fuzz_kept {
    uint8_t *bytes;
    uint32_t length;
    uint16_t feature; /* for which it is kept */
    uint64_t cost;    /* of one run, about in ops */
};

struct assay_fuzz_corpus {
    const struct assay_program_limits *limits;
    const char *folder;
    struct assay_fuzz_kept *kept;
    uint32_t count, capacity;
    uint32_t loaded; /* the first so many were found in the folder */
};

/* Reads what the folder holds, in the order of the names. Errors: ASSAY_E_MEMORY, ASSAY_E_SYSTEM.
 */
int assay_fuzz_corpus_load(struct assay_fuzz_corpus *corpus, const char *folder,
                           const struct assay_program_limits *limits, struct assay_error *err);
/* A copy that grows by itself. */
int assay_fuzz_corpus_copy(struct assay_fuzz_corpus *corpus, const struct assay_fuzz_corpus *from,
                           struct assay_error *err);
/* Keeps a program, and writes its file if it is to last beyond the run; one that has no encoding
 * (more than ASSAY_PROGRAM_MAX_OPS ops), or when there is no room, is passed over. tag tells
 * writers of one folder apart. */
int assay_fuzz_corpus_add(struct assay_fuzz_corpus *corpus, const struct assay_program *program,
                          uint16_t feature, uint64_t cost, bool lasting, unsigned tag,
                          struct assay_error *err);
void assay_fuzz_corpus_decode(const struct assay_fuzz_corpus *corpus, uint32_t number,
                              struct assay_program *program);
void assay_fuzz_corpus_free(struct assay_fuzz_corpus *corpus);

#endif
