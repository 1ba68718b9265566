#include "tools/catalogue.h"

#include <string.h>

#include "oracles/judge.h"
#include "traces/event.h"

static json_t *has_names(uint64_t mask)
{
    json_t *names = json_array();
    for (unsigned bit = 0; bit < ASSAY_HAS_COUNT; bit++)
        if (mask >> bit & 1)
            json_array_append_new(names, json_string(assay_has_name(bit)));
    return names;
}

static const char *judged_by(const struct assay_property_info *info)
{
    if (!info->command)
        return "oracle";
    return info->command[0] ? info->command : "nothing yet";
}

/* Edges that start here, and those that end here under `reverse`. */
static json_t *relations(unsigned property)
{
    const struct assay_property_edge *edges;
    size_t n = assay_property_edges(&edges);
    json_t *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        bool out = edges[i].from == property, in = edges[i].to == property;
        if (!out && !in)
            continue;
        const char *other = assay_property_info(out ? edges[i].to : edges[i].from)->id;
        json_array_append_new(rows, json_pack("{s:s, s:s, s:b, s:s}", "relation",
                                              assay_relates_name(edges[i].relates), "property",
                                              other, "reverse", in && !out, "why", edges[i].why));
    }
    return rows;
}

static const char *family_of(const char *id)
{
    return id[0] == 'C' ? "conformance" : id[0] == 'S' ? "security" : "temporal";
}

json_t *assay_catalogue_row(unsigned property)
{
    const struct assay_property_info *info = assay_property_info(property);
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:s?, s:o}", "id", info->id,
                  "family", family_of(info->id), "severity", assay_severity_name(info->severity),
                  "statement", info->statement, "judged_by", judged_by(info), "needs",
                  has_names(info->needs), "optional", has_names(info->optional), "unit",
                  assay_unit_name(info->unit), "source", info->source, "policy", info->policy,
                  "formula", assay_property_formula(property), "relations", relations(property));
    ASSAY_CHECK(row);
    return row;
}

json_t *assay_catalogue_rows(void)
{
    static const char order[] = "CST";
    json_t *rows = json_array();
    for (const char *family = order; *family; family++)
        for (unsigned number = 1; number < 100; number++) {
            char id[8];
            snprintf(id, sizeof id, "%c%02u", *family, number);
            unsigned property = assay_property_by_id(id);
            if (property != ASSAY_PROPERTY_NONE)
                json_array_append_new(rows, assay_catalogue_row(property));
        }
    return rows;
}

void assay_catalogue_dot(FILE *out)
{
    static const char *const styles[ASSAY_RELATES_COUNT] = {
        [ASSAY_RELATES_REQUIRES] = "solid",
        [ASSAY_RELATES_SPECIALISES] = "solid\", arrowhead=\"empty",
        [ASSAY_RELATES_CONFLICTS] = "bold\", color=\"red\", dir=\"both",
        [ASSAY_RELATES_INDICATES] = "dashed",
    };
    const struct assay_property_edge *edges;
    size_t n = assay_property_edges(&edges);
    fprintf(out, "digraph properties {\n  rankdir=LR;\n  node [shape=box, fontsize=10];\n");
    for (unsigned p = 1; p < ASSAY_CATALOGUE_COUNT; p++) {
        const struct assay_property_info *info = assay_property_info(p);
        if (info->id && info->id[0])
            fprintf(out, "  %s [tooltip=\"%s\"];\n", info->id, info->statement);
    }
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %s -> %s [style=\"%s\", label=\"%s\", fontsize=8];\n",
                assay_property_info(edges[i].from)->id, assay_property_info(edges[i].to)->id,
                styles[edges[i].relates], assay_relates_name(edges[i].relates));
    fprintf(out, "}\n");
}
