/* assay list: what the registries hold. */
#include <stdio.h>
#include <string.h>

#include "fuzzers/directed.h"
#include "oracles/judge.h"
#include "tools/catalogue.h"
#include "tools/command.h"
#include "tools/options.h"
#include "traces/event.h"
#include "traces/runner/session.h"
#include "traces/format.h"

static void add(json_t *rows, json_t *row)
{
    ASSAY_CHECK(row && json_array_append_new(rows, row) == 0);
}

static void list_commands(struct assay_emit *emit)
{
    static const struct assay_emit_field fields[] = {
        {"name", "command", ASSAY_EMIT_PLAIN},
        {"group", "group", ASSAY_EMIT_PLAIN},
        {"summary", "what it does", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *rows = json_array();
#define ASSAY_COMMAND(name, group, summary)                                                        \
    add(rows, json_pack("{s:s, s:s, s:s}", "name", #name, "group", group, "summary", summary));
#include "tools/commands.def"
#undef ASSAY_COMMAND
    assay_emit_table(emit, "assay.list.command", fields, rows);
}

static void list_properties(struct assay_emit *emit)
{
    static const struct assay_emit_field fields[] = {
        {"id", "property", ASSAY_EMIT_PLAIN},
        {"severity", "severity", ASSAY_EMIT_PLAIN},
        {"statement", "statement", ASSAY_EMIT_PLAIN},
        {"needs", "needs", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *rows = assay_catalogue_rows(), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *judge = json_string_value(json_object_get(row, "judged_by"));
        if (emit->json || strcmp(judge, "oracle") == 0)
            continue; /* an oracle needs facts of a stream; others are told */
        bool nothing = strncmp(judge, "nothing", 7) == 0;
        json_object_set_new(row, "needs",
                            nothing ? json_string("(not judged yet)")
                                    : json_sprintf("(measured by '%s')", judge));
    }
    assay_emit_table(emit, "assay.list.property", fields, rows);
}

static void list_formats(struct assay_emit *emit)
{
    static const struct assay_emit_field fields[] = {
        {"name", "format", ASSAY_EMIT_PLAIN},
        {"import", "import", ASSAY_EMIT_PLAIN},
        {"export", "export", ASSAY_EMIT_PLAIN},
        {"summary", "what it is", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *rows = json_array();
    for (const struct assay_format *format = assay_formats; format->name; format++)
        add(rows, json_pack("{s:s, s:b, s:b, s:s}", "name", format->name, "import",
                            format->import != NULL, "export", format->export != NULL, "summary",
                            format->summary));
    assay_emit_table(emit, "assay.list.format", fields, rows);
}

static void list_subjects(struct assay_emit *emit)
{
    static const char *const names[] = {ASSAY_BULWARK_NAMES, "glibc", "jemalloc", "mimalloc",
                                        "tcmalloc",          "scudo", NULL};
    static const struct assay_emit_field fields[] = {
        {"name", "subject", ASSAY_EMIT_PLAIN},
        {"path", "library", ASSAY_EMIT_PLAIN},
        {"missing_apis", "lacks", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *rows = json_array();
    for (size_t i = 0; names[i]; i++) {
        struct assay_subject_spec spec;
        struct assay_error err;
        if (assay_subject_find(names[i], &spec, &err) != 0)
            continue;
        json_t *missing = json_array();
        for (unsigned kind = 0; kind < ASSAY_OP_COUNT; kind++)
            if (spec.missing_apis >> kind & 1)
                json_array_append_new(missing, json_string(assay_op_info(kind)->name));
        add(rows, json_pack("{s:s, s:s, s:s, s:o}", "name", names[i], "path",
                            spec.path[0] ? spec.path : "the C library", "build_id", spec.build_id,
                            "missing_apis", missing));
    }
    assay_emit_table(emit, "assay.list.subject", fields, rows);
}

static const struct assay_emit_field name_and_what[] = {
    {"name", "name", ASSAY_EMIT_PLAIN},
    {"what", "what it is", ASSAY_EMIT_PLAIN},
    {0},
};

static void list_targets(struct assay_emit *emit)
{
    json_t *rows = json_array();
#define ASSAY_TARGET(name, statement)                                                              \
    add(rows, json_pack("{s:s, s:s}", "name", "fuzz_" #name, "what", statement));
#include "fuzzers/targets.def"
#undef ASSAY_TARGET
    assay_emit_table(emit, "assay.list.target", name_and_what, rows);
}

static void list_directed(struct assay_emit *emit)
{
    const struct assay_directed_info *programs;
    json_t *rows = json_array();
    size_t count = assay_directed_list(&programs);
    for (size_t i = 0; i < count; i++)
        add(rows, json_pack("{s:s, s:s}", "name", programs[i].name, "what", programs[i].what));
    assay_emit_table(emit, "assay.list.directed", name_and_what, rows);
}

static void list_relations(struct assay_emit *emit)
{
    json_t *rows = json_array();
    for (unsigned r = 1; r < ASSAY_RELATION_COUNT; r++)
        add(rows, json_pack("{s:s, s:s}", "name", assay_relation_name(r), "what",
                            assay_relation_what(r)));
    assay_emit_table(emit, "assay.list.relation", name_and_what, rows);
}

static const struct {
    const char *name, *what;
    void (*list)(struct assay_emit *emit);
} lists[] = {
    {"commands", "the commands of assay", list_commands},
    {"properties", "what can be judged, and what a stream must have for it", list_properties},
    {"relations", "how a property can be violated, as suppressions and [accepted] name it",
     list_relations},
    {"formats", "trace formats that can be imported and exported", list_formats},
    {"subjects", "the allocators that --subject finds here by name", list_subjects},
    {"directed", "systematic experiments of 'assay fuzz'", list_directed},
    {"targets", "what the engine can fuzz", list_targets},
    {0},
};

static void list_lists(struct assay_emit *emit)
{
    static const struct assay_emit_field fields[] = {
        {"name", "list", ASSAY_EMIT_PLAIN},
        {"what", "what it shows", ASSAY_EMIT_PLAIN},
        {0},
    };
    json_t *rows = json_array();
    for (size_t i = 0; lists[i].name; i++)
        add(rows, json_pack("{s:s, s:s}", "name", lists[i].name, "what", lists[i].what));
    assay_emit_table(emit, "assay.list", fields, rows);
}

struct options {
    struct assay_common common;
    size_t list; /* index into lists, SIZE_MAX = none named */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return assay_usage(state, "one list at a time, '%s' is the second", arg);
        for (size_t i = 0; lists[i].name; i++)
            if (strcmp(lists[i].name, arg) == 0)
                options->list = i;
        if (options->list == SIZE_MAX)
            return assay_usage_without_hint(state, "there is no list '%s'; 'assay list' names them",
                                            arg);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int assay_cmd_list(int argc, char **argv)
{
    static const struct argp argp = {NULL,
                                     parse,
                                     "[LIST]",
                                     "Prints one of the registries; without LIST, their names.\v"
                                     "Exit: 0, 2 usage, 3 could not write.",
                                     assay_common_children,
                                     NULL,
                                     NULL};
    struct options options = {.list = SIZE_MAX};
    assay_options_parse(&argp, argc, argv, 0, &options);
    if (options.list == SIZE_MAX)
        list_lists(&options.common.emit);
    else
        lists[options.list].list(&options.common.emit);
    return ASSAY_EXIT_CLEAN;
}
