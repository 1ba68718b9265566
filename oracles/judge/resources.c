/* Ops that measure the process or make memory scarce, and what statistics may say. */
#include "oracles/judge/state.h"

__attribute__((noinline, cold)) void
assay_judge_resources(struct assay_judge *judge, const struct assay_case *c, uint32_t number)
{
    for (uint64_t rest = judge->judged; rest != 0; rest &= rest - 1) {
        unsigned property = (unsigned)__builtin_ctzll(rest);
        if (!(assay_judge_subscribed[property] >> c->kind & 1) ||
            !(assay_property_info(property)->needs & ASSAY_HAS_RESOURCES))
            continue;
        judge->evaluations[property] +=
            assay_judge_ask(judge, c, property, number) != ASSAY_OUTCOME_NOT_APPLICABLE;
    }
}

/* What statistics may say of what lives: not less than was asked for, and not more than that with
 * what a class, a header, an alignment and a page take. */
__attribute__((noinline)) void assay_judge_count_used(const struct assay_judge *judge,
                                                      struct assay_case *c)
{
    enum { HEADER_BYTES = 64, LARGE_BYTES = 16384, LEAST_SLACK = 64 << 10, PERCENT = 100 };
    const struct assay_profile *profile = &judge->config.profile;
    uint64_t least = 0, most = 0;
    for (uint32_t i = 1; i <= judge->model.highest; i++) {
        const struct assay_object *object = &judge->model.objects[i];
        if (object->state != ASSAY_OBJECT_LIVE)
            continue;
        uint64_t bytes = object->requested;
        bool usable = object->flags & ASSAY_OBJECT_USABLE_KNOWN && object->usable_extra > 0;
        least += bytes;
        most += usable ? assay_object_usable(object) : bytes + bytes / 4;
        most += HEADER_BYTES + (bytes >= LARGE_BYTES ? (uint64_t)ASSAY_PAGE_BYTES : 0) +
                (object->alignment_log2 ? UINT64_C(1) << object->alignment_log2 : 0);
    }
    bool apart = profile->statistics_mapped == ASSAY_ANSWER_YES, whole = c->event->arg != 0;
    uint64_t slack =
        profile->statistics_slack > LEAST_SLACK ? profile->statistics_slack : LEAST_SLACK;
    slack += least / PERCENT;
    bool counts_all = whole || profile->statistics_mapped == ASSAY_ANSWER_NO;
    bool counts_once = !whole || apart;
    c->used_least = counts_all && least > slack ? least - slack : 0;
    c->used_most = counts_once && profile->statistics_slack ? most + slack : 0;
}

__attribute__((noinline, cold)) void assay_judge_system(struct assay_judge *judge,
                                                        const struct assay_event *event)
{
    struct assay_resources *r = &judge->resources;
    if (event->kind != ASSAY_OP_MEASURE) {
        assay_resources_take(r, &judge->model, event);
        return;
    }
    const struct assay_case c = {.event = event,
                                 .profile = &judge->config.profile,
                                 .judged = judge->judged,
                                 .op_index = judge->op_index,
                                 .live_bytes = judge->model.live_bytes,
                                 .kind = ASSAY_OP_MEASURE,
                                 .scarcity = r->scarcity,
                                 .resources = r};
    assay_resources_measure(r, &judge->model, event);
    if (!judge->tainted)
        assay_judge_resources(judge, &c, 0);
}
