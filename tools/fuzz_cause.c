#include "tools/fuzz_cause.h"

#include <stdlib.h>
#include <string.h>

#include "fuzzers/live.h"

enum {
    TIMES = 3,       /* in so many fresh children each way */
    TRIED_AGAIN = 16 /* consequences of a kind; further ones are taken for the same */
};

static bool is_content(const struct assay_violation *v)
{
    return v->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
           v->relation <= ASSAY_RELATION_CONTENT_UNKNOWN;
}

static bool same_kind(const struct assay_violation *a, const struct assay_violation *b)
{
    char one[ASSAY_FINGERPRINT_BYTES], other[ASSAY_FINGERPRINT_BYTES];
    assay_finding_fingerprint(a, one);
    assay_finding_fingerprint(b, other);
    return strcmp(one, other) == 0;
}

/* Runs the program TIMES times. Returns in how many anything showed, and in *ret_same in how many
 * it was of this kind; -1: it could not be run. */
static int count_shown(struct assay_fuzz_state *state, const struct assay_fuzz_program *program,
                       const struct assay_profile *profile, uint32_t hang_ms,
                       const struct assay_violation *kind, int *ret_same,
                       struct assay_trial_result *ret_last)
{
    int shown = 0, times = kind->relation == ASSAY_RELATION_HANG ? 1 : TIMES;
    struct assay_trial *trial = assay_fuzz_trial_by(state, program, profile, hang_ms);
    bool ran = trial != NULL;
    *ret_same = 0;
    for (int i = 0; i < times && ran; i++) {
        ran = assay_fuzz_run_trial(state, trial, program->ops, program->count, true, ret_last);
        shown += ran && ret_last->violated;
        *ret_same += ran && ret_last->violated && same_kind(&ret_last->first, kind);
    }
    assay_trial_free(trial);
    return ran ? shown : -1;
}

/* It shows each time, and never where usable bytes are left alone. */
static bool comes_of_usable_bytes(struct assay_fuzz_state *state,
                                  const struct assay_fuzz_program *program,
                                  const struct assay_violation *first, uint32_t hang_ms)
{
    static _Thread_local struct assay_trial_result last;
    struct assay_profile left_alone = state->config->profile;
    int same, times = first->relation == ASSAY_RELATION_HANG ? 1 : TIMES;
    left_alone.usable_writable = ASSAY_ANSWER_NO;
    return count_shown(state, program, &left_alone, hang_ms, first, &same, &last) == 0 &&
           count_shown(state, program, &state->config->profile, hang_ms, first, &same, &last) ==
               times &&
           same == times;
}

/* C06 of objects as large as the one whose usable bytes did the damage. */
static bool overlap_known(struct assay_fuzz_state *state, const struct assay_violation *v)
{
    struct assay_violation overlap = {.property = ASSAY_PROPERTY_C06,
                                      .kind = v->kind,
                                      .relation = ASSAY_RELATION_OVERLAP_PARTIAL,
                                      .size_band = v->size_band,
                                      .races = v->races};
    return assay_fuzz_known(state, &overlap);
}

static bool is_root(const struct assay_violation *v)
{
    return v->property == ASSAY_PROPERTY_C06 || v->property == ASSAY_PROPERTY_C09 ||
           (v->property == ASSAY_PROPERTY_C04 && v->seen > v->expected);
}

/* Counts it. False: it was tried so often that there is no need to do it again. */
static bool count_consequence(struct assay_fuzz_state *state, const struct assay_violation *v,
                              bool only_if_tried)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    bool counted = !only_if_tried;
    size_t i = 0;
    assay_finding_fingerprint(v, fingerprint);
    pthread_mutex_lock(&state->lock);
    while (i < state->folded_count && strcmp(state->folded[i].fingerprint, fingerprint) != 0)
        i++;
    if (only_if_tried)
        counted = i < state->folded_count && state->folded[i].times >= TRIED_AGAIN;
    else if (i < sizeof state->folded / sizeof *state->folded) {
        if (i == state->folded_count)
            memcpy(state->folded[state->folded_count++].fingerprint, fingerprint,
                   sizeof fingerprint);
        state->folded[i].times++;
    }
    state->consequences += counted;
    pthread_mutex_unlock(&state->lock);
    return counted;
}

static bool folds_into_usable(struct assay_fuzz_state *state,
                              const struct assay_fuzz_program *program,
                              const struct assay_violation *first, uint32_t hang_ms)
{
    if (state->config->profile.usable_writable != ASSAY_ANSWER_YES ||
        state->config->spec->missing_apis >> ASSAY_OP_USABLE_SIZE & 1)
        return false;
    if (is_root(first)) {
        bool folds = first->property == ASSAY_PROPERTY_C09 && is_content(first) &&
                     overlap_known(state, first);
        atomic_store(&state->usable_told, true);
        if (folds)
            count_consequence(state, first, false);
        return folds;
    }
    if (count_consequence(state, first, true))
        return true;
    if (!comes_of_usable_bytes(state, program, first, hang_ms) ||
        !atomic_exchange(&state->usable_told, true))
        return false;
    count_consequence(state, first, false);
    return true;
}

/* The resize and its operand alone, by malloc and realloc. False: they cannot be told. */
static bool make_plain(const struct assay_fuzz_program *program,
                       const struct assay_violation *violation, struct assay_event ret_ops[2])
{
    const struct assay_event *resize = &violation->event;
    uint64_t before = 0, after = 0;
    bool found = false;
    for (size_t i = 0; i < program->count && !found; i++)
        found = resize->object && program->ops[i].born == resize->object &&
                assay_event_bears(&program->ops[i]) && assay_event_bytes(&program->ops[i], &before);
    ret_ops[0] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .born = 1, .size = before};
    ret_ops[1] = (struct assay_event){.kind = ASSAY_OP_REALLOC, .object = 1, .born = 2};
    bool plain = found && assay_event_bytes(resize, &after);
    ret_ops[1].size = after;
    return plain;
}

/* The same byte is lost where nothing is aligned, and by realloc: then that is what is told. */
static void look_at_plain_calls(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                                struct assay_trial_result *result, uint32_t hang_ms)
{
    static _Thread_local struct assay_trial_result last;
    struct assay_event ops[2];
    struct assay_fuzz_program plain = {.ops = ops, .count = 2};
    struct assay_violation wanted = result->first;
    bool special = wanted.property == ASSAY_PROPERTY_C16 ||
                   (wanted.property == ASSAY_PROPERTY_C12 && wanted.kind == ASSAY_OP_REALLOCARRAY);
    int same;
    if (!special || !is_content(&wanted) || program->count < 2 ||
        !make_plain(program, &wanted, ops))
        return;
    wanted.property = ASSAY_PROPERTY_C12;
    wanted.kind = ASSAY_OP_REALLOC;
    if (count_shown(state, &plain, &state->config->profile, hang_ms, &wanted, &same, &last) !=
            TIMES ||
        same != TIMES || last.first.offset != result->first.offset)
        return;
    memcpy(program->ops, ops, sizeof ops);
    program->count = 2;
    program->environment = plain.environment;
    *result = last;
}

/* What makes the ops that follow run at another time than where they stand. */
static bool moves_ops(const struct assay_event *op)
{
    return op->kind == ASSAY_OP_FORK ||
           (op->kind == ASSAY_OP_CONTEXT && op->arg >= ASSAY_CONTEXT_ATEXIT &&
            op->arg <= ASSAY_CONTEXT_CHILD);
}

/* As ops of one thread. Returns how many; 0: processes or handlers have a part, or it is one. */
static size_t put_on_one_thread(const struct assay_fuzz_program *program,
                                struct assay_event *ret_ops)
{
    size_t n = 0;
    bool several = false;
    for (size_t i = 0; i < program->count; i++) {
        const struct assay_event *op = &program->ops[i];
        if (op->process || moves_ops(op))
            return 0;
        several |= op->thread != 0;
        if (op->kind == ASSAY_OP_THREAD_START || op->kind == ASSAY_OP_THREAD_EXIT ||
            op->kind == ASSAY_OP_CONTEXT)
            continue;
        ret_ops[n] = *op;
        ret_ops[n++].thread = 0;
    }
    return several ? n : 0;
}

/* Such a call loses content where one thread makes all calls, too: then what that is called is
 * told. */
static void look_on_one_thread(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                               struct assay_trial_result *result, uint32_t hang_ms)
{
    static _Thread_local struct assay_trial_result last;
    struct assay_fuzz_program alone = *program;
    const struct assay_violation *first = &result->first;
    int same;
    if (first->property != ASSAY_PROPERTY_C28 || !is_content(first) ||
        program->environment.preempted)
        return;
    alone.environment =
        (struct assay_environment){.whole_content = program->environment.whole_content};
    alone.ops = malloc(program->count * sizeof *alone.ops);
    alone.count = alone.ops ? put_on_one_thread(program, alone.ops) : 0;
    if (alone.count > 0 &&
        count_shown(state, &alone, &state->config->profile, hang_ms, first, &same, &last) ==
            TIMES &&
        last.first.kind == first->kind && last.first.relation == first->relation &&
        last.first.size_band == first->size_band) {
        memcpy(program->ops, alone.ops, alone.count * sizeof *alone.ops);
        program->count = alone.count;
        program->environment = alone.environment;
        *result = last;
    }
    free(alone.ops);
}

static bool is_refused_resize(const struct assay_event *op)
{
    uint64_t bytes = 0;
    return assay_op_info(op->kind)->op_class == ASSAY_CLASS_RESIZE && op->object &&
           (!assay_event_bytes(op, &bytes) || bytes >= ASSAY_SIZE_REFUSED);
}

/* What ends the program where no resize is refused as well has nothing to do with refusals,
 * whatever its operand had been through. */
static void look_without_refusals(struct assay_fuzz_state *state,
                                  struct assay_fuzz_program *program,
                                  struct assay_trial_result *result, uint32_t hang_ms)
{
    static _Thread_local struct assay_trial_result last;
    struct assay_fuzz_program without = *program;
    struct assay_violation wanted = result->first;
    int same, times = wanted.relation == ASSAY_RELATION_HANG ? 1 : TIMES;
    if (wanted.property != ASSAY_PROPERTY_C13 || is_content(&wanted))
        return;
    without.ops = malloc(program->count * sizeof *without.ops);
    without.count = 0;
    for (size_t i = 0; i < program->count && without.ops; i++)
        if (!is_refused_resize(&program->ops[i]))
            without.ops[without.count++] = program->ops[i];
    wanted.property = ASSAY_PROPERTY_C26;
    if (without.count > 0 && without.count < program->count &&
        count_shown(state, &without, &state->config->profile, hang_ms, &wanted, &same, &last) ==
            times &&
        same == times) {
        memcpy(program->ops, without.ops, without.count * sizeof *without.ops);
        program->count = without.count;
        *result = last;
    }
    free(without.ops);
}

bool assay_fuzz_is_consequence(struct assay_fuzz_state *state, struct assay_fuzz_program *program,
                               struct assay_trial_result *result, uint32_t hang_ms)
{
    if (assay_fuzz_known(state, &result->first))
        return false;
    look_on_one_thread(state, program, result, hang_ms);
    look_at_plain_calls(state, program, result, hang_ms);
    look_without_refusals(state, program, result, hang_ms);
    return !assay_fuzz_known(state, &result->first) &&
           folds_into_usable(state, program, &result->first, hang_ms);
}
