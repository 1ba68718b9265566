#include "oracles/compare/reproducer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Ops of one C function: compilers are slow on functions of many thousand calls. */
#define OPS_PER_FUNCTION 400
/* Beyond this, checking each birth against every object takes its time. */
#define LONG_OPS 10000

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
    CHECK_SLACK = 1 << 12, /* usable bytes are written too */
    CHECK_SIZE_ZERO = 1 << 13,
    CHECK_RESIZE_ZERO = 1 << 14,
    CHECK_BAD_ALIGNMENT = 1 << 15,
    CHECK_KEEPS_ALIGNMENT = 1 << 16,
};

static unsigned checks_of(const struct assay_violation *v)
{
    bool by_content = v->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
                      v->relation <= ASSAY_RELATION_CONTENT_UNKNOWN;
    switch (v->property) {
    case ASSAY_PROPERTY_C01:
        return v->relation == ASSAY_RELATION_NULL ? CHECK_GRANTED : CHECK_ERRNO;
    case ASSAY_PROPERTY_C02:
    case ASSAY_PROPERTY_C03: return CHECK_ALIGNMENT;
    case ASSAY_PROPERTY_C04: return CHECK_USABLE;
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
    case ASSAY_PROPERTY_C18: return CHECK_SIZE_ZERO | CHECK_DISJOINT;
    case ASSAY_PROPERTY_C19: return CHECK_FREE_ERRNO;
    case ASSAY_PROPERTY_C20: return CHECK_OUT;
    case ASSAY_PROPERTY_C21: return CHECK_BAD_ALIGNMENT;
    case ASSAY_PROPERTY_C26:
    case ASSAY_PROPERTY_S01: return 0;
    default: return CHECK_CONTENT; /* C08, C12, C23, C28 */
    }
}

struct writer {
    FILE *out;
    const struct assay_reproducer *r;
    unsigned checks;
    bool used[ASSAY_OP_COUNT];
    uint32_t objects;
    bool misuse;
};

static bool checks(const struct writer *w, unsigned which)
{
    return (w->checks & which) != 0;
}

static bool asks_whole_pages(const struct writer *w)
{
    return w->r->violation->property == ASSAY_PROPERTY_C03 && w->used[ASSAY_OP_PVALLOC] &&
           w->r->ask_usable;
}

static bool uses_usable(const struct writer *w)
{
    return checks(w, CHECK_USABLE | CHECK_DISJOINT_USABLE | CHECK_SLACK) ||
           w->used[ASSAY_OP_USABLE_SIZE] || w->r->ask_usable;
}

static void line(const struct writer *w, const char *text)
{
    fputs(text, w->out);
    fputc('\n', w->out);
}

/* Inside a comment: what ends it, or a line, is left out. */
static void safe(const struct writer *w, const char *text)
{
    for (; *text; text++)
        fputc(*text == '\n' || (unsigned char)*text < ' ' || (*text == '*' && text[1] == '/')
                  ? ' '
                  : *text,
              w->out);
}

static void write_head(const struct writer *w)
{
    const struct assay_violation *v = w->r->violation;
    const struct assay_property_info *info = assay_property_info(v->property);
    bool preload = w->r->library && w->r->library[0];

    fprintf(w->out, "/* %s: ", info->id);
    safe(w, info->statement);
    fprintf(w->out, ".\n * Violated at the last %s (%s) by ", assay_op_info(v->kind)->name,
            assay_relation_name(v->relation));
    safe(w, w->r->subject);
    fprintf(w->out, "; %s.\n *\n *   cc reproducer.c -o reproducer\n *   %s", w->r->fingerprint,
            preload ? "LD_PRELOAD=" : "");
    if (preload)
        safe(w, w->r->library);
    line(w, preload ? " ./reproducer; echo $?" : "./reproducer; echo $?");
    line(w,
         " *\n"
         " * Exit 1 and one line: the bug shows. 0: it does not. 2: something else went wrong. */\n"
         "#define _GNU_SOURCE\n"
         "#include <dlfcn.h>\n"
         "#include <errno.h>\n"
         "#include <malloc.h>\n"
         "#include <signal.h>\n"
         "#include <stddef.h>\n"
         "#include <stdint.h>\n"
         "#include <stdio.h>\n"
         "#include <stdlib.h>\n"
         "#include <string.h>\n"
         "#include <sys/personality.h>\n"
         "#include <sys/wait.h>\n"
         "#include <time.h>\n"
         "#include <unistd.h>\n");
    fprintf(w->out,
            "struct object {\n"
            "    unsigned char *at;\n"
            "    size_t bytes, usable, alignment;\n"
            "    unsigned pattern;\n"
            "    int live;\n"
            "};\n\n"
            "static struct object objects[%" PRIu32 "];\n"
            "enum { HIGHEST = %" PRIu32 ", FINISHED = 42 /* exit code: nothing was seen */ };\n\n",
            w->objects + 1, w->objects);
    line(w, "/* stdio may allocate: only memory of our own, and write(2) */\n"
            "static __attribute__((unused)) void show(const char *what, unsigned object, unsigned "
            "long long seen)\n"
            "{\n"
            "    static char text[160];\n"
            "    int n = snprintf(text, sizeof text, \"bug: %s (object %u, %#llx)\\n\", what, "
            "object, seen);\n"
            "    ssize_t written = write(1, text, (size_t)n);\n"
            "    (void)written;\n"
            "    _exit(1);\n"
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

static void write_content(const struct writer *w)
{
    line(w, "static unsigned char pattern(const struct object *o, size_t i)\n"
            "{\n"
            "    return (unsigned char)(o->pattern * 37 + i * 11 + (i >> 8) + 1);\n"
            "}\n\n"
            "static void fill(const struct object *o, size_t from, size_t to)\n"
            "{\n"
            "    for (size_t i = from; i < to; i++)\n"
            "        o->at[i] = pattern(o, i);\n"
            "}\n");
    if (checks(w, CHECK_CONTENT))
        line(w, "static void check(const struct object *o, size_t to)\n"
                "{\n"
                "    for (size_t i = 0; i < to; i++)\n"
                "        if (o->at[i] != pattern(o, i))\n"
                "            show(\"content changed\", o->pattern, i);\n"
                "}\n\n"
                "static void check_all(void)\n"
                "{\n"
                "    for (unsigned k = 1; k <= HIGHEST; k++)\n"
                "        if (objects[k].live)\n"
                "            check(&objects[k], objects[k].bytes);\n"
                "}\n");
}

static void write_pointer(const struct writer *w, unsigned kind, const char *result,
                          const char *name, const char *parameters)
{
    if (w->used[kind] || kind == ASSAY_OP_MALLOC)
        fprintf(w->out, "static %s (*volatile call_%s)(%s) = %s;\n", result, name, parameters,
                name);
}

static void write_pointers(const struct writer *w)
{
    line(w, "/* volatile: no compiler may know what is called */");
    write_pointer(w, ASSAY_OP_MALLOC, "void *", "malloc", "size_t");
    write_pointer(w, ASSAY_OP_CALLOC, "void *", "calloc", "size_t, size_t");
    write_pointer(w, ASSAY_OP_REALLOC, "void *", "realloc", "void *, size_t");
    write_pointer(w, ASSAY_OP_REALLOCARRAY, "void *", "reallocarray", "void *, size_t, size_t");
    write_pointer(w, ASSAY_OP_FREE, "void", "free", "void *");
    write_pointer(w, ASSAY_OP_ALIGNED_ALLOC, "void *", "aligned_alloc", "size_t, size_t");
    write_pointer(w, ASSAY_OP_POSIX_MEMALIGN, "int", "posix_memalign", "void **, size_t, size_t");
    write_pointer(w, ASSAY_OP_MEMALIGN, "void *", "memalign", "size_t, size_t");
    write_pointer(w, ASSAY_OP_VALLOC, "void *", "valloc", "size_t");
    write_pointer(w, ASSAY_OP_PVALLOC, "void *", "pvalloc", "size_t");
    write_pointer(w, ASSAY_OP_TRIM, "int", "malloc_trim", "size_t");
    if (uses_usable(w))
        line(w,
             "static __attribute__((unused)) size_t (*volatile call_malloc_usable_size)(void *) =\n"
             "    malloc_usable_size;");
    if (w->used[ASSAY_OP_FREE_SIZED])
        line(w, "static void (*volatile call_free_sized)(void *, size_t); /* C23: looked up */");
    if (w->used[ASSAY_OP_FREE_ALIGNED_SIZED])
        line(w, "static void (*volatile call_free_aligned_sized)(void *, size_t, size_t);");
    if (w->used[ASSAY_OP_OBJECT_SIZE])
        line(w, "static size_t (*volatile call_malloc_object_size)(void *);");
    line(w, "");
}

/* The checks of a new object, and its filling. */
static void write_born(const struct writer *w)
{
    const struct assay_violation *v = w->r->violation;
    line(w,
         "/* what a request came to: must_fail 0 = it must be granted, 1 = refused, 2 = either */\n"
         "static void born(unsigned k, void *p, size_t bytes, size_t alignment, int must_fail, int "
         "error)\n"
         "{\n"
         "    struct object *o = &objects[k];\n"
         "    (void)must_fail, (void)error;");
    if (checks(w, CHECK_GRANTED))
        line(w, "    if (!p && must_fail == 0)\n"
                "        show(\"a request within budget is refused\", k, (unsigned)error);");
    if (checks(w, CHECK_REFUSED))
        line(w,
             "    if (p && must_fail == 1)\n"
             "        show(\"a request that cannot be satisfied gives memory\", k, (uintptr_t)p);");
    if (checks(w, CHECK_ERRNO))
        line(w, "    if (!p && must_fail == 1 && error != ENOMEM)\n"
                "        show(\"refused without ENOMEM\", k, (unsigned)error);");
    if (checks(w, CHECK_SIZE_ZERO)) {
        if (v->relation == ASSAY_RELATION_NOT_NULL)
            line(w, "    if (p && bytes == 0)\n"
                    "        show(\"size 0 gives memory\", k, (uintptr_t)p);");
        else if (v->relation == ASSAY_RELATION_NULL)
            line(w, "    if (!p && bytes == 0)\n"
                    "        show(\"size 0 gives no memory\", k, (unsigned)error);");
    }
    if (checks(w, CHECK_ALIGNMENT)) {
        line(w, "    size_t wanted = alignment;");
        if (v->property != ASSAY_PROPERTY_C03) {
            fprintf(w->out,
                    "    if (wanted == 0)\n"
                    "        for (wanted = 1; wanted < %s && wanted * 2 <= bytes;)\n"
                    "            wanted *= 2;\n",
                    "16");
            if (v->expected >= 16 && (v->expected & (v->expected - 1)) == 0 && v->expected <= 4096)
                fprintf(w->out, "    if (alignment == 0)\n        wanted = %" PRIu64 ";\n",
                        v->expected);
        }
        line(w, "    if (p && wanted && (uintptr_t)p % wanted != 0)\n"
                "        show(\"misaligned\", k, (uintptr_t)p);");
    }
    line(w, "    if (!p || must_fail == 1)\n"
            "        return;\n"
            "    *o = (struct object){p, bytes, bytes, alignment, k, 1};");
    if (checks(w, CHECK_USABLE | CHECK_DISJOINT_USABLE | CHECK_SLACK) || w->r->ask_usable)
        line(w, "    o->usable = call_malloc_usable_size(p);");
    if (checks(w, CHECK_USABLE))
        line(w, "    if (o->usable < bytes)\n"
                "        show(\"usable size below the requested one\", k, o->usable);");
    if (checks(w, CHECK_DISJOINT | CHECK_DISJOINT_USABLE)) {
        const char *field = checks(w, CHECK_DISJOINT_USABLE) ? "usable" : "bytes";
        fprintf(w->out,
                "    for (unsigned i = 1; i <= HIGHEST; i++) {\n"
                "        const struct object *other = &objects[i];\n"
                "        size_t own = o->%s ? o->%s : 1, its = other->%s ? other->%s : 1;\n"
                "        if (i != k && other->live && o->at < other->at + its && other->at < o->at "
                "+ own)\n"
                "            show(\"overlaps a live object\", k, i);\n"
                "    }\n",
                field, field, field, field);
    }
    if (checks(w, CHECK_FOREIGN))
        line(w, "    char here;\n"
                "    ptrdiff_t away = (char *)p - &here;\n"
                "    ptrdiff_t from_image = (char *)p - (char *)objects;\n"
                "    if ((away > -(1 << 20) && away < 1 << 20) ||\n"
                "        (from_image >= 0 && from_image < (ptrdiff_t)sizeof objects))\n"
                "        show(\"memory of the program itself is handed out\", k, (uintptr_t)p);");
    fprintf(w->out, "    fill(o, 0, %s);\n",
            checks(w, CHECK_SLACK) ? "o->usable > bytes ? o->usable : bytes" : "bytes");
    line(w, "}\n");
}

static void write_resize(const struct writer *w)
{
    const struct assay_violation *v = w->r->violation;
    line(w, "/* p is the answer of a resize of object k to what becomes object n */\n"
            "static void resized(unsigned k, unsigned n, void *p, size_t bytes, int must_fail, int "
            "error)\n"
            "{\n"
            "    struct object old = objects[k];");
    if (checks(w, CHECK_RESIZE_ZERO)) {
        if (v->relation == ASSAY_RELATION_NOT_NULL)
            line(w, "    if (p && bytes == 0)\n"
                    "        show(\"a resize to 0 gives memory\", n, (uintptr_t)p);");
        else
            line(w, "    if (!p && bytes == 0)\n"
                    "        show(\"a resize to 0 gives no memory\", n, (unsigned)error);");
    }
    line(w, "    if (!p && bytes == 0 && error != ENOMEM) {\n"
            "        objects[k].live = 0;\n"
            "        return;\n"
            "    }\n"
            "    if (p && must_fail != 1) {");
    if (checks(w, CHECK_CONTENT))
        line(w, "        old.at = p;\n"
                "        if (old.live)\n"
                "            check(&old, old.bytes < bytes ? old.bytes : bytes);");
    if (checks(w, CHECK_KEEPS_ALIGNMENT))
        line(w, "        if (old.live && old.alignment && (uintptr_t)p % old.alignment != 0)\n"
                "            show(\"alignment lost by a resize\", n, (uintptr_t)p);");
    line(w, "        objects[k].live = 0;\n"
            "    }");
    if (checks(w, CHECK_CONTENT))
        fprintf(w->out,
                "    else if (!p && old.live)\n"
                "        check(&old, %s);\n",
                checks(w, CHECK_SLACK) ? "old.usable > old.bytes ? old.usable : old.bytes"
                                       : "old.bytes");
    if (v->property == ASSAY_PROPERTY_C13)
        line(w, "    if (!p && old.live && call_malloc_usable_size(old.at) != old.usable)\n"
                "        show(\"a refused resize changed the usable size\", k, old.usable);");
    line(w, "    (void)old;\n"
            "    born(n, p, bytes, 0, must_fail, error);\n"
            "}\n");
}

static void write_ops(const struct writer *w)
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
            if (resize && checks(w, CHECK_CONTENT))
                line(w, "    if (k)\n"
                        "        check(&objects[k], objects[k].bytes);");
            if (ops[i].kind == ASSAY_OP_PVALLOC) {
                if (asks_whole_pages(w))
                    line(w, "    if (p && must_fail == 0 && call_malloc_usable_size(p) < (bytes + "
                            "4095) / 4096 * 4096)\n"
                            "        show(\"pvalloc does not round up to a page\", k, "
                            "call_malloc_usable_size(p));");
            } else if (!resize && checks(w, CHECK_BAD_ALIGNMENT))
                line(w, w->r->violation->relation == ASSAY_RELATION_NOT_NULL
                            ? "    if (!power && p)\n"
                              "        show(\"a bad alignment is served\", k, (uintptr_t)p);"
                            : "    if (!power && p && (uintptr_t)p % (alignment + 1) != 0)\n"
                              "        show(\"a bad alignment is neither refused nor rounded up\", "
                              "k, (uintptr_t)p);");
            fputs(insert + 2, w->out);
        }
        line(w, "");
    }
    if (w->used[ASSAY_OP_CALLOC]) {
        line(w, "static void op_calloc(unsigned k, size_t count, size_t size, int must_fail)\n"
                "{\n"
                "    errno = 0;\n"
                "    unsigned char *p = call_calloc(count, size);\n"
                "    int error = errno;");
        if (checks(w, CHECK_ZERO))
            line(w, "    for (size_t i = 0; p && must_fail != 1 && i < count * size; i++)\n"
                    "        if (p[i] != 0)\n"
                    "            show(\"calloc's memory is not zero\", k, i);");
        line(w, "    born(k, p, count * size, 0, must_fail, error);\n"
                "}\n");
    }
    if (w->used[ASSAY_OP_POSIX_MEMALIGN]) {
        line(w, "static void op_posix_memalign(unsigned k, size_t alignment, size_t bytes, int "
                "must_fail)\n"
                "{\n"
                "    void *const before = objects;\n"
                "    void *p = before;\n"
                "    int error = call_posix_memalign(&p, alignment, bytes);");
        if (checks(w, CHECK_OUT))
            line(w,
                 "    int bad = alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0;\n"
                 "    if (error && p != before)\n"
                 "        show(\"posix_memalign changed *out and failed\", k, (uintptr_t)p);\n"
                 "    if (bad && error != EINVAL && !(error == ENOMEM && bytes > PTRDIFF_MAX))\n"
                 "        show(\"a bad alignment is not EINVAL\", k, (unsigned)error);");
        line(w, "    born(k, error ? NULL : p, bytes, alignment, must_fail, error);\n"
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
                "static void op_%s(unsigned k%s)\n"
                "{\n"
                "    if (k && !objects[k].live)\n"
                "        return;\n",
                releases[i].name, releases[i].parameters);
        if (checks(w, CHECK_CONTENT))
            line(w, "    if (k)\n"
                    "        check(&objects[k], objects[k].bytes);");
        fprintf(w->out,
                "    errno = ENOTBLK; /* what no allocator sets */\n"
                "    call_%s(k ? objects[k].at : NULL%s);\n",
                releases[i].name, releases[i].arguments);
        if (checks(w, CHECK_FREE_ERRNO))
            line(w, "    if (errno != ENOTBLK)\n"
                    "        show(\"free changed errno\", k, (unsigned)errno);");
        line(w, "    objects[k].live = 0;\n"
                "}\n");
    }
    if (w->used[ASSAY_OP_USABLE_SIZE]) {
        line(w, "static void op_malloc_usable_size(unsigned k)\n"
                "{\n"
                "    if (k && !objects[k].live)\n"
                "        return;\n"
                "    size_t usable = call_malloc_usable_size(k ? objects[k].at : NULL);\n"
                "    (void)usable;");
        if (checks(w, CHECK_USABLE))
            line(w, "    if (k ? usable < objects[k].bytes || usable != objects[k].usable : usable "
                    "!= 0)\n"
                    "        show(\"usable size changed\", k, usable);");
        line(w, "}\n");
    }
    if (w->used[ASSAY_OP_OBJECT_SIZE])
        line(w, "static void op_malloc_object_size(unsigned k)\n"
                "{\n"
                "    if (k && objects[k].live)\n"
                "        call_malloc_object_size(objects[k].at);\n"
                "}\n");
    if (w->used[ASSAY_OP_READ])
        line(w, "static void op_read(unsigned k, size_t from, size_t bytes)\n"
                "{\n"
                "    for (size_t i = from; objects[k].live && i < from + bytes; i++)\n"
                "        (void)*(volatile unsigned char *)(objects[k].at + i);\n"
                "}\n");
    if (w->used[ASSAY_OP_WRITE])
        line(w, "static void op_write(unsigned k, size_t from, size_t bytes)\n"
                "{\n"
                "    if (objects[k].live)\n"
                "        fill(&objects[k], from, from + bytes);\n"
                "}\n");
    if (w->used[ASSAY_OP_CHECK])
        line(w, checks(w, CHECK_CONTENT) ? "static void op_check(unsigned k)\n"
                                           "{\n"
                                           "    if (k == 0)\n"
                                           "        check_all();\n"
                                           "    else if (objects[k].live)\n"
                                           "        check(&objects[k], objects[k].bytes);\n"
                                           "}\n"
                                         : "static void op_check(unsigned k)\n"
                                           "{\n"
                                           "    (void)k;\n"
                                           "}\n");
}

static void put_size(const struct writer *w, uint64_t value)
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

/* 0 granted, 1 refused, 2 open. Only requests that every allocator grants count as such. */
static int must_fail(const struct assay_event *op)
{
    uint64_t alignment = assay_event_alignment(op), bytes;
    bool power =
        alignment == 0 ? op->kind != ASSAY_OP_ALIGNED_ALLOC : (alignment & (alignment - 1)) == 0;
    bool fits = assay_event_bytes(op, &bytes);
    bool oversize = !fits || bytes > PTRDIFF_MAX || bytes + alignment < bytes;
    if (oversize || (assay_event_refused(op) && power))
        return 1;
    if (assay_event_refused(op) || !power || bytes == 0 || alignment > 4096 ||
        bytes > UINT64_C(1) << 26)
        return 2;
    return 0;
}

static void write_call(const struct writer *w, const struct assay_event *op)
{
    FILE *out = w->out;
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    bool first = true;
    if (op->flags & ASSAY_FLAG_MISUSE) {
        fprintf(out, "    misuse = 1;\n    call_free(objects[%" PRIu32 "].at); /* again */\n",
                op->object);
        return;
    }
    fprintf(out, "    op_%s(", assay_op_info(op->kind)->name);
    if (op->kind != ASSAY_OP_TRIM &&
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
        fprintf(out, ", %d", must_fail(op));
    fputs(");\n", out);
}

static size_t write_program(const struct writer *w)
{
    size_t parts = 0;
    if (w->misuse)
        line(w, "static volatile int misuse; /* set just before the second free */\n");
    for (size_t i = 0; i < w->r->count; i++) {
        if (i % OPS_PER_FUNCTION == 0)
            fprintf(w->out, "%sstatic void part_%zu(void)\n{\n", i ? "}\n\n" : "", parts++);
        write_call(w, &w->r->ops[i]);
    }
    line(w, parts ? "}\n" : "");
    return parts;
}

static void write_main(const struct writer *w, size_t parts)
{
    const struct assay_violation *v = w->r->violation;
    bool misuse = v->property == ASSAY_PROPERTY_S01 && w->misuse;
    line(w, "static void run(void)\n"
            "{");
    if (w->used[ASSAY_OP_FREE_SIZED])
        line(
            w,
            "    call_free_sized = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, \"free_sized\");\n"
            "    if (!call_free_sized)\n"
            "        _exit(FINISHED);");
    if (w->used[ASSAY_OP_FREE_ALIGNED_SIZED])
        line(w, "    call_free_aligned_sized =\n"
                "        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "
                "\"free_aligned_sized\");\n"
                "    if (!call_free_aligned_sized)\n"
                "        _exit(FINISHED);");
    if (w->used[ASSAY_OP_OBJECT_SIZE])
        line(w, "    call_malloc_object_size = (size_t (*)(void *))dlsym(RTLD_DEFAULT, "
                "\"malloc_object_size\");\n"
                "    if (!call_malloc_object_size)\n"
                "        _exit(FINISHED);");
    for (size_t i = 0; i < parts; i++)
        fprintf(w->out, "    part_%zu();\n", i);
    if (checks(w, CHECK_CONTENT))
        line(w, "    check_all();");
    if (misuse)
        line(w, "    if (misuse)\n"
                "        show(\"a double free is accepted without a word\", 0, 0);");
    line(w, "}\n");
    line(w,
         "/* Which neighbours an object has depends on the process as well: variant 0 is the bare\n"
         " * program, in the others a few objects are kept before it. */\n"
         "static void surround(unsigned variant)\n"
         "{\n"
         "    static const size_t sizes[] = {24, 4000, 300000, 100, 1 << 20, 40, 9000, 600};\n"
         "    static void *volatile kept;\n"
         "    for (unsigned i = 0; i < variant % 13; i++)\n"
         "        kept = call_malloc(sizes[(variant * 5 + i * (variant % 3 + 1)) % 8] + variant);\n"
         "    (void)kept;\n"
         "}\n\n"
         "static int attempt(unsigned variant)\n"
         "{\n"
         "    int status = 0;\n"
         "    pid_t child = fork();\n"
         "    if (child == 0) {");
    fprintf(w->out, "        alarm(%d); /* a hang ends in SIGALRM */\n",
            w->r->count > LONG_OPS ? 60 : 5);
    line(w, "        surround(variant);\n"
            "        run();\n"
            "        _exit(FINISHED);\n"
            "    }\n"
            "    if (child < 0 || waitpid(child, &status, 0) != child)\n"
            "        return 2;\n"
            "    if (WIFEXITED(status) && WEXITSTATUS(status) == FINISHED)\n"
            "        return 0;\n"
            "    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)\n"
            "        return 1;");
    bool corruption = assay_property_info(v->property)->severity == ASSAY_SEVERITY_CORRUPTION;
    fprintf(w->out,
            "    if (WIFEXITED(status))\n"
            "        return died(\"%sthe allocator ended the process by exit code\",\n"
            "                    WEXITSTATUS(status), %d);\n",
            corruption ? "bug: " : "", corruption ? 1 : 2);
    if (v->property == ASSAY_PROPERTY_C26 && v->relation == ASSAY_RELATION_HANG)
        line(w, "    if (WTERMSIG(status) == SIGALRM)\n"
                "        return died(\"bug: a legal program hangs until signal\", SIGALRM, 1);");
    else if (v->property == ASSAY_PROPERTY_C26)
        line(w,
             "    if (WTERMSIG(status) != SIGALRM)\n"
             "        return died(\"bug: a legal program dies of signal\", WTERMSIG(status), 1);");
    else if (misuse)
        line(w,
             v->relation == ASSAY_RELATION_HANG
                 ? "    if (WTERMSIG(status) == SIGALRM)\n"
                   "        return died(\"bug: a double free hangs until signal\", SIGALRM, 1);\n"
                   "    return 0; /* detected */"
                 : "    if (WTERMSIG(status) != SIGALRM)\n"
                   "        return 0; /* detected */");
    else if (corruption)
        line(w,
             "    if (WTERMSIG(status) != SIGALRM)\n"
             "        return died(\"bug: the damaged heap ends in signal\", WTERMSIG(status), 1);");
    if (!(misuse && v->relation == ASSAY_RELATION_HANG))
        line(w, "    return died(\"not this bug: died of signal\", WTERMSIG(status), 2);");
    line(w, "}\n");
    fprintf(w->out, "enum { VARIANTS = %d };\n\n", misuse || w->r->count > LONG_OPS ? 1 : 40);
    line(w,
         "int main(int argc, char **argv)\n"
         "{\n"
         "    /* as where it was found: no random addresses, if that is allowed here */\n"
         "    int persona = personality(0xffffffff);\n"
         "    if (argc > 0 && persona != -1 && (persona & ADDR_NO_RANDOMIZE) == 0 &&\n"
         "        personality((unsigned long)persona | ADDR_NO_RANDOMIZE) != -1)\n"
         "        execv(\"/proc/self/exe\", argv);\n"
         "    int answer = 0;\n"
         "    time_t start = time(NULL);\n"
         "    for (unsigned i = 0; i < VARIANTS && answer != 1 && time(NULL) - start < 5; i++) {\n"
         "        int one = attempt(i);\n"
         "        answer = one ? one : answer;\n"
         "    }\n"
         "    return answer;\n"
         "}");
}

/* C13 covers an object's slack where it was written: then only writing it there shows the damage.
 */
static bool damages_slack(const struct assay_reproducer *reproducer)
{
    const struct assay_violation *v = reproducer->violation;
    uint64_t bytes = 0;
    if (v->property != ASSAY_PROPERTY_C13 || v->relation < ASSAY_RELATION_CONTENT_ZEROED ||
        v->relation > ASSAY_RELATION_CONTENT_UNKNOWN)
        return false;
    for (size_t i = 0; i < reproducer->count; i++)
        if (reproducer->ops[i].born == v->object)
            return assay_event_bytes(&reproducer->ops[i], &bytes) && v->offset >= bytes;
    return false;
}

void assay_reproducer_write(FILE *out, const struct assay_reproducer *reproducer)
{
    struct writer w = {.out = out, .r = reproducer, .checks = checks_of(reproducer->violation)};
    if (damages_slack(reproducer))
        w.checks |= CHECK_SLACK;
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
    write_pointers(&w);
    if (bears || w.used[ASSAY_OP_WRITE] || checks(&w, CHECK_CONTENT))
        write_content(&w);
    if (bears)
        write_born(&w);
    if (resizes)
        write_resize(&w);
    write_ops(&w);
    size_t parts = write_program(&w);
    write_main(&w, parts);
}
