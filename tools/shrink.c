#include "tools/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "oracles/compare/minimise.h"
#include "oracles/compare/passes.h"
#include "oracles/sequential.h"
#include "traces/core/clock.h"
#include "traces/runner/touch.h"

enum {
    HANG_MS = 200, /* what a candidate's op may take */
    HANG_BRIEF_MS = 60,
    PROBES = 3, /* trials of a program before it counts as one that always shows it */
    CONFIRM_TRIALS = 10,
    RATE_TRIALS = 60,  /* to measure a rate, */
    CHANCY_TRIALS = 8, /* of threads side by side, */
    CANDIDATE_TRIALS = 200,
    FINAL_TRIALS = 100,
    FINAL_CHANCY_TRIALS = 20
};

/* How often a candidate shows the finding, as a part of how often the program did for certain. */
#define FLOOR_PART 0.25
/* Of races a trial takes long: each candidate gets the fewest that tell. */
#define FLOOR_PART_CHANCY 0.5
#define WANTED_MOST       0.9
#define SELDOM            0.5

struct hunt {
    const struct assay_shrink *shrink;
    struct assay_shrunk *shrunk;
    struct assay_trial *trial;
    struct assay_error *err;
    int code; /* of the first run that could not be had */
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    bool races;                        /* of threads side by side, */
    bool chancy;                       /* or that go on meanwhile: it never shows for certain */
    bool always_fresh;                 /* a hang ends its child in any case */
    bool spoiled;                      /* the child's heap may be damaged */
    uint64_t deadline_ns;              /* of what goes on now */
    double floor, wanted;              /* rates; wanted 0: it always shows */
    unsigned left;                     /* candidates that show it too seldom */
    const struct assay_passes *passes; /* NULL: the program is no pass that is repeated */
    struct assay_event *whole;         /* room for as many ops as the program has */
    size_t room;
    struct assay_trial_result last; /* that showed it in a fresh child, */
    bool confirming, choosy;        /* of races, in the end: the one that says most */
};

/* What it was before, and as it showed then. */
struct before {
    struct assay_event *ops;
    size_t count;
    struct assay_trial_result result;
};

static bool out_of_time(void *self)
{
    const struct hunt *hunt = self;
    return hunt->code < 0 || *hunt->shrink->interrupted || assay_now_ns() > hunt->deadline_ns;
}

/* ---- trials --------------------------------------------------------------------------------- */

static bool same_finding(const struct hunt *hunt, const struct assay_trial_result *result)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    if (!result->violated)
        return false;
    assay_finding_fingerprint(&result->first, fingerprint);
    return strcmp(fingerprint, hunt->fingerprint) == 0;
}

static bool run(struct hunt *hunt, const struct assay_event *ops, size_t n, bool fresh)
{
    struct assay_trial_result result;
    if (hunt->code < 0)
        return false;
    hunt->code = assay_trial_run(hunt->trial, ops, n, fresh, &result, hunt->err);
    hunt->spoiled = hunt->code < 0 || result.violated || result.died;
    hunt->shrunk->runs++;
    bool same = hunt->code == 0 && same_finding(hunt, &result);
    if (same && fresh &&
        (!hunt->choosy ||
         assay_finding_rank(&result.first) < assay_finding_rank(&hunt->last.first))) {
        hunt->last = result;
        hunt->choosy = hunt->confirming;
    }
    return same;
}

/* Runs it up to n times in fresh children. Returns how often it showed. */
static unsigned try_fresh(struct hunt *hunt, const struct assay_event *ops, size_t count,
                          unsigned n, unsigned *ret_trials)
{
    unsigned hits = 0, trials = 0;
    for (; trials < n && !out_of_time(hunt); trials++)
        hits += run(hunt, ops, count, true);
    *ret_trials = trials;
    return hits;
}

/* ---- candidates ----------------------------------------------------------------------------- */

/* Some candidate may live on what an earlier one left in the child, or fail for it: what shows is
 * seen to show in a fresh one. */
static bool always_shows(struct hunt *hunt, const struct assay_event *ops, size_t n, bool careful)
{
    bool used = !careful && !hunt->always_fresh && !hunt->spoiled;
    return (!used || run(hunt, ops, n, false)) && run(hunt, ops, n, true);
}

static enum assay_decision decide(const struct hunt *hunt, unsigned hits, unsigned trials)
{
    return hunt->chancy
               ? assay_shrink_decide(hits, trials, hunt->floor, hunt->wanted, hunt->left)
               : assay_decide_as_often(hits, trials, hunt->floor, hunt->wanted, ASSAY_SHRINK_ERROR);
}

static bool shows_as_often(struct hunt *hunt, const struct assay_event *ops, size_t n, bool careful)
{
    unsigned patience = assay_trials_to_see(hunt->wanted, 0.05, CANDIDATE_TRIALS), hits = 0;
    for (unsigned trials = 1; trials <= CANDIDATE_TRIALS && !out_of_time(hunt); trials++) {
        hits += run(hunt, ops, n, true);
        if (!careful && hits == 0 && trials >= patience)
            return false;
        enum assay_decision decision = decide(hunt, hits, trials);
        hunt->left += decision == ASSAY_NEVER;
        if (decision != ASSAY_UNDECIDED)
            return decision == ASSAY_ALWAYS;
    }
    return false;
}

/* The candidate is a pass. */
static bool passes_show(struct hunt *hunt, const struct assay_event *pass, size_t n, bool careful)
{
    const struct assay_passes passes = assay_passes_of(hunt->passes, pass, n);
    size_t ops = assay_passes_ops(&passes);
    if (passes.deaths == 0 || ops > hunt->room)
        return false;
    assay_passes_expand(&passes, pass, hunt->whole);
    return hunt->wanted > 0 ? shows_as_often(hunt, hunt->whole, ops, careful)
                            : run(hunt, hunt->whole, ops, true);
}

static bool still_shows(void *self, struct assay_event *ops, size_t n, bool careful)
{
    struct hunt *hunt = self;
    if (hunt->passes)
        return passes_show(hunt, ops, n, careful);
    return hunt->wanted > 0 ? shows_as_often(hunt, ops, n, careful)
                            : always_shows(hunt, ops, n, careful);
}

/* Nothing behind the op that violated is needed, where it always shows. */
static size_t needed(void *self, size_t n)
{
    const struct hunt *hunt = self;
    size_t until = (size_t)hunt->last.first.op_index + 1;
    return hunt->passes || hunt->wanted > 0 || hunt->always_fresh || until > n ? n : until;
}

static void on_progress(void *self, size_t ops, uint64_t tests)
{
    const struct hunt *hunt = self;
    (void)tests;
    if (hunt->shrink->progress)
        hunt->shrink->progress(hunt->shrink->self, ops, hunt->shrunk->runs);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Measures how often the program shows it, and what is asked of candidates. False: never. */
static bool measure(struct hunt *hunt, const struct before *before)
{
    unsigned most = hunt->chancy ? CHANCY_TRIALS : RATE_TRIALS;
    unsigned trials, hits = try_fresh(hunt, before->ops, before->count, most, &trials);
    double rate = hits / (1.0 + trials);
    hunt->wanted = !hunt->chancy        ? assay_always_valid(hits, trials, 0.05).low
                   : rate < WANTED_MOST ? rate
                                        : WANTED_MOST;
    hunt->floor = hunt->wanted * (hunt->chancy ? FLOOR_PART_CHANCY : FLOOR_PART);
    return hits > 0 && hunt->wanted > 0;
}

static struct assay_minimised minimise(struct hunt *hunt, struct assay_event *ops, size_t *count);

/* A pass that is repeated is made small itself. The program may end within its last measurements:
 * the whole is as long as it would be with all of them, and what is left of it is not. */
static struct assay_minimised minimise_pass(struct hunt *hunt, const struct assay_passes *passes,
                                            struct assay_event *ops, size_t *count)
{
    struct assay_minimised outcome = {0};
    size_t left = passes->length;
    struct assay_event *pass = malloc(left * sizeof *pass);
    hunt->passes = passes;
    hunt->room = assay_passes_ops(passes);
    hunt->whole = malloc(hunt->room * sizeof *hunt->whole);
    if (pass && hunt->whole) {
        memcpy(pass, ops, left * sizeof *pass);
        outcome = minimise(hunt, pass, &left);
        const struct assay_passes smaller = assay_passes_of(passes, pass, left);
        size_t all = assay_passes_ops(&smaller);
        if (outcome.shows && all <= hunt->room) {
            assay_passes_expand(&smaller, pass, hunt->whole);
            *count = all < *count ? all : *count;
            memcpy(ops, hunt->whole, *count * sizeof *ops);
        }
    }
    hunt->passes = NULL;
    free(hunt->whole);
    free(pass);
    return outcome;
}

static struct assay_minimised minimise(struct hunt *hunt, struct assay_event *ops, size_t *count)
{
    struct assay_minimised outcome;
    struct assay_passes passes;
    bool careful = (hunt->always_fresh && hunt->wanted == 0) || hunt->passes || hunt->chancy;
    if (!hunt->passes && (hunt->wanted == 0 || hunt->chancy) &&
        assay_passes_find(ops, *count, &passes))
        return minimise_pass(hunt, &passes, ops, count);
    const struct assay_minimise how = {.self = hunt,
                                       .test = still_shows,
                                       .needed = needed,
                                       .always_careful = careful,
                                       .expired = out_of_time,
                                       .progress = on_progress};
    size_t left = assay_minimise(ops, *count, &how, &outcome);
    *count = left ? left : *count;
    return outcome;
}

static void restore(struct hunt *hunt, struct assay_event *ops, size_t *count,
                    const struct before *before)
{
    memcpy(ops, before->ops, before->count * sizeof *ops);
    *count = before->count;
    hunt->last = before->result;
}

/* Notes which resizes are refused where it shows: from there on they decide what is live. */
static void note_refusals(struct hunt *hunt, struct assay_event *ops, size_t n)
{
    struct assay_trial_result result;
    struct assay_event *results = malloc(n * sizeof *results);
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any |= ops[i].kind == ASSAY_OP_LIMIT || ops[i].kind == ASSAY_OP_REFUSE;
    if (!results || !any || hunt->code < 0) {
        free(results);
        return;
    }
    memcpy(results, ops, n * sizeof *results);
    hunt->code = assay_trial_begin(hunt->trial, true, &result, hunt->err);
    if (hunt->code == 0)
        hunt->code = assay_trial_part(hunt->trial, results, n, true, hunt->err);
    hunt->code = hunt->code > 0 ? 0 : hunt->code;
    hunt->spoiled = true;
    hunt->shrunk->runs++;
    if (hunt->code == 0)
        assay_minimise_mark(ops, n, results);
    free(results);
}

/* There is no time to minimise; but nothing behind the op that violated is needed. */
static bool cut_only(struct hunt *hunt, const struct assay_event *ops, size_t *count,
                     const struct before *before)
{
    uint64_t op_index = before->result.first.op_index;
    if (hunt->code < 0 || *hunt->shrink->interrupted || hunt->always_fresh ||
        op_index + 1 >= before->count)
        return false;
    if (!run(hunt, ops, (size_t)op_index + 1, true))
        return false;
    *count = (size_t)op_index + 1;
    return true;
}

/* Where it always shows. Nothing behind the op that violated is needed. False: what is left does
 * not show it, and the program is as it was. */
static bool minimise_certain(struct hunt *hunt, struct assay_event *ops, size_t *count,
                             const struct before *before)
{
    static const uint32_t hang_ms[] = {HANG_BRIEF_MS, HANG_MS};
    uint64_t op_index = before->result.first.op_index;
    unsigned trials;
    for (unsigned attempt = hunt->always_fresh ? 0 : 1; attempt < 2; attempt++) {
        hunt->deadline_ns = hunt->shrink->deadline_ns;
        if (out_of_time(hunt))
            return cut_only(hunt, ops, count, before);
        assay_trial_set_hang(hunt->trial, hang_ms[attempt]);
        *count = op_index + 1 < before->count ? (size_t)op_index + 1 : before->count;
        note_refusals(hunt, ops, *count);
        struct assay_minimised outcome = minimise(hunt, ops, count);
        assay_minimise_unmark(ops, *count);
        if (!outcome.shows && !out_of_time(hunt))
            hunt->shrunk->why_whole = "it shows only as it is";
        assay_trial_set_hang(hunt->trial, hunt->shrink->trial.hang_ms);
        hunt->deadline_ns = UINT64_MAX;
        if (*hunt->shrink->interrupted) /* what is left was seen to show it when it was taken */
            return true;
        if (try_fresh(hunt, ops, *count, 1, &trials) == 1) {
            hunt->shrunk->minimised = outcome.minimal;
            return true;
        }
        restore(hunt, ops, count, before);
    }
    return false;
}

/* A program of races that showed it early is made as long as it takes, several times over: a trial
 * that shows nothing runs to its end. */
static void shorten(struct assay_event *ops, size_t *count, uint64_t op_index)
{
    enum { TIMES = 8, LEAST = 64 };
    struct assay_passes passes;
    if (!assay_passes_find(ops, *count, &passes) || passes.measures)
        return;
    size_t enough = (size_t)op_index / passes.length * TIMES + LEAST;
    if (enough < passes.count)
        *count = enough * passes.length;
}

/* The last part of the time is for saying how often what is left shows it. */
static uint64_t before_last(uint64_t latest_ns)
{
    enum { PARTS = 5 };
    uint64_t now = assay_now_ns();
    return latest_ns > now ? latest_ns - (latest_ns - now) / PARTS : latest_ns;
}

/* What is shorter may show it too seldom. */
static bool measure_races(struct hunt *hunt, struct before *before)
{
    size_t whole = before->count;
    shorten(before->ops, &before->count, before->result.first.op_index);
    if (measure(hunt, before) && hunt->wanted >= SELDOM)
        return true;
    before->count = whole;
    return measure(hunt, before);
}

/* Where it shows in some runs only: from what is there if that shows it often enough, else from
 * the beginning. */
static void minimise_random(struct hunt *hunt, struct assay_event *ops, size_t *count,
                            struct before *before)
{
    hunt->deadline_ns = before_last(hunt->shrink->latest_ns);
    assay_trial_set_hang(hunt->trial, HANG_MS);
    bool shows = hunt->races ? measure_races(hunt, before) : measure(hunt, before);
    if (hunt->races)
        restore(hunt, ops, count, before);
    if (shows) {
        struct assay_minimised outcome = {0};
        if (*count < before->count)
            outcome = minimise(hunt, ops, count);
        if (!outcome.shows) {
            restore(hunt, ops, count, before);
            outcome = minimise(hunt, ops, count);
        }
        hunt->shrunk->minimised = outcome.minimal;
        if (!outcome.shows && !out_of_time(hunt))
            hunt->shrunk->why_whole = "it shows only as it is";
        hunt->shrunk->floor = hunt->floor;
    }
    assay_trial_set_hang(hunt->trial, hunt->shrink->trial.hang_ms);
}

static void confirm(struct hunt *hunt, const struct assay_event *ops, size_t count, unsigned most)
{
    uint64_t least_ns = hunt->shrunk->random ? UINT64_C(1000000000) : UINT64_C(300000000);
    uint64_t at_least = assay_now_ns() + (hunt->always_fresh ? 0 : least_ns);
    unsigned trials;
    hunt->deadline_ns = hunt->shrink->latest_ns;
    if (hunt->deadline_ns < at_least)
        hunt->deadline_ns = at_least; /* whether it always shows takes more than one trial to say */
    hunt->confirming = hunt->races;
    hunt->shrunk->hits += try_fresh(hunt, ops, count, most, &trials);
    hunt->shrunk->trials += trials;
    hunt->confirming = hunt->choosy = false;
}

/* What a program can do with less of. One that forks is another program in one process: what its
 * child frees would be gone for the parent. */
static struct assay_environment bare_of(const struct assay_environment *needed,
                                        const struct assay_event *ops, size_t count)
{
    struct assay_environment bare = {0};
    for (size_t i = 0; i < count; i++)
        if (ops[i].process || ops[i].kind == ASSAY_OP_FORK)
            bare.order = needed->order;
    return bare;
}

/* What a thread does meanwhile, again and again, is never at the same place twice. */
static bool loops(const struct assay_event *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ops[i].kind == ASSAY_OP_CONTEXT && ops[i].arg == ASSAY_CONTEXT_LOOP)
            return true;
    return false;
}

/* Of most larger objects a part is filled and looked at, which part follows from their numbers:
 * what shows of all of them needs no op whose only use is its number. */
static bool by_numbers(const struct assay_violation *violation, const struct assay_event *ops,
                       size_t count)
{
    enum { MOST_BYTES = 256 << 20 }; /* filled in each trial */
    uint64_t bytes = 0, sum = 0, largest = 0;
    for (size_t i = 0; i < count; i++)
        if (assay_event_bears(&ops[i]) && assay_event_bytes(&ops[i], &bytes)) {
            largest = bytes > largest ? bytes : largest;
            sum += bytes <= ASSAY_TOUCH_WHOLE_MAX ? bytes : 0;
        }
    return largest > ASSAY_TOUCH_WHOLE_BYTES && sum <= MOST_BYTES &&
           violation->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
           violation->relation <= ASSAY_RELATION_CONTENT_UNKNOWN;
}

/* Makes another environment the finding's own, if it shows in it. */
static int change_environment(struct hunt *hunt, const struct assay_environment *other,
                              const struct assay_event *ops, size_t count)
{
    struct assay_trial_config config = hunt->shrink->trial;
    struct assay_trial *trial;
    struct hunt probe = *hunt;
    unsigned trials;
    config.environment = *other;
    int code = assay_trial_create(&config, &trial, hunt->err);
    if (code < 0)
        return code;
    probe.trial = trial;
    if (try_fresh(&probe, ops, count, 1, &trials) != 1) {
        assay_trial_free(trial);
        return 0;
    }
    assay_trial_free(hunt->trial);
    hunt->trial = trial;
    hunt->last = probe.last;
    hunt->shrunk->environment = *other;
    hunt->races = other->preempted;
    hunt->chancy = hunt->races || loops(ops, count);
    return 0;
}

static int look_at_whole_objects(struct hunt *hunt, const struct assay_event *ops, size_t count)
{
    struct assay_environment whole = hunt->shrunk->environment;
    if (whole.whole_content || hunt->chancy || out_of_time(hunt) ||
        !by_numbers(&hunt->last.first, ops, count))
        return 0;
    whole.whole_content = true;
    return change_environment(hunt, &whole, ops, count);
}

/* A finding that shows without its environment loses it. */
static int drop_environment(struct hunt *hunt, const struct assay_event *ops, size_t count)
{
    const struct assay_environment *needed = &hunt->shrunk->environment;
    const struct assay_environment less = bare_of(needed, ops, count);
    if ((needed->order == less.order && needed->mapping_calls == less.mapping_calls &&
         needed->preempted == less.preempted && needed->whole_content == less.whole_content) ||
        out_of_time(hunt))
        return 0;
    return change_environment(hunt, &less, ops, count);
}

static void shrink_all(struct hunt *hunt, struct assay_event *ops, size_t *count,
                       struct before *before)
{
    struct assay_shrunk *shrunk = hunt->shrunk;
    unsigned trials = 0, hits = 0;
    if (!hunt->always_fresh && !hunt->chancy)
        hits = try_fresh(hunt, ops, *count, PROBES, &trials);
    if (hits == trials && !hunt->chancy) {
        shrunk->hits = shrunk->trials = 1; /* it was confirmed before */
        if (minimise_certain(hunt, ops, count, before) || !hunt->always_fresh)
            confirm(hunt, ops, *count, hunt->always_fresh ? 1 : CONFIRM_TRIALS - 1);
        if (shrunk->hits == shrunk->trials || hunt->always_fresh)
            return;
    }
    *shrunk = (struct assay_shrunk){
        .random = true, .runs = shrunk->runs, .environment = shrunk->environment};
    minimise_random(hunt, ops, count, before);
    confirm(hunt, ops, *count, hunt->chancy ? FINAL_CHANCY_TRIALS : FINAL_TRIALS);
    bool erred = hunt->chancy ? assay_shrink_decide(shrunk->hits, shrunk->trials, hunt->floor,
                                                    hunt->wanted, 0) == ASSAY_NEVER
                              : shrunk->hits < hunt->floor * shrunk->trials;
    if (erred && *count < before->count) {
        /* the test erred, or the machine has become another */
        restore(hunt, ops, count, before);
        shrunk->hits = shrunk->trials = 0;
        confirm(hunt, ops, *count, hunt->chancy ? FINAL_CHANCY_TRIALS : FINAL_TRIALS);
        shrunk->minimised = false;
        shrunk->why_whole = "what was left showed it too seldom";
        shrunk->floor = 0;
    }
    if (shrunk->hits == 0) {
        restore(hunt, ops, count, before);
        shrunk->minimised = false;
        shrunk->floor = 0;
        shrunk->hits = 1;
        shrunk->trials++;
    }
}

/* The program as it was may have filled too much, or shown something else where all was filled. */
static void shrink_whole_objects(struct hunt *hunt, struct assay_event *ops, size_t *count,
                                 struct before *before)
{
    bool whole = hunt->shrunk->environment.whole_content;
    if (whole || *count <= 2 || assay_now_ns() >= hunt->shrink->deadline_ns)
        return;
    hunt->code = look_at_whole_objects(hunt, ops, *count);
    if (hunt->code < 0 || !hunt->shrunk->environment.whole_content)
        return;
    memcpy(before->ops, ops, *count * sizeof *ops);
    before->count = *count;
    before->result = hunt->last;
    shrink_all(hunt, ops, count, before);
}

int assay_shrink(const struct assay_shrink *shrink, struct assay_event *ops, size_t *count,
                 struct assay_trial_result *result, struct assay_shrunk *ret_shrunk,
                 struct assay_error *err)
{
    struct hunt hunt = {.shrink = shrink,
                        .shrunk = ret_shrunk,
                        .err = err,
                        .deadline_ns = shrink->deadline_ns,
                        .races = shrink->trial.environment.preempted,
                        .chancy = shrink->trial.environment.preempted || loops(ops, *count),
                        .always_fresh = result->first.relation == ASSAY_RELATION_HANG ||
                                        result->first.relation == ASSAY_RELATION_REPORT,
                        .last = *result};
    struct before before = {
        .ops = malloc(*count * sizeof *before.ops), .count = *count, .result = *result};
    *ret_shrunk = (struct assay_shrunk){.environment = shrink->trial.environment};
    if (!before.ops)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    memcpy(before.ops, ops, *count * sizeof *ops);
    assay_finding_fingerprint(&result->first, hunt.fingerprint);
    hunt.code = assay_trial_create(&shrink->trial, &hunt.trial, err);
    if (hunt.code == 0)
        hunt.code = drop_environment(&hunt, ops, *count);
    if (hunt.code == 0)
        hunt.code = look_at_whole_objects(&hunt, ops, *count);
    if (hunt.code == 0)
        shrink_all(&hunt, ops, count, &before);
    if (hunt.code == 0 && ret_shrunk->minimised)
        shrink_whole_objects(&hunt, ops, count, &before);
    hunt.deadline_ns = shrink->latest_ns;
    if (hunt.code == 0) /* what is left may need less of it */
        hunt.code = drop_environment(&hunt, ops, *count);
    assay_trial_free(hunt.trial);
    free(before.ops);
    *result = hunt.last;
    return hunt.code;
}
