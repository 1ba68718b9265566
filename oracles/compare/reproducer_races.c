/* Programs whose threads run side by side: a function for each thread's part of a pass, made again
 * and again without anything between the calls of two threads but what the program itself waits
 * for. */
#include <inttypes.h>
#include <stdlib.h>

#include "oracles/compare/reproducer_writer.h"

enum { THREADS_MOST = 256, COPIES = 4, COPIED_THREADS = 32, COPIED_OPS = 300 };

bool reproducer_is_growth(const struct reproducer_writer *w)
{
    return w->r->violation->property == ASSAY_PROPERTY_C31 ||
           w->r->violation->property == ASSAY_PROPERTY_C29;
}

/* What is looked at, beside how the process ends. */
static bool looks_at_places(const struct reproducer_writer *w)
{
    return w->r->violation->property != ASSAY_PROPERTY_C10 && !reproducer_is_growth(w);
}

static bool is_about(const struct reproducer_writer *w, enum assay_property property)
{
    return w->r->violation->property == property;
}

static bool is_part(const struct assay_event *op)
{
    return op->kind != ASSAY_OP_THREAD_START && op->kind != ASSAY_OP_THREAD_EXIT &&
           op->kind != ASSAY_OP_MEASURE && op->kind != ASSAY_OP_CHECK;
}

static unsigned thread_of(const struct assay_event *op)
{
    return op->thread % THREADS_MOST;
}

static void write_objects(const struct reproducer_writer *w)
{
    reproducer_line(
        w,
        "/* Ops on one object follow one another, whoever makes them: its turn says how many were "
        "made. It\n"
        " * stands at a place from when its call has returned until its release begins: two that "
        "overlap\n"
        " * there overlap for certain. */\n"
        "static struct object {\n"
        "    _Atomic(unsigned char *) at;\n"
        "    _Atomic unsigned long turn;\n"
        "    size_t bytes; /* the same in every pass */\n"
        "    _Atomic size_t usable;\n"
        "} objects[ALL];\n"
        "static __thread unsigned first; /* of the objects of this thread's copy of the program, "
        "less one */\n"
        "static _Atomic int stop;\n\n"
        "/* 0: it is over */\n"
        "static __attribute__((unused)) int await(unsigned k, unsigned long turn)\n"
        "{\n"
        "    for (int i = 0; atomic_load(&objects[k].turn) != turn;) {\n"
        "        if (atomic_load(&stop))\n"
        "            return 0;\n"
        "        if (++i > 200)\n"
        "            sched_yield();\n"
        "    }\n"
        "    return 1;\n"
        "}\n\n"
        "/* What the processes leave to the first one, which tells it: once, whatever the threads "
        "go on to do. */\n"
        "static struct {\n"
        "    _Atomic unsigned long long passes;\n"
        "    _Atomic int seen;\n"
        "    char text[160];\n"
        "} *shared;\n\n"
        "static __attribute__((unused)) void show(const char *what, unsigned object, unsigned "
        "long long seen)\n"
        "{\n"
        "    static _Atomic int shown;\n"
        "    if (atomic_exchange(&shown, 1))\n"
        "        for (;;)\n"
        "            pause();\n"
        "    snprintf(shared->text, sizeof shared->text, \"bug: %s (object %u, %#llx)\\n\", what, "
        "object, seen);\n"
        "    atomic_store(&shared->seen, 1);\n"
        "    _exit(SEEN);\n"
        "}\n\n"
        "static unsigned char pattern(unsigned k, size_t i)\n"
        "{\n"
        "    return (unsigned char)(k * 37 + i * 11 + (i >> 8) + 1);\n"
        "}\n\n"
        "static __attribute__((unused)) void check(unsigned k, const unsigned char *p, size_t "
        "bytes)\n"
        "{");
    if (looks_at_places(w))
        reproducer_line(w, "    for (size_t i = 0; i < bytes; i++)\n"
                           "        if (p[i] != pattern(k, i))\n"
                           "            show(\"content changed\", k, i);");
    else
        reproducer_line(w, "    (void)k, (void)p, (void)bytes;");
    if (is_about(w, ASSAY_PROPERTY_C09) && w->slack)
        reproducer_line(
            w, "    size_t usable = atomic_load(&objects[k].usable), slack = usable > bytes "
               "? usable - bytes : 0;\n"
               "    for (size_t i = usable - (slack > 256 ? 16 : slack); i < usable && p == "
               "atomic_load(&objects[k].at); i++)\n"
               "        if (p[i] != pattern(k, i))\n"
               "            show(\"usable bytes changed\", k, i);");
    reproducer_line(w, "}\n");
    if (w->slack) {
        reproducer_line(w,
                        "static void fill(unsigned k, unsigned char *p, size_t from, size_t to)\n"
                        "{\n"
                        "    for (size_t i = from; i < to; i++)\n"
                        "        p[i] = pattern(k, i);\n"
                        "}\n");
        reproducer_slack(w, "unsigned k, unsigned char *p, size_t usable", "objects[k].bytes",
                         "usable", "fill(k, p, ");
    }
    reproducer_line(w, "static void born(unsigned k, unsigned char *p)\n"
                       "{\n"
                       "    size_t bytes = objects[k].bytes;");
    if (w->slack)
        reproducer_line(w, "    size_t usable = p ? call_malloc_usable_size(p) : 0;\n"
                           "    atomic_store(&objects[k].usable, usable);");
    reproducer_line(w, "    atomic_store(&objects[k].at, p);");
    if (is_about(w, ASSAY_PROPERTY_C01))
        reproducer_line(w, "    if (!p && bytes)\n"
                           "        show(\"a request was refused\", k, bytes);");
    reproducer_line(w, "    if (!p)\n"
                       "        return;");
    if (is_about(w, ASSAY_PROPERTY_C02))
        reproducer_line(w, "    size_t alignment = bytes < 16 ? 1 : 16;\n"
                           "    while (2 * alignment <= bytes && alignment < 16)\n"
                           "        alignment *= 2;\n"
                           "    if ((uintptr_t)p % alignment)\n"
                           "        show(\"an object is not aligned\", k, (uintptr_t)p);");
    if (is_about(w, ASSAY_PROPERTY_C04) && w->slack)
        reproducer_line(w, "    if (usable < bytes)\n"
                           "        show(\"an object is too small\", k, usable);");
    if (looks_at_places(w))
        reproducer_line(w,
                        "    for (unsigned i = 1; i < ALL; i++) {\n"
                        "        const unsigned char *other = i == k ? NULL : "
                        "atomic_load(&objects[i].at);\n"
                        "        if (other && p < other + objects[i].bytes && other < p + bytes)\n"
                        "            show(\"two live objects overlap\", k, i);\n"
                        "    }");
    if (is_about(w, ASSAY_PROPERTY_C06) && w->slack)
        reproducer_line(w,
                        "    for (unsigned i = 1; i < ALL; i++) {\n"
                        "        const unsigned char *other = i == k ? NULL : "
                        "atomic_load(&objects[i].at);\n"
                        "        size_t room = atomic_load(&objects[i].usable);\n"
                        "        if (other && other == atomic_load(&objects[i].at) && p < other + "
                        "room && other < p + usable)\n"
                        "            show(\"usable bytes of two live objects overlap\", k, i);\n"
                        "    }");
    reproducer_line(w, "    for (size_t i = 0; i < bytes; i++)\n"
                       "        p[i] = pattern(k, i);");
    if (w->slack)
        reproducer_line(w, "    fill_slack(k, p, usable);");
    reproducer_line(w, "}\n");
    reproducer_line(w, "static __attribute__((unused)) unsigned char *given_up(unsigned k)\n"
                       "{\n"
                       "    unsigned char *p = atomic_load(&objects[k].at);\n"
                       "    if (p)\n"
                       "        check(k, p, objects[k].bytes);\n"
                       "    atomic_store(&objects[k].at, NULL);\n"
                       "    return p;\n"
                       "}\n");
}

static void write_calls(const struct reproducer_writer *w)
{
    if (w->used[ASSAY_OP_MALLOC])
        reproducer_line(w, "static void op_malloc(unsigned k)\n"
                           "{\n"
                           "    enter(OF_MALLOC);\n"
                           "    unsigned char *p = call_malloc(objects[k].bytes);\n"
                           "    leave();\n"
                           "    born(k, p);\n"
                           "}\n");
    if (w->used[ASSAY_OP_CALLOC]) {
        reproducer_line(w, "static void op_calloc(unsigned k)\n"
                           "{\n"
                           "    enter(OF_CALLOC);\n"
                           "    unsigned char *p = call_calloc(1, objects[k].bytes);\n"
                           "    leave();");
        if (!reproducer_is_growth(w))
            reproducer_line(w, "    for (size_t i = 0; p && i < objects[k].bytes; i++)\n"
                               "        if (p[i])\n"
                               "            show(\"calloc's memory is not zero\", k, i);");
        reproducer_line(w, "    born(k, p);\n"
                           "}\n");
    }
    if (w->used[ASSAY_OP_POSIX_MEMALIGN]) {
        reproducer_line(w, "static void op_posix_memalign(unsigned k, size_t alignment)\n"
                           "{\n"
                           "    void *p = NULL;\n"
                           "    enter(OF_MEMALIGN);\n"
                           "    int error = call_posix_memalign(&p, alignment, objects[k].bytes);\n"
                           "    leave();");
        if (is_about(w, ASSAY_PROPERTY_C03))
            reproducer_line(w, "    if (!error && (uintptr_t)p % alignment)\n"
                               "        show(\"an object is not aligned\", k, (uintptr_t)p);");
        reproducer_line(w, "    born(k, error ? NULL : p);\n"
                           "}\n");
    }
    if (w->used[ASSAY_OP_REALLOC])
        reproducer_line(
            w, "static void op_realloc(unsigned k, unsigned n)\n"
               "{\n"
               "    unsigned char *old = given_up(k);\n"
               "    size_t bytes = objects[n].bytes;\n"
               "    enter(OF_REALLOC);\n"
               "    unsigned char *p = old ? call_realloc(old, bytes) : NULL;\n"
               "    leave();\n"
               "    if (p)\n"
               "        check(k, p, objects[k].bytes < bytes ? objects[k].bytes : bytes);\n"
               "    if (old && !p)\n"
               "        call_free(old);\n"
               "    born(n, p);\n"
               "}\n");
    reproducer_line(w, "static __attribute__((unused)) void op_free(unsigned k)\n"
                       "{\n"
                       "    unsigned char *p = given_up(k);");
    if (is_about(w, ASSAY_PROPERTY_C19))
        reproducer_line(w, "    errno = ERANGE;");
    reproducer_line(w, "    enter(OF_FREE);\n"
                       "    if (p)\n"
                       "        call_free(p);\n"
                       "    leave();");
    if (is_about(w, ASSAY_PROPERTY_C19))
        reproducer_line(w, "    if (errno != ERANGE)\n"
                           "        show(\"free changed errno\", k, (unsigned long long)errno);");
    reproducer_line(w, "}\n");
}

/* Of an object's ops: how many there are, and which one in its row this is. */
static unsigned row_of(const struct assay_reproducer *r, uint32_t object, size_t until)
{
    unsigned row = 0;
    for (size_t i = 0; i < until; i++)
        row += is_part(&r->ops[i]) && object &&
               (r->ops[i].object == object || r->ops[i].born == object);
    return row;
}

static bool crosses(const struct assay_reproducer *r, uint32_t object)
{
    int thread = -1;
    for (size_t i = 0; i < r->count; i++) {
        if (!is_part(&r->ops[i]) || (r->ops[i].object != object && r->ops[i].born != object))
            continue;
        if (thread >= 0 && (unsigned)thread != thread_of(&r->ops[i]))
            return true;
        thread = (int)thread_of(&r->ops[i]);
    }
    return false;
}

static void write_op(const struct reproducer_writer *w, size_t at)
{
    const struct assay_event *op = &w->r->ops[at];
    const uint32_t concerned[2] = {op->object, op->born};
    for (int i = 0; i < 2; i++)
        if (concerned[i] && crosses(w->r, concerned[i]))
            fprintf(w->out,
                    "    if (!await(first + %" PRIu32 ", pass * %u + %u))\n        return;\n",
                    concerned[i], row_of(w->r, concerned[i], w->r->count),
                    row_of(w->r, concerned[i], at));
    switch (op->kind) {
    case ASSAY_OP_MALLOC:
    case ASSAY_OP_CALLOC:
        fprintf(w->out, "    op_%s(first + %" PRIu32 ");\n", assay_op_info(op->kind)->name,
                op->born);
        break;
    case ASSAY_OP_POSIX_MEMALIGN:
        fprintf(w->out, "    op_posix_memalign(first + %" PRIu32 ", %" PRIu64 ");\n", op->born,
                op->arg);
        break;
    case ASSAY_OP_REALLOC:
        fprintf(w->out, "    op_realloc(first + %" PRIu32 ", first + %" PRIu32 ");\n", op->object,
                op->born);
        break;
    case ASSAY_OP_FREE: fprintf(w->out, "    op_free(first + %" PRIu32 ");\n", op->object); break;
    default: break;
    }
    for (int i = 0; i < 2; i++)
        if (concerned[i] && crosses(w->r, concerned[i]))
            fprintf(w->out, "    atomic_fetch_add(&objects[first + %" PRIu32 "].turn, 1);\n",
                    concerned[i]);
}

static unsigned write_parts(const struct reproducer_writer *w)
{
    unsigned parts = 0;
    for (unsigned t = 0; t < THREADS_MOST; t++) {
        bool any = false;
        for (size_t i = 0; i < w->r->count; i++) {
            if (!is_part(&w->r->ops[i]) || thread_of(&w->r->ops[i]) != t)
                continue;
            if (!any)
                fprintf(w->out,
                        "static void part_%u(unsigned long pass)\n{\n    (void)pass;\n    if "
                        "(atomic_load(&stop))\n        return;\n",
                        parts);
            any = true;
            write_op(w, i);
        }
        if (any)
            reproducer_line(w, "}\n");
        parts += any;
    }
    fprintf(w->out, "static void (*const parts[])(unsigned long) = {");
    for (unsigned t = 0; t < parts; t++)
        fprintf(w->out, "%spart_%u", t ? ", " : "", t);
    fprintf(w->out, "};\nenum { PARTS = %u };\n\n", parts);
    reproducer_line(w, "static void sizes(unsigned from)\n"
                       "{");
    for (size_t i = 0; i < w->r->count; i++) {
        uint64_t bytes = 0;
        if (assay_event_bears(&w->r->ops[i]) && w->r->ops[i].born &&
            assay_event_bytes(&w->r->ops[i], &bytes))
            fprintf(w->out, "    objects[from + %" PRIu32 "].bytes = %" PRIu64 ";\n",
                    w->r->ops[i].born, bytes);
    }
    reproducer_line(w, "}\n");
    return parts;
}

static unsigned threads_of(const struct assay_reproducer *r)
{
    bool there[THREADS_MOST] = {false};
    unsigned threads = 0;
    for (size_t i = 0; i < r->count; i++) {
        threads += is_part(&r->ops[i]) && !there[thread_of(&r->ops[i])];
        there[thread_of(&r->ops[i])] |= is_part(&r->ops[i]);
    }
    return threads;
}

/* The same program several times at once: where one thread stays others get on. Not where more of
 * them might be refused, where no more are promised, and where memory is compared. */
static unsigned copies_of(const struct reproducer_writer *w)
{
    unsigned threads = threads_of(w->r), most = w->r->max_threads;
    bool once = reproducer_is_growth(w) || is_about(w, ASSAY_PROPERTY_C01) ||
                w->r->count > COPIED_OPS || threads * COPIES > COPIED_THREADS ||
                (most && threads * COPIES > most);
    return once ? 1 : COPIES;
}

void reproducer_races(const struct reproducer_writer *w)
{
    fprintf(w->out, "enum { OBJECTS = %" PRIu32 ", COPIES = %u, ALL = COPIES * (OBJECTS + 1) };\n",
            w->objects, copies_of(w));
    reproducer_pointers(w);
    write_objects(w);
    reproducer_interrupts(w);
    write_calls(w);
    write_parts(w);
    reproducer_look_up(w);
    reproducer_side_by_side(w);
}
