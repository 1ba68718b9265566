/* The verdict from made-up events: each outcome, each effect, and what must not count as one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/misuse/misuse.h"

enum { ROOM = 32 };

static struct assay_event events[ROOM];
static struct assay_mark marks[ROOM];
static struct assay_misuse m;
static const struct assay_misuse_end alive = {.state = ASSAY_SESSION_RUNNING};

static void begin(void)
{
    memset(&m, 0, sizeof m);
    memset(events, 0, sizeof events);
    memset(marks, 0, sizeof marks);
    m.events = events;
    m.marks = marks;
    m.room = ROOM;
}

static struct assay_event *put(enum assay_op kind, enum assay_moment moment)
{
    marks[m.n].moment = (uint8_t)moment;
    events[m.n].kind = (uint8_t)kind;
    events[m.n].flags = ASSAY_FLAG_EXECUTED;
    if (moment == ASSAY_MOMENT_MISUSE)
        events[m.n].flags |= ASSAY_FLAG_MISUSE;
    return &events[m.n++];
}

static void put_malloc(enum assay_moment moment, uint64_t address, uint64_t size)
{
    struct assay_event *event = put(ASSAY_OP_MALLOC, moment);
    event->born = ++m.objects;
    event->address = address;
    event->size = size;
}

static void put_free(enum assay_moment moment, uint32_t object, uint64_t offset)
{
    struct assay_event *event = put(ASSAY_OP_FREE, moment);
    event->object = object;
    event->arg = offset;
}

static void put_read(enum assay_moment moment, enum assay_expect expect, enum assay_effect effect,
                     uint64_t word, uint64_t value)
{
    struct assay_event *event = put(ASSAY_OP_READ, moment);
    event->value = value;
    marks[m.n - 1].expect = (uint8_t)expect;
    marks[m.n - 1].effect = (uint8_t)effect;
    marks[m.n - 1].word = word;
}

static struct assay_misuse_verdict judge(const struct assay_misuse_end *end)
{
    struct assay_misuse_verdict verdict;
    assay_misuse_judge(&m, end, &verdict);
    return verdict;
}

static struct assay_misuse_verdict dies(size_t at, int signal)
{
    const struct assay_misuse_end end = {ASSAY_SESSION_CRASHED, signal, at};
    return judge(&end);
}

static void put_double_free(void)
{
    begin();
    put_malloc(ASSAY_MOMENT_SETUP, 0x1000, 40);
    put_malloc(ASSAY_MOMENT_SETUP, 0x1030, 40);
    put_free(ASSAY_MOMENT_SETUP, 1, 0);
    put_free(ASSAY_MOMENT_MISUSE, 1, 0);
    put_malloc(ASSAY_MOMENT_NEXT_MALLOC, 0x1000, 40);
    put_malloc(ASSAY_MOMENT_LATER, 0x1060, 40);
}

static void detection_tells_where_and_how(void **state)
{
    (void)state;
    put_double_free();
    struct assay_misuse_verdict v = dies(3, SIGABRT);
    assert_int_equal(v.outcome, ASSAY_MISUSE_DETECTED);
    assert_int_equal(v.moment, ASSAY_MOMENT_MISUSE);
    assert_int_equal(v.how, ASSAY_HOW_ABORT);
    assert_int_equal(v.at, 3);
    v = dies(5, SIGSEGV);
    assert_int_equal(v.outcome, ASSAY_MISUSE_DETECTED);
    assert_int_equal(v.moment, ASSAY_MOMENT_LATER);
    assert_int_equal(v.how, ASSAY_HOW_FAULT);
    const struct assay_misuse_end left = {ASSAY_SESSION_EXITED, 0, 4};
    v = judge(&left);
    assert_int_equal(v.outcome, ASSAY_MISUSE_DETECTED);
    assert_int_equal(v.how, ASSAY_HOW_EXIT);
    assert_int_equal(v.moment, ASSAY_MOMENT_NEXT_MALLOC);
    const struct assay_misuse_end hung = {ASSAY_SESSION_HUNG, 0, 4};
    v = judge(&hung);
    assert_int_equal(v.outcome, ASSAY_MISUSE_EFFECT);
    assert_int_equal(v.effect, ASSAY_EFFECT_HANG);
}

static void reuse_of_what_was_freed_is_no_overlap(void **state)
{
    (void)state;
    put_double_free(); /* the first malloc gets the freed address: its right */
    struct assay_misuse_verdict v = judge(&alive);
    assert_int_equal(v.outcome, ASSAY_MISUSE_NEUTRALISED);
    events[5].address = 0x1000; /* so does the second: two owners */
    v = judge(&alive);
    assert_int_equal(v.outcome, ASSAY_MISUSE_EFFECT);
    assert_int_equal(v.effect, ASSAY_EFFECT_OVERLAP);
    assert_int_equal(v.at, 5);
    events[5].address = 0x1027; /* by its last byte */
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_OVERLAP);
    events[5].address = 0x1058; /* behind the second object's last byte */
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
    events[5].address = 0; /* refused */
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
}

static void what_comes_first_is_the_verdict(void **state)
{
    (void)state;
    put_double_free();
    events[4].address = 0x1030; /* overlaps the live object, then the subject notices */
    struct assay_misuse_verdict v = dies(5, SIGABRT);
    assert_int_equal(v.outcome, ASSAY_MISUSE_EFFECT);
    assert_int_equal(v.effect, ASSAY_EFFECT_OVERLAP);
    assert_int_equal(v.how, ASSAY_HOW_ABORT);
    assert_int_equal(v.moment, ASSAY_MOMENT_LATER);
}

static void later_effects_are_kept(void **state)
{
    (void)state;
    put_double_free();
    events[5].address = 0x1000;
    put_read(ASSAY_MOMENT_LATER, ASSAY_EXPECT_DIFFERENT, ASSAY_EFFECT_ARBITRARY, 7, 7);
    struct assay_misuse_verdict v = dies(6, SIGSEGV); /* before the read */
    assert_int_equal(v.effects, 1u << ASSAY_EFFECT_OVERLAP);
    v = judge(&alive);
    assert_int_equal(v.effect, ASSAY_EFFECT_OVERLAP);
    assert_int_equal(v.effects, 1u << ASSAY_EFFECT_OVERLAP | 1u << ASSAY_EFFECT_ARBITRARY);
    assert_int_equal(assay_misuse_own_effects(ASSAY_PROPERTY_S18), 1u << ASSAY_EFFECT_ARBITRARY);
    assert_int_equal(assay_misuse_own_effects(ASSAY_PROPERTY_S01), 0);
}

static void a_wrong_pointer_gives_nothing_up(void **state)
{
    (void)state;
    begin();
    put_malloc(ASSAY_MOMENT_SETUP, 0x1000, 40);
    put_free(ASSAY_MOMENT_MISUSE, 1, 16);
    put_malloc(ASSAY_MOMENT_NEXT_MALLOC, 0x1010, 16);
    struct assay_misuse_verdict v = judge(&alive);
    assert_int_equal(v.effect, ASSAY_EFFECT_OVERLAP);
    /* a whole object given back by the wrong function is given back all the same */
    events[1].kind = ASSAY_OP_FREE_SIZED;
    events[1].arg = 0;
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
}

static void an_end_in_the_set_up_is_no_verdict(void **state)
{
    (void)state;
    put_double_free();
    struct assay_misuse_verdict v = dies(1, SIGTRAP);
    assert_int_equal(v.outcome, ASSAY_MISUSE_VOID);
    assert_true(v.broke_off);
    assert_int_equal(v.at, 1);
    assert_non_null(v.reason);
    m.reason = "the subject lacks this function"; /* told by the builder: nothing ended early */
    v = dies(1, SIGTRAP);
    assert_int_equal(v.outcome, ASSAY_MISUSE_VOID);
    assert_false(v.broke_off);
    m.reason = NULL;
    assert_false(judge(&alive).broke_off);
}

static void memory_of_the_program_is_foreign(void **state)
{
    (void)state;
    put_double_free();
    events[5].failed = ASSAY_FACT_FOREIGN;
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_FOREIGN);
    events[5].failed = 0;
    events[0].failed = ASSAY_FACT_FOREIGN; /* before the misuse it is another property's affair */
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
}

static void a_soft_effect_counts_where_nothing_is_noticed(void **state)
{
    (void)state;
    begin();
    put_malloc(ASSAY_MOMENT_SETUP, 0x1000, 40);
    put_malloc(ASSAY_MOMENT_SETUP, 0x1030, 40);
    put(ASSAY_OP_STORE, ASSAY_MOMENT_MISUSE)->object = 1;
    put_read(ASSAY_MOMENT_LATER, ASSAY_EXPECT_SAME, ASSAY_EFFECT_CORRUPT, 7, 8);
    marks[m.n - 1].soft = true;
    put_free(ASSAY_MOMENT_OWN_FREE, 1, 0);
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_CORRUPT);
    struct assay_misuse_verdict v = dies(4, SIGABRT);
    assert_int_equal(v.outcome, ASSAY_MISUSE_DETECTED);
    assert_int_equal(v.moment, ASSAY_MOMENT_OWN_FREE);
    assert_true(v.effects >> ASSAY_EFFECT_CORRUPT & 1);
    marks[3].soft = false;
    assert_int_equal(dies(4, SIGABRT).outcome, ASSAY_MISUSE_EFFECT);
    events[3].value = 7;
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
    events[3].signal = SIGSEGV; /* a live object's page is gone */
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_LOST);
}

static void a_fault_of_the_misuse_itself_is_detection(void **state)
{
    (void)state;
    begin();
    put_malloc(ASSAY_MOMENT_SETUP, 0x1000, 0);
    put_read(ASSAY_MOMENT_MISUSE, ASSAY_EXPECT_FAULT, ASSAY_EFFECT_ACCESSIBLE, 0, 0);
    put_read(ASSAY_MOMENT_LATER, ASSAY_EXPECT_SAME, ASSAY_EFFECT_WRITE, 1, 2);
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_ACCESSIBLE);
    events[1].signal = SIGSEGV;
    struct assay_misuse_verdict v = judge(&alive);
    assert_int_equal(v.outcome, ASSAY_MISUSE_DETECTED); /* what comes later did not happen */
    assert_int_equal(v.how, ASSAY_HOW_ACCESS);
    assert_int_equal(v.effects, 0);
}

static void each_expectation_has_two_sides(void **state)
{
    static const struct {
        enum assay_expect expect;
        uint64_t word, good, bad;
    } rows[] = {
        {ASSAY_EXPECT_SAME, 5, 5, 6},
        {ASSAY_EXPECT_DIFFERENT, 5, 6, 5},
        {ASSAY_EXPECT_UNTAGGED, UINT64_C(7) << 32 | 1, UINT64_C(8) << 32 | 1,
         UINT64_C(7) << 32 | 2},
        {ASSAY_EXPECT_NO_POINTER, 0, 0x4fff, 0x5008},
        {ASSAY_EXPECT_ZERO, 0, 0, 48},
        {ASSAY_EXPECT_FILLED, 0, 0, 0xa5},
        {ASSAY_EXPECT_FILLED, 0, UINT64_C(0xa5a5a5a5a5a5a5a5), UINT64_C(0xa5a5a5a500000000)},
    };
    const struct assay_mapping maps[] = {{.from = 0x5000, .to = 0x6000, .readable = true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        m.maps = maps;
        m.map_count = 1;
        put_read(ASSAY_MOMENT_MISUSE, rows[i].expect, ASSAY_EFFECT_LEAK, rows[i].word,
                 rows[i].good);
        assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
        events[0].value = rows[i].bad;
        assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_LEAK);
    }
}

static void places_are_compared(void **state)
{
    (void)state;
    begin();
    put_malloc(ASSAY_MOMENT_SETUP, 0x1000, 40);
    put_malloc(ASSAY_MOMENT_MISUSE, 0x1038, 40);
    marks[1].expect = ASSAY_EXPECT_APART;
    marks[1].effect = ASSAY_EFFECT_ADJACENT;
    marks[1].other = 1;
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_ADJACENT); /* 16 bytes between */
    events[1].address = 0x1028 + 39;                               /* a header and rounding */
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_ADJACENT);
    events[1].address = 0x1028 + 40; /* one more would fit */
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
    events[1].address = 0x1000 - 40 - 16;
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_ADJACENT);
    marks[1].expect = ASSAY_EXPECT_NOT_AT;
    marks[1].effect = ASSAY_EFFECT_RECLAIMED;
    marks[1].word = 0x2000;
    marks[1].other = 40;
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
    events[1].address = 0x2020;
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_RECLAIMED);
    const struct assay_mapping wx[] = {{.from = 1, .to = 2, .writable = true, .executable = true}};
    marks[1].expect = ASSAY_EXPECT_NO_WX;
    marks[1].effect = ASSAY_EFFECT_EXECUTABLE;
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_NEUTRALISED);
    m.maps = wx;
    m.map_count = 1;
    assert_int_equal(judge(&alive).effect, ASSAY_EFFECT_EXECUTABLE);
}

static void what_could_not_be_made_is_void(void **state)
{
    (void)state;
    put_double_free();
    struct assay_misuse_verdict v = dies(1, SIGSEGV);
    assert_int_equal(v.outcome, ASSAY_MISUSE_VOID);
    assert_non_null(v.reason);
    events[3].flags = ASSAY_FLAG_SKIPPED | ASSAY_FLAG_MISUSE;
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_VOID);
    begin();
    m.reason = "no";
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_VOID);
    begin();
    put_malloc(ASSAY_MOMENT_SETUP, 0x1000, 40);
    assert_int_equal(judge(&alive).outcome, ASSAY_MISUSE_VOID);
    const struct assay_misuse_end beyond = {ASSAY_SESSION_CRASHED, SIGSEGV, 1000};
    put_double_free();
    assert_int_equal(judge(&beyond).outcome, ASSAY_MISUSE_DETECTED);
}

/* Every variant's builder comes to an end whatever it sees, and its row is one that is measured. */
static void every_builder_is_sound_on_answers_of_nothing(void **state)
{
    const struct assay_misuse_info *rows;
    size_t n = assay_misuse_list(&rows);
    struct assay_misuse program = {.size = 40};
    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].row != ASSAY_PROPERTY_S01) /* which is also judged of streams */
            assert_string_equal(assay_property_info(rows[i].row)->command, "matrix");
        for (uint64_t answer = 0; answer < 3; answer++) {
            size_t executed = 0;
            assay_misuse_begin(&program, i, 12345 * answer);
            program.size = 40;
            for (; program.stage < 200 && rows[i].build(&program, rows[i].argument);
                 program.stage++)
                for (; executed < program.n; executed++) {
                    struct assay_event *event = &program.events[executed];
                    event->flags |= ASSAY_FLAG_EXECUTED;
                    event->value = answer * (0x100000 + 48 * executed);
                    assert_true(event->object <= program.objects);
                    assert_true(event->kind == ASSAY_OP_STORE || event->born <= program.objects);
                }
            assert_true(program.stage < 200);
            struct assay_misuse_verdict verdict;
            assay_misuse_judge(&program, &alive, &verdict);
            assert_true(verdict.outcome < ASSAY_MISUSE_COUNT);
        }
    }
    assay_misuse_free(&program);
}

/* The byte that a trial of the variant flips, of 16 objects of 40 bytes that stand so far apart; 0:
 * there is none. */
static uint64_t flipped(struct assay_misuse *program, const struct assay_misuse_info *info,
                        uint64_t trial, uint64_t pitch)
{
    enum { BASE = 0x10000 };
    assay_misuse_begin(program, trial, trial * 0x9e3779b97f4a7c15);
    program->size = 40;
    for (; info->build(program, info->argument); program->stage++)
        for (size_t i = 0; i < program->n; i++)
            if (program->events[i].kind == ASSAY_OP_MALLOC)
                program->events[i].address = BASE + pitch * (program->events[i].born - 1);
    for (size_t i = 0; i < program->n; i++)
        if (program->events[i].kind == ASSAY_OP_STORE &&
            program->marks[i].moment == ASSAY_MOMENT_MISUSE)
            return BASE + pitch * (program->events[i].object - 1) + program->events[i].arg;
    return 0;
}

static void flips_spare_what_others_hold(void **state)
{
    const struct assay_misuse_info *rows;
    size_t n = assay_misuse_list(&rows), seen = 0;
    struct assay_misuse program = {0};
    (void)state;
    for (size_t v = 0; v < n; v++) {
        if (rows[v].row != ASSAY_PROPERTY_S20 || rows[v].promise == ASSAY_PROMISE_NONE)
            continue;
        seen++;
        bool bytes[8] = {false};
        for (uint64_t trial = 0; trial < ASSAY_MISUSE_BIT_TRIALS; trial++) {
            uint64_t in_slot = (flipped(&program, &rows[v], trial, 48) - 0x10000) % 48;
            assert_in_range(in_slot, 40, 47);
            bytes[in_slot - 40] = true;
        }
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_true(bytes[i]);
        /* where no gap is left there is none */
        assert_int_equal(flipped(&program, &rows[v], 1, 40), 0);
        assert_non_null(program.reason);
    }
    assert_int_equal(seen, 2);
    assay_misuse_free(&program);
}

static void a_promise_is_the_profiles(void **state)
{
    const struct assay_misuse_info *rows;
    struct assay_profile profile;
    (void)state;
    assert_true(assay_misuse_list(&rows) > 90);
    assay_profile_generic(&profile);
    assert_false(assay_misuse_promised(&rows[0], &profile));
    profile.detects_double_free = ASSAY_ANSWER_YES;
    assert_true(assay_misuse_promised(&rows[0], &profile));
    assert_string_equal(rows[0].promise_key, "detects_double_free");
    assert_int_equal(assay_misuse_bound(&rows[0], &profile), 0);
    profile.detects_double_free = ASSAY_ANSWER_NO;
    assert_false(assay_misuse_promised(&rows[0], &profile));
}

static void a_promised_figure_is_the_profiles(void **state)
{
    const struct assay_misuse_info *rows;
    struct assay_profile profile;
    size_t n = assay_misuse_list(&rows), at = 0;
    (void)state;
    while (at < n && rows[at].promise != ASSAY_PROMISE_AT_MOST)
        at++;
    assert_true(at < n);
    assert_string_equal(rows[at].promise_key, "guard_within");
    assay_profile_generic(&profile);
    assert_false(assay_misuse_promised(&rows[at], &profile));
    profile.guard_within = 4096;
    assert_true(assay_misuse_promised(&rows[at], &profile));
    assert_int_equal(assay_misuse_bound(&rows[at], &profile), 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detection_tells_where_and_how),
        cmocka_unit_test(reuse_of_what_was_freed_is_no_overlap),
        cmocka_unit_test(what_comes_first_is_the_verdict),
        cmocka_unit_test(later_effects_are_kept),
        cmocka_unit_test(a_wrong_pointer_gives_nothing_up),
        cmocka_unit_test(an_end_in_the_set_up_is_no_verdict),
        cmocka_unit_test(memory_of_the_program_is_foreign),
        cmocka_unit_test(a_soft_effect_counts_where_nothing_is_noticed),
        cmocka_unit_test(a_fault_of_the_misuse_itself_is_detection),
        cmocka_unit_test(each_expectation_has_two_sides),
        cmocka_unit_test(places_are_compared),
        cmocka_unit_test(what_could_not_be_made_is_void),
        cmocka_unit_test(every_builder_is_sound_on_answers_of_nothing),
        cmocka_unit_test(flips_spare_what_others_hold),
        cmocka_unit_test(a_promise_is_the_profiles),
        cmocka_unit_test(a_promised_figure_is_the_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
