/* assay properties: the catalogue of what can be judged, and how its rows relate. */
#include <string.h>

#include "oracles/judge.h"
#include "tools/catalogue.h"
#include "tools/command.h"
#include "tools/options.h"

struct options {
    struct assay_common common;
    bool dot;
    unsigned property; /* ASSAY_PROPERTY_NONE: all */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case 'd': options->dot = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return assay_usage(state, "one property at a time, '%s' is the second", arg);
        options->property = assay_property_by_id(arg);
        if (options->property == ASSAY_PROPERTY_NONE)
            return assay_usage_without_hint(
                state, "there is no property '%s'; 'assay properties' lists them", arg);
        return 0;
    case ARGP_KEY_END:
        if (options->dot && (options->property || options->common.emit.json))
            return assay_usage(state, "--dot prints the whole graph, without --json or an ID");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void print_all(struct assay_emit *emit)
{
    static const struct assay_emit_field fields[] = {
        {"id", "property", ASSAY_EMIT_PLAIN},
        {"severity", "severity", ASSAY_EMIT_PLAIN},
        {"judged_by", "judged by", ASSAY_EMIT_PLAIN},
        {"statement", "statement", ASSAY_EMIT_PLAIN},
        {0},
    };
    assay_emit_table(emit, "assay.properties", fields, assay_catalogue_rows());
}

static void print_relations(FILE *out, const json_t *row)
{
    size_t i;
    json_t *edge;
    json_array_foreach(json_object_get(row, "relations"), i, edge)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        const char *other = json_string_value(json_object_get(edge, "property"));
        bool reverse = json_is_true(json_object_get(edge, "reverse"));
        fprintf(out, "%-9s  %s %s %s: %s\n", i == 0 ? "relations" : "", reverse ? other : id,
                json_string_value(json_object_get(edge, "relation")), reverse ? id : other,
                json_string_value(json_object_get(edge, "why")));
    }
}

static void print_one(struct assay_emit *emit, unsigned property)
{
    static const struct assay_emit_field fields[] = {
        {"id", "property", ASSAY_EMIT_PLAIN},
        {"statement", "statement", ASSAY_EMIT_PLAIN},
        {"severity", "severity", ASSAY_EMIT_PLAIN},
        {"judged_by", "judged by", ASSAY_EMIT_PLAIN},
        {"needs", "needs", ASSAY_EMIT_PLAIN},
        {"optional", "optional", ASSAY_EMIT_PLAIN},
        {"unit", "unit", ASSAY_EMIT_PLAIN},
        {"source", "source", ASSAY_EMIT_PLAIN},
        {"policy", "policy", ASSAY_EMIT_PLAIN},
        {"formula", "formula", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *row = assay_catalogue_row(property);
    if (!emit->json) { /* people need not read what there is nothing of */
        static const char *const lists[] = {"needs", "optional"};
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            if (json_array_size(json_object_get(row, lists[i])) == 0)
                json_object_del(row, lists[i]);
    }
    json_t *kept = json_incref(row);
    assay_emit_record(emit, "assay.properties", fields, row);
    if (!emit->json)
        print_relations(assay_emit_text(emit), kept);
    json_decref(kept);
}

int assay_cmd_properties(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"dot", 'd', NULL, 0, "print the ontology as a graph, for Graphviz", 0}, {0}};
    static const struct argp argp = {
        table,
        parse,
        "[ID]",
        "Prints the catalogue of properties: what each states, who judges it, what it needs.\v"
        "With an ID (C05) all that is known of one property and how it relates to others.\n\n"
        "Exit: 0, 2 usage, 3 could not write.",
        assay_common_children,
        NULL,
        NULL};
    struct options options = {.property = ASSAY_PROPERTY_NONE};
    assay_options_parse(&argp, argc, argv, 0, &options);
    if (options.dot)
        assay_catalogue_dot(assay_emit_text(&options.common.emit));
    else if (options.property == ASSAY_PROPERTY_NONE)
        print_all(&options.common.emit);
    else
        print_one(&options.common.emit, options.property);
    return ASSAY_EXIT_CLEAN;
}
