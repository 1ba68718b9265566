/* SARIF and JUnit of a run with one finding of each sort and strings that want to break out.
 * tests/e2e/outputs.sh holds whole files against the formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/output/output.h"

static struct assay_output_run run;
static char *arguments[] = {"assay fuzz", "--subject", "a \"b\" <c> \xff"};

static json_t *finding(const char *property, const char *fingerprint)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "property", property, "op",
        "free", "fingerprint", fingerprint, "subject", "<&>\"\x01", "severity", "corruption",
        "statement", "it & they", "relation", "crash", "size_class", "small", "call",
        "free(object 1)", "op_index", (json_int_t)3, "reproduce", "assay reproduce x");
    assert_non_null(object);
    return object;
}

static int start(void **state)
{
    (void)state;
    assay_output_begin(&run, "fuzz", 3, arguments);
    run.subject = "sub\xffject";
    run.exit_code = 1;
    run.missing_apis = UINT64_C(1) << ASSAY_OP_GOOD_SIZE;
    run.why[ASSAY_PROPERTY_C31] = "no directed program came to it";
    for (unsigned p = 1; p < ASSAY_PROPERTY_COUNT; p++) {
        run.judged[p] = p != ASSAY_PROPERTY_C28 && p != ASSAY_PROPERTY_C25 &&
                        p != ASSAY_PROPERTY_C36 && p != ASSAY_PROPERTY_C31 &&
                        p != ASSAY_PROPERTY_C34 &&
                        assay_property_info(p)->severity != ASSAY_SEVERITY_PROGRAM &&
                        !(assay_property_info(p)->needs & ASSAY_HAS_THREAD);
        run.evaluations[p] = p == ASSAY_PROPERTY_C20 ? 0 : 10;
    }
    json_t *crash = finding("C26", "00000000000000aa");
    json_object_set_new(crash, "crash_class", json_string("write-wild"));
    json_object_set_new(crash, "function", json_string("heap_free"));
    json_object_set_new(crash, "crash",
                        json_pack("{s:s, s:i, s:[{s:s, s:s}, {s:s, s:s, s:s, s:i}]}", "words",
                                  "it wrote", "frame", 1, "frames", "module", "libc.so.6",
                                  "function", "memcpy", "module", "lib.so", "function", "heap_free",
                                  "source", "/src/a b/heap.c", "line", 17));
    assay_output_add(&run, crash, "/tmp/out/reproducer.c");
    assay_output_add(&run, finding("C05", "00000000000000bb"), "reproducer.c");
    json_t *known = finding("C05", "00000000000000cc");
    json_object_set_new(known, "suppressed", json_string("<known> & wanted"));
    assay_output_add(&run, known, NULL);
    assay_output_doubt(&run, ASSAY_PROPERTY_C02, "suspected: program 7: C02 <malloc>\x01");
    assay_output_doubt(&run, ASSAY_PROPERTY_C02, "suspected: program 7: C02 <malloc>\x01");
    assay_output_doubt(&run, ASSAY_PROPERTY_C05, "suspected: program 9: C05 free");
    assay_output_doubt(&run, ASSAY_PROPERTY_NONE, "an \xff engine");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assay_output_free(&run);
    return 0;
}

static const char *at(const json_t *from, const char *path)
{
    static char text[300];
    char copy[200], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok_r(copy, ".", &rest); key; key = strtok_r(NULL, ".", &rest))
        from = key[0] >= '0' && key[0] <= '9' ? json_array_get(from, strtoul(key, NULL, 10))
                                              : json_object_get(from, key);
    if (json_is_integer(from))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(from));
    else
        snprintf(text, sizeof text, "%s", json_is_string(from) ? json_string_value(from) : "-");
    return text;
}

static void sarif(void **state)
{
    (void)state;
    json_t *log = assay_sarif_make(&run);
    const json_t *one = json_array_get(json_object_get(log, "runs"), 0);
    assert_string_equal(at(log, "version"), "2.1.0");
    assert_string_equal(at(one, "tool.driver.version"), ASSAY_VERSION);
    assert_string_equal(at(one, "invocations.0.exitCode"), "1");
    assert_string_equal(at(one, "properties.not_judged.0"), "C25");
    assert_string_equal(at(one, "invocations.0.toolExecutionNotifications.1.message.text"),
                        "C25 was not judged: the subject has no malloc_good_size");
    /* the subject's line where it is known, else what shows it */
    assert_string_equal(at(one, "results.0.locations.0.physicalLocation.artifactLocation.uri"),
                        "file:///src/a%20b/heap.c");
    assert_string_equal(at(one, "results.0.locations.0.physicalLocation.region.startLine"), "17");
    assert_string_equal(
        at(one, "results.0.relatedLocations.0.physicalLocation.artifactLocation.uri"),
        "file:///tmp/out/reproducer.c");
    assert_string_equal(at(one, "results.0.stacks.0.frames.0.module"), "libc.so.6");
    assert_string_equal(at(one, "results.1.locations.0.physicalLocation.artifactLocation.uri"),
                        "reproducer.c");
    assert_string_equal(at(one, "results.1.partialFingerprints.assay/v1"), "00000000000000bb");
    assert_string_equal(at(one, "results.2.suppressions.0.justification"), "<known> & wanted");
    const json_t *told = json_object_get(json_array_get(json_object_get(one, "invocations"), 0),
                                         "toolExecutionNotifications");
    size_t last = json_array_size(told) - 1;
    for (size_t i = 0; i <= last; i++)
        assert_string_equal(at(json_array_get(told, i), "level"),
                            i + 4 > last ? "warning" : "note");
    assert_string_equal(at(json_array_get(told, last - 1), "message.text"),
                        "suspected: program 9: C05 free");
    assert_string_equal(at(json_array_get(told, last - 1), "associatedRule.id"), "C05");
    assert_string_equal(at(json_array_get(told, last), "associatedRule.id"), "-");
    /* every result's rule stands where it says */
    const json_t *results = json_object_get(one, "results");
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        const json_t *rule = json_array_get(
            json_object_get(json_object_get(json_object_get(one, "tool"), "driver"), "rules"),
            (size_t)json_integer_value(json_object_get(result, "ruleIndex")));
        assert_string_equal(json_string_value(json_object_get(rule, "id")),
                            json_string_value(json_object_get(result, "ruleId")));
        assert_true(strlen(at(rule, "help.text")) > 20);
    }
    json_decref(log);
}

static unsigned occurrences(const char *text, const char *word)
{
    unsigned n = 0;
    while ((text = strstr(text, word))) {
        n++;
        text++;
    }
    return n;
}

static void junit(void **state)
{
    char *text = NULL, count[64];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    run.end_ns = run.start_ns + 1500000000u;
    assay_junit_print(out, &run);
    assert_int_equal(fclose(out), 0);
    snprintf(count, sizeof count, "tests=\"%u\" failures=\"2\" errors=\"4\"",
             occurrences(text, "<testcase"));
    assert_int_equal(occurrences(text, count), 2);
    assert_int_equal(occurrences(text, "<failure"), 2);
    assert_int_equal(occurrences(text, "<error"), 4);
    assert_int_equal(occurrences(text, "testcase name=\"C02 "), 2); /* none that held beside them */
    assert_int_equal(occurrences(text, "testcase name=\"C05 "), 3);
    assert_int_equal(occurrences(text, "testcase name=\"[suspicion 4]\""), 1);
    assert_int_equal(occurrences(text, "program 7: C02 &lt;malloc&gt;?\" type=\"suspected\""), 2);
    assert_non_null(strstr(text, "suppressed: &lt;known&gt; &amp; wanted"));
    assert_non_null(strstr(text, "evaluated 0 times"));
    /* each with its own reason: no such function, no such fact, no promise, no such program */
    assert_non_null(strstr(text, "not judged: the subject has no malloc_good_size\""));
    assert_non_null(strstr(text, "not judged: it needs thread\""));
    assert_non_null(strstr(text, "not judged: the profile does not promise it\""));
    assert_non_null(strstr(text, "not judged: no directed program came to it\""));
    assert_non_null(strstr(text, "not judged: no call of this run is about it\""));
    assert_non_null(strstr(text, "not judged: it is about the program that made the calls"));
    assert_non_null(strstr(text, "subject: &lt;&amp;&gt;&quot;?"));
    assert_non_null(strstr(text, "#1 heap_free /src/a b/heap.c:17"));
    assert_non_null(strstr(text, "time=\"1.500\""));
    assert_null(strchr(text, 0x01));
    assert_null(strchr(text, '\xff'));
    free(text);
}

static void crashes_by_class(void **state)
{
    (void)state;
    json_t *clusters = assay_output_clusters(&run);
    assert_int_equal(json_object_size(clusters), 1);
    assert_string_equal(at(clusters, "write-wild.0"), "00000000000000aa");
    json_decref(clusters);
}

static void files_are_whole_or_not_there(void **state)
{
    struct assay_output_options options = {.sarif = "/nosuch/folder/x.sarif"};
    struct assay_error err;
    char path[] = "/tmp/assay-output-XXXXXX";
    (void)state;
    assert_int_equal(assay_output_write(&options, &run, &err), ASSAY_E_NOT_FOUND);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    options = (struct assay_output_options){.junit = path};
    assert_int_equal(assay_output_write(&options, &run, &err), 0);
    FILE *in = fopen(path, "r");
    char line[64];
    assert_non_null(fgets(line, sizeof line, in));
    assert_string_equal(line, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    fclose(in);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sarif),
        cmocka_unit_test(junit),
        cmocka_unit_test(crashes_by_class),
        cmocka_unit_test(files_are_whole_or_not_there),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
