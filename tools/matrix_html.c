/* The matrix as one page: no script, no request. A cell is a coloured square with its few words;
 * its figures open below it. Everything that comes from a subject or a file name is escaped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/matrix.h"
#include "tools/whole_file.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<title>Security matrix</title>\n<style>\n"
    ":root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--faint:#5b6470;--line:#d5dae1;"
    "--detected:#1f7a4d;--neutralised:#9fd8b8;--effect:#c43a31;--mixed:#e0a63a;--undecided:#b9c0c9;"
    "--measured:#b6cdf0;--none:#eef1f4;--on-dark:#fff;--on-light:#1b1f24}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e9ed;--faint:#9aa4b0;"
    "--line:#333a43;--detected:#2f9a63;--neutralised:#24523a;--effect:#c4473f;--mixed:#8a6414;"
    "--undecided:#4a525c;--measured:#2c4468;--none:#20252b;--on-light:#e6e9ed}}\n"
    "body{margin:2rem auto;max-width:90rem;padding:0 1rem;background:var(--page);color:var(--ink);"
    "font:14px/1.45 system-ui,sans-serif}\nh1{font-size:1.5rem;margin:0}\n"
    "p{max-width:60rem}.faint{color:var(--faint)}\n"
    /* the table scrolls within the window, so that names stay in sight */
    ".wide{overflow:auto;max-height:94vh;border-bottom:1px solid var(--line)}"
    "table{border-collapse:separate;border-spacing:2px;width:100%}\n"
    "th{text-align:left;font-weight:600;padding:.2rem .5rem;background:var(--page)}\n"
    "thead th{position:sticky;top:0;z-index:2;vertical-align:bottom;max-width:12rem;"
    "overflow-wrap:anywhere}\n"
    "th.row{position:sticky;left:0;z-index:1;font-weight:400;vertical-align:top;min-width:8rem}"
    "thead th.row{z-index:3;vertical-align:bottom;font-weight:600}\n"
    "th.group{padding-top:.8rem;border-top:1px solid var(--line)}"
    "th.group span{position:sticky;left:.5rem;display:inline-block;max-width:min(60rem,80vw)}"
    "th.group i{font-style:normal;font-weight:400;color:var(--faint);margin-left:.6rem}\n"
    "td{padding:0;min-width:7rem;max-width:18rem;vertical-align:top;border-radius:3px;"
    "overflow-wrap:anywhere}\n"
    "td:has(details[open]){min-width:16rem}\n"
    "summary{list-style:none;cursor:pointer;padding:.2rem .5rem}\n"
    "summary::-webkit-details-marker{display:none}summary:focus-visible{outline:2px solid "
    "var(--ink)}\n"
    "dl{margin:0;padding:.2rem .5rem .5rem;display:grid;grid-template-columns:auto 1fr;gap:0 "
    ".6rem;font-size:12px}dt{opacity:.8}dd{margin:0;overflow-wrap:anywhere}\n"
    ".detected,.effect{color:var(--on-dark)}.neutralised,.mixed,.undecided,.measured,.none{color:"
    "var(--on-light)}\n.detected{background:var(--detected)}.neutralised{background:"
    "var(--neutralised)}.effect{background:var(--effect)}.mixed{background:var(--mixed)}"
    ".undecided{background:var(--undecided)}.measured{background:var(--measured)}"
    ".none{background:var(--none)}\n"
    /* not decided, but all trials so far agree: an edge of the colour that it would have */
    ".open{background:var(--undecided);color:var(--on-light)}"
    ".detected.open{box-shadow:inset .35rem 0 var(--detected)}"
    ".effect.open{box-shadow:inset .35rem 0 var(--effect)}"
    ".neutralised.open{box-shadow:inset .35rem 0 var(--neutralised)}"
    ".open summary,.open dl{padding-left:.7rem}"
    "\n.broken{outline:3px solid var(--ink)}\n"
    ".key{display:inline-block;padding:.1rem .5rem;margin:.1rem .3rem .1rem 0;border-radius:3px}\n"
    "</style>\n</head>\n<body>\n";

static void escaped(FILE *out, const char *text)
{
    for (; text && *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputc((unsigned char)*text < ' ' ? '?' : *text, out); break;
        }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "detected open": undecided, but every trial so far was noticed. */
static const char *class_of(const json_t *row)
{
    static const char *const keys[][2] = {{"detected", "detected open"},
                                          {"neutralised", "neutralised open"},
                                          {"effect", "effect open"}};
    const char *verdict = text_of(row, "verdict");
    if (strcmp(verdict, "not judged") == 0)
        return "none";
    for (size_t i = 0; i < 3 && strcmp(verdict, "undecided") == 0; i++)
        if (json_number_value(json_object_get(json_object_get(row, keys[i][0]), "rate")) == 1)
            return keys[i][1];
    return verdict;
}

static void item(FILE *out, const char *name, const char *text)
{
    if (!text[0])
        return;
    fputs("<dt>", out);
    escaped(out, name);
    fputs("</dt><dd>", out);
    escaped(out, text);
    fputs("</dd>", out);
}

static void rate(FILE *out, const json_t *row, const char *key)
{
    const json_t *object = json_object_get(row, key);
    if (!object)
        return;
    fprintf(out, "<dt>%s</dt><dd>%lld (%.1f %%, 95 %% interval %.1f to %.1f)</dd>", key,
            (long long)json_integer_value(json_object_get(object, "n")),
            100 * json_number_value(json_object_get(object, "rate")),
            100 * json_number_value(json_object_get(object, "low")),
            100 * json_number_value(json_object_get(object, "high")));
}

static void counts(FILE *out, const json_t *row, const char *key)
{
    const char *name, *gap = "";
    json_t *object = json_object_get(row, key), *value;
    if (json_object_size(object) == 0)
        return;
    fprintf(out, "<dt>%s</dt><dd>", key);
    json_object_foreach(object, name, value)
    {
        fputs(gap, out);
        escaped(out, name);
        if (json_is_string(value)) {
            fputc(' ', out);
            escaped(out, json_string_value(value));
        } else {
            fprintf(out, json_is_real(value) ? " %.1f" : " %.0f", json_number_value(value));
        }
        gap = ", ";
    }
    fputs("</dd>", out);
}

static void cell(FILE *out, const json_t *row)
{
    bool broken = json_is_true(json_object_get(row, "contradicts"));
    fprintf(out, "<td class=\"%s%s\"><details><summary>", class_of(row), broken ? " broken" : "");
    escaped(out, text_of(row, "cell"));
    fprintf(out, "</summary><dl><dt>trials</dt><dd>%lld</dd>",
            (long long)json_integer_value(json_object_get(row, "trials")));
    rate(out, row, "detected");
    rate(out, row, "neutralised");
    rate(out, row, "effect");
    counts(out, row, "effects");
    counts(out, row, "noticed");
    counts(out, row, "how");
    counts(out, row, "figure");
    item(out, "message", text_of(row, "message"));
    item(out, "promise", text_of(row, "promise"));
    item(out, "why not", text_of(row, "reason"));
    fputs("</dl></details></td>", out);
}

static void names(FILE *out, const char *title, const json_t *list)
{
    size_t i;
    const json_t *name;
    fprintf(out, "<p class=\"faint\">%s:", title);
    json_array_foreach(list, i, name)
    {
        fputc(' ', out);
        escaped(out, json_string_value(name));
    }
    fputs("</p>\n", out);
}

static void page(FILE *out, const json_t *summary, const json_t *rows)
{
    static const char *const key[][2] = {
        {"detected",
         "D noticed (d: mostly by a fault, which may be chance): at the misuse, its own "
         "free, the neighbour's (nbr), next malloc, later"},
        {"neutralised", "N without effect"},
        {"effect", "the effect's name"},
        {"mixed", "differs from trial to trial"},
        {"undecided", "not decided yet; an edge: all trials agree so far"},
        {"measured", "a figure"},
        {"none", "not judged"}};
    const json_t *subjects = json_object_get(summary, "names"), *subject;
    size_t columns = json_array_size(subjects), n = json_array_size(rows), i;
    const char *last = "";
    fputs(head, out);
    fprintf(
        out,
        "<h1>Security matrix</h1>\n<p class=\"faint\">%lld verdicts, %lld of them undecided, %lld "
        "against a profile; %lld trials, each in a process of its own, objects of %lld bytes, seed "
        "%lld. A cell opens to its figures.</p>\n<p>",
        (long long)json_integer_value(json_object_get(summary, "cells")),
        (long long)json_integer_value(json_object_get(summary, "undecided")),
        (long long)json_integer_value(json_object_get(summary, "contradictions")),
        (long long)json_integer_value(json_object_get(summary, "trials")),
        (long long)json_integer_value(json_object_get(summary, "object_bytes")),
        (long long)json_integer_value(json_object_get(summary, "seed")));
    for (size_t k = 0; k < sizeof key / sizeof *key; k++)
        fprintf(out, "<span class=\"key %s\">%s</span>", key[k][0], key[k][1]);
    fputs("<span class=\"key broken\">! contradicts the profile</span></p>\n"
          "<div class=\"wide\"><table>\n<thead><tr><th class=\"row\">variant</th>",
          out);
    json_array_foreach(subjects, i, subject)
    {
        fputs("<th>", out);
        escaped(out, json_string_value(subject));
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
    for (i = 0; columns && i + columns <= n; i += columns) {
        const json_t *first = json_array_get(rows, i);
        const char *id = text_of(first, "row");
        bool new = strcmp(id, last) != 0;
        unsigned property = assay_property_by_id(id);
        last = id;
        if (new) {
            fprintf(out, "<tr><th class=\"group\" colspan=\"%zu\"><span>%s<i>", columns + 1, id);
            escaped(out, property ? assay_property_info(property)->statement : "");
            fputs("</i></span></th></tr>\n", out);
        }
        fputs("<tr><th class=\"row\">", out);
        escaped(out, text_of(first, "variant"));
        fputs("</th>", out);
        for (size_t c = 0; c < columns; c++)
            cell(out, json_array_get(rows, i + c));
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
    names(out, "judged", json_object_get(summary, "judged"));
    names(out, "not judged", json_object_get(summary, "not_judged"));
    fputs("</body>\n</html>\n", out);
}

struct page {
    const json_t *summary, *rows;
};

static void write_page(FILE *out, const void *self)
{
    const struct page *shown = self;
    page(out, shown->summary, shown->rows);
}

int assay_matrix_html(const char *path, const json_t *summary, const json_t *rows,
                      struct assay_error *err)
{
    const struct page shown = {summary, rows};
    return assay_whole_file(path, write_page, &shown, err);
}
