/* Names: what compilers append goes, and a captured crash of this very program is told by function
 * and line, also when everything in the capture is rubbish. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/core/symbolize.h"
#include "traces/runner/crash.h"

static void plain_names(void **state)
{
    static const struct {
        const char *symbol, *plain;
    } cases[] = {
        {"heap_free", "heap_free"},
        {"heap_free.isra.0", "heap_free"},
        {"heap_free.constprop.0.cold", "heap_free"},
        {"free.part.3", "free"},
        {"malloc@@GLIBC_2.2.5", "malloc"},
        {"_ZN4heap4free17h0123456789abcdefE", "_ZN4heap4free"},
        {"_ZN4heap4freeEPv", "_ZN4heap4freeEPv"},
        {"main.run", "main.run"},
        {".cold", ".cold"},
        {"odd\n\x1bname", "odd??name"},
    };
    char name[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assay_symbol_plain(cases[i].symbol, name, sizeof name);
        assert_string_equal(name, cases[i].plain);
    }
    assay_symbol_plain("abcdefghij", name, 4);
    assert_string_equal(name, "abc");
}

static __attribute__((noinline)) void inner(volatile int *where)
{
    *where = 1;
    __asm__ volatile("" ::: "memory"); /* no tail call, no merging */
}

static __attribute__((noinline)) void outer(volatile int *where)
{
    inner(where);
    __asm__ volatile("" ::: "memory");
}

static volatile uintptr_t nowhere = 64; /* a compiler would object to the number itself */

/* What a child captured that wrote to address 64. */
static __attribute__((noinline)) struct assay_crash_record *crash(void)
{
    struct assay_crash_record *record =
        mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(record, MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        struct assay_error err;
        if (assay_crash_install(record, &err) == 0)
            outer((volatile int *)nowhere);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), ASSAY_CRASH_EXIT_CODE);
    assert_true(atomic_load(&record->capture.whole));
    return record;
}

static struct assay_symbolize input(const struct assay_crash_capture *capture)
{
    return (struct assay_symbolize){.maps = capture->maps,
                                    .maps_bytes = capture->maps_bytes,
                                    .registers = capture->registers,
                                    .register_count = ASSAY_REGISTERS,
                                    .sp = ASSAY_REGISTER_SP,
                                    .stack = capture->stack,
                                    .stack_bytes = capture->stack_bytes,
                                    .subject = "/proc/self/exe"};
}

static void a_crash_of_this_program(void **state)
{
    struct assay_frame frames[8];
    struct assay_code code;
    struct assay_crash_record *record = crash();
    const struct assay_crash_capture *capture = &record->capture;
    (void)state;
    assert_int_equal(capture->signal, SIGSEGV);
    assert_true(capture->fault_known);
    assert_int_equal(capture->fault, 64);
    assert_false(capture->mapped);
#if defined(__x86_64__)
    assert_int_equal(capture->access, ASSAY_ACCESS_WRITE);
#endif
    struct assay_symbolize in = input(capture);
    unsigned n = assay_symbolize_stack(&in, frames, 8, &code);
    assert_true(n >= 3);
    assert_string_equal(frames[0].symbol, "inner");
    assert_string_equal(frames[1].symbol, "outer");
    assert_string_equal(frames[2].symbol, "crash");
    assert_true(frames[0].subject && !frames[0].c_library);
    assert_non_null(strstr(frames[0].source, "symbolize_test.c"));
    assert_true(frames[0].line > 0);
    assert_true(strlen(frames[0].build_id) >= 16);
    assert_non_null(code.bytes);
    assert_int_equal(code.at, frames[0].symbol_offset);
    free(code.bytes);
    /* one frame is one frame, and no stack is only the pc's */
    assert_int_equal(assay_symbolize_stack(&in, frames, 1, NULL), 1);
    in.stack_bytes = 0;
    assert_true(assay_symbolize_stack(&in, frames, 8, NULL) >= 1);
    assert_string_equal(frames[0].symbol, "inner");
    munmap(record, sizeof *record);
}

/* The maps are what a subject may have written: nothing is opened that is no file. */
static void rubbish(void **state)
{
    static char fifo[] = "/tmp/assay-symbolize-XXXXXX", maps[512];
    struct assay_frame frames[4];
    struct assay_code code;
    uint64_t registers[ASSAY_REGISTERS];
    (void)state;
    assert_non_null(mkdtemp(fifo));
    char path[64];
    snprintf(path, sizeof path, "%s/fifo", fifo);
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int i = 0; i < ASSAY_REGISTERS; i++)
        registers[i] = 0x400100;
    const char *const names[] = {path, "/dev/zero", "/etc/passwd", "/nosuch", "relative"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int length =
            snprintf(maps, sizeof maps, "400000-500000 r-xp 00000000 08:01 1 %s\n", names[i]);
        struct assay_symbolize in = {.maps = maps,
                                     .maps_bytes = (size_t)length,
                                     .registers = registers,
                                     .register_count = ASSAY_REGISTERS,
                                     .sp = ASSAY_REGISTER_SP,
                                     .subject = ""};
        unsigned n = assay_symbolize_stack(&in, frames, 4, &code);
        assert_true(n <= 4);
        for (unsigned f = 0; f < n; f++)
            assert_string_equal(frames[f].symbol, "");
        assert_null(code.bytes);
        memset(maps, 'x', sizeof maps); /* and no maps at all */
        in.maps_bytes = sizeof maps;
        assert_true(assay_symbolize_stack(&in, frames, 4, NULL) <= 4);
    }
    unlink(path);
    rmdir(fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names),
        cmocka_unit_test(a_crash_of_this_program),
        cmocka_unit_test(rubbish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
