/* SARIF 2.1.0 (OASIS Standard, 27 March 2020), with what code-scanning services ask for beyond the
 * schema: a physical location with a line in every result, rules with help, stable fingerprints. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/emit.h"
#include "tools/output/output.h"

#define SCHEMA                                                                                     \
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#define ROOT "SRCROOT"

/* jansson takes NULL for a failure: all of ours are checked in the end. */
static void put(json_t *object, const char *key, json_t *value)
{
    ASSAY_CHECK(json_object_set_new(object, key, value) == 0);
}

static json_t *made(json_t *value)
{
    ASSAY_CHECK(value);
    return value;
}

static json_t *message(const char *text)
{
    return made(json_pack("{s:o}", "text", assay_emit_string(text)));
}

/* ---- places ---- */

static void put_escaped(FILE *out, const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    for (; *path; path++)
        if (strchr(plain, *path))
            fputc(*path, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*path);
}

static char *uri_of(const char *before, const char *path, const char *behind)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ASSAY_CHECK(out);
    fputs(before, out);
    put_escaped(out, path);
    fputs(behind, out);
    ASSAY_CHECK(fclose(out) == 0 && text);
    return text;
}

/* Below the folder of the call a path is relative: there the service looks for its sources. */
static json_t *artifact_location(const char *path)
{
    char here[PATH_MAX], real[PATH_MAX];
    json_t *location = made(json_object());
    if (!realpath(path, real))
        snprintf(real, sizeof real, "%.*s", PATH_MAX - 1, path);
    size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;
    bool below = length > 1 && strncmp(real, here, length) == 0 && real[length] == '/';
    bool relative = real[0] != '/';
    char *uri = below      ? uri_of("", real + length + 1, "")
                : relative ? uri_of("", real, "")
                           : uri_of("file://", real, "");
    put(location, "uri", made(json_string(uri)));
    if (below || relative)
        put(location, "uriBaseId", made(json_string(ROOT)));
    free(uri);
    return location;
}

static json_t *physical_location(const char *path, json_int_t line)
{
    return made(json_pack("{s:o, s:{s:I}}", "artifactLocation", artifact_location(path), "region",
                          "startLine", line > 0 ? line : 1));
}

static const json_t *frame_at(const json_t *finding, size_t i)
{
    return json_array_get(json_object_get(json_object_get(finding, "crash"), "frames"), i);
}

/* The frame that names the crash, if its line is known. */
static const json_t *named_frame(const json_t *finding)
{
    const json_t *at = json_object_get(json_object_get(finding, "crash"), "frame");
    const json_t *frame = at ? frame_at(finding, (size_t)json_integer_value(at)) : NULL;
    return json_object_get(frame, "source") ? frame : NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_t *frame_location(const json_t *frame)
{
    json_t *location = made(json_object());
    const char *source = text_of(frame, "source"), *function = text_of(frame, "function");
    if (source[0])
        put(location, "physicalLocation",
            physical_location(source, json_integer_value(json_object_get(frame, "line"))));
    if (function[0])
        put(location, "logicalLocations",
            made(json_pack("[{s:s, s:s}]", "fullyQualifiedName", function, "kind", "function")));
    return location;
}

static json_t *locations(const struct assay_output_finding *finding)
{
    const json_t *frame = named_frame(finding->object);
    json_t *list = made(json_array()), *location;
    if (frame) {
        location = frame_location(frame);
    } else {
        location = made(json_object());
        put(location, "physicalLocation",
            physical_location(finding->artifact ? finding->artifact : "unknown", 1));
        const char *function = text_of(finding->object, "function");
        if (function[0])
            put(location, "logicalLocations",
                made(
                    json_pack("[{s:s, s:s}]", "fullyQualifiedName", function, "kind", "function")));
    }
    ASSAY_CHECK(json_array_append_new(list, location) == 0);
    return list;
}

static json_t *stack(const json_t *finding)
{
    json_t *frames = made(json_array());
    for (size_t i = 0; frame_at(finding, i); i++) {
        const json_t *frame = frame_at(finding, i);
        ASSAY_CHECK(json_array_append_new(
                        frames, made(json_pack("{s:o, s:s}", "location", frame_location(frame),
                                               "module", text_of(frame, "module")))) == 0);
    }
    return made(
        json_pack("{s:o, s:o}", "message", message("the stack when it ended"), "frames", frames));
}

/* ---- rules ---- */

static const char *level_of(unsigned property)
{
    switch (assay_property_info(property)->severity) {
    case ASSAY_SEVERITY_QUALITY: return "note";
    case ASSAY_SEVERITY_PROGRAM: return "warning";
    default: return "error";
    }
}

/* What services order alerts by: of ten. */
static const char *score_of(unsigned property)
{
    switch (assay_property_info(property)->severity) {
    case ASSAY_SEVERITY_CORRUPTION: return "8.1";
    case ASSAY_SEVERITY_SECURITY: return "7.5";
    case ASSAY_SEVERITY_PROGRAM: return "6.5";
    case ASSAY_SEVERITY_CONTRACT: return "4.3";
    default: return "2.0";
    }
}

static void put_help(FILE *out, unsigned property, bool markdown)
{
    const struct assay_property_info *info = assay_property_info(property);
    const struct assay_property_edge *edges;
    size_t n = assay_property_edges(&edges);
    const char *strong = markdown ? "**" : "", *gap = markdown ? "\n\n" : "\n";
    char needs[200];
    assay_output_needs(needs, sizeof needs, property);
    fprintf(out, "%s%s%s: %s.%s", strong, info->id, strong, info->statement, gap);
    fprintf(out, "Source: %s.%s", info->source, gap);
    fprintf(out, "It is judged where a stream has: %s.", needs);
    if (assay_property_formula(property))
        fprintf(out, "%sFor each object: %s%s%s", gap, markdown ? "`" : "",
                assay_property_formula(property), markdown ? "`" : "");
    for (size_t i = 0; i < n; i++)
        if (edges[i].from == property || edges[i].to == property)
            fprintf(out, "%s%s%s %s %s: %s.", gap, markdown ? "- " : "",
                    assay_property_info(edges[i].from)->id, assay_relates_name(edges[i].relates),
                    assay_property_info(edges[i].to)->id, edges[i].why);
}

static json_t *help_text(unsigned property, bool markdown)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ASSAY_CHECK(out);
    put_help(out, property, markdown);
    ASSAY_CHECK(fclose(out) == 0 && text);
    json_t *string = made(json_string(text));
    free(text);
    return string;
}

static json_t *rule(const struct assay_output_run *run, unsigned property)
{
    const struct assay_property_info *info = assay_property_info(property);
    return made(json_pack(
        "{s:s, s:o, s:o, s:{s:o, s:o}, s:{s:s}, s:{s:[s, s, s], s:s, s:s, s:s, s:b, s:I}}", "id",
        info->id, "shortDescription", message(info->statement), "fullDescription",
        message(info->statement), "help", "text", help_text(property, false), "markdown",
        help_text(property, true), "defaultConfiguration", "level", level_of(property),
        "properties", "tags", "memory-allocator", "correctness",
        assay_severity_name(info->severity), "precision", "very-high", "security-severity",
        score_of(property), "source", info->source, "judged", run->judged[property] ? 1 : 0,
        "evaluations", (json_int_t)run->evaluations[property]));
}

/* ---- results ---- */

static json_t *finding_message(const json_t *finding)
{
    char *text = NULL;
    const char *function = text_of(finding, "function");
    ASSAY_CHECK(asprintf(&text, "%s: %s (%s, %s class %s%s%s)", text_of(finding, "subject"),
                         text_of(finding, "statement"), text_of(finding, "call"),
                         text_of(finding, "relation"), text_of(finding, "size_class"),
                         function[0] ? ", in " : "", function) >= 0);
    json_t *object = made(json_pack("{s:o}", "text", assay_emit_string(text)));
    free(text);
    return object;
}

static json_t *result(const struct assay_output_finding *finding)
{
    const json_t *object = finding->object;
    unsigned property = assay_property_by_id(text_of(object, "property"));
    const char *reason = assay_output_reason(object);
    const json_t *count = json_object_get(object, "count");
    ASSAY_CHECK(property != ASSAY_PROPERTY_NONE && property < ASSAY_PROPERTY_COUNT);
    json_t *entry = made(json_pack(
        "{s:s, s:i, s:s, s:s, s:o, s:o, s:{s:s}, s:{}}", "ruleId",
        assay_property_info(property)->id, "ruleIndex", (int)property - 1, "kind", "fail", "level",
        level_of(property), "message", finding_message(object), "locations", locations(finding),
        "partialFingerprints", "assay/v1", text_of(object, "fingerprint"), "properties"));
    if (json_integer_value(count) > 1)
        put(entry, "occurrenceCount", json_incref((json_t *)(uintptr_t)count));
    if (frame_at(object, 0))
        put(entry, "stacks", made(json_pack("[o]", stack(object))));
    if (named_frame(object) && finding->artifact)
        put(entry, "relatedLocations",
            made(json_pack("[{s:i, s:o, s:o}]", "id", 1, "physicalLocation",
                           physical_location(finding->artifact, 1), "message",
                           message("what shows it"))));
    if (reason)
        put(entry, "suppressions",
            made(json_pack("[{s:s, s:s, s:o}]", "kind", "external", "status", "accepted",
                           "justification", assay_emit_string(reason))));
    static const char *const kept[] = {"subject",   "op",          "relation", "size_class",
                                       "call",      "op_index",    "evidence", "function",
                                       "reproduce", "crash_class", "next",     "objects"};
    json_t *properties = json_object_get(entry, "properties");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_object_get(object, kept[i]))
            put(properties, kept[i], json_incref(json_object_get(object, kept[i])));
    return entry;
}

/* ---- the run ---- */

static json_t *doubtful(const struct assay_output_doubt *doubt)
{
    json_t *entry =
        made(json_pack("{s:s, s:o}", "level", "warning", "message", message(doubt->text)));
    if (doubt->property != ASSAY_PROPERTY_NONE)
        put(entry, "associatedRule",
            made(json_pack("{s:s, s:i}", "id", assay_property_info(doubt->property)->id, "index",
                           (int)doubt->property - 1)));
    return entry;
}

static json_t *invocation(const struct assay_output_run *run)
{
    char start[32], end[32], *line = NULL, why[256];
    size_t size = 0;
    json_t *arguments = made(json_array()), *notifications = made(json_array());
    FILE *out = open_memstream(&line, &size);
    ASSAY_CHECK(out);
    for (int i = 0; i < run->argc; i++) {
        fprintf(out, "%s%s", i ? " " : "", run->argv[i]);
        if (i > 0)
            ASSAY_CHECK(json_array_append_new(arguments, assay_emit_string(run->argv[i])) == 0);
    }
    ASSAY_CHECK(fclose(out) == 0 && line);
    assay_output_time(start, sizeof start, run->start_ns, false);
    assay_output_time(end, sizeof end, run->end_ns, false);
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        char *text = NULL;
        if (run->judged[p] && run->evaluations[p] > 0)
            continue;
        assay_output_why(why, sizeof why, run, p);
        ASSAY_CHECK(asprintf(&text, "%s was %s%s", assay_property_info(p)->id,
                             run->judged[p] ? "never evaluated" : "not judged: ",
                             run->judged[p] ? "" : why) >= 0);
        ASSAY_CHECK(json_array_append_new(
                        notifications,
                        made(json_pack("{s:s, s:o, s:{s:s, s:i}}", "level", "note", "message",
                                       message(text), "associatedRule", "id",
                                       assay_property_info(p)->id, "index", (int)p - 1))) == 0);
        free(text);
    }
    for (size_t i = 0; i < run->doubt_count; i++)
        ASSAY_CHECK(json_array_append_new(notifications, doubtful(&run->doubts[i])) == 0);
    json_t *object = made(json_pack(
        "{s:o, s:o, s:b, s:i, s:s, s:s, s:o}", "commandLine", assay_emit_string(line), "arguments",
        arguments, "executionSuccessful", run->exit_code <= 1, "exitCode", run->exit_code,
        "startTimeUtc", start, "endTimeUtc", end, "toolExecutionNotifications", notifications));
    free(line);
    return object;
}

static json_t *ids(const struct assay_output_run *run, bool judged)
{
    json_t *list = made(json_array());
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        if (run->judged[p] == judged)
            ASSAY_CHECK(
                json_array_append_new(list, made(json_string(assay_property_info(p)->id))) == 0);
    return list;
}

json_t *assay_sarif_make(const struct assay_output_run *run)
{
    char here[PATH_MAX], *id = NULL;
    json_t *rules = made(json_array()), *results = made(json_array());
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) /* rule p stands at index p - 1 */
        ASSAY_CHECK(json_array_append_new(rules, rule(run, p)) == 0);
    for (size_t i = 0; i < run->count; i++)
        ASSAY_CHECK(json_array_append_new(results, result(&run->findings[i])) == 0);
    char *root = uri_of("file://", getcwd(here, sizeof here) ? here : "", "/");
    ASSAY_CHECK(asprintf(&id, "assay/%s/", run->command) >= 0);
    json_t *log = made(json_pack(
        "{s:s, s:s, s:[{s:{s:{s:s, s:s, s:s, s:o}}, s:{s:s}, s:[o], s:{s:{s:s}}, s:s, s:o, "
        "s:{s:o, s:o, s:o}}]}",
        "$schema", SCHEMA, "version", "2.1.0", "runs", "tool", "driver", "name", "assay", "version",
        ASSAY_VERSION, "semanticVersion", ASSAY_VERSION, "rules", rules, "automationDetails", "id",
        id, "invocations", invocation(run), "originalUriBaseIds", ROOT, "uri", root, "columnKind",
        "utf16CodeUnits", "results", results, "properties", "subject",
        assay_emit_string(run->subject), "judged", ids(run, true), "not_judged", ids(run, false)));
    free(root);
    free(id);
    return log;
}
