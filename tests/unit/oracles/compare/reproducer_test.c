/* A reproducer compiles without a warning with every compiler that is here, at -O0 and -O2, for
 * every property and relation, and finds nothing to show on the C library's own allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "oracles/compare/reproducer.h"

static char folder[] = "/tmp/assay-reproducer-XXXXXX";

/* Every op kind that a program may have; legal and quiet on any allocator. */
static const struct assay_event program[] = {
    {.kind = ASSAY_OP_MALLOC, .born = 1, .size = 100},
    {.kind = ASSAY_OP_CALLOC, .born = 2, .size = 10, .arg = 30},
    {.kind = ASSAY_OP_REALLOC, .object = 1, .born = 3, .size = 5000},
    {.kind = ASSAY_OP_REALLOC, .place = ASSAY_PLACE_NULL, .born = 4, .size = 24},
    {.kind = ASSAY_OP_REALLOCARRAY, .object = 3, .born = 5, .size = 7, .arg = 9},
    {.kind = ASSAY_OP_REALLOCARRAY, .object = 5, .born = 6, .size = UINT64_MAX / 2, .arg = 9},
    {.kind = ASSAY_OP_ALIGNED_ALLOC, .born = 7, .size = 256, .arg = 64},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .born = 8, .size = 100, .arg = 4096},
    {.kind = ASSAY_OP_POSIX_MEMALIGN, .born = 9, .size = 100, .arg = 3},
    {.kind = ASSAY_OP_MEMALIGN, .born = 10, .size = 33, .arg = 32},
    {.kind = ASSAY_OP_VALLOC, .born = 11, .size = 33},
    {.kind = ASSAY_OP_PVALLOC, .born = 12, .size = 33},
    {.kind = ASSAY_OP_MALLOC, .born = 13, .size = UINT64_MAX - 10},
    {.kind = ASSAY_OP_MALLOC, .born = 14, .size = INT64_MAX - 100},
    {.kind = ASSAY_OP_MALLOC, .born = 15, .size = (uint64_t)INT64_MAX + 100},
    {.kind = ASSAY_OP_REALLOC, .object = 4, .born = 16, .size = UINT64_MAX},
    {.kind = ASSAY_OP_USABLE_SIZE, .object = 4},
    {.kind = ASSAY_OP_USABLE_SIZE, .place = ASSAY_PLACE_NULL},
    {.kind = ASSAY_OP_TRIM},
    {.kind = ASSAY_OP_WRITE, .object = 5, .arg = 3, .size = 20},
    {.kind = ASSAY_OP_READ, .object = 5, .arg = 3, .size = 20},
    {.kind = ASSAY_OP_CHECK, .object = 5},
    {.kind = ASSAY_OP_CHECK},
    {.kind = ASSAY_OP_MALLOC, .born = 17, .size = 0},
    {.kind = ASSAY_OP_FREE, .place = ASSAY_PLACE_NULL},
    {.kind = ASSAY_OP_FREE, .object = 2},
    {.kind = ASSAY_OP_FREE, .object = 17},
};

static bool have(const char *compiler)
{
    char command[200];
    snprintf(command, sizeof command, "command -v %s >/dev/null", compiler);
    return system(command) == 0;
}

static bool races; /* threads run side by side */
static bool slack; /* as where the profile lets usable bytes be written */

static void write_one(const struct assay_violation *violation, const struct assay_event *ops,
                      size_t count)
{
    char path[200];
    snprintf(path, sizeof path, "%s/reproducer.c", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assay_reproducer_write(out, &(struct assay_reproducer){.violation = violation,
                                                           .ops = ops,
                                                           .count = count,
                                                           .subject = "glibc */ \n oops",
                                                           .library = "",
                                                           .fingerprint = "x",
                                                           .races = races,
                                                           .ask_usable = slack,
                                                           .usable_writable = slack});
    assert_int_equal(fclose(out), 0);
}

static int compile_and_run(const char *compiler, const char *level)
{
    char command[500];
    snprintf(command, sizeof command,
             "cd %s && %s %s -Wall -Wextra -Wno-unused-parameter -Werror reproducer.c -o "
             "reproducer && ./reproducer "
             "2>&1",
             folder, compiler, level);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static void every_property_compiles_and_is_quiet(void **state)
{
    static const char *const compilers[] = {"gcc", "clang"};
    static const uint8_t relations[] = {
        ASSAY_RELATION_NULL,  ASSAY_RELATION_WRONG_ERRNO, ASSAY_RELATION_CONTENT_UNKNOWN,
        ASSAY_RELATION_CRASH, ASSAY_RELATION_HANG,        ASSAY_RELATION_OTHER,
        ASSAY_RELATION_REPORT};
    unsigned turn = 0;
    (void)state;
    for (unsigned property = 1; property < ASSAY_PROPERTY_COUNT; property++) {
        const char *id = assay_property_info(property)->id;
        for (unsigned i = 0; i < sizeof relations / sizeof *relations; i++) {
            struct assay_violation violation = {.property = (uint16_t)property,
                                                .kind = ASSAY_OP_MALLOC,
                                                .relation = relations[i],
                                                .expected = 16,
                                                .event = program[0]};
            bool died = relations[i] == ASSAY_RELATION_CRASH ||
                        relations[i] == ASSAY_RELATION_HANG ||
                        relations[i] == ASSAY_RELATION_REPORT;
            bool own = property == ASSAY_PROPERTY_C26 || property == ASSAY_PROPERTY_S01;
            if (died != own || (!own && (property + i) % 2))
                continue; /* every other one: a compilation costs more than it tells */
            /* glibc is free to answer size 0 in its own way */
            if (property == ASSAY_PROPERTY_C15 && relations[i] != ASSAY_RELATION_OTHER)
                continue;
            write_one(&violation, program, sizeof program / sizeof program[0]);
            const char *compiler = compilers[turn % 2], *level = turn / 2 % 2 ? "-O2" : "-O0";
            turn++;
            if (!have(compiler))
                continue;
            int code = compile_and_run(compiler, level);
            if (code != 0)
                fail_msg("%s, %s, %s %s: exit %d; see %s", id, assay_relation_name(relations[i]),
                         compiler, level, code, folder);
        }
    }
}

/* glibc keeps quiet about a double free of an aligned object only in some states; a plain one it
 * detects: the reproducer says so by 0. And a legal program that aborts exits 1. */
static void verdicts_follow_the_program(void **state)
{
    const struct assay_event twice[] = {
        {.kind = ASSAY_OP_MALLOC, .born = 1, .size = 64},
        {.kind = ASSAY_OP_FREE, .object = 1},
        {.kind = ASSAY_OP_FREE, .object = 1, .flags = ASSAY_FLAG_MISUSE},
    };
    const struct assay_violation undetected = {.property = ASSAY_PROPERTY_S01,
                                               .kind = ASSAY_OP_FREE,
                                               .relation = ASSAY_RELATION_UNDETECTED};
    const struct assay_violation crash = {
        .property = ASSAY_PROPERTY_C26, .kind = ASSAY_OP_FREE, .relation = ASSAY_RELATION_ABORT};
    const struct assay_violation alignment = {.property = ASSAY_PROPERTY_C02,
                                              .kind = ASSAY_OP_MALLOC,
                                              .relation = ASSAY_RELATION_OTHER,
                                              .expected = 4096};
    (void)state;
    write_one(&undetected, twice, 3);
    assert_int_equal(compile_and_run("gcc", "-O2"), 0);
    write_one(&crash, twice, 3);
    assert_int_equal(compile_and_run("gcc", "-O2"), 1);
    write_one(&alignment, twice, 2); /* glibc does not promise 4096 */
    assert_int_equal(compile_and_run("gcc", "-O0"), 1);
}

static void build_subject(const char *source)
{
    char path[200], command[500];
    snprintf(path, sizeof path, "%s/subject.c", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(source, out);
    assert_int_equal(fclose(out), 0);
    snprintf(command, sizeof command,
             "cd %s && gcc -fno-builtin -shared -fPIC subject.c -o subject.so", folder);
    assert_int_equal(system(command), 0);
}

static int run_on_subject(void)
{
    char command[300];
    snprintf(command, sizeof command, "LD_PRELOAD=%s/subject.so %s/reproducer >/dev/null 2>&1",
             folder, folder);
    return WEXITSTATUS(system(command));
}

/* An allocator that ends the process is no quiet one, whatever its exit code; and what needs a
 * certain neighbour is found by varying what was allocated before. */
static void the_process_is_part_of_the_bug(void **state)
{
    static const char source[] =
        "#include <stddef.h>\n#include <unistd.h>\n"
        "static char heap[1 << 24] __attribute__((aligned(65536))); static size_t used, third;\n"
        "void *malloc(size_t n) { used += 16; if (n == 333 || used + n > sizeof heap) _exit(0);\n"
        "    if (n == 555 && ++third == 3) return heap + used + 1;\n"
        "    void *p = heap + used; used += (n + 15) & ~(size_t)15; return p; }\n"
        "void free(void *p) { (void)p; }\n"
        "void *aligned_alloc(size_t a, size_t n)\n"
        "{ if (a > 64) a = 64; used = (used + a - 1) & ~(a - 1); void *p = heap + used;\n"
        "    used += (n + 15) & ~(size_t)15; return p; }\n";
    const struct assay_event leaves[] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 333}};
    const struct assay_event lucky[] = {
        {.kind = ASSAY_OP_ALIGNED_ALLOC, .born = 1, .size = 256, .arg = 128}};
    const struct assay_violation ends = {
        .property = ASSAY_PROPERTY_C26, .kind = ASSAY_OP_MALLOC, .relation = ASSAY_RELATION_CRASH};
    const struct assay_violation misaligned = {.property = ASSAY_PROPERTY_C03,
                                               .kind = ASSAY_OP_ALIGNED_ALLOC,
                                               .relation = ASSAY_RELATION_OTHER,
                                               .expected = 128};
    const struct assay_event third[] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 555}};
    const struct assay_violation third_misaligned = {.property = ASSAY_PROPERTY_C02,
                                                     .kind = ASSAY_OP_MALLOC,
                                                     .relation = ASSAY_RELATION_OTHER,
                                                     .expected = 16};
    (void)state;
    build_subject(source);
    write_one(&ends, leaves, 1);
    assert_int_equal(compile_and_run("gcc", "-O0"), 0);
    assert_int_equal(run_on_subject(), 1);
    write_one(&misaligned, lucky, 1);
    assert_int_equal(compile_and_run("gcc", "-O0"), 0);
    assert_int_equal(run_on_subject(), 1);
    write_one(&third_misaligned, third, 1);
    assert_int_equal(compile_and_run("gcc", "-O0"), 0);
    assert_int_equal(run_on_subject(), 1);
}

/* What its own alarm ends has shown nothing: neither this bug nor that there is another. */
static void its_own_alarm_decides_nothing(void **state)
{
    static const char source[] =
        "#include <stddef.h>\n#include <signal.h>\nstatic char heap[1 << 16];\n"
        "void *malloc(size_t n) { if (n == 333) raise(SIGALRM); if (n == 555) raise(SIGUSR1);\n"
        "    return heap; }\n"
        "void free(void *p) { (void)p; }\n";
    static const struct {
        uint64_t size;
        uint16_t property;
        const char *says;
    } cases[] = {{333, ASSAY_PROPERTY_C05, "not decided: it took too long"},
                 {333, ASSAY_PROPERTY_C19, "not decided: it took too long"},
                 {555, ASSAY_PROPERTY_C19, "not this bug: died of signal"}};
    (void)state;
    build_subject(source);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[400];
        const struct assay_event op = {.kind = ASSAY_OP_MALLOC, .born = 1, .size = cases[i].size};
        const struct assay_violation violation = {.property = cases[i].property,
                                                  .kind = ASSAY_OP_MALLOC,
                                                  .relation = ASSAY_RELATION_OTHER};
        write_one(&violation, &op, 1);
        (void)compile_and_run("gcc", "-O0");
        assert_int_equal(run_on_subject(), 2);
        snprintf(command, sizeof command,
                 "LD_PRELOAD=%s/subject.so %s/reproducer 2>&1 | grep -q '%s'", folder, folder,
                 cases[i].says);
        assert_int_equal(system(command), 0);
    }
}

/* What a resize of an aligned object gives is aligned for the next resize as well. */
static void alignment_is_kept_over_resizes(void **state)
{
    static const char source[] =
        "#include <stddef.h>\n"
        "static char heap[1 << 24] __attribute__((aligned(65536))); static size_t used;\n"
        "static void *take(size_t a, size_t n)\n"
        "{ void *p = heap + (used = (used + a - 1) & ~(a - 1)); used += n; return p; }\n"
        "void *malloc(size_t n) { return take(16, n); }\n"
        "void free(void *p) { (void)p; }\n"
        "void *aligned_alloc(size_t a, size_t n) { return take(a, n); }\n"
        "void *realloc(void *p, size_t n)\n"
        "{ (void)p; void *q = take(256, 256); return n == 97 ? (char *)q + 16 : q; }\n";
    const struct assay_event resized[] = {
        {.kind = ASSAY_OP_ALIGNED_ALLOC, .born = 1, .size = 1, .arg = 64},
        {.kind = ASSAY_OP_REALLOC, .object = 1, .born = 2, .size = 19},
        {.kind = ASSAY_OP_REALLOC, .object = 2, .born = 3, .size = 97}};
    const struct assay_violation loses = {.property = ASSAY_PROPERTY_C16,
                                          .kind = ASSAY_OP_REALLOC,
                                          .relation = ASSAY_RELATION_OTHER,
                                          .expected = 64,
                                          .seen = 16};
    (void)state;
    build_subject(source);
    for (size_t last = 3; last >= 2; last--) { /* glibc keeps none */
        write_one(&loses, resized, last);
        assert_in_range(compile_and_run("gcc", "-O0"), 0, 1);
        assert_int_equal(run_on_subject(), last == 3);
    }
}

/* The usable size counts the word behind an object, by which free finds the next: that word has to
 * be written for the bug to show. And where a function of the program is another library's, the
 * allocator is not asked. */
static void usable_bytes_are_written(void **state)
{
    static const char source[] =
        "#include <stddef.h>\n#include <stdlib.h>\n"
        "static char heap[1 << 24] __attribute__((aligned(16))); static size_t used;\n"
        "static size_t size(char *p) { return *(size_t *)(void *)(p - 16); }\n"
        "void *malloc(size_t n) { n = (n + 31) & ~(size_t)15; char *p = heap + used + 16;\n"
        "    if (n > sizeof heap - used - 32) return NULL;\n"
        "    *(size_t *)(void *)(p - 16) = n; *(size_t *)(void *)(p + n - 8) = ~n; used += n + 16; "
        "return p; }\n"
        "void free(void *p) { if (p && *(size_t *)(void *)((char *)p + size(p) - 8) != ~size(p)) "
        "abort(); }\n"
        "size_t malloc_usable_size(void *p) { return size(p); }\n";
    const struct assay_event ops[] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 40},
                                      {.kind = ASSAY_OP_FREE, .object = 1},
                                      {.kind = ASSAY_OP_PVALLOC, .born = 2, .size = 40},
                                      {.kind = ASSAY_OP_MALLOC, .born = 3, .size = 20}};
    const struct assay_violation found[] = {
        {.property = ASSAY_PROPERTY_C26, .kind = ASSAY_OP_FREE, .relation = ASSAY_RELATION_ABORT},
        {.property = ASSAY_PROPERTY_C06, .relation = ASSAY_RELATION_OVERLAP_PARTIAL},
        {.property = ASSAY_PROPERTY_C08, .relation = ASSAY_RELATION_CONTENT_UNKNOWN}};
    (void)state;
    build_subject(source);
    for (int i = 0; i < 3; i++) {
        slack = true;
        write_one(&found[i], ops, 2);
        slack = false;
        assert_int_equal(compile_and_run(i % 2 ? "gcc" : "clang", i % 2 ? "-O2" : "-O0"), 0);
        assert_int_equal(run_on_subject(), 1);
    }
    write_one(&found[0], ops, 2); /* where nothing may be written, nothing shows */
    assert_int_equal(compile_and_run("gcc", "-O0"), 0);
    assert_int_equal(run_on_subject(), 0);
    slack = true;
    write_one(&found[0], ops, 4);
    slack = false;
    assert_int_equal(compile_and_run("gcc", "-O0"), 0);
    assert_int_equal(run_on_subject(), 0); /* pvalloc is glibc's there */
}

/* Objects that come and go, and no other op: nothing of the file is there in vain. */
static void turnovers_alone_compile(void **state)
{
    static const char *const compilers[] = {"gcc", "clang"};
    struct assay_event ops[2 * 6];
    const struct assay_violation grown = {.property = ASSAY_PROPERTY_C31,
                                          .kind = ASSAY_OP_MEASURE,
                                          .event = {.kind = ASSAY_OP_MEASURE},
                                          .relation = ASSAY_RELATION_OTHER};
    size_t n = 0;
    (void)state;
    for (unsigned k = 0; k < 6; k++) {
        ops[n++] = (struct assay_event){.kind = ASSAY_OP_TURNOVER, .arg = 100, .size = 50};
        ops[n++] = (struct assay_event){.kind = ASSAY_OP_MEASURE, .size = UINT64_C(1) << k};
    }
    write_one(&grown, ops, n);
    for (int i = 0; i < 2; i++)
        if (have(compilers[i]))
            assert_int_equal(compile_and_run(compilers[i], "-O2"), 0);
}

/* Each thread that allocates loses something of a kind: told of that kind, where the threads of
 * every pass are new ones and where they go on. */
static void growth_of_races_is_of_its_kind(void **state)
{
    static const char source[] =
        "#define _GNU_SOURCE\n#include <stddef.h>\n#include <sys/mman.h>\n"
        "void *__libc_malloc(size_t); static __thread int seen; static int turn;\n"
        "static void lose(void) {\n"
        "#if LOST == 0\n"
        "    *(volatile char *)mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;\n"
        "#elif LOST == 1\n"
        "    mmap(NULL, 4096, ++turn % 2 ? 1 : 5, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
        "#else\n"
        "    mmap(NULL, 1 << 20, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);\n"
        "#endif\n"
        "}\n"
        "void *malloc(size_t n) { if (LASTING || !seen++) lose(); return __libc_malloc(n); }\n"
        "void __libc_free(void *); void free(void *p) { __libc_free(p); }\n";
    struct assay_event ops[] = {{.kind = ASSAY_OP_THREAD_START, .arg = 1},
                                {.kind = ASSAY_OP_MALLOC, .born = 1, .size = 40},
                                {.kind = ASSAY_OP_FREE, .object = 1},
                                {.kind = ASSAY_OP_MALLOC, .born = 2, .size = 40, .thread = 1},
                                {.kind = ASSAY_OP_FREE, .object = 2, .thread = 1},
                                {.kind = ASSAY_OP_THREAD_EXIT, .thread = 1},
                                {.kind = ASSAY_OP_MEASURE, .size = 1}};
    (void)state;
    for (unsigned i = 0; i < 2 * ASSAY_MEASURES; i++) {
        char command[300], text[2000];
        const struct assay_violation grown = {.property = ASSAY_PROPERTY_C29,
                                              .kind = ASSAY_OP_MEASURE,
                                              .event = {.kind = ASSAY_OP_MEASURE},
                                              .offset = i / 2,
                                              .relation = ASSAY_RELATION_OTHER};
        snprintf(text, sizeof text, "#define LOST %u\n#define LASTING %u\n%s", i / 2, i % 2,
                 source);
        build_subject(text);
        /* the one that goes on has no end of a thread */
        ops[5].kind = i % 2 ? ASSAY_OP_MEASURE : ASSAY_OP_THREAD_EXIT;
        races = true;
        write_one(&grown, ops, 7);
        races = false;
        snprintf(command, sizeof command,
                 "cd %s && gcc -O2 -Wall -Werror -pthread reproducer.c -o reproducer", folder);
        assert_int_equal(system(command), 0);
        assert_int_equal(run_on_subject(), 1);
    }
}

static void many_ops_compile(void **state)
{
    static struct assay_event ops[4000];
    const struct assay_violation content = {.property = ASSAY_PROPERTY_C08,
                                            .kind = ASSAY_OP_FREE,
                                            .relation = ASSAY_RELATION_CONTENT_FOREIGN};
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        ops[2 * i] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .born = i + 1, .size = i};
        ops[2 * i + 1] = (struct assay_event){.kind = ASSAY_OP_FREE, .object = i + 1};
    }
    write_one(&content, ops, 4000);
    assert_int_equal(compile_and_run("gcc", "-O2"), 0);
    char command[300];
    snprintf(
        command, sizeof command,
        "cd %s && ./reproducer 2>said >shown && grep -q 'did not show' said && ! test -s shown",
        folder);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_property_compiles_and_is_quiet),
        cmocka_unit_test(verdicts_follow_the_program),
        cmocka_unit_test(the_process_is_part_of_the_bug),
        cmocka_unit_test(its_own_alarm_decides_nothing),
        cmocka_unit_test(alignment_is_kept_over_resizes),
        cmocka_unit_test(usable_bytes_are_written),
        cmocka_unit_test(many_ops_compile),
        cmocka_unit_test(turnovers_alone_compile),
        cmocka_unit_test(growth_of_races_is_of_its_kind),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
