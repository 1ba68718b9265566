/* Streams by hand: a judge over a small arena, and one call per event. */
#ifndef ASSAY_TEST_STREAM_H
#define ASSAY_TEST_STREAM_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "oracles/judge.h"

enum { STREAM_OBJECTS = 4096, STREAM_REPORTS = 64 };

#define STREAM_HAS_ALL                                                                             \
    (ASSAY_HAS_ORDER | ASSAY_HAS_ADDRESS | ASSAY_HAS_USABLE | ASSAY_HAS_ERRNO |                    \
     ASSAY_HAS_CONTENT | ASSAY_HAS_THREAD | ASSAY_HAS_SIGNAL | ASSAY_HAS_FOREIGN |                 \
     ASSAY_HAS_CONTEXT)
#define STREAM_HAS_RECORDED                                                                        \
    (ASSAY_HAS_ORDER | ASSAY_HAS_ADDRESS | ASSAY_HAS_CALLER | ASSAY_HAS_THREAD | ASSAY_HAS_TIME)

struct stream {
    struct assay_arena arena;
    struct assay_judge *judge;
    struct assay_judge_config config;
    struct assay_violation reports[STREAM_REPORTS];
    unsigned count;
    struct assay_event op; /* the event that before() was given */
};

static inline void stream_report(void *self, const struct assay_violation *violation)
{
    struct stream *s = self;
    if (s->count < STREAM_REPORTS)
        s->reports[s->count] = *violation;
    s->count++;
}

static inline void stream_open(struct stream *s, uint64_t has, const struct assay_profile *profile)
{
    memset(s, 0, sizeof *s);
    s->config = (struct assay_judge_config){.has = has,
                                            .max_objects = STREAM_OBJECTS,
                                            .legal = true,
                                            .report_self = s,
                                            .report = stream_report};
    if (profile)
        s->config.profile = *profile;
    else
        assay_profile_generic(&s->config.profile);
    assert_int_equal(assay_arena_create(&s->arena, assay_judge_bytes(&s->config), NULL), 0);
    s->judge = assay_judge_create(&s->arena, &s->config);
    assert_non_null(s->judge);
    assay_arena_freeze(&s->arena);
}

static inline void stream_close(struct stream *s)
{
    assay_arena_destroy(&s->arena);
}

static inline void stream_put(struct stream *s, struct assay_event event)
{
    s->op = event;
    if (event.kind != ASSAY_OP_EVIDENCE)
        assay_judge_before(s->judge, &s->op);
    assay_judge_after(s->judge, &event);
}

#define PUT(s, NAME, ...) stream_put(s, (struct assay_event){.kind = ASSAY_OP_##NAME, __VA_ARGS__})

/* malloc of `bytes` at `where` with 8 usable bytes more; all facts looked at and fine. */
static inline void stream_malloc(struct stream *s, uint32_t born, uint64_t bytes, uint64_t where)
{
    PUT(s, MALLOC, .born = born, .size = bytes, .address = where,
        .flags = ASSAY_FLAG_EXECUTED | ASSAY_FLAG_USABLE, .usable_extra = 8,
        .checked = ASSAY_FACT_FOREIGN);
}

static inline void stream_free(struct stream *s, uint32_t object)
{
    PUT(s, FREE, .object = object, .checked = ASSAY_FACT_CONTENT);
}

/* Fails the test unless exactly one violation was reported since the last call, of this property
 * and relation. */
#define ASSERT_ONLY(s, ID, RELATION)                                                               \
    do {                                                                                           \
        assay_judge_end((s)->judge);                                                               \
        if ((s)->count != 1)                                                                       \
            for (unsigned i_ = 0; i_ < (s)->count; i_++)                                           \
                print_error("reported: %s %s\n",                                                   \
                            assay_property_info((s)->reports[i_].property)->id,                    \
                            assay_relation_name((s)->reports[i_].relation));                       \
        assert_int_equal((s)->count, 1);                                                           \
        assert_string_equal(assay_property_info((s)->reports[0].property)->id, #ID);               \
        assert_string_equal(assay_relation_name((s)->reports[0].relation),                         \
                            assay_relation_name(ASSAY_RELATION_##RELATION));                       \
        assert_true(assay_judge_violations((s)->judge, ASSAY_PROPERTY_##ID) > 0);                  \
        assert_true(assay_judge_evaluations((s)->judge, ASSAY_PROPERTY_##ID) > 0);                 \
        (s)->count = 0;                                                                            \
    } while (0)

#define ASSERT_NONE(s)                                                                             \
    do {                                                                                           \
        assay_judge_end((s)->judge);                                                               \
        for (unsigned i_ = 0; i_ < (s)->count; i_++)                                               \
            print_error("reported: %s %s\n", assay_property_info((s)->reports[i_].property)->id,   \
                        assay_relation_name((s)->reports[i_].relation));                           \
        assert_int_equal((s)->count, 0);                                                           \
    } while (0)

#endif
