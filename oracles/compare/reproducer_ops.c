#include <inttypes.h>
#include <string.h>

#include "oracles/compare/reproducer_writer.h"

/* Ops of one C function: compilers are slow on functions of many thousand calls. */
#define OPS_PER_FUNCTION 400

static bool asks_whole_pages(const struct reproducer_writer *w)
{
    return w->r->violation->property == ASSAY_PROPERTY_C03 && w->used[ASSAY_OP_PVALLOC] &&
           w->r->ask_usable;
}

void reproducer_ops(const struct reproducer_writer *w)
{
    static const struct {
        uint8_t kind;
        const char *text;
    } ops[] = {
        {ASSAY_OP_MALLOC, "static void op_malloc(unsigned k, size_t bytes, int must_fail)\n"
                          "{\n"
                          "    errno = 0;\n"
                          "    void *p = call_malloc(bytes);\n"
                          "    born(k, p, bytes, 0, must_fail, errno);\n"
                          "}\n"},
        {ASSAY_OP_ALIGNED_ALLOC,
         "static void op_aligned_alloc(unsigned k, size_t alignment, size_t bytes, int must_fail)\n"
         "{\n"
         "    errno = 0;\n"
         "    void *p = call_aligned_alloc(alignment, bytes);\n"
         "    int error = errno;\n"
         "    int power = alignment && (alignment & (alignment - 1)) == 0;\n"
         "%s"
         "    born(k, p, bytes, power ? alignment : 0, must_fail, error);\n"
         "}\n"},
        {ASSAY_OP_MEMALIGN,
         "static void op_memalign(unsigned k, size_t alignment, size_t bytes, int must_fail)\n"
         "{\n"
         "    errno = 0;\n"
         "    void *p = call_memalign(alignment, bytes);\n"
         "    born(k, p, bytes, alignment, must_fail, errno);\n"
         "}\n"},
        {ASSAY_OP_VALLOC, "static void op_valloc(unsigned k, size_t bytes, int must_fail)\n"
                          "{\n"
                          "    errno = 0;\n"
                          "    void *p = call_valloc(bytes);\n"
                          "    born(k, p, bytes, 4096, must_fail, errno);\n"
                          "}\n"},
        {ASSAY_OP_PVALLOC, "static void op_pvalloc(unsigned k, size_t bytes, int must_fail)\n"
                           "{\n"
                           "    errno = 0;\n"
                           "    void *p = call_pvalloc(bytes);\n"
                           "%s"
                           "    born(k, p, bytes, 4096, must_fail, errno);\n"
                           "}\n"},
        {ASSAY_OP_TRIM, "static void op_malloc_trim(void)\n"
                        "{\n"
                        "    call_malloc_trim(0);\n"
                        "}\n"},
        {ASSAY_OP_REALLOC,
         "static void op_realloc(unsigned k, unsigned n, size_t bytes, int must_fail)\n"
         "{\n"
         "    if (k && !objects[k].live)\n"
         "        return;\n"
         "%s"
         "    errno = 0;\n"
         "    void *p = call_realloc(k ? objects[k].at : NULL, bytes);\n"
         "    if (k)\n"
         "        resized(k, n, p, bytes, must_fail, errno);\n"
         "    else\n"
         "        born(n, p, bytes, 0, must_fail, errno);\n"
         "}\n"},
        {ASSAY_OP_REALLOCARRAY,
         "static void op_reallocarray(unsigned k, unsigned n, size_t count, size_t size, int "
         "must_fail)\n"
         "{\n"
         "    if (k && !objects[k].live)\n"
         "        return;\n"
         "%s"
         "    errno = 0;\n"
         "    void *p = call_reallocarray(k ? objects[k].at : NULL, count, size);\n"
         "    if (k)\n"
         "        resized(k, n, p, count * size, must_fail, errno);\n"
         "    else\n"
         "        born(n, p, count * size, 0, must_fail, errno);\n"
         "}\n"},
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!w->used[ops[i].kind])
            continue;
        const char *insert = strstr(ops[i].text, "%s");
        size_t before = insert ? (size_t)(insert - ops[i].text) : strlen(ops[i].text);
        fwrite(ops[i].text, 1, before, w->out);
        if (insert) {
            bool resize = assay_op_info(ops[i].kind)->op_class == ASSAY_CLASS_RESIZE;
            if (resize && reproducer_checks(w, CHECK_CONTENT))
                reproducer_line(w, "    if (k)\n"
                                   "        check(&objects[k], filled(&objects[k]));");
            if (ops[i].kind == ASSAY_OP_PVALLOC) {
                if (asks_whole_pages(w))
                    reproducer_line(
                        w, "    if (p && must_fail == 0 && call_malloc_usable_size(p) < (bytes + "
                           "4095) / 4096 * 4096)\n"
                           "        show(\"pvalloc does not round up to a page\", k, "
                           "call_malloc_usable_size(p));");
            } else if (!resize && reproducer_checks(w, CHECK_BAD_ALIGNMENT))
                reproducer_line(
                    w, w->r->violation->relation == ASSAY_RELATION_NOT_NULL
                           ? "    if (!power && p)\n"
                             "        show(\"a bad alignment is served\", k, (uintptr_t)p);"
                           : "    if (!power && p && (uintptr_t)p % (alignment + 1) != 0)\n"
                             "        show(\"a bad alignment is neither refused nor rounded up\", "
                             "k, (uintptr_t)p);");
            fputs(insert + 2, w->out);
        }
        reproducer_line(w, "");
    }
    if (w->used[ASSAY_OP_CALLOC]) {
        reproducer_line(
            w, "static void op_calloc(unsigned k, size_t count, size_t size, int must_fail)\n"
               "{\n"
               "    errno = 0;\n"
               "    unsigned char *p = call_calloc(count, size);\n"
               "    int error = errno;");
        if (reproducer_checks(w, CHECK_ZERO))
            reproducer_line(w,
                            "    for (size_t i = 0; p && must_fail != 1 && i < count * size; i++)\n"
                            "        if (p[i] != 0)\n"
                            "            show(\"calloc's memory is not zero\", k, i);");
        reproducer_line(w, "    born(k, p, count * size, 0, must_fail, error);\n"
                           "}\n");
    }
    if (w->used[ASSAY_OP_POSIX_MEMALIGN]) {
        reproducer_line(
            w, "static void op_posix_memalign(unsigned k, size_t alignment, size_t bytes, int "
               "must_fail)\n"
               "{\n"
               "    void *const before = objects;\n"
               "    void *p = before;\n"
               "    errno = 0;\n"
               "    int error = call_posix_memalign(&p, alignment, bytes);");
        if (reproducer_checks(w, CHECK_KEEPS_ERRNO))
            reproducer_line(w,
                            "    if (error && errno)\n"
                            "        show(\"posix_memalign changed errno\", k, (unsigned)errno);");
        if (reproducer_checks(w, CHECK_OUT))
            reproducer_line(
                w,
                "    int bad = alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0;\n"
                "    if (error && p != before)\n"
                "        show(\"posix_memalign changed *out and failed\", k, (uintptr_t)p);\n"
                "    if (bad && error != EINVAL && !(error == ENOMEM && bytes > PTRDIFF_MAX))\n"
                "        show(\"a bad alignment is not EINVAL\", k, (unsigned)error);");
        reproducer_line(w, "    born(k, error ? NULL : p, bytes, alignment, must_fail, error);\n"
                           "}\n");
    }
    static const struct {
        uint8_t kind;
        const char *name, *parameters, *arguments;
    } releases[] = {
        {ASSAY_OP_FREE, "free", "", ""},
        {ASSAY_OP_FREE_SIZED, "free_sized", ", size_t bytes", ", bytes"},
        {ASSAY_OP_FREE_ALIGNED_SIZED, "free_aligned_sized", ", size_t alignment, size_t bytes",
         ", alignment, bytes"},
    };
    for (size_t i = 0; i < 3; i++) {
        if (!w->used[releases[i].kind])
            continue;
        fprintf(w->out,
                "static __attribute__((unused)) void op_%s(unsigned k%s)\n"
                "{\n"
                "    if (k && !objects[k].live)\n"
                "        return;\n",
                releases[i].name, releases[i].parameters);
        if (reproducer_checks(w, CHECK_CONTENT))
            reproducer_line(w, "    if (k)\n"
                               "        check(&objects[k], filled(&objects[k]));");
        fprintf(w->out,
                "    errno = ENOTBLK; /* what no allocator sets */\n"
                "    call_%s(k ? objects[k].at : NULL%s);\n",
                releases[i].name, releases[i].arguments);
        if (reproducer_checks(w, CHECK_FREE_ERRNO))
            reproducer_line(w, "    if (errno != ENOTBLK)\n"
                               "        show(\"free changed errno\", k, (unsigned)errno);");
        reproducer_line(w, "    objects[k].live = 0;\n"
                           "}\n");
    }
    if (w->used[ASSAY_OP_USABLE_SIZE]) {
        reproducer_line(w,
                        "static void op_malloc_usable_size(unsigned k)\n"
                        "{\n"
                        "    if (k && !objects[k].live)\n"
                        "        return;\n"
                        "    size_t usable = call_malloc_usable_size(k ? objects[k].at : NULL);\n"
                        "    (void)usable;");
        if (reproducer_checks(w, CHECK_USABLE))
            reproducer_line(
                w, "    if (k ? usable < objects[k].bytes || usable != objects[k].usable : usable "
                   "!= 0)\n"
                   "        show(\"usable size changed\", k, usable);");
        reproducer_line(w, "}\n");
    }
    if (w->used[ASSAY_OP_OBJECT_SIZE])
        reproducer_line(w, "static void op_malloc_object_size(unsigned k)\n"
                           "{\n"
                           "    if (k && objects[k].live)\n"
                           "        call_malloc_object_size(objects[k].at);\n"
                           "}\n");
    if (w->used[ASSAY_OP_READ])
        reproducer_line(w, "static void op_read(unsigned k, size_t from, size_t bytes)\n"
                           "{\n"
                           "    for (size_t i = from; objects[k].live && i < from + bytes; i++)\n"
                           "        (void)*(volatile unsigned char *)(objects[k].at + i);\n"
                           "}\n");
    if (w->used[ASSAY_OP_WRITE] && w->turns) {
        reproducer_line(w, "/* another pattern, for another process is not to see it */\n"
                           "static void op_write(unsigned k, size_t from, size_t bytes)\n"
                           "{\n"
                           "    if (objects[k].live && bytes > 0) {\n"
                           "        objects[k].pattern += 1000;");
        reproducer_line(w, reproducer_checks(w, CHECK_CONTENT)
                               ? "        fill(&objects[k], 0, filled(&objects[k]));"
                               : "        fill(&objects[k], 0, objects[k].bytes);");
        reproducer_line(w, "    }\n"
                           "    (void)from;\n"
                           "}\n");
    } else if (w->used[ASSAY_OP_WRITE])
        reproducer_line(w, "static void op_write(unsigned k, size_t from, size_t bytes)\n"
                           "{\n"
                           "    if (objects[k].live)\n"
                           "        fill(&objects[k], from, from + bytes);\n"
                           "}\n");
    if (w->used[ASSAY_OP_CHECK])
        reproducer_line(w, reproducer_checks(w, CHECK_CONTENT)
                               ? "static void op_check(unsigned k)\n"
                                 "{\n"
                                 "    if (k == 0)\n"
                                 "        check_all();\n"
                                 "    else if (objects[k].live)\n"
                                 "        check(&objects[k], filled(&objects[k]));\n"
                                 "}\n"
                               : "static void op_check(unsigned k)\n"
                                 "{\n"
                                 "    (void)k;\n"
                                 "}\n");
}

static void put_size(const struct reproducer_writer *w, uint64_t value)
{
    if (value > UINT64_MAX - 8192)
        fprintf(w->out, value == UINT64_MAX ? "SIZE_MAX" : "SIZE_MAX - %" PRIu64,
                UINT64_MAX - value);
    else if (value > (uint64_t)INT64_MAX - 8192 && value <= (uint64_t)INT64_MAX)
        fprintf(w->out, value == INT64_MAX ? "PTRDIFF_MAX" : "PTRDIFF_MAX - %" PRIu64,
                (uint64_t)INT64_MAX - value);
    else if (value > (uint64_t)INT64_MAX && value < (uint64_t)INT64_MAX + 8192)
        fprintf(w->out, "(size_t)PTRDIFF_MAX + %" PRIu64, value - (uint64_t)INT64_MAX);
    else if (value > INT32_MAX)
        fprintf(w->out, "(size_t)%#" PRIx64, value);
    else
        fprintf(w->out, "%" PRIu64, value);
}

/* 0 granted, 1 refused, 2 open. Only requests that every allocator grants count as such, and the
 * last one where its refusal is the violation: the profile promised more. */
static int must_fail(const struct reproducer_writer *w, const struct assay_event *op)
{
    uint64_t alignment = assay_event_alignment(op), bytes;
    bool power =
        alignment == 0 ? op->kind != ASSAY_OP_ALIGNED_ALLOC : (alignment & (alignment - 1)) == 0;
    bool fits = assay_event_bytes(op, &bytes);
    bool oversize = !fits || bytes > PTRDIFF_MAX || bytes + alignment < bytes;
    /* who grants it has granted so much (C05), unless it is the grant that is told of */
    bool far = !oversize && bytes >> 48 != 0 && !reproducer_checks(w, CHECK_REFUSED);
    if (oversize || (assay_event_refused(op) && power && !far))
        return 1;
    if (reproducer_checks(w, CHECK_GRANTED) && op == &w->r->ops[w->r->count - 1])
        return 0;
    if (assay_event_refused(op) || !power || bytes == 0 || alignment > 4096 ||
        bytes > UINT64_C(1) << 26)
        return 2;
    return 0;
}

void reproducer_call(const struct reproducer_writer *w, const struct assay_event *op)
{
    FILE *out = w->out;
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool first = true;
    if (op->flags & ASSAY_FLAG_MISUSE) {
        fprintf(out, "    misuse = 1;\n    call_free(objects[%" PRIu32 "].at); /* again */\n",
                op->object);
        return;
    }
    if (reproducer_system_call(w, op))
        return;
    fprintf(out, "    op_%s(", assay_op_info(op->kind)->name);
    if (op->kind == ASSAY_OP_GOOD_SIZE)
        put_size(w, op->size);
    if (op->kind == ASSAY_OP_STATISTICS)
        put_size(w, op->arg);
    if (!assay_op_of_heap(op->kind) &&
        (op_class == ASSAY_CLASS_RESIZE || op_class == ASSAY_CLASS_RELEASE ||
         op_class == ASSAY_CLASS_QUERY || op_class == ASSAY_CLASS_ACCESS)) {
        fprintf(out, "%" PRIu32, op->object);
        first = false;
    }
    if (assay_event_bears(op))
        fprintf(out, first ? "%" PRIu32 : ", %" PRIu32, op->born);
    if (op->kind == ASSAY_OP_CALLOC || op->kind == ASSAY_OP_REALLOCARRAY ||
        op->kind == ASSAY_OP_ALIGNED_ALLOC || op->kind == ASSAY_OP_POSIX_MEMALIGN ||
        op->kind == ASSAY_OP_MEMALIGN || op->kind == ASSAY_OP_FREE_ALIGNED_SIZED ||
        op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE) {
        fputs(", ", out);
        put_size(w, op->arg);
    }
    if (assay_event_bears(op) || op->kind == ASSAY_OP_FREE_SIZED ||
        op->kind == ASSAY_OP_FREE_ALIGNED_SIZED || op->kind == ASSAY_OP_READ ||
        op->kind == ASSAY_OP_WRITE) {
        fputs(", ", out);
        put_size(w, op->size);
    }
    if (assay_event_bears(op))
        fprintf(out, ", %d", must_fail(w, op));
    fputs(");\n", out);
}

/* Where a limit is in force to the end, what was freed last is to serve the last request alone:
 * requests in between were all refused. Returns the op that freed last; count: it is not so. */
static size_t last_freed(const struct reproducer_writer *w)
{
    size_t freed = w->r->count;
    for (size_t i = 0; i < w->r->count; i++)
        if (assay_op_info(w->r->ops[i].kind)->op_class == ASSAY_CLASS_RELEASE)
            freed = i;
    return reproducer_is_limited(w) ? freed : w->r->count;
}

size_t reproducer_program(const struct reproducer_writer *w)
{
    size_t parts = 0, freed = last_freed(w);
    if (w->misuse)
        reproducer_line(w, "static volatile int misuse; /* set just before the second free */\n");
    for (size_t i = 0; i < w->r->count; i++) {
        if (i % OPS_PER_FUNCTION == 0)
            fprintf(w->out, "%sstatic void part_%zu(void)\n{\n", i ? "}\n\n" : "", parts++);
        if (i + 1 == w->r->count && reproducer_checks(w, CHECK_LAST | CHECK_LAST_ERRNO))
            reproducer_line(w, "    last = 1;");
        reproducer_call(w, &w->r->ops[i]);
        if (i == freed)
            reproducer_line(w, "    granted = 0;");
    }
    reproducer_line(w, parts ? "}\n" : "");
    return parts;
}
