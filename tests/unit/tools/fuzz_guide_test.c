/* What is kept comes back from its file; a recipe makes the same program again; what comes next
 * follows from what was shown. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/fuzz_guide.h"

enum { PROGRAMS = 300 };

static char folder[] = "/tmp/assay-fuzz-guide-XXXXXX";
static struct assay_program_limits limits;
static struct assay_event ops[ASSAY_PROGRAM_MAX_OPS], again[ASSAY_PROGRAM_MAX_OPS];

static int make_folder(void **state)
{
    (void)state;
    assay_program_limits_default(&limits);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[512];
    const struct dirent *entry;
    DIR *open = opendir(folder);
    (void)state;
    while (open && (entry = readdir(open))) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (open)
        closedir(open);
    return rmdir(folder);
}

/* A subject that never gives a place twice, and refuses what must be refused. */
static void execute(struct assay_event *event, uint64_t *next)
{
    uint64_t bytes;
    event->flags |= ASSAY_FLAG_EXECUTED;
    if (!assay_event_bears(event))
        return;
    assay_event_bytes(event, &bytes);
    event->error = assay_event_refused(event) ? 12 : 0;
    event->address = event->error ? 0 : *next;
    *next += (bytes + 31) / 16 * 16;
}

/* Runs programs as a job would, and returns a digest of all their ops. */
static uint64_t run(struct assay_fuzz_guide *guide, unsigned programs, unsigned *ret_mutants)
{
    struct assay_fuzz_maker maker, other;
    uint64_t digest = 0;
    assert_int_equal(assay_fuzz_maker_init(&maker, ASSAY_GENERATE_SWARM, &limits, guide->seed,
                                           &guide->corpus, NULL),
                     0);
    assert_int_equal(assay_fuzz_maker_init(&other, ASSAY_GENERATE_SWARM, &limits, guide->seed,
                                           &guide->corpus, NULL),
                     0);
    const struct assay_sink sink = assay_fuzz_guide_sink(guide);
    assay_fuzz_guide_child(guide);
    for (uint64_t k = 0; k < programs; k++) {
        bool last = false;
        uint64_t place = 0x10000;
        struct assay_fuzz_recipe recipe = *assay_fuzz_guide_next(guide, k);
        *ret_mutants += recipe.b != 0;
        assay_fuzz_maker_start(&maker, &recipe);
        size_t n = assay_fuzz_maker_fill(&maker, ops, ASSAY_PROGRAM_MAX_OPS, &last);
        assert_true(last);
        assay_fuzz_maker_start(&other, assay_fuzz_guide_recipe(guide, k));
        assert_int_equal(assay_fuzz_maker_fill(&other, again, ASSAY_PROGRAM_MAX_OPS, &last), n);
        assert_memory_equal(ops, again, n * sizeof *ops);
        for (size_t i = 0; i < n; i++) {
            execute(&ops[i], &place);
            digest = (digest ^ ops[i].kind ^ ops[i].size ^ ops[i].object) * 0x100000001b3u;
            sink.after(sink.self, &ops[i]);
        }
        sink.end(sink.self);
        assert_true(guide->ended);
        assert_int_equal(assay_fuzz_guide_take(guide, &other, k, NULL), 0);
    }
    assay_fuzz_maker_free(&maker);
    assay_fuzz_maker_free(&other);
    return digest;
}

static void a_run_follows_from_its_seed_and_goes_on_from_its_folder(void **state)
{
    struct assay_fuzz_corpus empty, found;
    struct assay_fuzz_guide *guide;
    uint64_t digests[2];
    uint32_t kept = 0;
    unsigned mutants = 0;
    (void)state;
    assert_int_equal(assay_fuzz_corpus_load(&empty, folder, &limits, NULL), 0);
    assert_int_equal(empty.count, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(assay_fuzz_guide_create(&empty, 5, 0, 1, PROGRAMS, &guide, NULL), 0);
        digests[i] = run(guide, PROGRAMS, &mutants);
        kept = guide->lasting;
        assay_fuzz_guide_free(guide);
    }
    assert_true(digests[0] == digests[1]);
    assert_true(mutants > PROGRAMS / 10 && kept > 10 && kept < PROGRAMS);

    /* the programs that were kept come first, and show nothing that is to be kept again */
    assert_int_equal(assay_fuzz_corpus_load(&found, folder, &limits, NULL), 0);
    assert_int_equal(found.count, kept);
    assert_int_equal(assay_fuzz_guide_create(&found, 6, 0, 1, kept, &guide, NULL), 0);
    mutants = 0;
    run(guide, kept, &mutants);
    assert_int_equal(guide->corpus.count, kept);
    assert_int_equal(guide->lasting + mutants, 0);
    assert_true(guide->seen.features > 100);
    assay_fuzz_guide_free(guide);
    assay_fuzz_corpus_free(&found);
    assay_fuzz_corpus_free(&empty);
}

static void what_cannot_be_kept_is_passed_over(void **state)
{
    struct assay_fuzz_corpus corpus;
    static struct assay_event checks[ASSAY_PROGRAM_MAX_OPS + 1];
    struct assay_program program = {.ops = checks, .count = ASSAY_PROGRAM_MAX_OPS + 1};
    (void)state;
    assert_int_equal(assay_fuzz_corpus_load(&corpus, folder, &limits, NULL), 0);
    uint32_t before = corpus.count;
    assert_int_equal(assay_fuzz_corpus_add(&corpus, &program, 0, 1, true, 0, NULL), 0);
    program.count = 64; /* of no kind */
    assert_int_equal(assay_fuzz_corpus_add(&corpus, &program, 0, 1, true, 0, NULL), 0);
    assert_int_equal(corpus.count, before);
    assay_fuzz_corpus_free(&corpus);
    assert_true(assay_fuzz_corpus_load(&corpus, "/nowhere/at/all", &limits, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_follows_from_its_seed_and_goes_on_from_its_folder),
        cmocka_unit_test(what_cannot_be_kept_is_passed_over),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
