#include "oracles/compare/behaviour.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "oracles/compare/unite.h"

enum { CLASSES_MAX = 4096 };

struct assay_comparison {
    struct assay_comparison_options options;
    void (*report)(void *self, const struct assay_difference *difference);
    void *self;
    struct assay_symbols *runs[2];
    struct assay_term states[2];
    uint64_t fresh_states;
    struct assay_unite
        united; /* names, values, and the objects that the two builds placed differently */
    struct assay_comparison_totals totals;
    struct assay_difference_class classes[CLASSES_MAX];
    size_t class_count;
    bool differed; /* in the current op */
};

static const char *const field_names[ASSAY_FIELD_COUNT] = {
    "refusal",          "errno",     "signal",  "usable size", "answer",
    "low address bits", "placement", "content",
};

const char *assay_field_name(unsigned field)
{
    return field < ASSAY_FIELD_COUNT ? field_names[field] : "unknown";
}

struct assay_comparison *
assay_comparison_create(const struct assay_comparison_options *options,
                        void (*report)(void *self, const struct assay_difference *difference),
                        void *self)
{
    struct assay_comparison *comparison = calloc(1, sizeof *comparison);
    if (!comparison)
        return NULL;
    comparison->options = *options;
    comparison->report = report;
    comparison->self = self;
    for (int i = 0; i < 2; i++) {
        comparison->runs[i] = assay_symbols_create();
        comparison->states[i] = assay_term_fresh(0);
    }
    if (!comparison->runs[0] || !comparison->runs[1]) {
        assay_comparison_free(comparison);
        return NULL;
    }
    return comparison;
}

void assay_comparison_free(struct assay_comparison *comparison)
{
    if (!comparison)
        return;
    assay_symbols_free(comparison->runs[0]);
    assay_symbols_free(comparison->runs[1]);
    assay_unite_clear(&comparison->united);
    free(comparison);
}

static uint32_t size_band(const struct assay_event *event)
{
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    return bytes ? 64 - (uint32_t)__builtin_clzll(bytes) : 0;
}

static struct assay_difference_class *class_of(struct assay_comparison *comparison,
                                               const struct assay_difference *d)
{
    struct assay_difference_class key = {
        .field = d->field,
        .kind = d->event_a.kind,
        .name_a = d->a.kind,
        .name_b = d->b.kind,
        .size_band = size_band(&d->event_a),
    };
    for (size_t i = 0; i < comparison->class_count; i++) {
        struct assay_difference_class *c = &comparison->classes[i];
        if (c->field == key.field && c->kind == key.kind && c->name_a == key.name_a &&
            c->name_b == key.name_b && c->size_band == key.size_band)
            return c;
    }
    if (comparison->class_count == CLASSES_MAX)
        return &comparison->classes[CLASSES_MAX - 1];
    key.first = *d;
    comparison->classes[comparison->class_count] = key;
    return &comparison->classes[comparison->class_count++];
}

static void record(struct assay_comparison *comparison, const struct assay_difference *d)
{
    struct assay_difference_class *c = class_of(comparison, d);
    comparison->differed = true;
    if (d->consequence) {
        c->consequences++;
        comparison->totals.consequences++;
        return;
    }
    if (c->fresh++ == 0)
        c->first = *d;
    comparison->totals.fresh++;
    if (comparison->report)
        comparison->report(comparison->self, d);
}

static uint64_t object_key(uint32_t object)
{
    return XXH3_64bits_withSeed(&object, sizeof object, 1) | 1;
}

/* The name after substitution: an object that the builds placed differently stands for the place
 * that they share. */
static uint64_t name_key(struct assay_comparison *comparison, const struct assay_name *name)
{
    uint64_t place = name->object;
    if (name->kind != ASSAY_NAME_FRESH)
        place = assay_unite_substitute(&comparison->united, object_key(name->object));
    if (name->kind == ASSAY_NAME_BASE)
        return place;
    uint64_t words[3] = {name->kind, place, name->offset};
    return XXH3_64bits(words, sizeof words) | 1;
}

static uint64_t value_key(const struct assay_difference *d, int64_t value)
{
    uint64_t words[4] = {ASSAY_NAME_COUNT + (uint64_t)d->field, d->event_a.kind, d->event_a.size,
                         (uint64_t)value};
    return XXH3_64bits(words, sizeof words) | 1;
}

/* A value that differs: the same pair of answers to the same request follows from the first time it
 * was seen. */
static int compare_values(struct assay_comparison *comparison, struct assay_difference d,
                          enum assay_field field, int64_t a, int64_t b)
{
    if (a == b || comparison->options.ignore >> field & 1)
        return 0;
    d.field = (uint8_t)field;
    d.seen_a = a;
    d.seen_b = b;
    d.consequence =
        assay_unite_same(&comparison->united, value_key(&d, a), value_key(&d, b), &d.cause);
    record(comparison, &d);
    if (d.consequence)
        return 0;
    return assay_unite_join(&comparison->united, value_key(&d, a), value_key(&d, b), d.op_index);
}

/* True if an earlier difference stands in the way: one build could not have answered as the other
 * did. */
static bool forced(struct assay_comparison *comparison, const struct assay_name *a,
                   const struct assay_name *b, uint64_t *ret_cause)
{
    const struct assay_name *names[2] = {
        b, a}; /* would run 0 have been able to answer b, and run 1 a? */
    for (int i = 0; i < 2; i++) {
        uint32_t blocker = assay_symbols_blocker(comparison->runs[i], names[i]);
        if (blocker && blocker != ASSAY_NOWHERE &&
            assay_unite_known(&comparison->united, object_key(blocker), ret_cause))
            return true;
    }
    return false;
}

/* Both builds named the place alike. Where that name leads through an object that they had placed
 * differently, the new object is placed differently as well, and for the same reason. */
static int inherit_placement(struct assay_comparison *comparison, const struct assay_difference *d)
{
    uint64_t cause;
    if (d->a.kind < ASSAY_NAME_BASE || d->a.kind > ASSAY_NAME_BEFORE ||
        !assay_unite_known(&comparison->united, object_key(d->a.object), &cause))
        return 0;
    return assay_unite_join(&comparison->united, object_key(d->event_a.born),
                            name_key(comparison, &d->a), cause);
}

static int compare_placement(struct assay_comparison *comparison, struct assay_difference d)
{
    if (comparison->options.ignore >> ASSAY_FIELD_PLACEMENT & 1)
        return 0;
    d.a = assay_symbols_name(comparison->runs[0], &d.event_a);
    d.b = assay_symbols_name(comparison->runs[1], &d.event_b);
    if (assay_name_equal(&d.a, &d.b))
        return inherit_placement(comparison, &d);
    uint64_t a = name_key(comparison, &d.a), b = name_key(comparison, &d.b);
    d.field = ASSAY_FIELD_PLACEMENT;
    if (a == b)
        d.consequence = assay_unite_known(&comparison->united, a, &d.cause) || true;
    else
        d.consequence = assay_unite_same(&comparison->united, a, b, &d.cause) ||
                        forced(comparison, &d.a, &d.b, &d.cause);
    record(comparison, &d);
    uint64_t cause = d.consequence ? d.cause : d.op_index;
    int code = assay_unite_join(&comparison->united, a, b, cause);
    return code ? code
                : assay_unite_join(&comparison->united, object_key(d.event_a.born), a, cause);
}

static int compare_answers(struct assay_comparison *comparison, const struct assay_event *a,
                           const struct assay_event *b)
{
    struct assay_difference d = {.op_index = comparison->totals.ops, .event_a = *a, .event_b = *b};
    int code = compare_values(comparison, d, ASSAY_FIELD_SIGNAL, a->signal, b->signal);
    if (code == 0)
        code = compare_values(comparison, d, ASSAY_FIELD_ERROR, a->error, b->error);
    if (code == 0 && a->failed != b->failed)
        code = compare_values(comparison, d, ASSAY_FIELD_FACTS, a->failed, b->failed);
    if (code == 0 && assay_op_info(a->kind)->op_class == ASSAY_CLASS_QUERY &&
        a->kind != ASSAY_OP_TRIM)
        code =
            compare_values(comparison, d, ASSAY_FIELD_VALUE, (int64_t)a->value, (int64_t)b->value);
    if (code != 0 || !assay_event_bears(a) || a->flags & ASSAY_FLAG_BEGIN)
        return code;
    code = compare_values(comparison, d, ASSAY_FIELD_NULL, !a->address, !b->address);
    if (code != 0 || !a->address || !b->address)
        return code;
    if (a->flags & b->flags & ASSAY_FLAG_USABLE)
        code = compare_values(comparison, d, ASSAY_FIELD_USABLE, a->usable_extra, b->usable_extra);
    if (code == 0)
        code =
            compare_values(comparison, d, ASSAY_FIELD_ALIGNMENT, a->address & 15, b->address & 15);
    return code ? code : compare_placement(comparison, d);
}

static bool refused(const struct assay_event *event)
{
    return assay_event_bears(event) && !event->address;
}

static void advance(struct assay_comparison *comparison, const struct assay_event *const events[2],
                    const uint32_t operands[2])
{
    if (comparison->differed) {
        comparison->states[0] = comparison->states[1] =
            assay_term_fresh(++comparison->fresh_states);
        return;
    }
    for (int i = 0; i < 2; i++)
        if (!(comparison->options.refusals_keep_state && refused(events[i])))
            comparison->states[i] =
                assay_term_update(comparison->states[i], events[i], operands[i]);
}

int assay_comparison_step(struct assay_comparison *comparison, const struct assay_event *a,
                          const struct assay_event *b, struct assay_error *err)
{
    const struct assay_event *const events[2] = {a, b};
    uint32_t operands[2];
    int code = 0;
    comparison->differed = false;
    if (a->kind != b->kind || a->size != b->size || a->born != b->born || a->object != b->object)
        return assay_fail(err, ASSAY_E_SUBJECT,
                          "op %llu is not the same in both runs: a subject wrote into the memory "
                          "of its runner",
                          (unsigned long long)comparison->totals.ops);
    for (int i = 0; i < 2; i++)
        operands[i] =
            assay_symbols_live(comparison->runs[i], events[i]->object) ? events[i]->object : 0;
    bool skipped_a = a->flags & ASSAY_FLAG_SKIPPED, skipped_b = b->flags & ASSAY_FLAG_SKIPPED;
    if (skipped_a != skipped_b) {
        comparison->totals.one_sided++;
    } else if (!skipped_a) {
        struct assay_term term_a = assay_term_result(comparison->states[0], a, operands[0]);
        struct assay_term term_b = assay_term_result(comparison->states[1], b, operands[1]);
        if (assay_term_equal(term_a, term_b)) {
            comparison->totals.compared++;
            code = compare_answers(comparison, a, b);
        } else {
            comparison->totals.incomparable++;
            comparison->differed = true; /* what follows starts from a common state again */
        }
    }
    advance(comparison, events, operands);
    for (int i = 0; i < 2 && code == 0; i++)
        code = assay_symbols_bind(comparison->runs[i], events[i]);
    comparison->totals.ops++;
    if (code == ASSAY_E_LIMIT)
        return assay_fail(
            err, code, "the objects up to op %llu cover more than the 8 GiB that can be compared",
            (unsigned long long)comparison->totals.ops);
    return code ? assay_fail(err, code, "out of memory while comparing op %llu",
                             (unsigned long long)comparison->totals.ops)
                : 0;
}

struct assay_comparison_totals assay_comparison_totals(const struct assay_comparison *comparison)
{
    return comparison->totals;
}

const struct assay_difference_class *
assay_comparison_classes(const struct assay_comparison *comparison, size_t *ret_n)
{
    *ret_n = comparison->class_count;
    return comparison->classes;
}

int assay_difference_print(char *text, size_t size, const struct assay_difference *d)
{
    char a[96], b[96];
    uint64_t bytes;
    assay_event_bytes(&d->event_a, &bytes);
    if (d->field == ASSAY_FIELD_PLACEMENT) {
        assay_name_print(a, sizeof a, &d->a);
        assay_name_print(b, sizeof b, &d->b);
    } else {
        int64_t base = d->field == ASSAY_FIELD_USABLE ? (int64_t)bytes : 0;
        snprintf(a, sizeof a, "%lld", (long long)(d->seen_a + base));
        snprintf(b, sizeof b, "%lld", (long long)(d->seen_b + base));
        if (d->field == ASSAY_FIELD_NULL) {
            snprintf(a, sizeof a, d->seen_a ? "NULL" : "not NULL");
            snprintf(b, sizeof b, d->seen_b ? "NULL" : "not NULL");
        }
    }
    return snprintf(text, size, "%s of %s(%llu) at op %llu: %s | %s", assay_field_name(d->field),
                    assay_op_info(d->event_a.kind)->name, (unsigned long long)bytes,
                    (unsigned long long)d->op_index, a, b);
}
