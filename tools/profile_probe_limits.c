/* Probes of limits: how large, how many, how aligned, how many threads, and which errno beyond. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/human.h"
#include "tools/profile_probe.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- max_alignment -------------------------------------------------------------------------- */

struct alignments {
    uint64_t served;     /* up to this one, all */
    uint64_t misaligned; /* objects */
    char end[160];
};

static void ask_alignments(struct assay_measuring *measure, enum assay_op kind,
                           struct alignments *ret_alignments)
{
    enum { EACH = 3 };
    struct assay_asking asking;
    memset(ret_alignments, 0, sizeof *ret_alignments);
    assay_asking_begin(&asking, measure);
    for (uint64_t alignment = 16; alignment <= GIB; alignment *= 2) {
        uint64_t size[] = {1, 100, 5000, 150000, MIB, alignment};
        bool all = true;
        for (size_t k = 0; k < EACH * sizeof size / sizeof *size && all; k++) {
            uint64_t wanted = size[k / EACH];
            if (kind == ASSAY_OP_ALIGNED_ALLOC)
                wanted = (wanted + alignment - 1) & -alignment;
            struct assay_event op = {.kind = (uint8_t)kind, .size = wanted, .arg = alignment};
            all = assay_asking_op(&asking, &op) && op.address != ASSAY_ADDRESS_NULL;
            if (!all)
                break;
            ret_alignments->misaligned += (op.address & (alignment - 1)) != 0;
            op = (struct assay_event){.kind = ASSAY_OP_FREE, .object = op.born};
            all = k % 2 || assay_asking_op(&asking, &op);
        }
        if (!all)
            break;
        ret_alignments->served = alignment;
    }
    memcpy(ret_alignments->end, asking.end, sizeof asking.end);
    assay_asking_end(&asking);
}

void assay_profile_probe_max_alignment(struct assay_measuring *measure,
                                       struct assay_profile_fact *fact)
{
    static const enum assay_op kinds[] = {ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_ALIGNED_ALLOC,
                                          ASSAY_OP_MEMALIGN};
    uint64_t least = UINT64_MAX;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct alignments seen;
        struct assay_human human;
        if (measure->config.spec->missing_apis >> kinds[k] & 1)
            continue;
        ask_alignments(measure, kinds[k], &seen);
        assay_fact_line(fact, "%s serves alignments of 16 to %s%s", assay_op_info(kinds[k])->name,
                        assay_human_bytes(&human, seen.served),
                        seen.served == GIB ? ", the most that was tried" : "");
        if (seen.misaligned)
            assay_fact_line(fact, "of those %" PRIu64 " were not aligned so: C03 is violated",
                            seen.misaligned);
        if (seen.end[0])
            assay_fact_line(fact, "then %s", seen.end);
        least = seen.served < least ? seen.served : least;
    }
    if (least == UINT64_MAX) {
        assay_fact_doubt(fact, "it has no function that takes an alignment");
        return;
    }
    if (least > MIB)
        assay_fact_line(fact, "promised is the most that programs of this rig ask for");
    fact->at_least = least > MIB;
    assay_fact_tell(measure, fact, least > MIB ? MIB : least);
}

/* ---- budgets -------------------------------------------------------------------------------- */

static uint64_t rounded_down(uint64_t bytes)
{
    uint64_t step = 1;
    while (step * 2 <= bytes)
        step *= 2;
    return bytes >= step + step / 2 && step > 1 ? step + step / 2 : step;
}

/* Bytes live in objects of one size before the first is refused; at most `most`. */
static uint64_t fill(struct assay_measuring *measure, uint64_t size, uint64_t most, char *ret_end)
{
    enum { BATCH = 4096 };
    static struct assay_event ops[BATCH];
    struct assay_asking asking;
    uint64_t live = 0;
    bool refused = false;
    assay_asking_begin(&asking, measure);
    asking.config.max_objects = (uint32_t)(most / size + BATCH);
    asking.config.touch = ASSAY_TOUCH_NONE;
    while (live < most && !refused && !*measure->config.interrupted) {
        for (size_t i = 0; i < BATCH; i++)
            ops[i] = (struct assay_event){
                .kind = ASSAY_OP_MALLOC, .size = size, .born = ++asking.objects};
        bool alive = assay_asking_run(&asking, ops, BATCH);
        for (size_t i = 0; i < BATCH && !refused; i++) {
            refused = !(ops[i].flags & ASSAY_FLAG_EXECUTED) || ops[i].address == ASSAY_ADDRESS_NULL;
            live += refused ? 0 : size;
        }
        refused |= !alive;
    }
    snprintf(ret_end, sizeof asking.end, "%s", asking.end);
    assay_asking_end(&asking);
    return live < most ? live : most;
}

void assay_profile_probe_budget_live(struct assay_measuring *measure,
                                     struct assay_profile_fact *fact)
{
    static const uint64_t size[] = {64, 1000, 20000, 300000};
    uint64_t least = UINT64_MAX, most = 256 * MIB;
    char end[160];
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        struct assay_human human;
        uint64_t live = fill(measure, size[k], most, end);
        if (live < most || end[0])
            assay_fact_line(fact, "objects of %" PRIu64 " bytes: %s, then %s", size[k],
                            assay_human_bytes(&human, live), end[0] ? end : "a null pointer");
        least = live < least ? live : least;
    }
    if (least == most)
        assay_fact_line(fact, "256 MiB, the default and the most that was tried, in objects of 64, "
                              "1000, 20000 and 300000 bytes");
    fact->at_least = least == most;
    assay_fact_tell(measure, fact, least == most ? most : rounded_down(least));
}

static uint64_t largest(struct assay_measuring *measure, const struct assay_event *like,
                        char *ret_end)
{
    struct assay_asking asking;
    uint64_t served = 0;
    assay_asking_begin(&asking, measure);
    for (uint64_t size = MIB / 2; size <= GIB; size *= 2) {
        struct assay_event op = *like, release = {.kind = ASSAY_OP_FREE};
        op.size = size;
        if (!assay_asking_op(&asking, &op) || op.address == ASSAY_ADDRESS_NULL)
            break;
        release.object = op.born;
        if (!assay_asking_op(&asking, &release))
            break;
        served = size;
    }
    snprintf(ret_end, sizeof asking.end, "%s", asking.end);
    assay_asking_end(&asking);
    return served;
}

void assay_profile_probe_budget_object(struct assay_measuring *measure,
                                       struct assay_profile_fact *fact)
{
    static const struct assay_event likes[] = {
        {.kind = ASSAY_OP_MALLOC},
        {.kind = ASSAY_OP_CALLOC, .arg = 1},
        {.kind = ASSAY_OP_REALLOC},
        {.kind = ASSAY_OP_POSIX_MEMALIGN, .arg = 64},
    };
    uint64_t least = UINT64_MAX, most = 64 * MIB;
    for (size_t k = 0; k < sizeof likes / sizeof *likes; k++) {
        struct assay_human human;
        char end[160];
        if (measure->config.spec->missing_apis >> likes[k].kind & 1)
            continue;
        uint64_t served = largest(measure, &likes[k], end);
        assay_fact_line(fact, "%s serves %s%s", assay_op_info(likes[k].kind)->name,
                        assay_human_bytes(&human, served),
                        served == GIB ? ", the most that was tried" : "");
        if (end[0])
            assay_fact_line(fact, "then %s", end);
        least = served < least ? served : least;
    }
    if (least > most)
        assay_fact_line(fact, "promised is the default");
    fact->at_least = least > most;
    assay_fact_tell(measure, fact, least > most ? most : least ? least : 1);
}

/* ---- errno ---------------------------------------------------------------------------------- */

struct refusals {
    unsigned refused, enomem, served;
    uint8_t other; /* the last errno that was not ENOMEM */
    char end[160];
    struct assay_event at; /* that was served */
};

/* Requests that no address space has room for, each of a child of its own: some end the process. */
static void ask_huge(struct assay_measuring *measure, enum assay_op kind, struct refusals *r)
{
    static const uint64_t huge[] = {
        UINT64_C(1) << 48,  UINT64_C(1) << 62, (uint64_t)PTRDIFF_MAX + 1,
        UINT64_MAX - 65536, UINT64_MAX - 4096, UINT64_MAX - 63,
        UINT64_MAX - 5,     UINT64_MAX};
    memset(r, 0, sizeof *r);
    for (size_t k = 0; k < sizeof huge / sizeof *huge; k++) {
        struct assay_asking asking;
        bool counted = kind == ASSAY_OP_CALLOC || kind == ASSAY_OP_REALLOCARRAY;
        bool takes = kind == ASSAY_OP_ALIGNED_ALLOC || kind == ASSAY_OP_MEMALIGN ||
                     kind == ASSAY_OP_POSIX_MEMALIGN;
        struct assay_event op = {.kind = (uint8_t)kind,
                                 .size = huge[k],
                                 .arg = counted ? 1
                                        : takes ? 64
                                                : 0};
        if (kind == ASSAY_OP_ALIGNED_ALLOC)
            op.size &= ~UINT64_C(63);
        assay_asking_begin(&asking, measure);
        if (!assay_asking_op(&asking, &op)) {
            if (!r->end[0])
                memcpy(r->end, asking.end, sizeof r->end);
        } else if (op.address != ASSAY_ADDRESS_NULL) {
            if (r->served++ == 0)
                r->at = op;
        } else {
            r->refused++;
            r->enomem += op.error == ENOMEM;
            if (op.error != ENOMEM)
                r->other = op.error;
        }
        assay_asking_end(&asking);
    }
}

void assay_profile_probe_large_errno(struct assay_measuring *measure,
                                     struct assay_profile_fact *fact)
{
    static const struct {
        enum assay_op kind;
        bool open; /* the key is about it */
    } apis[] = {{ASSAY_OP_MALLOC, false},         {ASSAY_OP_CALLOC, false},
                {ASSAY_OP_REALLOC, false},        {ASSAY_OP_REALLOCARRAY, false},
                {ASSAY_OP_POSIX_MEMALIGN, false}, {ASSAY_OP_ALIGNED_ALLOC, true},
                {ASSAY_OP_MEMALIGN, true},        {ASSAY_OP_VALLOC, true},
                {ASSAY_OP_PVALLOC, true}};
    unsigned refused = 0, wrong = 0;
    char good[160] = "", call[80];
    for (size_t k = 0; k < sizeof apis / sizeof *apis; k++) {
        struct refusals r;
        const char *name = assay_op_info(apis[k].kind)->name;
        if (measure->config.spec->missing_apis >> apis[k].kind & 1)
            continue;
        ask_huge(measure, apis[k].kind, &r);
        if (r.refused && r.enomem == r.refused)
            snprintf(good + strlen(good), sizeof good - strlen(good), "%s%s", good[0] ? ", " : "",
                     name);
        else if (r.refused)
            assay_fact_line(fact, "%s: ENOMEM for %u of %u sizes of 2^48 and more, else %u", name,
                            r.enomem, r.refused, r.other);
        if (r.served)
            assay_fact_line(fact, "%s is served", assay_asking_call(&r.at, call, sizeof call));
        if (r.end[0])
            assay_fact_line(fact, "%s", r.end);
        if (apis[k].open) {
            refused += r.refused;
            wrong += r.refused - r.enomem;
        }
    }
    if (good[0])
        assay_fact_line(fact, "ENOMEM for all sizes of 2^48 and more from %s", good);
    if (refused == 0)
        assay_fact_doubt(fact, "none of aligned_alloc, memalign, valloc, pvalloc refused anything");
    else
        assay_fact_tell(measure, fact, wrong ? ASSAY_ANSWER_NO : ASSAY_ANSWER_YES);
}

void assay_profile_probe_memalign_errno(struct assay_measuring *measure,
                                        struct assay_profile_fact *fact)
{
    static const struct assay_event asked[] = {
        {.arg = 3, .size = 40},
        {.arg = 0, .size = 40},
        {.arg = 4, .size = 40},
        {.arg = 24, .size = 40},
        {.arg = 4096, .size = UINT64_MAX},
        {.arg = 16, .size = PTRDIFF_MAX},
        {.arg = 64, .size = UINT64_C(1) << 48},
        {.arg = UINT64_C(1) << 47, .size = 22},
        {.arg = UINT64_C(1) << 55, .size = 22},
    };
    unsigned failed = 0, changed = 0;
    char call[80], end[160] = "";
    if (measure->config.spec->missing_apis >> ASSAY_OP_POSIX_MEMALIGN & 1) {
        assay_fact_doubt(fact, "it has no posix_memalign");
        return;
    }
    for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
        struct assay_asking asking;
        struct assay_event op = asked[k];
        op.kind = ASSAY_OP_POSIX_MEMALIGN;
        assay_asking_begin(&asking, measure);
        if (!assay_asking_op(&asking, &op)) {
            if (!end[0])
                memcpy(end, asking.end, sizeof end);
        } else if (op.address == ASSAY_ADDRESS_NULL && op.error != 0) {
            failed++;
            if (op.usable_extra != 0 && changed++ == 0)
                assay_fact_line(fact, "%s returns %u and sets errno to %d",
                                assay_asking_call(&op, call, sizeof call), op.error,
                                op.usable_extra);
        }
        assay_asking_end(&asking);
    }
    assay_fact_line(fact, "%u of %u calls that failed changed errno", changed, failed);
    if (end[0])
        assay_fact_line(fact, "%s", end);
    if (failed == 0)
        assay_fact_doubt(fact, "no call failed");
    else
        assay_fact_tell(measure, fact, changed ? ASSAY_ANSWER_NO : ASSAY_ANSWER_YES);
}

/* ---- threads -------------------------------------------------------------------------------- */

void assay_profile_probe_max_threads(struct assay_measuring *measure,
                                     struct assay_profile_fact *fact)
{
    enum { THREADS = 64, EACH = 8, OPS = THREADS * (2 * EACH + 1) };
    static struct assay_event ops[OPS];
    struct assay_asking asking;
    size_t n = 0;
    unsigned served = 0;
    memset(ops, 0, sizeof ops);
    assay_asking_begin(&asking, measure);
    asking.config.environment.order = ASSAY_ORDER_PARTIAL;
    for (unsigned t = 1; t <= THREADS; t++)
        ops[n++] = (struct assay_event){.kind = ASSAY_OP_THREAD_START, .arg = t};
    for (unsigned i = 0; i < EACH; i++)
        for (unsigned t = 1; t <= THREADS; t++)
            ops[n++] = (struct assay_event){.kind = ASSAY_OP_MALLOC,
                                            .thread = (uint16_t)t,
                                            .size = 16 + 40 * i,
                                            .born = ++asking.objects};
    for (uint32_t object = 1; object <= asking.objects; object++)
        ops[n++] = (struct assay_event){
            .kind = ASSAY_OP_FREE, .thread = (uint16_t)(1 + object % THREADS), .object = object};
    assay_asking_run(&asking, ops, n);
    for (size_t i = 0; i < n; i++)
        served += assay_event_bears(&ops[i]) && ops[i].address != ASSAY_ADDRESS_NULL;
    assay_asking_end(&asking);
    assay_fact_line(
        fact, "%d threads, the most that was tried, allocate %u objects and free each other's",
        THREADS, served);
    if (asking.gone)
        assay_fact_doubt(fact, "%s", asking.end);
    else if (served < THREADS * EACH)
        assay_fact_doubt(fact, "%u of %d requests were refused", THREADS * EACH - served,
                         THREADS * EACH);
    else {
        fact->at_least = true;
        assay_fact_tell(measure, fact, THREADS);
    }
}
