/* What the parts of the reproducer's writer share. Internal to oracles/compare/reproducer*.c.
 *
 *   reproducer.c          what is checked; the frame: head, pointers
 *   reproducer_objects.c  the objects: content, birth, resize
 *   reproducer_names.c    how the functions are reached; ops that few allocators offer
 *   reproducer_system.c   memory that ends, calls that fail, measurements
 *   reproducer_ops.c      a function for each kind of op, and the calls of the program
 *   reproducer_turns.c    the calls of several threads and processes
 *   reproducer_races.c    the calls of threads that run side by side
 *   reproducer_side_by_side.c  how these are interrupted, and what is around them
 *   reproducer_main.c     the process that runs it, how it ends, how often it is tried */
#ifndef ASSAY_REPRODUCER_WRITER_H
#define ASSAY_REPRODUCER_WRITER_H

#include "oracles/compare/reproducer.h"

/* How long a reproducer of a race goes on where nothing shows. */
enum { REPRODUCER_RACE_SECONDS = 30, REPRODUCER_RACE_SECONDS_MOST = 60 };

/* What the generated file checks, beside dying. */
enum check {
    CHECK_GRANTED = 1 << 0, /* a request within budget is not refused */
    CHECK_REFUSED = 1 << 1, /* a request that nothing can satisfy is refused */
    CHECK_ERRNO = 1 << 2,   /* with ENOMEM */
    CHECK_ALIGNMENT = 1 << 3,
    CHECK_USABLE = 1 << 4,
    CHECK_DISJOINT = 1 << 5,
    CHECK_DISJOINT_USABLE = 1 << 6,
    CHECK_FOREIGN = 1 << 7,
    CHECK_CONTENT = 1 << 8, /* of every object at its resize or release, and of all at the end */
    CHECK_ZERO = 1 << 9,
    CHECK_FREE_ERRNO = 1 << 10,
    CHECK_OUT = 1 << 11,   /* posix_memalign's *out and code */
    CHECK_SLACK = 1 << 12, /* usable bytes are written, all of them, and looked at */
    CHECK_SIZE_ZERO = 1 << 13,
    CHECK_RESIZE_ZERO = 1 << 14,
    CHECK_BAD_ALIGNMENT = 1 << 15,
    CHECK_KEEPS_ALIGNMENT = 1 << 16,
    CHECK_BOUNDS = 1 << 17, /* rounded as a capability's */
    CHECK_GROWN = 1 << 18,  /* what rezalloc added is zero, and only that */
    CHECK_GOOD_SIZE = 1 << 19,
    CHECK_USED = 1 << 20,        /* statistics, and the heap walk */
    CHECK_LAST = 1 << 21,        /* the last request is granted */
    CHECK_LAST_ERRNO = 1 << 22,  /* or refused with ENOMEM */
    CHECK_KEEPS_ERRNO = 1 << 23, /* posix_memalign that fails */
    CHECK_TWICE = 1 << 24,       /* two runs put everything at the same places */
    CHECK_SAID = 1 << 25,        /* no report of corruption is written */
};

struct reproducer_writer {
    FILE *out;
    const struct assay_reproducer *r;
    unsigned checks;
    bool used[ASSAY_OP_COUNT];
    uint32_t objects;
    bool misuse, turns;
    bool slack;    /* usable bytes are written, as the executor did */
    size_t passes; /* the program is a pass that is made so often; 0: it is a program */
};

static inline bool reproducer_checks(const struct reproducer_writer *w, unsigned which)
{
    return (w->checks & which) != 0;
}

/* The last request is made under a limit, and is to be granted all the same. */
static inline bool reproducer_is_limited(const struct reproducer_writer *w)
{
    bool limited = false;
    for (size_t i = 0; i < w->r->count; i++)
        if (w->r->ops[i].kind == ASSAY_OP_LIMIT)
            limited = w->r->ops[i].size > 0;
    return limited && reproducer_checks(w, CHECK_LAST);
}

/* A line, or more, of the file. */
static inline void reproducer_line(const struct reproducer_writer *w, const char *text)
{
    fputs(text, w->out);
    fputc('\n', w->out);
}

/* reproducer_objects.c: how an object is filled and checked, what a request and what a resize came
 * to. */
void reproducer_content(const struct reproducer_writer *w);
/* A function fill_slack; the words that stand for the sizes, and begin a call that fills. */
void reproducer_slack(const struct reproducer_writer *w, const char *parameters, const char *bytes,
                      const char *usable, const char *fill);
void reproducer_born(const struct reproducer_writer *w);
void reproducer_resize(const struct reproducer_writer *w);

/* reproducer_names.c: the functions through pointers, with what has to be looked up; and those of
 * the ops that are in no standard. */
void reproducer_pointers(const struct reproducer_writer *w);
void reproducer_look_up(const struct reproducer_writer *w);
void reproducer_offered(const struct reproducer_writer *w);

/* reproducer_system.c */
void reproducer_system_includes(const struct reproducer_writer *w);
void reproducer_system(const struct reproducer_writer *w);
/* A function of this name, to be called after 2^k passes: as C31 has it, of what the finding is
 * about; it says nothing before so many passes. */
void reproducer_growth(const struct reproducer_writer *w, const char *name, size_t passes);
/* The call of such an op; false: it is none. */
bool reproducer_system_call(const struct reproducer_writer *w, const struct assay_event *op);

/* reproducer_ops.c */
void reproducer_ops(const struct reproducer_writer *w);
/* Returns how many functions part_0, part_1, ... the program is. */
size_t reproducer_program(const struct reproducer_writer *w);
void reproducer_call(const struct reproducer_writer *w, const struct assay_event *op);

/* reproducer_turns.c: the same for a program of several threads, processes or contexts. */
bool reproducer_in_turns(const struct assay_reproducer *r);
size_t reproducer_turns(const struct reproducer_writer *w);
/* The finding is that the process ends, or never does. */
bool reproducer_stops(const struct assay_violation *v);

/* reproducer_races.c: everything behind the head. */
void reproducer_races(const struct reproducer_writer *w);

bool reproducer_is_growth(const struct reproducer_writer *w);
/* reproducer_side_by_side.c: what is around each call, and around all of them. */
bool reproducer_threads_end(const struct assay_reproducer *r);
void reproducer_interrupts(const struct reproducer_writer *w);
void reproducer_side_by_side(const struct reproducer_writer *w);

/* reproducer_main.c */
void reproducer_main(const struct reproducer_writer *w, size_t parts);

#endif
