/* JUnit XML as test-report services read it: one suite, a case per property that was judged or not
 * and per finding of it and per suspicion that did not come back, which is an error: whether it
 * holds was not learned; attributes and order of elements are those of the common schema. */
#include <string.h>
#include <unistd.h>

#include "tools/output/output.h"
#include "traces/core/error.h"

/* XML 1.0 has no place for most control characters, escaped or not; jansson's strings are UTF-8. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\n': fputs("&#10;", out); break;
        default:
            if ((unsigned char)*text < 0x20 && *text != '\t')
                fputc('?', out);
            else if ((unsigned char)*text == 0xef && (unsigned char)text[1] == 0xbf &&
                     (unsigned char)text[2] >= 0xbe) { /* U+FFFE, U+FFFF */
                fputc('?', out);
                text += 2;
            } else
                fputc(*text, out);
        }
}

static void put_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    put_text(out, value);
    fputc('"', out);
}

/* Arguments and names come as bytes; in JSON they are UTF-8 already. */
static const char *utf8(const char *text)
{
    json_t *string = json_string(text);
    const char *result = string ? text : "(a name that is not UTF-8)";
    json_decref(string);
    return result;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void open_case(FILE *out, const struct assay_output_run *run, unsigned property,
                      const char *fingerprint)
{
    const struct assay_property_info *info = assay_property_info(property);
    fputs("    <testcase", out);
    fprintf(out, " name=\"%s ", info->id);
    put_text(out, info->statement);
    if (fingerprint)
        fprintf(out, " [%s]", fingerprint);
    fputc('"', out);
    fprintf(out, " classname=\"assay.%s.%s\" time=\"0\"", run->command,
            assay_severity_name(info->severity));
}

static void put_line(FILE *out, const char *title, const char *value)
{
    if (!value[0])
        return;
    fprintf(out, "%s: ", title);
    put_text(out, value);
    fputc('\n', out);
}

static void put_failure(FILE *out, const json_t *finding, const char *artifact)
{
    const json_t *crash = json_object_get(finding, "crash");
    size_t i;
    const json_t *frame;
    fputs(">\n      <failure", out);
    put_attribute(out, "message", text_of(finding, "statement"));
    put_attribute(out, "type", text_of(finding, "relation"));
    fputs(">", out);
    put_line(out, "subject", text_of(finding, "subject"));
    put_line(out, "call", text_of(finding, "call"));
    fprintf(out, "op: %lld\n", (long long)json_integer_value(json_object_get(finding, "op_index")));
    put_line(out, "severity", text_of(finding, "severity"));
    put_line(out, "fingerprint", text_of(finding, "fingerprint"));
    put_line(out, "crash", text_of(crash, "words"));
    put_line(out, "it said", text_of(crash, "said"));
    json_array_foreach(json_object_get(crash, "frames"), i, frame)
    {
        fprintf(out, "  #%zu ", i);
        put_text(out, text_of(frame, "function")[0] ? text_of(frame, "function") : "(no symbol)");
        if (text_of(frame, "source")[0]) {
            fputc(' ', out);
            put_text(out, text_of(frame, "source"));
            fprintf(out, ":%lld", (long long)json_integer_value(json_object_get(frame, "line")));
        }
        fputc('\n', out);
    }
    put_line(out, "shown by", artifact ? utf8(artifact) : "");
    put_line(out, "reproduce", text_of(finding, "reproduce"));
    put_line(out, "next", text_of(finding, "next"));
    fputs("</failure>\n    </testcase>\n", out);
}

static void put_skipped(FILE *out, const char *why, const char *reason)
{
    fputs(">\n      <skipped message=\"", out);
    put_text(out, why);
    put_text(out, reason);
    fputs("\"/>\n    </testcase>\n", out);
}

static bool is_of(const json_t *finding, unsigned property)
{
    return strcmp(text_of(finding, "property"), assay_property_info(property)->id) == 0;
}

struct counts {
    unsigned cases, failures, errors, skipped;
};

/* Numbered: cases have different names, suspicions may be alike. */
static void doubt(FILE *out, const struct assay_output_run *run, size_t i)
{
    const struct assay_output_doubt *doubt = &run->doubts[i];
    fputs("    <testcase name=\"", out);
    if (doubt->property != ASSAY_PROPERTY_NONE) {
        const struct assay_property_info *info = assay_property_info(doubt->property);
        fprintf(out, "%s ", info->id);
        put_text(out, info->statement);
        fputc(' ', out);
    }
    fprintf(out, "[suspicion %zu]\" classname=\"assay.%s.%s\" time=\"0\">\n      <error", i + 1,
            run->command,
            doubt->property == ASSAY_PROPERTY_NONE
                ? "suspicion"
                : assay_severity_name(assay_property_info(doubt->property)->severity));
    put_attribute(out, "message", utf8(doubt->text));
    fputs(" type=\"suspected\"/>\n    </testcase>\n", out);
}

/* Those of one property; out NULL: only counts them. Returns how many. */
static unsigned doubts(FILE *out, const struct assay_output_run *run, unsigned p,
                       struct counts *counts)
{
    unsigned own = 0;
    for (size_t i = 0; i < run->doubt_count; i++) {
        if (run->doubts[i].property != p)
            continue;
        own++;
        if (out)
            doubt(out, run, i);
    }
    counts->cases += own;
    counts->errors += own;
    return own;
}

/* The cases of one property; out NULL: only counts them. */
static void property(FILE *out, const struct assay_output_run *run, unsigned p,
                     struct counts *counts)
{
    unsigned own = 0;
    char why[256];
    for (size_t i = 0; i < run->count; i++) {
        const struct assay_output_finding *finding = &run->findings[i];
        const char *reason = assay_output_reason(finding->object);
        if (!is_of(finding->object, p))
            continue;
        own++;
        counts->cases++;
        *(reason ? &counts->skipped : &counts->failures) += 1;
        if (!out)
            continue;
        open_case(out, run, p, text_of(finding->object, "fingerprint"));
        if (reason)
            put_skipped(
                out, json_object_get(finding->object, "suppressed") ? "suppressed: " : "accepted: ",
                reason);
        else
            put_failure(out, finding->object, finding->artifact);
    }
    own += doubts(out, run, p, counts);
    if (own > 0)
        return;
    bool held = run->judged[p] && run->evaluations[p] > 0;
    counts->cases++;
    counts->skipped += !held;
    if (!out)
        return;
    open_case(out, run, p, NULL);
    assay_output_why(why, sizeof why, run, p);
    if (held)
        fputs("/>\n", out);
    else if (run->judged[p])
        put_skipped(out, "judged, but there was no occasion: evaluated 0 times", "");
    else
        put_skipped(out, "not judged: ", why);
}

void assay_junit_print(FILE *out, const struct assay_output_run *run)
{
    struct counts counts = {0}, again = {0};
    char start[32], host[256] = "localhost";
    double seconds = (double)(run->end_ns - run->start_ns) / 1e9;
    assay_output_time(start, sizeof start, run->start_ns, true);
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        snprintf(host, sizeof host, "localhost");
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        property(NULL, run, p, &counts);
    doubts(NULL, run, ASSAY_PROPERTY_NONE, &counts);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    fprintf(out,
            "<testsuites name=\"assay %s\" tests=\"%u\" failures=\"%u\" errors=\"%u\" "
            "time=\"%.3f\">\n",
            run->command, counts.cases, counts.failures, counts.errors, seconds);
    fprintf(out, "  <testsuite id=\"0\" package=\"assay\" name=\"assay.%s\"", run->command);
    fprintf(out, " timestamp=\"%s\"", start);
    put_attribute(out, "hostname", utf8(host));
    fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\">\n",
            counts.cases, counts.failures, counts.errors, counts.skipped, seconds);
    fputs("    <properties>\n      <property name=\"subject\"", out);
    put_attribute(out, "value", utf8(run->subject));
    fputs("/>\n", out);
    fprintf(out, "      <property name=\"version\" value=\"%s\"/>\n", ASSAY_VERSION);
    fprintf(out, "      <property name=\"exit_code\" value=\"%d\"/>\n    </properties>\n",
            run->exit_code);
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++)
        property(out, run, p, &again);
    doubts(out, run, ASSAY_PROPERTY_NONE, &again);
    fputs("    <system-out></system-out>\n    <system-err></system-err>\n", out);
    fputs("  </testsuite>\n</testsuites>\n", out);
}
