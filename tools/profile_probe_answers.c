/* Probes of what calls answer: alignment, size 0, usable sizes, realloc, bad alignments. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/profile_probe.h"

enum { SIZES_MAX = 1400, WANTED_ALIGNMENT = 16 };

static const enum assay_op plain[] = {ASSAY_OP_MALLOC, ASSAY_OP_CALLOC, ASSAY_OP_REALLOC,
                                      ASSAY_OP_REALLOCARRAY};
static const enum assay_op aligned[] = {ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_ALIGNED_ALLOC,
                                        ASSAY_OP_MEMALIGN};
enum { PLAIN = sizeof plain / sizeof *plain, ALIGNED = sizeof aligned / sizeof *aligned };

/* Every size to 1,100, then around powers of two and the middle between them, to 1 MiB. */
static size_t sizes(uint64_t ret_sizes[SIZES_MAX])
{
    enum { EACH = 1100, LARGEST = 1 << 20 };
    size_t n = 0;
    for (uint64_t size = 0; size <= EACH; size++)
        ret_sizes[n++] = size;
    for (uint64_t base = 2048; base <= LARGEST; base *= 2)
        for (int64_t off = -1; off <= 1; off++) {
            ret_sizes[n++] = (uint64_t)((int64_t)base + off);
            ret_sizes[n++] = (uint64_t)((int64_t)base * 3 / 4 + off);
        }
    return n;
}

/* size bytes by one of the calls that ask for no alignment. */
static struct assay_event plain_op(enum assay_op kind, uint64_t size)
{
    bool counted = kind == ASSAY_OP_CALLOC || kind == ASSAY_OP_REALLOCARRAY;
    return (struct assay_event){.kind = (uint8_t)kind, .size = size, .arg = counted};
}

/* The names of the calls that are there: "malloc, calloc, realloc". */
static const char *names(const struct assay_asking *asking, const enum assay_op *kinds, size_t n,
                         char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!assay_asking_lacks(asking, kinds[i]) && used < room)
            used += (size_t)snprintf(text + used, room - used, "%s%s", used ? ", " : "",
                                     assay_op_info(kinds[i])->name);
    return text;
}

static uint64_t alignment_of(uint64_t address)
{
    return address & -address;
}

static uint64_t natural(uint64_t size)
{
    return size >= WANTED_ALIGNMENT ? WANTED_ALIGNMENT
           : size                   ? UINT64_C(1) << (63 - __builtin_clzll(size))
                                    : 1;
}

/* ---- min_alignment -------------------------------------------------------------------------- */

struct least {
    uint64_t alignment, empty; /* of objects with bytes, and of those without */
    uint64_t below;            /* objects that are less aligned than their size wants */
    struct assay_event worst;
    uint64_t seen;
};

static void look(struct least *least, const struct assay_event *op)
{
    uint64_t alignment = alignment_of(op->address);
    if (op->address == ASSAY_ADDRESS_NULL)
        return;
    least->seen++;
    if (op->size == 0) {
        least->empty = alignment < least->empty ? alignment : least->empty;
        return;
    }
    if (alignment < natural(op->size) && least->below++ == 0)
        least->worst = *op;
    least->alignment = alignment < least->alignment ? alignment : least->alignment;
}

void assay_profile_probe_min_alignment(struct assay_measuring *measure,
                                       struct assay_profile_fact *fact)
{
    struct assay_asking asking;
    struct least least = {.alignment = UINT64_MAX, .empty = UINT64_MAX};
    uint64_t size[SIZES_MAX];
    size_t n = sizes(size);
    char which[80], call[80];
    assay_asking_begin(&asking, measure);
    for (int round = 0; round < 2; round++)
        for (size_t k = 0; k < PLAIN; k++)
            for (size_t i = 0; i < n && !assay_asking_lacks(&asking, plain[k]); i++) {
                struct assay_event op = plain_op(plain[k], size[i]);
                if (!assay_asking_op(&asking, &op))
                    break;
                look(&least, &op);
                if (i % 3 != 0 || op.address == ASSAY_ADDRESS_NULL)
                    continue;
                struct assay_event resize = {
                    .kind = ASSAY_OP_REALLOC, .object = op.born, .size = size[i] * 2 + 1};
                if (!assay_asking_op(&asking, &resize))
                    break;
                look(&least, &resize);
            }
    assay_asking_end(&asking);
    assay_fact_line(fact, "%" PRIu64 " objects of 0 bytes to 2 MiB by %s", least.seen,
                    names(&asking, plain, PLAIN, which, sizeof which));
    if (asking.gone || least.seen == 0) {
        assay_fact_doubt(fact, "%s", asking.gone ? asking.end : "no object was served");
        return;
    }
    if (least.below) {
        assay_fact_line(
            fact, "%s is only %" PRIu64 "-aligned, and so are %" PRIu64 " objects: C02 is violated",
            assay_asking_call(&least.worst, call, sizeof call), alignment_of(least.worst.address),
            least.below);
        assay_fact_tell(measure, fact, 0);
        return;
    }
    bool always = least.alignment >= WANTED_ALIGNMENT && least.empty >= WANTED_ALIGNMENT;
    if (always)
        assay_fact_line(fact, "all are 16-aligned");
    else if (least.alignment >= WANTED_ALIGNMENT)
        assay_fact_line(fact,
                        "all are 16-aligned but those of size 0, which are %" PRIu64 "-aligned",
                        least.empty);
    else
        assay_fact_line(fact,
                        "all as their size wants, small ones no more than %" PRIu64 "-aligned",
                        least.alignment);
    assay_fact_tell(measure, fact, always ? WANTED_ALIGNMENT : 0);
}

/* ---- size 0 --------------------------------------------------------------------------------- */

/* malloc and calloc decide; realloc(NULL, 0) should do as malloc does. */
void assay_profile_probe_malloc_zero(struct assay_measuring *measure,
                                     struct assay_profile_fact *fact)
{
    enum { EACH = 32, FORMS = 4 };
    static const struct assay_event asked[FORMS] = {{.kind = ASSAY_OP_MALLOC},
                                                    {.kind = ASSAY_OP_CALLOC, .size = 8},
                                                    {.kind = ASSAY_OP_CALLOC, .arg = 8},
                                                    {.kind = ASSAY_OP_REALLOC}};
    struct assay_asking asking;
    unsigned nulls[FORMS] = {0}, calls = 0, null = 0, twice = 0;
    char call[80];
    assay_asking_begin(&asking, measure);
    for (size_t k = 0; k < FORMS; k++) {
        uint64_t last = ASSAY_ADDRESS_NULL;
        if (assay_asking_lacks(&asking, asked[k].kind))
            continue;
        for (int i = 0; i < EACH; i++) {
            struct assay_event op = asked[k];
            if (!assay_asking_op(&asking, &op))
                break;
            nulls[k] += op.address == ASSAY_ADDRESS_NULL;
            twice += op.address != ASSAY_ADDRESS_NULL && op.address == last;
            last = op.address;
        }
        assay_fact_line(fact, "%s: %u of %d are null pointers",
                        assay_asking_call(&asked[k], call, sizeof call), nulls[k], EACH);
        if (asked[k].kind != ASSAY_OP_REALLOC) {
            calls += EACH;
            null += nulls[k];
        }
    }
    assay_asking_end(&asking);
    if (twice)
        assay_fact_line(fact, "%u have the address of the one before, which lives: C18 is violated",
                        twice);
    if (asking.gone)
        assay_fact_doubt(fact, "%s", asking.end);
    else if (null && null < calls)
        assay_fact_doubt(fact, "%u of %u calls of malloc and calloc give a null pointer", null,
                         calls);
    else
        assay_fact_tell(measure, fact, null ? ASSAY_ANSWER_YES : ASSAY_ANSWER_NO);
}

struct zero_resizes {
    unsigned freed, unique, refused, came_back;
};

/* p = malloc(size), q = realloc(p, 0), then: does p's address come back? */
static bool resize_to_zero(struct assay_asking *asking, uint64_t size, struct zero_resizes *z)
{
    enum { LOOKS = 64 };
    struct assay_event p = {.kind = ASSAY_OP_MALLOC, .size = size}, q;
    if (!assay_asking_op(asking, &p))
        return false;
    if (p.address == ASSAY_ADDRESS_NULL)
        return true;
    q = (struct assay_event){.kind = ASSAY_OP_REALLOC, .object = p.born};
    if (!assay_asking_op(asking, &q))
        return false;
    z->unique += q.address != ASSAY_ADDRESS_NULL;
    z->refused += q.address == ASSAY_ADDRESS_NULL && q.error == ENOMEM;
    if (q.address != ASSAY_ADDRESS_NULL || q.error == ENOMEM)
        return true;
    z->freed++;
    for (int i = 0; i < LOOKS; i++) {
        struct assay_event op = {.kind = ASSAY_OP_MALLOC, .size = size};
        if (!assay_asking_op(asking, &op))
            return false;
        if (op.address == p.address) {
            z->came_back++;
            break;
        }
    }
    return true;
}

void assay_profile_probe_realloc_zero(struct assay_measuring *measure,
                                      struct assay_profile_fact *fact)
{
    static const uint64_t from[] = {1, 24, 40, 200, 1000, 5000, 100000, 1 << 20};
    enum { EACH = 4 };
    struct assay_asking asking;
    struct zero_resizes z = {0};
    assay_asking_begin(&asking, measure);
    for (size_t k = 0; k < sizeof from / sizeof *from; k++)
        for (int i = 0; i < EACH; i++)
            if (!resize_to_zero(&asking, from[k], &z))
                break;
    assay_asking_end(&asking);
    unsigned all = z.freed + z.unique + z.refused;
    if (z.freed)
        assay_fact_line(
            fact,
            "%u of %u give a null pointer, and within 64 allocations %u of the addresses come back",
            z.freed, all, z.came_back);
    if (z.unique)
        assay_fact_line(fact, "%u of %u give a pointer", z.unique, all);
    if (z.refused)
        assay_fact_line(fact, "%u of %u are refused with ENOMEM", z.refused, all);
    if (asking.gone)
        assay_fact_doubt(fact, "%s", asking.end);
    else if (all && z.freed == all)
        assay_fact_tell(measure, fact, ASSAY_ZERO_RESIZE_FREES);
    else if (all && z.unique == all)
        assay_fact_tell(measure, fact, ASSAY_ZERO_RESIZE_UNIQUE);
    else
        assay_fact_doubt(fact, "it differs from size to size");
}

/* ---- usable sizes --------------------------------------------------------------------------- */

void assay_profile_probe_usable_is_requested(struct assay_measuring *measure,
                                             struct assay_profile_fact *fact)
{
    struct assay_asking asking;
    uint64_t size[SIZES_MAX], exact = 0, asked = 0;
    int64_t most = 0;
    size_t n = sizes(size);
    struct assay_event worst = {0};
    char which[160], more[80], call[80];
    assay_asking_begin(&asking, measure);
    asking.config.ask_usable = true;
    if (assay_asking_lacks(&asking, ASSAY_OP_USABLE_SIZE)) {
        assay_fact_doubt(fact, "it has no malloc_usable_size");
        return;
    }
    for (size_t k = 0; k < PLAIN + ALIGNED; k++) {
        enum assay_op kind = k < PLAIN ? plain[k] : aligned[k - PLAIN];
        for (size_t i = 0; i < n && !assay_asking_lacks(&asking, kind); i++) {
            struct assay_event op = plain_op(kind, size[i]);
            if (k >= PLAIN) {
                op.arg = 64;
                op.size = kind == ASSAY_OP_ALIGNED_ALLOC ? size[i] & ~UINT64_C(63) : size[i];
            }
            if (!assay_asking_op(&asking, &op))
                break;
            if (!(op.flags & ASSAY_FLAG_USABLE))
                continue;
            asked++;
            exact += op.usable_extra == 0;
            if (llabs(op.usable_extra) > most) {
                most = llabs(op.usable_extra);
                worst = op;
            }
        }
    }
    assay_asking_end(&asking);
    assay_fact_line(fact, "%" PRIu64 " of %" PRIu64 " answers are what was requested, by %s, %s",
                    exact, asked, names(&asking, plain, PLAIN, which, sizeof which),
                    names(&asking, aligned, ALIGNED, more, sizeof more));
    if (most)
        assay_fact_line(fact, "farthest off: %s has %+d bytes",
                        assay_asking_call(&worst, call, sizeof call), worst.usable_extra);
    if (asking.gone)
        assay_fact_doubt(fact, "%s", asking.end);
    else if (asked == 0)
        assay_fact_doubt(fact, "no question was answered");
    else
        assay_fact_tell(measure, fact, exact == asked ? ASSAY_ANSWER_YES : ASSAY_ANSWER_NO);
}

void assay_profile_probe_good_size(struct assay_measuring *measure, struct assay_profile_fact *fact)
{
    enum { MOST = 8 << 20 };
    struct assay_asking asking;
    uint64_t exact = 0, size, good = 0, usable = 0;
    assay_asking_begin(&asking, measure);
    asking.config.ask_usable = true;
    if (assay_asking_lacks(&asking, ASSAY_OP_GOOD_SIZE) ||
        assay_asking_lacks(&asking, ASSAY_OP_USABLE_SIZE)) {
        assay_fact_doubt(fact, "it has no malloc_good_size, or no malloc_usable_size");
        return;
    }
    /* steps that fall at ever different places within classes */
    for (size = 1; size <= MOST; size += size / 61 + 1) {
        struct assay_event ask = {.kind = ASSAY_OP_GOOD_SIZE, .size = size};
        struct assay_event p = {.kind = ASSAY_OP_MALLOC, .size = size}, release;
        if (!assay_asking_op(&asking, &ask) || !assay_asking_op(&asking, &p))
            break;
        good = ask.value;
        usable = size + (uint64_t)(int64_t)p.usable_extra;
        if (p.address == ASSAY_ADDRESS_NULL || good != usable)
            break;
        exact = size;
        release = (struct assay_event){.kind = ASSAY_OP_FREE, .object = p.born};
        if (!assay_asking_op(&asking, &release))
            break;
    }
    assay_asking_end(&asking);
    if (asking.gone || exact == 0) {
        assay_fact_doubt(fact, "%s",
                         asking.gone ? asking.end : "of 1 byte already it is not the usable size");
        return;
    }
    fact->at_least = size > MOST;
    if (fact->at_least)
        assay_fact_line(fact, "the same for sizes of 1 byte to 8 MiB, the most that was tried");
    else
        assay_fact_line(fact,
                        "the same to %" PRIu64 " bytes; of %" PRIu64 " the good size is %" PRIu64
                        ", the usable one %" PRIu64,
                        exact, size, good, usable);
    uint64_t told = 1; /* 0 would say that all are */
    while (told * 2 <= exact)
        told *= 2;
    assay_fact_tell(measure, fact, fact->at_least ? MOST : told);
}

/* Objects of all sizes live together, their usable bytes written or not; then all are looked at,
 * every other one is freed and its place taken again, thrice. *ret_damaged: objects found damaged.
 */
static void live_together(struct assay_asking *asking, uint64_t *ret_objects, uint64_t *ret_damaged)
{
    enum { ROUNDS = 3, KEPT = 1100, LARGEST = 70000 };
    static uint32_t number[SIZES_MAX];
    uint64_t size[SIZES_MAX];
    size_t n = sizes(size);
    memset(number, 0, sizeof number);
    *ret_objects = *ret_damaged = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (int pass = 0; pass < 3; pass++)
            for (size_t i = 0; i < n && size[i] < LARGEST; i++) {
                struct assay_event op = plain_op(ASSAY_OP_MALLOC, size[i]);
                if (pass == 0 && number[i])
                    continue;
                if (pass == 1)
                    op = (struct assay_event){.kind = ASSAY_OP_CHECK, .object = number[i]};
                if (pass == 2 && (i + (size_t)round) % 2)
                    continue;
                if (pass == 2)
                    op = (struct assay_event){.kind = ASSAY_OP_FREE, .object = number[i]};
                if (pass && !number[i])
                    continue;
                if (!assay_asking_op(asking, &op))
                    return;
                *ret_objects += pass == 0;
                *ret_damaged +=
                    (op.failed & (ASSAY_FACT_CONTENT | ASSAY_FACT_USABLE | ASSAY_FACT_SIBLINGS)) !=
                    0;
                number[i] = pass == 0 && op.address ? op.born : pass == 2 ? 0 : number[i];
            }
}

void assay_profile_probe_usable_writable(struct assay_measuring *measure,
                                         struct assay_profile_fact *fact)
{
    struct assay_asking asking;
    if (measure->config.spec->missing_apis >> ASSAY_OP_USABLE_SIZE & 1) {
        assay_fact_doubt(fact, "it has no malloc_usable_size");
        return;
    }
    for (int writes = 0; writes < 2; writes++) {
        uint64_t objects, damaged;
        assay_asking_begin(&asking, measure);
        asking.config.touch = ASSAY_TOUCH_FULL;
        asking.config.content_full = true;
        asking.config.ask_usable = true;
        asking.config.usable_writable = writes == 1;
        live_together(&asking, &objects, &damaged);
        assay_asking_end(&asking);
        if (writes == 0 && (asking.gone || damaged)) {
            assay_fact_doubt(fact, "objects are damaged without it: %s",
                             asking.gone ? asking.end : "their content changes");
            return;
        }
        if (writes == 0)
            continue;
        assay_fact_line(fact,
                        "%" PRIu64 " objects of up to 64 KiB written to their usable end, looked "
                        "at, every other one freed and followed, "
                        "3 times",
                        objects);
        if (asking.gone)
            assay_fact_line(fact, "then %s", asking.end);
        if (damaged)
            assay_fact_line(fact, "then %" PRIu64 " times an object was found damaged", damaged);
        assay_fact_tell(measure, fact, asking.gone || damaged ? ASSAY_ANSWER_NO : ASSAY_ANSWER_YES);
    }
}

/* ---- alignments ----------------------------------------------------------------------------- */

static enum assay_op an_aligned(const struct assay_asking *asking)
{
    for (size_t k = 0; k < ALIGNED; k++)
        if (!assay_asking_lacks(asking, aligned[k]))
            return aligned[k];
    return ASSAY_OP_NONE;
}

void assay_profile_probe_realloc_alignment(struct assay_measuring *measure,
                                           struct assay_profile_fact *fact)
{
    static const uint64_t from[] = {1, 20, 100, 1000, 5000, 70000};
    struct assay_asking asking;
    unsigned kept = 0, moved = 0, asked = 0;
    assay_asking_begin(&asking, measure);
    enum assay_op kind = an_aligned(&asking);
    if (kind == ASSAY_OP_NONE) {
        assay_fact_doubt(fact, "it has no function that takes an alignment");
        return;
    }
    for (uint64_t alignment = 32; alignment <= 65536; alignment *= 2)
        for (size_t k = 0; k < 4 * sizeof from / sizeof *from; k++) {
            /* and from there to little and up again: what is left in a smaller place may forget */
            uint64_t size = from[k / 4], to[] = {size / 2 + 1, size + 1, 2 * size, 10 * size};
            const uint64_t row[] = {to[k % 4], 1, 1000 + size};
            if (kind == ASSAY_OP_ALIGNED_ALLOC)
                size = (size + alignment - 1) & -alignment;
            struct assay_event p = {.kind = (uint8_t)kind, .size = size, .arg = alignment};
            if (!assay_asking_op(&asking, &p) || p.address == ASSAY_ADDRESS_NULL ||
                p.address & (alignment - 1))
                continue;
            for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
                struct assay_event q = {.kind = ASSAY_OP_REALLOC, .object = p.born, .size = row[i]};
                if (!assay_asking_op(&asking, &q) || q.address == ASSAY_ADDRESS_NULL)
                    break;
                asked++;
                kept += (q.address & (alignment - 1)) == 0;
                moved += q.address != p.address;
                p = q;
            }
        }
    assay_asking_end(&asking);
    assay_fact_line(fact, "of %u resizes of objects from %s(32 to 65536, ...)%s", asked,
                    assay_op_info(kind)->name, kept == asked ? " all keep it" : " not all keep it");
    if (asking.gone)
        assay_fact_doubt(fact, "%s", asking.end);
    else if (asked == 0)
        assay_fact_doubt(fact, "no aligned object was served");
    else if (kept == asked && moved == 0)
        assay_fact_doubt(fact, "all resizes stayed in their place");
    else
        assay_fact_tell(measure, fact, kept == asked ? ASSAY_ANSWER_YES : ASSAY_ANSWER_NO);
}

struct bad_alignments {
    unsigned refused, invalid, rounded, less;
    char end[160];
};

static void ask_bad_alignment(struct assay_measuring *measure, uint64_t alignment,
                              struct bad_alignments *bad)
{
    struct assay_asking asking;
    uint64_t size[] = {10, alignment, 2 * alignment, 4096};
    uint64_t rounded = alignment ? UINT64_C(1) << (64 - __builtin_clzll(alignment)) : 1;
    assay_asking_begin(&asking, measure);
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        struct assay_event op = {
            .kind = ASSAY_OP_ALIGNED_ALLOC, .size = size[k] ? size[k] : 8, .arg = alignment};
        if (!assay_asking_op(&asking, &op))
            break;
        if (op.address == ASSAY_ADDRESS_NULL) {
            bad->refused++;
            bad->invalid += op.error == EINVAL;
        } else if (op.address & (rounded - 1)) {
            bad->less++;
        } else {
            bad->rounded++;
        }
    }
    if (asking.gone && !bad->end[0])
        memcpy(bad->end, asking.end, sizeof bad->end);
    assay_asking_end(&asking);
}

void assay_profile_probe_bad_alignment(struct assay_measuring *measure,
                                       struct assay_profile_fact *fact)
{
    static const uint64_t alignments[] = {3, 5, 6, 7, 12, 24, 48, 100, 1000, 3000, 4095};
    struct bad_alignments bad = {0}, zero = {0};
    if (measure->config.spec->missing_apis >> ASSAY_OP_ALIGNED_ALLOC & 1) {
        assay_fact_doubt(fact, "it has no aligned_alloc");
        return;
    }
    for (size_t k = 0; k < sizeof alignments / sizeof *alignments; k++)
        ask_bad_alignment(measure, alignments[k], &bad);
    ask_bad_alignment(measure, 0, &zero);
    unsigned all = bad.refused + bad.rounded + bad.less;
    assay_fact_line(fact,
                    "aligned_alloc(3 to 4095, 10 to 8190): of %u, %u refused (%u with EINVAL), %u "
                    "rounded up, %u aligned to less",
                    all, bad.refused, bad.invalid, bad.rounded, bad.less);
    if (zero.refused == 0 && !zero.end[0])
        assay_fact_line(fact, "an alignment of 0 is served");
    if (bad.end[0])
        assay_fact_doubt(fact, "%s", bad.end);
    else if (all && bad.refused == all)
        assay_fact_tell(measure, fact, ASSAY_ANSWER_YES);
    else if (all && bad.rounded == all)
        assay_fact_tell(measure, fact, ASSAY_ANSWER_NO);
    else
        assay_fact_doubt(fact, "it neither refuses nor rounds up always");
}
