/* Probe sites: by hand-assembled code, and in the C library of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <gnu/libc-version.h>
#include <cmocka.h>

#include "traces/capture/probe_site.h"

struct sample {
    const char *what;
    const char *code;
    size_t n;
    enum assay_site_kind kind;
    unsigned after;
};
#define CODE(bytes) bytes, sizeof(bytes) - 1

static const struct sample samples[] = {
    {"push rbp", CODE("\x55\x48\x89\xe5"), ASSAY_SITE_PUSH, 0},
    {"push r12", CODE("\x41\x54\x55"), ASSAY_SITE_PUSH, 0},
    {"nop5", CODE("\x0f\x1f\x44\x00\x00\x55"), ASSAY_SITE_NOP5, 0},
    {"nop", CODE("\x90\x55"), ASSAY_SITE_NOP, 0},
    {"nop4", CODE("\x0f\x1f\x40\x00\x55"), ASSAY_SITE_NOP, 0},
    {"nop with another register is stepped; then push", CODE("\x0f\x1f\x41\x00\x55"),
     ASSAY_SITE_PUSH, 4},
    {"endbr64 is stepped; then push", CODE("\xf3\x0f\x1e\xfa\x55\xc3"), ASSAY_SITE_PUSH, 4},
    {"endbr64; then nop5", CODE("\xf3\x0f\x1e\xfa\x0f\x1f\x44\x00\x00"), ASSAY_SITE_NOP5, 4},
    {"jmp rel32", CODE("\xe9\x10\x00\x00\x00"), ASSAY_SITE_BRANCH, 0},
    {"jmp rel8", CODE("\xeb\x10"), ASSAY_SITE_BRANCH, 0},
    {"call rel32", CODE("\xe8\x10\x00\x00\x00"), ASSAY_SITE_BRANCH, 0},
    {"test rdi, rdi; je rel8: glibc's free", CODE("\x48\x85\xff\x74\x10\x55"), ASSAY_SITE_BRANCH,
     3},
    {"test rdi, rdi; je rel32", CODE("\x48\x85\xff\x0f\x84\xbf\x00\x00\x00"), ASSAY_SITE_BRANCH, 3},
    {"mov rax, rdi; push: rdi still stands", CODE("\x48\x89\xf8\x55"), ASSAY_SITE_PUSH, 3},
    {"mov rdi, rsi ends the walk", CODE("\x48\x89\xf7\x55"), ASSAY_SITE_STEPPED, 0},
    {"xor esi, esi ends the walk", CODE("\x31\xf6\x55"), ASSAY_SITE_STEPPED, 0},
    {"mul rdi writes rdx", CODE("\x48\xf7\xe7\x55"), ASSAY_SITE_STEPPED, 0},
    {"sub rsp ends the walk", CODE("\x48\x83\xec\x18\x55"), ASSAY_SITE_STEPPED, 0},
    {"pop ends the walk", CODE("\x58\x55"), ASSAY_SITE_STEPPED, 0},
    {"ret ends the walk", CODE("\xc3\x55"), ASSAY_SITE_STEPPED, 0},
    {"indirect jmp ends the walk", CODE("\xff\xe0\x55"), ASSAY_SITE_STEPPED, 0},
    {"syscall ends the walk", CODE("\x0f\x05\x55"), ASSAY_SITE_STEPPED, 0},
    {"rep movsb writes rsi and rdi", CODE("\xf3\xa4\x55"), ASSAY_SITE_STEPPED, 0},
    {"a loop back to the site: it is not one", CODE("\x48\x85\xff\x74\x10\x90\xeb\xfb"),
     ASSAY_SITE_STEPPED, 0},
    {"not code", CODE("\x06\x06"), ASSAY_SITE_STEPPED, 0},
    {"nothing", CODE(""), ASSAY_SITE_STEPPED, 0},
};

static void sites_in_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        struct assay_probe_site site;
        assay_probe_site_in_code((const uint8_t *)s->code, s->n, 0x1000, &site);
        if (site.kind != s->kind || site.after != s->after)
            fail_msg("%s: %s at +%u", s->what, assay_site_kind_name(site.kind), site.after);
        assert_int_equal(site.address, 0x1000 + s->after);
        assert_true(site.kind == ASSAY_SITE_STEPPED ? site.cost_ns > 5000 : site.cost_ns < 1000);
    }
}

static const char *libc_path(void)
{
    static char path[512];
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        char *name = strchr(line, '/');
        if (name && strstr(name, "/libc.so.6")) {
            snprintf(path, sizeof path, "%.*s", (int)strcspn(name, "\n"), name);
            break;
        }
    }
    fclose(maps);
    return path;
}

static void sites_in_glibc(void **state)
{
    static const struct {
        const char *name;
        enum assay_site_kind kind;
        unsigned after;
    } expected[] = {
        {"malloc", ASSAY_SITE_PUSH, 0},         {"calloc", ASSAY_SITE_PUSH, 0},
        {"realloc", ASSAY_SITE_PUSH, 0},        {"free", ASSAY_SITE_BRANCH, 3},
        {"memalign", ASSAY_SITE_BRANCH, 7},     {"aligned_alloc", ASSAY_SITE_BRANCH, 7},
        {"posix_memalign", ASSAY_SITE_PUSH, 7},
    };
    struct assay_probe_file *file;
    struct assay_error err;
    (void)state;
    if (assay_probe_file_open(libc_path(), &file, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(strlen(assay_probe_file_build_id(file)) == 40);
    bool known = strcmp(gnu_get_libc_version(), "2.36") == 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct assay_probe_site site;
        if (assay_probe_site_find(file, expected[i].name, &site, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(site.address, site.function + site.after);
        if (known) {
            assert_int_equal(site.kind, expected[i].kind);
            assert_int_equal(site.after, expected[i].after);
        }
    }
    assay_probe_file_close(file);
}

static void failures_have_a_line(void **state)
{
    struct assay_probe_file *file;
    struct assay_probe_site site;
    struct assay_error err;
    (void)state;
    assert_int_equal(assay_probe_file_open("/nonexistent", &file, &err), ASSAY_E_NOT_FOUND);
    assert_int_equal(assay_probe_file_open("/proc/self/maps", &file, &err), ASSAY_E_FORMAT);
    assert_int_equal(assay_probe_file_open(libc_path(), &file, &err), 0);
    assert_int_equal(assay_probe_site_find(file, "no_such_function", &site, &err),
                     ASSAY_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "no_such_function"));
    assert_false(assay_probe_file_defines(file, "no_such_function"));
    assert_true(assay_probe_file_defines(file, "malloc"));
    assay_probe_file_close(file);
}

static void own_executable(void **state)
{
    struct assay_probe_file *file;
    (void)state;
    assert_int_equal(assay_probe_file_open("/proc/self/exe", &file, NULL), 0);
    assert_non_null(assay_probe_file_interpreter(file));
    bool needs_libc = false;
    for (size_t i = 0; assay_probe_file_needed(file, i); i++)
        needs_libc |= strcmp(assay_probe_file_needed(file, i), "libc.so.6") == 0;
    assert_true(needs_libc);
    assay_probe_file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_in_code),
        cmocka_unit_test(sites_in_glibc),
        cmocka_unit_test(failures_have_a_line),
        cmocka_unit_test(own_executable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
