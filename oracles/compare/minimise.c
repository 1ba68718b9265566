#include "oracles/compare/minimise.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "oracles/compare/simplify.h"

/* Hashes of candidates that did not show the finding. */
struct rejected {
    uint64_t *hashes; /* open addressing; 0 = empty */
    size_t capacity, count;
};

/* So few that chunks of them are not worth a test, and so few ops that later passes begin with
 * single ones. */
enum { FEW_UNITS = 4, FEW_OPS = 12, WINDOW_OPS = 8, WINDOWED_OPS = 64 };

struct work {
    const struct assay_minimise *minimise;
    struct assay_minimised *outcome;
    struct assay_event *best, *candidate, *scratch;
    size_t count;
    bool *keep;
    size_t *places;    /* of ops that a step concerns */
    uint32_t *lineage; /* by op */
    struct rejected rejected;
    bool careful, cut;
};

static bool expired(struct work *work)
{
    work->cut =
        work->cut || (work->minimise->expired && work->minimise->expired(work->minimise->self));
    return work->cut;
}

/* ---- candidates ----------------------------------------------------------------------------- */

static size_t slot_of(const struct rejected *rejected, uint64_t hash)
{
    size_t slot = hash & (rejected->capacity - 1);
    while (rejected->hashes[slot] && rejected->hashes[slot] != hash)
        slot = (slot + 1) & (rejected->capacity - 1);
    return slot;
}

static bool is_rejected(const struct rejected *rejected, uint64_t hash)
{
    return rejected->capacity && rejected->hashes[slot_of(rejected, hash)];
}

/* Out of memory, nothing is remembered. */
static void reject(struct rejected *rejected, uint64_t hash)
{
    if (rejected->count * 2 >= rejected->capacity) {
        struct rejected grown = {.capacity = rejected->capacity ? rejected->capacity * 2 : 1024,
                                 .count = rejected->count};
        grown.hashes = calloc(grown.capacity, sizeof *grown.hashes);
        if (!grown.hashes)
            return;
        for (size_t i = 0; i < rejected->capacity; i++)
            if (rejected->hashes[i])
                grown.hashes[slot_of(&grown, rejected->hashes[i])] = rejected->hashes[i];
        free(rejected->hashes);
        *rejected = grown;
    }
    size_t slot = slot_of(rejected, hash);
    rejected->count += rejected->hashes[slot] == 0;
    rejected->hashes[slot] = hash;
}

static void forget(struct rejected *rejected)
{
    free(rejected->hashes);
    *rejected = (struct rejected){0};
}

static size_t needed(const struct assay_minimise *minimise, size_t count)
{
    return minimise->needed ? minimise->needed(minimise->self, count) : count;
}

/* Takes the candidate over if it passes. */
static bool try_candidate(struct work *work, size_t count)
{
    const struct assay_minimise *minimise = work->minimise;
    size_t bytes = count * sizeof *work->candidate;
    if (count == 0 || (count == work->count && memcmp(work->candidate, work->best, bytes) == 0))
        return false;
    uint64_t hash = XXH3_64bits(work->candidate, bytes) | 1; /* 0 is no hash */
    if (is_rejected(&work->rejected, hash)) {
        work->outcome->known++;
        return false;
    }
    memcpy(work->scratch, work->candidate, bytes);
    assay_minimise_unmark(work->scratch, count);
    bool passed = minimise->test(minimise->self, work->scratch, count, work->careful);
    work->outcome->tests++;
    if (passed) {
        memcpy(work->best, work->candidate, bytes);
        work->count = needed(minimise, count);
    } else {
        reject(&work->rejected, hash);
    }
    if (minimise->progress)
        minimise->progress(minimise->self, work->count, work->outcome->tests);
    return passed;
}

static bool try_kept(struct work *work)
{
    size_t count = assay_minimise_repair(work->best, work->count, work->keep, work->candidate);
    return count < work->count && try_candidate(work, count);
}

/* ---- leaving out ---------------------------------------------------------------------------- */

/* A lineage is an object and all that resizes make of it. Fills lineage[op], returns how many. */
static uint32_t find_lineages(struct work *work)
{
    uint32_t highest = assay_minimise_highest(work->best, work->count), lineages = 0;
    uint32_t *of_object = calloc((size_t)highest + 1, sizeof *of_object);
    for (size_t i = 0; i < work->count && of_object; i++) {
        const struct assay_event *op = &work->best[i];
        bool born = op->born && assay_event_bears(op);
        uint32_t own = op->object ? of_object[op->object] : born ? ++lineages : 0;
        if (born)
            of_object[op->born] = own;
        work->lineage[i] = own;
    }
    free(of_object);
    return lineages;
}

/* Removals, from `chunk` units at a time down to single ones; units are lineages or ops. Goes
 * backwards, as late units are seldom needed by early ones. */
static bool remove_units(struct work *work, bool by_lineage, bool singly)
{
    bool progress = false;
    size_t units = by_lineage ? find_lineages(work) : work->count;
    size_t first = singly || units <= FEW_UNITS ? 1 : (units + 1) / 2;
    for (size_t chunk = first; chunk > 0 && !expired(work); chunk /= 2) {
        for (size_t end = units; end > 0 && !expired(work); end = end > chunk ? end - chunk : 0) {
            size_t start = end > chunk ? end - chunk : 0;
            for (size_t i = 0; i < work->count; i++) {
                size_t own = by_lineage ? work->lineage[i] : i + 1;
                work->keep[i] = own <= start || own > end;
            }
            if (!try_kept(work))
                continue;
            progress = true;
            units = by_lineage ? find_lineages(work) : work->count;
            if (end > units)
                end = units + chunk; /* the list became shorter: go on at its end */
        }
    }
    return progress;
}

/* A few neighbours at a time, wherever they stand: what only goes together. */
static bool remove_windows(struct work *work)
{
    bool progress = false;
    for (size_t width = 2; width <= WINDOW_OPS; width++)
        for (size_t end = work->count; end >= width && !expired(work); end--) {
            if (end > work->count)
                continue;
            for (size_t i = 0; i < work->count; i++)
                work->keep[i] = i < end - width || i >= end;
            progress |= try_kept(work);
        }
    return progress;
}

/* ---- simplifying ---------------------------------------------------------------------------- */

/* Makes the step at each of the places, as one candidate. */
static bool try_step(struct work *work, enum assay_simplification step, const size_t *places,
                     size_t n)
{
    struct assay_event *changed = work->scratch;
    bool any = false;
    memcpy(changed, work->best, work->count * sizeof *changed);
    for (size_t i = 0; i < n; i++)
        any |= assay_simplify(&changed[places[i]], step);
    return any &&
           try_candidate(work, assay_minimise_repair(changed, work->count, NULL, work->candidate));
}

/* What a loop does again and again is its thread's alone: no other may do a part of it. */
static bool loops(const struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        if (work->best[i].kind == ASSAY_OP_CONTEXT && work->best[i].arg == ASSAY_CONTEXT_LOOP)
            return true;
    return false;
}

/* The step wherever it can be made: at all places at once, down to single ones. */
static bool simplify(struct work *work, enum assay_simplification step, bool singly)
{
    size_t n = 0, count = work->count;
    bool progress = false;
    if (step == ASSAY_SIMPLER_THREAD && loops(work))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct assay_event probe = work->best[i];
        if (assay_simplify(&probe, step))
            work->places[n++] = i;
    }
    for (size_t chunk = singly || n <= FEW_UNITS ? 1 : n; n > 0 && chunk > 0; chunk /= 2)
        for (size_t end = n; end > 0; end = end > chunk ? end - chunk : 0) {
            size_t start = end > chunk ? end - chunk : 0;
            while (!expired(work) && try_step(work, step, work->places + start, end - start)) {
                progress = true;
                if (work->count != count)
                    return true; /* ops have moved */
                if (!assay_simplification_repeats(step))
                    break;
            }
        }
    return progress;
}

static bool simplify_all(struct work *work, bool singly)
{
    bool progress = false;
    for (unsigned step = 0; step < ASSAY_SIMPLER_COUNT && !expired(work); step++)
        progress |= simplify(work, (enum assay_simplification)step, singly);
    return progress;
}

/* ---- all together --------------------------------------------------------------------------- */

static bool pass(struct work *work, bool singly)
{
    bool progress = remove_units(work, true, singly);
    progress |= simplify_all(work, singly); /* what is alike can stand in for one another */
    progress |= remove_units(work, false, singly);
    progress |= simplify_all(work, singly);
    return progress;
}

static void minimise_all(struct work *work)
{
    const struct assay_minimise *minimise = work->minimise;
    bool singly = false;
    work->careful = minimise->always_careful;
    /* under a low limit most of a long program is needed no more */
    simplify(work, ASSAY_SIMPLER_LIMIT, false);
    simplify(work, ASSAY_SIMPLER_HALF_LIMIT, false);
    while ((pass(work, singly) || (work->count <= WINDOWED_OPS && remove_windows(work))) &&
           !work->cut)
        singly = work->count <= FEW_OPS;
    if (!work->careful)
        forget(&work->rejected);
    work->careful = true;
    while (!work->cut && pass(work, true))
        continue;
    work->outcome->minimal = !work->cut;
}

size_t assay_minimise(struct assay_event *ops, size_t n, const struct assay_minimise *minimise,
                      struct assay_minimised *ret_outcome)
{
    struct work work = {.minimise = minimise, .outcome = ret_outcome, .best = ops, .careful = true};
    size_t result = 0;

    *ret_outcome = (struct assay_minimised){0};
    work.candidate = malloc((n + 1) * sizeof *work.candidate);
    work.scratch = malloc((n + 1) * sizeof *work.scratch);
    work.keep = malloc((n + 1) * sizeof *work.keep);
    work.places = malloc((n + 1) * sizeof *work.places);
    work.lineage = malloc((n + 1) * sizeof *work.lineage);
    if (work.candidate && work.scratch && work.keep && work.places && work.lineage) {
        size_t count = assay_minimise_repair(ops, n, NULL, work.candidate);
        memcpy(work.scratch, work.candidate, count * sizeof *work.scratch);
        assay_minimise_unmark(work.scratch, count);
        ret_outcome->tests = count > 0;
        ret_outcome->shows = count > 0 && minimise->test(minimise->self, work.scratch, count, true);
        result = n;
        if (ret_outcome->shows) {
            memcpy(ops, work.candidate, count * sizeof *ops);
            work.count = needed(minimise, count);
            minimise_all(&work);
            result = work.count;
        }
        assay_minimise_unmark(ops, result);
    }
    forget(&work.rejected);
    free(work.candidate);
    free(work.scratch);
    free(work.keep);
    free(work.places);
    free(work.lineage);
    return result;
}
