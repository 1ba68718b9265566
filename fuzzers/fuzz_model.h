/* fuzz_model's core, for the two mains that feed it: libFuzzer (bytes) and blind.c (generated
 * programs). */
#ifndef ASSAY_FUZZ_MODEL_H
#define ASSAY_FUZZ_MODEL_H

#include "fuzzers/program.h"

struct assay_program_limits assay_fuzz_model_limits(void);
/* Runs and judges a program. data (may be NULL: then it is encoded when needed) is the input it was
 * decoded from. */
void assay_fuzz_model_run(struct assay_program *program, const uint8_t *data, size_t size);
/* Allocation calls judged so far. */
uint64_t assay_fuzz_model_calls(void);

#endif
