#include <inttypes.h>

#include "oracles/compare/reproducer_writer.h"
#include "traces/runner/touch.h"

void reproducer_content(const struct reproducer_writer *w)
{
    bool seldom = w->passes && !reproducer_checks(w, CHECK_CONTENT | CHECK_ZERO | CHECK_SLACK);
    /* damage may do what the bytes that did it say: they are those of traces/runner/touch.h */
    fprintf(w->out,
            "/* the bytes that stood there when it was found */\n"
            "static unsigned long long key_of(const struct object *o)\n"
            "{\n"
            "    unsigned long long z = o->pattern ^ %#" PRIx64 "ull;\n"
            "    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;\n"
            "    z = (z ^ z >> 27) * 0x94d049bb133111ebull;\n"
            "    return z ^ z >> 31;\n"
            "}\n\n",
            ASSAY_TOUCH_TAG ^ assay_touch_mix(w->r->seed));
    reproducer_line(w, "static unsigned char pattern(unsigned long long key, size_t i)\n"
                       "{\n"
                       "    return (unsigned char)((key + i / 8 * 0x9e3779b97f4a7c15ull) >> i % 8 "
                       "* 8);\n"
                       "}\n");
    fprintf(w->out,
            "static void fill(const struct object *o, size_t from, size_t to)\n"
            "{\n"
            "    unsigned long long key = key_of(o);\n"
            "    for (size_t i = from; i < to; i%s)\n"
            "        o->at[i] = pattern(key, i);\n"
            "}\n\n",
            seldom ? " += 1024" : "++");
    if (w->slack)
        reproducer_slack(w, "const struct object *o", "o->bytes", "o->usable", "fill(o, ");
    if (reproducer_checks(w, CHECK_CONTENT)) {
        fprintf(w->out, "static size_t filled(const struct object *o)\n{\n    return %s;\n}\n\n",
                reproducer_checks(w, CHECK_SLACK) ? "o->usable > o->bytes ? o->usable : o->bytes"
                                                  : "o->bytes");
        reproducer_line(w, "static void check(const struct object *o, size_t to)\n"
                           "{\n"
                           "    unsigned long long key = key_of(o);\n"
                           "    for (size_t i = 0; i < to && o->pattern != 0; i++)\n"
                           "        if (o->at[i] != pattern(key, i))\n"
                           "            show(\"content changed\", o->pattern, i);\n"
                           "}\n\n"
                           "static void check_all(void)\n"
                           "{\n"
                           "    for (unsigned k = 1; k <= HIGHEST; k++)\n"
                           "        if (objects[k].live)\n"
                           "            check(&objects[k], filled(&objects[k]));\n"
                           "}\n");
    }
}

/* What is usable beyond the request is written as the executor does it: whole where it is short,
 * else at its end. */
void reproducer_slack(const struct reproducer_writer *w, const char *parameters, const char *bytes,
                      const char *usable, const char *fill)
{
    fprintf(w->out,
            "static void fill_slack(%s)\n"
            "{\n"
            "    size_t slack = %s > %s ? %s - %s : 0;\n"
            "    if (slack > 0 && slack <= INT32_MAX)\n"
            "        %s%s - (slack <= 256 ? slack : 16), %s);\n"
            "}\n\n",
            parameters, usable, bytes, usable, bytes, fill, usable, usable);
}

/* The bounds that a capability for an object gets: oracles/model/representable.h as plain C. */
static void write_bounds(const struct reproducer_writer *w)
{
    fprintf(w->out, "enum { MANTISSA = %" PRIu64 " /* bits of a capability's bounds */ };\n\n",
            w->r->violation->expected ? w->r->violation->expected : 14);
    reproducer_line(w,
                    "static uintptr_t mask_of(uintptr_t length)\n"
                    "{\n"
                    "    if (length >> (MANTISSA - 2) == 0)\n"
                    "        return UINTPTR_MAX;\n"
                    "    int top = 63 - __builtin_clzll(length);\n"
                    "    uintptr_t mask = UINTPTR_MAX << (top - (MANTISSA - 2) + 3);\n"
                    "    uintptr_t rounded = (length + ~mask) & mask;\n"
                    "    return rounded == 0 || 63 - __builtin_clzll(rounded) != top ? mask << 1 "
                    ": mask;\n"
                    "}\n\n"
                    "static void bounds(const struct object *o, uintptr_t *from, uintptr_t *to)\n"
                    "{\n"
                    "    uintptr_t base = (uintptr_t)o->at, length = o->bytes ? o->bytes : 1;\n"
                    "    uintptr_t mask, wider = mask_of(length);\n"
                    "    do {\n"
                    "        mask = wider;\n"
                    "        *from = base & mask;\n"
                    "        *to = (base + length + ~mask) & mask;\n"
                    "        wider = mask_of(*to - *from);\n"
                    "    } while (wider < mask);\n"
                    "}\n\n"
                    "static int reaches(const struct object *a, const struct object *b)\n"
                    "{\n"
                    "    uintptr_t from, to, at = (uintptr_t)b->at;\n"
                    "    bounds(a, &from, &to);\n"
                    "    return from < at + (b->bytes ? b->bytes : 1) && at < to;\n"
                    "}\n");
}

static void write_disjoint(const struct reproducer_writer *w)
{
    const char *field = reproducer_checks(w, CHECK_DISJOINT_USABLE) ? "usable" : "bytes";
    fprintf(w->out,
            "static void disjoint(unsigned k, const unsigned char *at, size_t own)\n"
            "{\n"
            "    own = own ? own : 1;\n"
            "    for (unsigned i = 1; i <= HIGHEST; i++) {\n"
            "        const struct object *other = &objects[i];\n"
            "        size_t its = other->%s ? other->%s : 1;\n"
            "        if (i != k && other->live && at < other->at + its && other->at < at + own)\n"
            "            show(\"overlaps a live object\", k, i);\n"
            "    }\n"
            "}\n\n",
            field, field);
}

/* The checks of a new object, and its filling. */
void reproducer_born(const struct reproducer_writer *w)
{
    const struct assay_violation *v = w->r->violation;
    if (reproducer_checks(w, CHECK_LAST | CHECK_LAST_ERRNO))
        reproducer_line(w, "static int last; /* the request that matters comes now */\n");
    if (reproducer_is_limited(w))
        reproducer_line(w, "static int granted; /* a request since the last free */\n");
    if (reproducer_checks(w, CHECK_BOUNDS))
        write_bounds(w);
    if (reproducer_checks(w, CHECK_DISJOINT | CHECK_DISJOINT_USABLE))
        write_disjoint(w);
    reproducer_line(
        w, reproducer_checks(w, CHECK_TWICE)
               ? "static uintptr_t *places; /* of this run, by object; the parent sees them */\n"
               : "");
    reproducer_line(
        w,
        "/* what a request came to: must_fail 0 = it must be granted, 1 = refused, 2 = either */\n"
        "static void born(unsigned k, void *p, size_t bytes, size_t alignment, int must_fail, int "
        "error)\n"
        "{\n"
        "    struct object *o = &objects[k];\n"
        "    (void)must_fail, (void)error;");
    if (reproducer_checks(w, CHECK_TWICE))
        reproducer_line(w, "    places[k] = (uintptr_t)p;");
    if (reproducer_checks(w, CHECK_GRANTED))
        reproducer_line(
            w, "    if (!p && must_fail == 0)\n"
               "        show(\"a request within budget is refused\", k, (unsigned)error);");
    if (reproducer_checks(w, CHECK_LAST))
        reproducer_line(
            w,
            reproducer_is_limited(w)
                ? "    granted |= p != NULL;\n"
                  "    if (!p && last && !granted)\n"
                  "        show(\"refused, though there is memory again\", k, (unsigned)error);"
                : "    if (!p && last)\n"
                  "        show(\"refused, though there is memory again\", k, (unsigned)error);");
    if (reproducer_checks(w, CHECK_LAST_ERRNO))
        reproducer_line(w, "    if (!p && last && error != ENOMEM)\n"
                           "        show(\"refused without ENOMEM\", k, (unsigned)error);");
    if (reproducer_checks(w, CHECK_REFUSED))
        reproducer_line(
            w,
            "    if (p && must_fail == 1)\n"
            "        show(\"a request that cannot be satisfied gives memory\", k, (uintptr_t)p);");
    if (reproducer_checks(w, CHECK_ERRNO)) /* where either may be, the answer in question alone */
        fprintf(w->out,
                "    if (!p && (must_fail == 1 || (must_fail == 2 && k == %" PRIu32
                ")) && error != ENOMEM)\n"
                "        show(\"refused without ENOMEM\", k, (unsigned)error);\n",
                v->event.born);
    if (reproducer_checks(w, CHECK_SIZE_ZERO)) {
        if (v->relation == ASSAY_RELATION_NOT_NULL)
            reproducer_line(w, "    if (p && bytes == 0)\n"
                               "        show(\"size 0 gives memory\", k, (uintptr_t)p);");
        else if (v->relation == ASSAY_RELATION_NULL)
            reproducer_line(w, "    if (!p && bytes == 0)\n"
                               "        show(\"size 0 gives no memory\", k, (unsigned)error);");
    }
    if (reproducer_checks(w, CHECK_ALIGNMENT)) {
        reproducer_line(w, "    size_t wanted = alignment;");
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
        reproducer_line(w, "    if (p && wanted && (uintptr_t)p % wanted != 0)\n"
                           "        show(\"misaligned\", k, (uintptr_t)p);");
    }
    if (reproducer_checks(w, CHECK_DISJOINT | CHECK_DISJOINT_USABLE))
        reproducer_line(w, "    if (p && must_fail == 1)\n"
                           "        disjoint(k, p, 1); /* of what should have been refused */");
    reproducer_line(w, "    if (!p || must_fail == 1)\n"
                       "        return;\n"
                       "    *o = (struct object){p, bytes, bytes, alignment, k, 1};");
    if (reproducer_checks(w, CHECK_USABLE | CHECK_DISJOINT_USABLE | CHECK_SLACK) ||
        w->r->ask_usable)
        reproducer_line(w, "    o->usable = call_malloc_usable_size(p);");
    bool exact =
        v->property == ASSAY_PROPERTY_C04 && assay_event_bears(&v->event) && v->seen > v->expected;
    if (reproducer_checks(w, CHECK_USABLE) && exact) /* the profile says that it is */
        reproducer_line(w, "    if (o->usable != bytes)\n"
                           "        show(\"usable size is not the requested one\", k, o->usable);");
    else if (reproducer_checks(w, CHECK_USABLE))
        reproducer_line(w, "    if (o->usable < bytes)\n"
                           "        show(\"usable size below the requested one\", k, o->usable);");
    if (reproducer_checks(w, CHECK_DISJOINT | CHECK_DISJOINT_USABLE))
        fprintf(w->out, "    disjoint(k, o->at, o->%s);\n",
                reproducer_checks(w, CHECK_DISJOINT_USABLE) ? "usable" : "bytes");
    if (reproducer_checks(w, CHECK_BOUNDS))
        reproducer_line(w, "    for (unsigned i = 1; i <= HIGHEST; i++)\n"
                           "        if (i != k && objects[i].live && (reaches(o, &objects[i]) || "
                           "reaches(&objects[i], o)))\n"
                           "            show(\"rounded bounds reach a live object\", k, i);");
    if (reproducer_checks(w, CHECK_FOREIGN))
        reproducer_line(
            w, "    char here;\n"
               "    const void *const own[] = {&here, objects, stdout};\n"
               "    ptrdiff_t away = (char *)p - &here;\n"
               "    ptrdiff_t from_image = (char *)p - (char *)objects;\n"
               "    int covered = 0;\n"
               "    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)\n"
               "        covered |= (uintptr_t)own[i] - (uintptr_t)p < bytes;\n"
               "    if (covered || (away > -(1 << 20) && away < 1 << 20) ||\n"
               "        (from_image >= 0 && from_image < (ptrdiff_t)sizeof objects))\n"
               "        show(\"memory of the program itself is handed out\", k, (uintptr_t)p);");
    fprintf(w->out,
            "    if (quiet || bytes >> 30)\n        o->pattern = 0; /* not looked at */\n    else\n"
            "        fill(o, 0, %s);\n",
            reproducer_checks(w, CHECK_SLACK) ? "o->usable > bytes ? o->usable : bytes"
            : reproducer_is_growth(w)         ? "bytes >> 16 ? 65536 : bytes"
                                              : "bytes");
    if (w->slack)
        reproducer_line(w, "    if (!quiet)\n"
                           "        fill_slack(o);");
    reproducer_line(w, "}\n");
}

void reproducer_resize(const struct reproducer_writer *w)
{
    const struct assay_violation *v = w->r->violation;
    reproducer_line(
        w, "/* p is the answer of a resize of object k to what becomes object n */\n"
           "static void resized(unsigned k, unsigned n, void *p, size_t bytes, int must_fail, int "
           "error)\n"
           "{\n"
           "    struct object old = objects[k];");
    if (reproducer_checks(w, CHECK_RESIZE_ZERO)) {
        if (v->relation == ASSAY_RELATION_NOT_NULL)
            reproducer_line(w, "    if (p && bytes == 0)\n"
                               "        show(\"a resize to 0 gives memory\", n, (uintptr_t)p);");
        else
            reproducer_line(w,
                            "    if (!p && bytes == 0)\n"
                            "        show(\"a resize to 0 gives no memory\", n, (unsigned)error);");
    }
    /* a product that wraps to 0 asks for no such thing */
    reproducer_line(w, "    if (!p && bytes == 0 && error != ENOMEM && must_fail != 1) {\n"
                       "        objects[k].live = 0;\n"
                       "        return;\n"
                       "    }\n"
                       "    if (p && must_fail != 1) {");
    if (reproducer_checks(w, CHECK_CONTENT))
        reproducer_line(w, "        old.at = p;\n"
                           "        if (old.live)\n"
                           "            check(&old, old.bytes < bytes ? old.bytes : bytes);");
    if (reproducer_checks(w, CHECK_KEEPS_ALIGNMENT))
        reproducer_line(
            w, "        if (old.live && old.alignment && (uintptr_t)p % old.alignment != 0)\n"
               "            show(\"alignment lost by a resize\", n, (uintptr_t)p);");
    reproducer_line(w, "        objects[k].live = 0;\n"
                       "    }");
    if (reproducer_checks(w, CHECK_CONTENT))
        reproducer_line(w, "    else if (!p && old.live)\n"
                           "        check(&old, filled(&old));");
    if (v->property == ASSAY_PROPERTY_C13)
        reproducer_line(
            w, "    if (!p && old.live && call_malloc_usable_size(old.at) != old.usable)\n"
               "        show(\"a refused resize changed the usable size\", k, old.usable);");
    fprintf(w->out,
            "    (void)old;\n"
            "    born(n, p, bytes, %s, must_fail, error);\n"
            "}\n\n",
            reproducer_checks(w, CHECK_KEEPS_ALIGNMENT) ? "old.live ? old.alignment : 0" : "0");
}
