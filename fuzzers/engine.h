/* What `assay fuzz` and a worker assay-engine tell each other. The engine is libFuzzer's main
 * around one target over the linked Bulwark; it is a worker because a wild write of the allocator
 * kills it.
 *
 *   assay-engine --assay-out=DIR [--assay-misuse] [libFuzzer flags] [corpus folders]
 *
 * The engine maps DIR/engine.state (this struct; the host creates the file, zeroed, before the
 * start) and writes each input whose program made a judge report to
 * DIR/suspects/<property>-<op>-<relation>-<size band>.bin, once per such class. A suspicion is not
 * a finding: the host decodes the input, re-runs the program on libbulwark.so in a fresh runner and
 * judges it in its own memory. An input that killed the engine stands in DIR/suspects/crash-*,
 * written by libFuzzer. */
#ifndef ASSAY_ENGINE_H
#define ASSAY_ENGINE_H

#include <stdatomic.h>
#include <stdint.h>

#include "fuzzers/program.h"
#include "oracles/judge.h"

enum { ASSAY_ENGINE_MAGIC = 0x45595341, ASSAY_ENGINE_VERSION = 1 };

/* Counters since the engine's start, all monotonic; written by the engine, read by the host at any
 * time. */
struct assay_engine_state {
    uint32_t magic, version;
    struct assay_program_limits limits; /* what the suspects' inputs decode with */
    _Atomic uint64_t execs;             /* programs */
    _Atomic uint64_t calls;             /* judged allocation calls */
    _Atomic uint64_t suspects;          /* violations reported, all classes */
    _Atomic uint64_t classes;           /* files written to suspects/ */
    _Atomic uint64_t evaluations[ASSAY_PROPERTY_COUNT];
};

#endif
