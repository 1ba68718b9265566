/* Classes of crashes from what a handler captured, and the name that a fingerprint takes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/crash_site.h"
#include "oracles/finding.h"
#include "tests/unit/oracles/stream.h"

static struct assay_crash_capture capture;

static const struct assay_crash_site *site_of(int signal)
{
    static struct assay_crash_site site;
    const struct assay_crash_end end = {
        .capture = &capture, .signal = signal, .subject = "", .said = "it's over\x1b[31m\nmore"};
    assay_crash_site_find(&end, NULL, &site);
    assert_string_equal(site.said, "it's over?[31m");
    return &site;
}

static void expect(int signal, enum assay_crash_class expected)
{
    assert_string_equal(assay_crash_class_name(site_of(signal)->crash_class),
                        assay_crash_class_name(expected));
}

static void fault(uint64_t address, enum assay_capture_access access, const char *rights)
{
    memset(&capture, 0, sizeof capture);
    capture.fault = address;
    capture.fault_known = 1;
    capture.code = SEGV_MAPERR;
    capture.access = (uint8_t)access;
    capture.mapped = rights != NULL;
    memcpy(capture.rights, rights ? rights : "----", 4);
    capture.registers[ASSAY_REGISTER_SP] = 0x7ffe00000000;
    capture.registers[ASSAY_REGISTER_PC] = 0x401000;
}

static void classes(void **state)
{
    (void)state;
    fault(0x10, ASSAY_ACCESS_READ, NULL);
    expect(SIGSEGV, ASSAY_CRASH_READ_NEAR_NULL);
    fault(0x10, ASSAY_ACCESS_WRITE, NULL);
    expect(SIGSEGV, ASSAY_CRASH_WRITE_NEAR_NULL);
    fault(0x10, ASSAY_ACCESS_EXECUTE, NULL);
    expect(SIGSEGV, ASSAY_CRASH_JUMP_NEAR_NULL);
    fault(0x5000000, ASSAY_ACCESS_READ, NULL);
    expect(SIGSEGV, ASSAY_CRASH_READ_WILD);
    fault(0x5000000, ASSAY_ACCESS_WRITE, NULL);
    expect(SIGSEGV, ASSAY_CRASH_WRITE_WILD);
    fault(0x5000000, ASSAY_ACCESS_WRITE, "r--p");
    expect(SIGSEGV, ASSAY_CRASH_WRITE_PROTECTED);
    fault(0x5000000, ASSAY_ACCESS_READ, "---p");
    expect(SIGSEGV, ASSAY_CRASH_READ_PROTECTED);
    fault(0x5000000, ASSAY_ACCESS_EXECUTE, "rw-p");
    expect(SIGSEGV, ASSAY_CRASH_JUMP_WILD);
    fault(0x401000, ASSAY_ACCESS_UNKNOWN, NULL);
    expect(SIGSEGV, ASSAY_CRASH_JUMP_WILD);
    fault(0x7ffe00000000 - 8, ASSAY_ACCESS_WRITE, NULL);
    expect(SIGSEGV, ASSAY_CRASH_STACK_OVERFLOW);
    fault(0, ASSAY_ACCESS_UNKNOWN, NULL);
    capture.fault_known = 0;
    expect(SIGSEGV, ASSAY_CRASH_READ_NONCANONICAL);
    capture.code = SI_TKILL;
    expect(SIGSEGV, ASSAY_CRASH_SENT);
    capture.code = BUS_ADRERR;
    expect(SIGABRT, ASSAY_CRASH_ABORT);
    expect(SIGTRAP, ASSAY_CRASH_TRAP);
    expect(SIGFPE, ASSAY_CRASH_ARITHMETIC);
    expect(SIGBUS, ASSAY_CRASH_BUS);
    expect(SIGSYS, ASSAY_CRASH_SYSTEM_CALL);
    expect(SIGILL, ASSAY_CRASH_BAD_INSTRUCTION);
    expect(SIGUSR1, ASSAY_CRASH_UNEXPLAINED);
}

static void without_a_capture(void **state)
{
    struct assay_crash_site site;
    struct assay_crash_end end = {.signal = SIGKILL, .subject = ""};
    (void)state;
    assay_crash_site_find(&end, NULL, &site);
    assert_int_equal(site.crash_class, ASSAY_CRASH_UNEXPLAINED);
    assert_int_equal(site.frame_count, 0);
    end.exited = true;
    assay_crash_site_find(&end, NULL, &site);
    assert_int_equal(site.crash_class, ASSAY_CRASH_EXIT);
    json_t *json = assay_crash_site_json(&site);
    assert_string_equal(json_string_value(json_object_get(json, "class")), "exit");
    json_decref(json);
}

/* Ends a process of 2,048 objects in a malloc. */
static void judged(struct stream *s, const struct assay_crash_end *end, bool hung)
{
    enum { LIVE = 2048 };
    stream_close(s);
    stream_open(s, STREAM_HAS_ALL, NULL);
    for (uint32_t i = 1; i <= LIVE; i++)
        stream_malloc(s, i, 20, 0x10000000 + UINT64_C(4096) * i);
    s->op = (struct assay_event){.kind = ASSAY_OP_MALLOC, .born = LIVE + 1, .size = 20};
    assay_judge_before(s->judge, &s->op);
    assay_crash_judge(end, hung, s->judge);
}

static void the_end_is_judged(void **state)
{
    struct stream s;
    struct assay_crash_end end = {.capture = &capture, .signal = SIGABRT, .subject = ""};
    (void)state;
    stream_open(&s, STREAM_HAS_ALL, NULL);
    memset(&capture, 0, sizeof capture);
    capture.mappings = 1000;
    judged(&s, &end, false);
    ASSERT_ONLY(&s, C26, ABORT);
    capture.mappings = UINT32_MAX - 1000; /* more than any system grants */
    judged(&s, &end, false);
    ASSERT_NONE(&s);
    end.signal = SIGSEGV;
    judged(&s, &end, false);
    ASSERT_ONLY(&s, C26, CRASH);
    judged(&s, &end, true);
    ASSERT_ONLY(&s, C26, HANG);
    end = (struct assay_crash_end){.exited = true, .subject = ""};
    judged(&s, &end, false);
    ASSERT_ONLY(&s, C26, ABORT);
    stream_close(&s);
}

/* The runner's memory is the subject's: any bytes must do. */
static void any_bytes(void **state)
{
    unsigned char *bytes = (unsigned char *)&capture;
    (void)state;
    srandom(1);
    for (int i = 0; i < 200; i++) {
        for (size_t b = 0; b < sizeof capture; b++)
            bytes[b] = i % 4 == 0 ? 0xff : (unsigned char)random();
        if (i % 4 == 1)
            capture.maps_bytes = (uint32_t)snprintf(
                capture.maps, sizeof capture.maps,
                "400000-fffffffffffff000 r-xp 00000000 08:01 1 /proc/self/exe\n");
        const struct assay_crash_site *site = site_of(i % 2 ? SIGSEGV : SIGBUS);
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        assay_crash_site_text(out, site);
        assert_int_equal(fclose(out), 0);
        for (const char *at = text; *at; at++)
            assert_true((*at >= ' ' && *at <= '~') || *at == '\n' || *at == '\t');
        free(text);
        json_t *json = assay_crash_site_json(site);
        assert_non_null(json);
        json_decref(json);
    }
}

static void the_function_is_part_of_a_crash_alone(void **state)
{
    struct assay_crash_site site = {.crash_class = ASSAY_CRASH_READ_WILD};
    struct assay_violation v = {.property = ASSAY_PROPERTY_C26,
                                .kind = ASSAY_OP_FREE,
                                .relation = ASSAY_RELATION_CRASH,
                                .size_band = 5};
    char plain[ASSAY_FINGERPRINT_BYTES], named[ASSAY_FINGERPRINT_BYTES],
        other[ASSAY_FINGERPRINT_BYTES];
    (void)state;
    assay_finding_fingerprint(&v, plain);
    snprintf(site.function, sizeof site.function, "heap_free");
    assay_crash_site_name(&site, &v);
    assay_finding_fingerprint(&v, named);
    assert_string_not_equal(plain, named);
    assert_string_equal(named, "0256c58e0de03870"); /* stable over builds and releases */
    site.crash_class = ASSAY_CRASH_WRITE_WILD;      /* the class is evidence */
    assay_crash_site_name(&site, &v);
    assay_finding_fingerprint(&v, other);
    assert_string_equal(named, other);
    snprintf(site.function, sizeof site.function, "heap_trim");
    assay_crash_site_name(&site, &v);
    assay_finding_fingerprint(&v, other);
    assert_string_not_equal(named, other);
    site.function[0] = '\0'; /* no symbols */
    assay_crash_site_name(&site, &v);
    assay_finding_fingerprint(&v, other);
    assert_string_equal(plain, other);
    v.relation = ASSAY_RELATION_HANG;
    snprintf(site.function, sizeof site.function, "heap_free");
    assay_crash_site_name(&site, &v);
    assert_string_equal(v.function, "");
    assert_int_equal(v.crash_class, ASSAY_CRASH_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(without_a_capture),
        cmocka_unit_test(the_end_is_judged),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(the_function_is_part_of_a_crash_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
