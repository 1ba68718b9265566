#include "oracles/compare/reproducer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oracles/compare/passes.h"
#include "oracles/compare/reproducer_writer.h"

static unsigned checks_of(const struct assay_violation *v)
{
    bool by_content = v->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
                      v->relation <= ASSAY_RELATION_CONTENT_UNKNOWN;
    switch (v->property) {
    case ASSAY_PROPERTY_C01:
        return v->relation == ASSAY_RELATION_NULL ? CHECK_GRANTED : CHECK_ERRNO;
    case ASSAY_PROPERTY_C02:
    case ASSAY_PROPERTY_C03: return CHECK_ALIGNMENT;
    case ASSAY_PROPERTY_C04: /* what cannot be had at all has no usable size to speak of */
        return assay_event_refused(&v->event) ? CHECK_REFUSED : CHECK_USABLE;
    case ASSAY_PROPERTY_C05: return CHECK_DISJOINT;
    case ASSAY_PROPERTY_C06: return CHECK_DISJOINT_USABLE;
    case ASSAY_PROPERTY_C07: return CHECK_FOREIGN;
    case ASSAY_PROPERTY_C09: return CHECK_SLACK | CHECK_CONTENT;
    case ASSAY_PROPERTY_C10: return CHECK_ZERO;
    case ASSAY_PROPERTY_C11:
    case ASSAY_PROPERTY_C22:
        return by_content                               ? CHECK_CONTENT
               : v->relation == ASSAY_RELATION_NOT_NULL ? CHECK_REFUSED
                                                        : CHECK_ERRNO;
    case ASSAY_PROPERTY_C13: return CHECK_CONTENT | CHECK_DISJOINT | CHECK_USABLE;
    case ASSAY_PROPERTY_C14:
        return v->relation == ASSAY_RELATION_OTHER  ? CHECK_ALIGNMENT
               : v->event.size == 0                 ? CHECK_SIZE_ZERO
               : v->relation == ASSAY_RELATION_NULL ? CHECK_GRANTED
                                                    : CHECK_ERRNO;
    case ASSAY_PROPERTY_C15: return CHECK_RESIZE_ZERO;
    case ASSAY_PROPERTY_C16: return by_content ? CHECK_CONTENT : CHECK_KEEPS_ALIGNMENT;
    case ASSAY_PROPERTY_C17: return CHECK_GROWN | CHECK_SLACK;
    case ASSAY_PROPERTY_C24: return CHECK_USABLE | CHECK_DISJOINT;
    case ASSAY_PROPERTY_C25: return CHECK_GOOD_SIZE;
    case ASSAY_PROPERTY_C34: return CHECK_USED;
    case ASSAY_PROPERTY_C18: return CHECK_SIZE_ZERO | CHECK_DISJOINT;
    case ASSAY_PROPERTY_C19: return CHECK_FREE_ERRNO;
    case ASSAY_PROPERTY_C20:
        return v->relation == ASSAY_RELATION_WRONG_ERRNO && v->expected == 0 ? CHECK_KEEPS_ERRNO
                                                                             : CHECK_OUT;
    case ASSAY_PROPERTY_C21: return CHECK_BAD_ALIGNMENT;
    case ASSAY_PROPERTY_C36: return CHECK_TWICE;
    case ASSAY_PROPERTY_C37: return CHECK_BOUNDS;
    case ASSAY_PROPERTY_C27:
    case ASSAY_PROPERTY_C28:
    case ASSAY_PROPERTY_C30:
    case ASSAY_PROPERTY_C35:
        return reproducer_stops(v)                         ? 0
               : v->relation == ASSAY_RELATION_NULL        ? CHECK_GRANTED
               : v->relation == ASSAY_RELATION_WRONG_ERRNO ? CHECK_ERRNO | CHECK_FREE_ERRNO
               : v->relation == ASSAY_RELATION_OVERLAP_SAME_START ||
                       v->relation == ASSAY_RELATION_OVERLAP_PARTIAL
                   ? CHECK_DISJOINT
                   : CHECK_CONTENT;
    case ASSAY_PROPERTY_C32: return CHECK_LAST;
    case ASSAY_PROPERTY_C33:
        return v->relation == ASSAY_RELATION_NULL          ? CHECK_LAST
               : v->relation == ASSAY_RELATION_WRONG_ERRNO ? CHECK_LAST_ERRNO
                                                           : 0;
    case ASSAY_PROPERTY_C29:
    case ASSAY_PROPERTY_C31:
    case ASSAY_PROPERTY_S01: return 0;
    case ASSAY_PROPERTY_C26: return v->relation == ASSAY_RELATION_REPORT ? CHECK_SAID : 0;
    default: return CHECK_CONTENT; /* C08, C12, C23 */
    }
}

/* Inside a comment: what ends it, or a line, is left out. */
static void safe(const struct reproducer_writer *w, const char *text)
{
    for (; *text; text++)
        fputc(*text == '\n' || (unsigned char)*text < ' ' || (*text == '*' && text[1] == '/')
                  ? ' '
                  : *text,
              w->out);
}

static void write_head(const struct reproducer_writer *w)
{
    const struct assay_violation *v = w->r->violation;
    const struct assay_property_info *info = assay_property_info(v->property);
    bool preload = w->r->library && w->r->library[0], races = w->r->races;

    fprintf(w->out, "/* %s: ", info->id);
    safe(w, info->statement);
    fprintf(w->out, ".\n * Violated at the last %s (%s) by ", assay_op_info(v->kind)->name,
            assay_relation_name(v->relation));
    safe(w, w->r->subject);
    fprintf(w->out, "; %s.\n *\n *   cc %sreproducer.c -o reproducer\n *   %s", w->r->fingerprint,
            w->turns || races ? "-pthread " : "", preload ? "LD_PRELOAD=" : "");
    if (preload)
        safe(w, w->r->library);
    reproducer_line(w, preload ? " ./reproducer; echo $?" : "./reproducer; echo $?");
    if (races)
        fprintf(
            w->out,
            " *\n"
            " * Threads make the same calls again and again, interrupted inside of them, until "
            "it shows, most\n"
            " * often within seconds, or for %d s (up to %d s on a slow machine) without a word "
            "where it does not.\n",
            REPRODUCER_RACE_SECONDS, REPRODUCER_RACE_SECONDS_MOST);
    else if (w->r->hits < w->r->trials)
        fprintf(w->out,
                " *\n"
                " * It shows in some processes only: it did in %u of %u. Up to %u are tried here, "
                "so that it is\n"
                " * missed once in 1,000 times.\n",
                w->r->hits, w->r->trials, w->r->attempts);
    reproducer_line(
        w, " *\n"
           " * Exit 1 and one line: the bug shows. 0: it does not, says standard error. 2: "
           "something else went\n"
           " * wrong. */");
}

/* Of memory that is never written the address space has as much. */
static bool grows_in_space(const struct reproducer_writer *w)
{
    return reproducer_is_growth(w) && w->r->violation->offset == ASSAY_MEASURE_SPACE;
}

static void write_frame(const struct reproducer_writer *w)
{
    reproducer_line(w, "#define _GNU_SOURCE\n"
                       "#include <dlfcn.h>\n"
                       "#include <errno.h>\n"
                       "#include <malloc.h>\n"

                       "#include <signal.h>\n"
                       "#include <stddef.h>\n"
                       "#include <stdint.h>\n"
                       "#include <stdio.h>\n"
                       "#include <stdlib.h>\n"
                       "#include <string.h>\n"
                       "#include <sys/mman.h>\n"
                       "#include <sys/personality.h>\n"
                       "#include <sys/time.h>\n"
                       "#include <sys/wait.h>\n"
                       "#include <time.h>\n"
                       "#include <unistd.h>");
    reproducer_system_includes(w);
    if (w->turns)
        reproducer_line(w, "#include <limits.h>\n#include <pthread.h>\n#include <sched.h>\n\n"
                           "static __thread int quiet; /* in a loop: calls alone */\n");
    else
        fprintf(w->out, "\nenum { quiet = %d };\n\n", grows_in_space(w));
    fprintf(w->out,
            "struct object {\n"
            "    unsigned char *at;\n"
            "    size_t bytes, usable, alignment;\n"
            "    unsigned pattern;\n"
            "    int live;\n"
            "};\n\n"
            "static __attribute__((unused)) struct object objects[%" PRIu32 "];\n"
            "enum { HIGHEST = %" PRIu32
            ", FINISHED = 42, SEEN = 43 /* exit codes that are ours */ };\n\n",
            w->objects + 1, w->objects);
    reproducer_line(
        w, "/* stdio may allocate: only memory of our own, and write(2) */\n"
           "static __attribute__((unused)) void show(const char *what, unsigned object, unsigned "
           "long long seen)\n"
           "{\n"
           "    static char text[160];\n"
           "    int n = snprintf(text, sizeof text, \"bug: %s (object %u, %#llx)\\n\", what, "
           "object, seen);\n"
           "    ssize_t written = write(1, text, (size_t)n);\n"
           "    (void)written;\n"
           "    _exit(SEEN);\n"
           "}\n\n"
           "static __attribute__((unused)) int died(const char *how, int number, int answer)\n"
           "{\n"
           "    static char text[160];\n"
           "    int n = snprintf(text, sizeof text, \"%s %d\\n\", how, number);\n"
           "    ssize_t written = write(answer == 1 ? 1 : 2, text, (size_t)n);\n"
           "    (void)written;\n"
           "    return answer;\n"
           "}\n");
}

static void write_races_frame(const struct reproducer_writer *w)
{
    reproducer_line(w, "#define _GNU_SOURCE\n"
                       "#include <dlfcn.h>\n"
                       "#include <errno.h>\n"
                       "#include <fcntl.h>\n"
                       "#include <link.h>\n"
                       "#include <malloc.h>\n"
                       "#include <pthread.h>\n"
                       "#include <sched.h>\n"
                       "#include <signal.h>\n"
                       "#include <stdatomic.h>\n"
                       "#include <stddef.h>\n"
                       "#include <stdint.h>\n"
                       "#include <stdio.h>\n"
                       "#include <stdlib.h>\n"
                       "#include <string.h>\n"
                       "#include <sys/mman.h>\n"
                       "#include <sys/prctl.h>\n"
                       "#include <sys/syscall.h>\n"
                       "#include <sys/wait.h>\n"
                       "#include <time.h>\n"
                       "#include <ucontext.h>\n"
                       "#include <unistd.h>\n\n"
                       "enum { FINISHED = 42, SEEN = 43 /* exit codes that are ours */ };\n");
}

static bool born_with(const struct assay_reproducer *reproducer, uint32_t object,
                      uint64_t *ret_bytes)
{
    for (size_t i = 0; i < reproducer->count; i++)
        if (reproducer->ops[i].born == object && assay_event_bears(&reproducer->ops[i]))
            return assay_event_bytes(&reproducer->ops[i], ret_bytes);
    return false;
}

/* C13 covers an object's slack where it was written, and what calloc should have cleared may have
 * been another's: then only writing it there shows the damage. */
static bool damages_slack(const struct assay_reproducer *reproducer)
{
    const struct assay_violation *v = reproducer->violation;
    uint64_t bytes = 0;
    if (v->relation < ASSAY_RELATION_CONTENT_ZEROED || v->relation > ASSAY_RELATION_CONTENT_UNKNOWN)
        return false;
    if (v->property == ASSAY_PROPERTY_C10)
        return v->other && born_with(reproducer, v->other, &bytes) && v->offset + 8 > bytes;
    return v->property == ASSAY_PROPERTY_C13 && born_with(reproducer, v->object, &bytes) &&
           v->offset >= bytes;
}

/* The executor skipped them. */
static void leave_out_missing(struct assay_reproducer *reproducer, struct assay_event *ret_ops)
{
    size_t n = 0;
    for (size_t i = 0; i < reproducer->count; i++)
        if (!(reproducer->missing_apis >> reproducer->ops[i].kind & 1))
            ret_ops[n++] = reproducer->ops[i];
    reproducer->ops = ret_ops;
    reproducer->count = n;
}

void assay_reproducer_write(FILE *out, const struct assay_reproducer *reproducer)
{
    struct assay_reproducer own = *reproducer;
    struct assay_event *offered = NULL;
    struct assay_passes passes;
    struct reproducer_writer w = {.out = out, .r = &own, .checks = checks_of(own.violation)};
    if (own.missing_apis && (offered = malloc(own.count * sizeof *offered + 1)))
        leave_out_missing(&own, offered);
    if (assay_passes_find(own.ops, own.count, &passes)) {
        own.count = passes.length;
        w.passes = passes.count;
        w.used[ASSAY_OP_MEASURE] = true;
    }
    reproducer = &own;
    if (damages_slack(reproducer))
        w.checks |= CHECK_SLACK;
    w.slack =
        own.ask_usable && own.usable_writable && (own.races || !reproducer_checks(&w, CHECK_SLACK));
    w.turns = reproducer_in_turns(reproducer);
    w.used[ASSAY_OP_FREE] = w.turns; /* of what a loop leaves behind */
    bool bears = false, resizes = false;
    for (size_t i = 0; i < reproducer->count; i++) {
        const struct assay_event *op = &reproducer->ops[i];
        if (op->kind < ASSAY_OP_COUNT)
            w.used[op->kind] = true;
        w.misuse |= (op->flags & ASSAY_FLAG_MISUSE) != 0;
        bears |= assay_event_bears(op);
        resizes |= assay_op_info(op->kind)->op_class == ASSAY_CLASS_RESIZE;
        w.objects = op->born > w.objects ? op->born : w.objects;
        w.objects = op->object > w.objects ? op->object : w.objects;
    }
    write_head(&w);
    if (own.races) {
        w.used[ASSAY_OP_FREE] = true;
        write_races_frame(&w);
        reproducer_races(&w);
        free(offered);
        return;
    }
    write_frame(&w);
    reproducer_pointers(&w);
    if (bears || w.used[ASSAY_OP_WRITE] || reproducer_checks(&w, CHECK_CONTENT))
        reproducer_content(&w);
    if (bears)
        reproducer_born(&w);
    if (resizes)
        reproducer_resize(&w);
    reproducer_ops(&w);
    reproducer_offered(&w);
    reproducer_system(&w);
    size_t parts = w.turns ? reproducer_turns(&w) : reproducer_program(&w);
    reproducer_look_up(&w);
    reproducer_main(&w, parts);
    free(offered);
}
