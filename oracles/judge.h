/* The judge: the model and every oracle, as one sink. The whole interface of the judges on one
 * page.
 *
 * Runs in the runner (arena memory, no allocation), in the engine and in the host: the same code
 * judges a generated program, a replay and a recorded stream. It never reads a subject's memory:
 * what it knows comes in events. What a judge in the runner reports is a suspicion; what the host's
 * judge reports from a fresh child's raw events is a finding. */
#ifndef ASSAY_JUDGE_H
#define ASSAY_JUDGE_H

#include "oracles/profile.h"
#include "traces/core/arena.h"
#include "traces/event.h"
#include "traces/sink.h"

enum assay_property {
    ASSAY_PROPERTY_NONE,
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)              \
    ASSAY_PROPERTY_##ID,
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
    ASSAY_PROPERTY_COUNT, /* so far the rows that are judged of streams: bits of a word */
    ASSAY_PROPERTY_BEFORE_MEASURED = ASSAY_PROPERTY_COUNT - 1,
#define ASSAY_PROPERTY(ID, statement, severity, needs, optional, source, policy, ops)
#define ASSAY_MEASURED(ID, statement, severity, unit, source, policy, command) ASSAY_PROPERTY_##ID,
#include "oracles/properties.def"
#undef ASSAY_PROPERTY
    ASSAY_CATALOGUE_COUNT
};

enum assay_severity {
    ASSAY_SEVERITY_QUALITY,
    ASSAY_SEVERITY_CONTRACT,
    ASSAY_SEVERITY_SECURITY,
    ASSAY_SEVERITY_CORRUPTION,
    ASSAY_SEVERITY_PROGRAM, /* of the program that made the calls, not of the allocator */
    ASSAY_SEVERITY_COUNT
};
const char *assay_severity_name(unsigned severity);

/* What one trial of a measured property draws anew. */
enum assay_unit { ASSAY_UNIT_EVENT, ASSAY_UNIT_OP, ASSAY_UNIT_HEAP, ASSAY_UNIT_PROCESS };
const char *assay_unit_name(unsigned unit);

struct assay_property_info {
    const char *id;
    const char *statement;
    enum assay_severity severity;
    uint64_t needs;    /* ASSAY_HAS_*; of rows judged of streams */
    uint64_t optional; /* ASSAY_HAS_* */
    const char *source;
    const char *policy;
    enum assay_unit unit; /* EVENT for rows judged of streams */
    const char *command;  /* that measures it, "" if none does; NULL: judged of streams */
};
/* Of the whole catalogue: property < ASSAY_CATALOGUE_COUNT. */
const struct assay_property_info *assay_property_info(unsigned property);
/* The temporal form, per object; NULL if it has none. */
const char *assay_property_formula(unsigned property);

enum assay_relates {
    ASSAY_RELATES_REQUIRES,
    ASSAY_RELATES_SPECIALISES,
    ASSAY_RELATES_CONFLICTS,
    ASSAY_RELATES_INDICATES,
    ASSAY_RELATES_COUNT
};
const char *assay_relates_name(unsigned relates);

/* An edge of the ontology. */
struct assay_property_edge {
    enum assay_property from, to;
    enum assay_relates relates;
    const char *why;
};
/* Returns the number of edges. */
size_t assay_property_edges(const struct assay_property_edge **ret_edges);
/* Returns the property, of the whole catalogue, or ASSAY_PROPERTY_NONE; id as in the catalogue
 * ("C05"), or with a small letter. */
enum assay_property assay_property_by_id(const char *id);

/* A violation: plain data, so that it can go through shared memory. */
struct assay_violation {
    uint16_t property;  /* enum assay_property */
    uint8_t kind;       /* enum assay_op of the offending op */
    uint8_t relation;   /* enum assay_relation: what makes two violations the same kind */
    uint32_t object;    /* the object concerned, 0 = none */
    uint32_t other;     /* a second object (overlap, damage), 0 = none */
    uint32_t size_band; /* floor(log2(size)) + 1 of the object concerned, 0 = size 0 */
    uint64_t op_index;  /* position in the program */
    uint64_t expected, seen, offset; /* by property: addresses, sizes, bytes */
    struct assay_event event;        /* the event as judged */
    /* Filled in by the host alone: threads ran side by side; */
    bool races;
    /* of a crash */
    uint8_t crash_class; /* enum assay_crash_class, 0 = not known */
    char function[64];   /* of the subject, on top of the stack; "" = not known */
};

enum assay_relation {
    ASSAY_RELATION_NONE,
    ASSAY_RELATION_OVERLAP_SAME_START,
    ASSAY_RELATION_OVERLAP_PARTIAL,
    ASSAY_RELATION_NULL,
    ASSAY_RELATION_NOT_NULL,
    ASSAY_RELATION_WRONG_ERRNO,
    ASSAY_RELATION_CONTENT_ZEROED,
    ASSAY_RELATION_CONTENT_FOREIGN, /* another object's pattern stands there */
    ASSAY_RELATION_CONTENT_STALE,   /* an older content of the same object */
    ASSAY_RELATION_CONTENT_UNKNOWN,
    ASSAY_RELATION_CRASH,
    ASSAY_RELATION_HANG,
    ASSAY_RELATION_ABORT,
    ASSAY_RELATION_UNDETECTED,
    ASSAY_RELATION_OTHER,
    ASSAY_RELATION_REPORT, /* a report of corruption was written */
    ASSAY_RELATION_COUNT
};
const char *assay_relation_name(unsigned relation);
/* A few words. */
const char *assay_relation_what(unsigned relation);
/* ASSAY_RELATION_NONE: there is no such relation. */
enum assay_relation assay_relation_by_name(const char *name);

struct assay_judge_config {
    uint64_t has;          /* of the stream */
    uint64_t missing_apis; /* bit per enum assay_op: APIs that the subject lacks */
    uint32_t max_objects;  /* highest object number that may occur */
    uint32_t max_live;     /* 0 = max_objects */
    struct assay_profile profile;
    bool legal;   /* the stream claims to be a legal program: C26 applies to crashes */
    bool program; /* the calls are judged too: rows of severity PROGRAM */
    bool leaks;   /* T05 as well: many a program leaves its last objects to the system */
    void *report_self;
    void (*report)(void *self, const struct assay_violation *violation);
};

struct assay_judge;
struct assay_model;

/* Arena bytes (address space; touched lazily) that a judge with this configuration needs. */
size_t assay_judge_bytes(const struct assay_judge_config *config);
/* Returns NULL if the arena is too small. */
struct assay_judge *assay_judge_create(struct assay_arena *arena,
                                       const struct assay_judge_config *config);
/* The sink to give to an executor. */
struct assay_sink assay_judge_sink(struct assay_judge *judge);
/* The sink's functions, for direct calls. */
void assay_judge_before(struct assay_judge *judge, const struct assay_event *op);
void assay_judge_after(struct assay_judge *judge, const struct assay_event *event);
void assay_judge_end(struct assay_judge *judge);
/* The subject died or hung while executing the op that was last given to before(): signal 0 = hang.
 */
void assay_judge_crash(struct assay_judge *judge, int signal);
/* Before that: the process had as many mappings as the system grants. */
void assay_judge_no_mappings(struct assay_judge *judge);
/* Before that: it died of calls that `thread` made in a loop (ASSAY_CONTEXT_LOOP), beside that op.
 */
void assay_judge_beside(struct assay_judge *judge, uint16_t thread);
/* The subject had written a report of corruption when the program was through, whose last op was
 * `last`: C26, if all of it was legal. */
void assay_judge_said(struct assay_judge *judge, const struct assay_event *last);
/* Forgets all objects; counters stay. Time proportional to what the last program touched. For the
 * next program. */
void assay_judge_reset(struct assay_judge *judge);
/* How often a property was evaluated / how many violations were reported since create. */
uint64_t assay_judge_evaluations(const struct assay_judge *judge, unsigned property);
uint64_t assay_judge_violations(const struct assay_judge *judge, unsigned property);
/* True if the stream has what the property needs and the subject has its APIs. */
bool assay_judge_judges(const struct assay_judge *judge, unsigned property);
/* The functions (bit per op kind) for want of which the property is not judged of such a subject;
 * 0: it can be. */
uint64_t assay_judge_lacking(unsigned property, uint64_t missing_apis);
/* What the judge believes of the heap, as it is now: read only. */
const struct assay_model *assay_judge_model(const struct assay_judge *judge);
/* Number of allocation calls judged (classes ALLOCATE, RELEASE, RESIZE) since create. */
uint64_t assay_judge_calls(const struct assay_judge *judge);

#endif
