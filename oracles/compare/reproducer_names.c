#include <inttypes.h>
#include <string.h>

#include "oracles/compare/reproducer_writer.h"

static const struct function {
    uint8_t kind;
    bool declared; /* by the headers that the file includes */
    const char *name, *result, *parameters;
} functions[] = {
    {ASSAY_OP_MALLOC, true, "malloc", "void *", "size_t"},
    {ASSAY_OP_CALLOC, true, "calloc", "void *", "size_t, size_t"},
    {ASSAY_OP_REALLOC, true, "realloc", "void *", "void *, size_t"},
    {ASSAY_OP_REALLOCARRAY, true, "reallocarray", "void *", "void *, size_t, size_t"},
    {ASSAY_OP_FREE, true, "free", "void", "void *"},
    {ASSAY_OP_ALIGNED_ALLOC, true, "aligned_alloc", "void *", "size_t, size_t"},
    {ASSAY_OP_POSIX_MEMALIGN, true, "posix_memalign", "int", "void **, size_t, size_t"},
    {ASSAY_OP_MEMALIGN, true, "memalign", "void *", "size_t, size_t"},
    {ASSAY_OP_VALLOC, true, "valloc", "void *", "size_t"},
    {ASSAY_OP_PVALLOC, true, "pvalloc", "void *", "size_t"},
    {ASSAY_OP_TRIM, true, "malloc_trim", "int", "size_t"},
    {ASSAY_OP_USABLE_SIZE, true, "malloc_usable_size", "size_t", "void *"},
    {ASSAY_OP_FREE_SIZED, false, "free_sized", "void", "void *, size_t"},
    {ASSAY_OP_FREE_ALIGNED_SIZED, false, "free_aligned_sized", "void", "void *, size_t, size_t"},
    {ASSAY_OP_OBJECT_SIZE, false, "malloc_object_size", "size_t", "void *"},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static bool uses_usable(const struct reproducer_writer *w)
{
    return reproducer_checks(w, CHECK_USABLE | CHECK_DISJOINT_USABLE | CHECK_SLACK |
                                    CHECK_GOOD_SIZE) ||
           w->used[ASSAY_OP_USABLE_SIZE] || w->r->ask_usable;
}

/* "" where the op's own name is the symbol's. */
static const char *symbol_of(const struct reproducer_writer *w, unsigned kind)
{
    return w->r->names ? w->r->names->symbol[kind] : "";
}

static enum assay_form form_of(const struct reproducer_writer *w, unsigned kind)
{
    return w->r->bindings ? (enum assay_form)w->r->bindings->by_kind[kind].form : ASSAY_FORM_PLAIN;
}

static bool is_used(const struct reproducer_writer *w, const struct function *function)
{
    bool frees = function->kind == ASSAY_OP_FREE &&
                 (reproducer_checks(w, CHECK_GOOD_SIZE) || w->used[ASSAY_OP_TURNOVER]);
    return w->used[function->kind] || function->kind == ASSAY_OP_MALLOC || frees ||
           (function->kind == ASSAY_OP_USABLE_SIZE && uses_usable(w));
}

static bool is_looked_up(const struct reproducer_writer *w, const struct function *function)
{
    return !function->declared || symbol_of(w, function->kind)[0];
}

void reproducer_pointers(const struct reproducer_writer *w)
{
    reproducer_line(w, "/* volatile: no compiler may know what is called */");
    for (int i = 0; i < FUNCTIONS; i++) {
        const struct function *f = &functions[i];
        if (!is_used(w, f))
            continue;
        fprintf(w->out, "static %s%s (*volatile call_%s)(%s)",
                f->kind == ASSAY_OP_USABLE_SIZE ? "__attribute__((unused)) " : "", f->result,
                f->name, f->parameters);
        if (is_looked_up(w, f))
            fputs("; /* looked up */\n", w->out);
        else
            fprintf(w->out, " = %s;\n", f->name);
    }
    reproducer_line(w, "");
}

/* Those that few allocators offer: how their pointer is declared, by form. */
static const char *offered_type(enum assay_op kind, enum assay_form form)
{
    switch (form) {
    case ASSAY_FORM_RALLOCX: return "void *(*volatile look_%s)(void *, size_t, int)";
    case ASSAY_FORM_NALLOCX: return "size_t (*volatile look_%s)(size_t, int)";
    case ASSAY_FORM_MALLINFO2: return "struct mallinfo2 (*volatile look_%s)(void)";
    case ASSAY_FORM_MALLINFO: return "struct mallinfo (*volatile look_%s)(void)";
    case ASSAY_FORM_ITERATE:
        return "int (*volatile look_%s)(uintptr_t, size_t, void (*)(uintptr_t, size_t, void *), "
               "void *)";
    case ASSAY_FORM_VISIT:
        return "_Bool (*volatile look_%s)(const void *, _Bool,\n"
               "    _Bool (*)(const void *, const void *, void *, size_t, void *), void *)";
    case ASSAY_FORM_PLAIN:
    default:
        return kind == ASSAY_OP_REZALLOC     ? "void *(*volatile look_%s)(void *, size_t)"
               : kind == ASSAY_OP_GOOD_SIZE  ? "size_t (*volatile look_%s)(size_t)"
               : kind == ASSAY_OP_STATISTICS ? "size_t (*volatile look_%s)(int)"
                                             : "int (*volatile look_%s)(void (*)(void *, void *, "
                                               "size_t), void *)";
    }
}

static const uint8_t offered[] = {ASSAY_OP_REZALLOC, ASSAY_OP_GOOD_SIZE, ASSAY_OP_STATISTICS,
                                  ASSAY_OP_HEAP_WALK};

static const char *offered_name(unsigned kind)
{
    return assay_op_info(kind)->name;
}

static void write_rezalloc(const struct reproducer_writer *w)
{
    bool x = form_of(w, ASSAY_OP_REZALLOC) == ASSAY_FORM_RALLOCX;
    reproducer_line(w,
                    "static void op_rezalloc(unsigned k, unsigned n, size_t bytes, int must_fail)\n"
                    "{\n"
                    "    if (k && !objects[k].live)\n"
                    "        return;");
    if (reproducer_checks(w, CHECK_CONTENT))
        reproducer_line(w, "    if (k)\n"
                           "        check(&objects[k], filled(&objects[k]));");
    fprintf(w->out,
            "    struct object old = objects[k];\n"
            "    (void)old;\n"
            "    errno = 0;\n"
            "    unsigned char *p = %s;\n"
            "    int error = errno;\n",
            x ? "k ? look_rezalloc(old.at, bytes, 0x40 /* MALLOCX_ZERO */) : calloc(1, bytes)"
              : "look_rezalloc(k ? old.at : NULL, bytes)");
    if (reproducer_checks(w, CHECK_GROWN))
        reproducer_line(w,
                        "    size_t had = k ? old.bytes : 0, kept = k ? old.usable : 0;\n"
                        "    for (size_t i = had; p && must_fail != 1 && i < bytes; i++)\n"
                        "        if (p[i] != (i < kept ? pattern(key_of(&old), i) : 0))\n"
                        "            show(i < kept ? \"rezalloc clears what was usable\"\n"
                        "                          : \"what rezalloc adds is not zero\", n, i);");
    reproducer_line(w, "    if (k)\n"
                       "        resized(k, n, p, bytes, must_fail, error);\n"
                       "    else\n"
                       "        born(n, p, bytes, 0, must_fail, error);\n"
                       "}\n");
}

static void write_good_size(const struct reproducer_writer *w)
{
    bool x = form_of(w, ASSAY_OP_GOOD_SIZE) == ASSAY_FORM_NALLOCX;
    fprintf(w->out,
            "static void op_malloc_good_size(size_t bytes)\n"
            "{\n"
            "    size_t good = look_malloc_good_size(bytes%s);\n"
            "    (void)good;\n",
            x ? ", 0" : "");
    if (reproducer_checks(w, CHECK_GOOD_SIZE)) {
        reproducer_line(w, "    if (good < bytes)\n"
                           "        show(\"a good size below the request\", 0, good);");
        if (w->r->violation->kind == ASSAY_OP_MALLOC)
            reproducer_line(w,
                            "    void *p = call_malloc(bytes);\n"
                            "    if (p && call_malloc_usable_size(p) != good)\n"
                            "        show(\"a good size that is not the usable size\", 0, good);\n"
                            "    call_free(p);");
    }
    reproducer_line(w, "}\n");
}

/* The baseline is what the process itself had in use before the program. */
static void write_statistics(const struct reproducer_writer *w)
{
    enum assay_form form = form_of(w, ASSAY_OP_STATISTICS);
    const struct assay_violation *v = w->r->violation;
    reproducer_line(w, "static unsigned long long in_use(int mapped)\n"
                       "{");
    if (form == ASSAY_FORM_PLAIN)
        reproducer_line(w, "    return look_mallinfo2(mapped);");
    else
        fprintf(w->out,
                "    struct %s info = look_mallinfo2();\n"
                "    return (%s)info.uordblks + (mapped ? (%s)info.hblkhd : 0ull);\n",
                form == ASSAY_FORM_MALLINFO ? "mallinfo" : "mallinfo2",
                form == ASSAY_FORM_MALLINFO ? "unsigned" : "unsigned long long",
                form == ASSAY_FORM_MALLINFO ? "unsigned" : "unsigned long long");
    reproducer_line(w, "}\n\n"
                       "static void op_mallinfo2(unsigned mapped)\n"
                       "{\n"
                       "    unsigned long long used = in_use((int)mapped);\n"
                       "    (void)used;");
    if (reproducer_checks(w, CHECK_USED) && v->kind == ASSAY_OP_STATISTICS && v->offset == 0)
        fprintf(w->out,
                "    unsigned long long least = 0;\n"
                "    for (unsigned k = 1; k <= HIGHEST; k++)\n"
                "        least += objects[k].live ? objects[k].bytes : 0;\n"
                "    if (used && least >= %" PRIu64 " && used < %" PRIu64 ")\n"
                "        show(\"fewer bytes in use than live\", 0, used);\n",
                v->expected, v->expected);
    else if (reproducer_checks(w, CHECK_USED) && v->kind == ASSAY_OP_STATISTICS)
        fprintf(w->out,
                "    unsigned long long least = 0;\n"
                "    for (unsigned k = 1; k <= HIGHEST; k++)\n"
                "        least += objects[k].live ? objects[k].bytes : 0;\n"
                "    if (least <= %" PRIu64 " && used > %" PRIu64 ")\n"
                "        show(\"more bytes in use than live\", 0, used);\n",
                v->expected, v->expected);
    reproducer_line(w, "}\n");
}

static void write_heap_walk(const struct reproducer_writer *w)
{
    enum assay_form form = form_of(w, ASSAY_OP_HEAP_WALK);
    bool checks = reproducer_checks(w, CHECK_USED) && w->r->violation->kind == ASSAY_OP_HEAP_WALK;
    reproducer_line(w,
                    "static unsigned seen[HIGHEST + 1];\n\n"
                    "static void block(unsigned char *at, size_t bytes)\n"
                    "{\n"
                    "    unsigned live = 0, dead = 0;\n"
                    "    for (unsigned k = 1; k <= HIGHEST; k++) {\n"
                    "        if (objects[k].live && objects[k].at >= at && objects[k].at - at < "
                    "(ptrdiff_t)(bytes ? bytes : 1)) {\n"
                    "            live++;\n"
                    "            seen[k] += objects[k].at + objects[k].bytes <= at + bytes ? 1 : "
                    "2;\n"
                    "        }\n"
                    "        dead |= !objects[k].live && objects[k].at == at;\n"
                    "    }");
    if (checks)
        reproducer_line(w, "    if (dead && !live)\n"
                           "        show(\"a freed object is shown\", 0, (uintptr_t)at);");
    reproducer_line(w, "    (void)live, (void)dead;\n"
                       "}\n");
    if (form == ASSAY_FORM_VISIT)
        reproducer_line(w,
                        "static _Bool visit(const void *heap, const void *area, void *at, size_t "
                        "bytes, void *argument)\n"
                        "{\n"
                        "    (void)heap, (void)area, (void)argument;\n"
                        "    if (at)\n"
                        "        block(at, bytes);\n"
                        "    return 1;\n"
                        "}\n");
    else if (form == ASSAY_FORM_ITERATE)
        reproducer_line(w, "static void visit(uintptr_t at, size_t bytes, void *argument)\n"
                           "{\n"
                           "    (void)argument;\n"
                           "    block((unsigned char *)at, bytes);\n"
                           "}\n");
    else
        reproducer_line(w, "static void visit(void *argument, void *at, size_t bytes)\n"
                           "{\n"
                           "    (void)argument;\n"
                           "    block(at, bytes);\n"
                           "}\n");
    reproducer_line(w, "static void op_heap_walk(void)\n"
                       "{\n"
                       "    memset(seen, 0, sizeof seen);");
    if (form == ASSAY_FORM_VISIT)
        reproducer_line(w, "    void *(*heap)(void) = (void *(*)(void))dlsym(RTLD_DEFAULT, "
                           "\"mi_heap_get_default\");\n"
                           "    look_heap_walk(heap ? heap() : NULL, 1, visit, NULL);");
    else if (form == ASSAY_FORM_ITERATE)
        reproducer_line(w, "    look_heap_walk(0, (size_t)1 << 47, visit, NULL);");
    else
        reproducer_line(w, "    look_heap_walk(visit, NULL);");
    if (checks)
        reproducer_line(w,
                        "    for (unsigned k = 1; k <= HIGHEST; k++)\n"
                        "        if (objects[k].live && seen[k] != 1)\n"
                        "            show(seen[k] ? \"an object is shown otherwise than it is\" : "
                        "\"an object is not shown\", k, seen[k]);");
    reproducer_line(w, "}\n");
}

void reproducer_offered(const struct reproducer_writer *w)
{
    for (size_t i = 0; i < sizeof offered; i++) {
        if (!w->used[offered[i]])
            continue;
        fputs("static ", w->out);
        const char *type = offered_type(offered[i], form_of(w, offered[i]));
        const char *name = strstr(type, "%s");
        fwrite(type, 1, (size_t)(name - type), w->out);
        fprintf(w->out, "%s%s;\n\n", offered_name(offered[i]), name + 2);
    }
    if (w->used[ASSAY_OP_REZALLOC])
        write_rezalloc(w);
    if (w->used[ASSAY_OP_GOOD_SIZE])
        write_good_size(w);
    if (w->used[ASSAY_OP_STATISTICS])
        write_statistics(w);
    if (w->used[ASSAY_OP_HEAP_WALK])
        write_heap_walk(w);
}

static void write_look_up(const struct reproducer_writer *w, const char *variable,
                          const char *symbol)
{
    fprintf(w->out,
            "    *(void **)(uintptr_t)&%s = dlsym(RTLD_DEFAULT, \"%s\");\n"
            "    if (!%s)\n"
            "        _exit(FINISHED);\n",
            variable, symbol, variable);
}

/* Named by a header, and so the C library's where the allocator has none: mixed, they tell nothing.
 */
static bool may_be_foreign(const struct reproducer_writer *w, const struct function *function)
{
    return is_used(w, function) && !is_looked_up(w, function) && function->kind != ASSAY_OP_MALLOC;
}

static void write_foreign(const struct reproducer_writer *w)
{
    bool any = false;
    for (int i = 0; i < FUNCTIONS; i++)
        any |= may_be_foreign(w, &functions[i]);
    if (any)
        reproducer_line(w, "/* of another library than malloc */\n"
                           "static int foreign(const char *name)\n"
                           "{\n"
                           "    Dl_info its, own;\n"
                           "    return dladdr(dlsym(RTLD_DEFAULT, name), &its) &&\n"
                           "           dladdr(dlsym(RTLD_DEFAULT, \"malloc\"), &own) && "
                           "its.dli_fbase != own.dli_fbase;\n"
                           "}\n");
}

void reproducer_look_up(const struct reproducer_writer *w)
{
    char variable[64];
    write_foreign(w);
    reproducer_line(w, "/* what no header declares; without all of them it is another program */\n"
                       "static void look_up(void)\n"
                       "{");
    for (int i = 0; i < FUNCTIONS; i++)
        if (may_be_foreign(w, &functions[i]))
            fprintf(w->out, "    if (foreign(\"%s\"))\n        _exit(FINISHED);\n",
                    functions[i].name);
    for (int i = 0; i < FUNCTIONS; i++) {
        const struct function *f = &functions[i];
        if (!is_used(w, f) || !is_looked_up(w, f))
            continue;
        const char *symbol = symbol_of(w, f->kind);
        snprintf(variable, sizeof variable, "call_%s", f->name);
        write_look_up(w, variable, symbol[0] ? symbol : f->name);
    }
    for (size_t i = 0; i < sizeof offered; i++) {
        if (!w->used[offered[i]])
            continue;
        const char *symbol = symbol_of(w, offered[i]);
        snprintf(variable, sizeof variable, "look_%s", offered_name(offered[i]));
        write_look_up(w, variable, symbol[0] ? symbol : offered_name(offered[i]));
    }
    reproducer_line(w, "}\n");
}
