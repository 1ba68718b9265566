/* Where and how a subject crashed, in words that are the same from run to run.
 *
 * From what the runner's handler captured: the functions on the stack, the code around the fault,
 * what the faulting instruction wanted of memory and which object of the model that is, and a class
 * (crash_classes.def). Holds no addresses but offsets in files. Host only. */
#ifndef ASSAY_CRASH_SITE_H
#define ASSAY_CRASH_SITE_H

#include <jansson.h>
#include <stdio.h>

#include "oracles/judge.h"
#include "oracles/model/model.h"
#include "traces/core/disassemble.h"
#include "traces/core/symbolize.h"
#include "traces/runner/crash_capture.h"

enum assay_crash_class {
    ASSAY_CRASH_NONE,
#define ASSAY_CRASH_CLASS(NAME, name, words, weight) ASSAY_CRASH_##NAME,
#include "oracles/crash_classes.def"
#undef ASSAY_CRASH_CLASS
    ASSAY_CRASH_CLASS_COUNT
};
/* "write-wild"; "" for NONE. */
const char *assay_crash_class_name(unsigned crash_class);
/* "it wrote where nothing is mapped" */
const char *assay_crash_class_words(unsigned crash_class);
/* "stopped itself", "faulted", "control": what whoever controls the data may gain. */
const char *assay_crash_class_weight(unsigned crash_class);

enum { ASSAY_SITE_FRAMES_MAX = 10, ASSAY_SITE_LINES_MAX = 11, ASSAY_SITE_VALUES_MAX = 17 };

/* A register or an address in words: an object and an offset, or a small number. */
struct assay_site_value {
    const char *name;
    uint32_t object; /* 0: a number */
    uint8_t state;   /* enum assay_object_state */
    uint64_t requested;
    int64_t offset; /* or the number */
};

struct assay_crash_site {
    uint8_t crash_class; /* enum assay_crash_class; NONE: there is no site */
    uint8_t signal;
    uint8_t access; /* enum assay_capture_access */
    bool fault_known;
    uint64_t fault;    /* address, for the model only: not to be printed */
    unsigned top;      /* frame of the subject that is named; frame_count if none */
    char function[64]; /* its name, "" if not known: part of the fingerprint */
    unsigned frame_count;
    struct assay_frame frames[ASSAY_SITE_FRAMES_MAX];
    unsigned line_count, line_at; /* instructions around the fault, and which it is */
    struct assay_instruction lines[ASSAY_SITE_LINES_MAX]; /* addresses: the file's own */
    struct assay_memory_operand operand;
    bool resolved; /* what `target` says */
    struct assay_site_value target;
    char place[80]; /* of the fault, where no object is near: "nothing is mapped there" */
    unsigned value_count;
    struct assay_site_value values[ASSAY_SITE_VALUES_MAX];
    char said[160]; /* first line that the subject wrote, printable */
};

struct assay_crash_end {
    const struct assay_crash_capture *capture; /* NULL: nothing was captured */
    int signal;
    bool exited;         /* the subject called exit */
    const char *subject; /* path of the library, "" for the C library */
    const char *said;    /* what it wrote, NULL or "" if nothing */
    bool name_only;      /* no more than class and function are wanted */
};

/* model: of the host's judge, as it was before the op; NULL: operands are not resolved. */
void assay_crash_site_find(const struct assay_crash_end *end, const struct assay_model *model,
                           struct assay_crash_site *ret_site);
/* Tells the judge of the end, or of a hang; judged are the op that was in progress and, where the
 * system grants the process no more mappings, its way to stop. */
void assay_crash_judge(const struct assay_crash_end *end, bool hung, struct assay_judge *judge);
/* Names the violation, if it is of a crash, by its site: what fingerprints and clusters are made
 * of. */
void assay_crash_site_name(const struct assay_crash_site *site, struct assay_violation *violation);
/* Several lines, in the shape of a sanitizer's report. */
void assay_crash_site_text(FILE *out, const struct assay_crash_site *site);
/* class weight signal access target frames code said. New reference, NULL when out of memory. */
json_t *assay_crash_site_json(const struct assay_crash_site *site);

#endif
