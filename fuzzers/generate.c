#include "fuzzers/generate.h"

#include <string.h>

enum sampler {
    SAMPLE_TINY,
    SAMPLE_SMALL,
    SAMPLE_FIXED,
    SAMPLE_POWER_EDGE,
    SAMPLE_LINE_EDGE,
    SAMPLE_LOGARITHMIC,
    SAMPLE_PAGE_EDGE,
    SAMPLE_LARGE,
    SAMPLE_COUNT
};

enum phase {
    PHASE_GROW,
    PHASE_SHRINK,
    PHASE_CHURN,
    PHASE_RESIZE,
    PHASE_CHAIN,
    PHASE_ALIGNED_THEN_RESIZE,
    PHASE_DIRTY_THEN_CALLOC,
    PHASE_WRAP,
    PHASE_COUNT
};

enum release_order { RELEASE_NEWEST, RELEASE_OLDEST, RELEASE_RANDOM, RELEASE_ORDERS };

enum {
#define ASSAY_MIX(up_to, weight)
#define ASSAY_MIX_SETTING(name, value) MIX_##name = value,
#include "bench_mix.def"
#undef ASSAY_MIX
#undef ASSAY_MIX_SETTING
};

static const struct {
    uint32_t up_to, weight;
} mix_rows[] = {
#define ASSAY_MIX(up_to, weight) {up_to, weight},
#include "bench_mix.def"
#undef ASSAY_MIX
};
enum {
    MIX_TOTAL = 0
#define ASSAY_MIX(up_to, weight) +weight
#include "bench_mix.def"
#undef ASSAY_MIX
};
_Static_assert(MIX_TOTAL <= ASSAY_MIX_GUIDES << ASSAY_MIX_GUIDE_SHIFT,
               "the mix's guide has an entry for each pick");

static uint64_t below(struct assay_generator *g, uint64_t bound)
{
    return assay_random_below(&g->random, bound);
}

static bool chance(struct assay_generator *g, uint32_t in_1024)
{
    return (assay_random_next(&g->random) >> 54) < in_1024;
}

static bool offers(const struct assay_generator *g, unsigned kind)
{
    return (g->limits.missing_apis >> kind & 1) == 0;
}

static uint64_t size_from(struct assay_generator *g, enum sampler sampler)
{
    switch (sampler) {
    case SAMPLE_TINY: return below(g, 33);
    case SAMPLE_SMALL: return below(g, 257);
    case SAMPLE_FIXED: return g->fixed_sizes[below(g, 4)];
    case SAMPLE_POWER_EDGE:
        return (UINT64_C(1) << (3 + below(g, g->size_bits - 3))) + below(g, 5) - 2;
    case SAMPLE_LINE_EDGE: return (1 + below(g, 64)) * 64 + below(g, 5) - 2;
    case SAMPLE_LOGARITHMIC: return below(g, UINT64_C(2) << below(g, g->size_bits));
    case SAMPLE_PAGE_EDGE:
        return (1 + below(g, UINT64_C(1) << (g->size_bits - 13))) * 4096 + below(g, 65) - 32;
    default: /* as often a bit over 128 KiB as near the largest */
        return below(g, UINT64_C(2) << (17 + below(g, g->large_bits - 16))) + 1;
    }
}

/* Large objects cost page faults, so they are rare where other sizes are to be had. */
static uint64_t draw_size(struct assay_generator *g)
{
    enum sampler sampler = g->samplers[below(g, ASSAY_GENERATE_SAMPLERS)];
    if (sampler == SAMPLE_LARGE && !chance(g, 40))
        sampler = g->samplers[0];
    uint64_t size = size_from(g, sampler);
    return size > g->size_cap ? size % (g->size_cap + 1) : size;
}

/* Sizes and products that no allocator can satisfy, near the places where arithmetic wraps. */
static void draw_refused(struct assay_generator *g, struct assay_event *op)
{
    uint64_t size;
    switch (below(g, 6)) {
    case 0: size = UINT64_MAX - below(g, 4097); break;
    case 1: size = UINT64_MAX - below(g, 65); break;
    case 2: size = (uint64_t)INT64_MAX + below(g, 4097); break;
    case 3: size = (uint64_t)INT64_MAX - below(g, 4097); break;
    case 4: size = UINT64_MAX - (UINT64_C(1) << below(g, 32)) + below(g, 33) - 16; break;
    default: size = ASSAY_SIZE_REFUSED << below(g, 15); break;
    }
    if (op->kind == ASSAY_OP_CALLOC || op->kind == ASSAY_OP_REALLOCARRAY) {
        uint64_t element = 1 + below(g, 4096);
        bool swap = chance(g, 512);
        unsigned bits = 1 + (unsigned)below(g, 63);
        uint64_t count = UINT64_MAX / element + 1 + below(g, 64);
        if (chance(g, 256)) { /* both about 2^32 */
            count = (UINT64_C(1) << 32) + below(g, 64);
            element = (UINT64_C(1) << 32) + below(g, 4096);
        } else if (chance(g, 256)) { /* powers of two, whose product wraps to nothing */
            count = UINT64_C(1) << bits;
            element = UINT64_C(1) << (64 - bits);
        }
        op->size = swap ? count : element;
        op->arg = swap ? element : count;
        return;
    }
    op->size = size;
}

static uint64_t draw_alignment(struct assay_generator *g, unsigned kind)
{
    static const uint16_t bad[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 20, 24, 48, 100, 1000, 4095};
    if (kind != ASSAY_OP_MEMALIGN && chance(g, 40))
        return bad[below(g, sizeof bad / sizeof bad[0])];
    if (chance(g, 16))
        return UINT64_C(1) << (48 + below(g, 16));
    return UINT64_C(1) << (chance(g, 900) ? below(g, 9) : below(g, 17));
}

static void make_allocate(struct assay_generator *g, struct assay_event *op)
{
    *op = (struct assay_event){.kind = g->allocating[below(g, g->allocating_count)]};
    if (chance(g, 512) && g->allocating[0] == ASSAY_OP_MALLOC)
        op->kind = ASSAY_OP_MALLOC;
    op->size = draw_size(g);
    if (op->kind == ASSAY_OP_CALLOC) {
        uint64_t count = chance(g, 700) ? 1 : below(g, 17);
        op->arg = count;
        op->size = count > 1 ? op->size / count : op->size;
    } else if (op->kind == ASSAY_OP_ALIGNED_ALLOC || op->kind == ASSAY_OP_POSIX_MEMALIGN ||
               op->kind == ASSAY_OP_MEMALIGN) {
        op->arg = draw_alignment(g, op->kind);
        if (op->arg <= 4096 && chance(g, 128)) /* as C17 wanted it */
            op->size = op->arg * (1 + below(g, 2));
    }
    if (chance(g, g->refuse_in_1024))
        draw_refused(g, op);
}

static void make_resize(struct assay_generator *g, struct assay_event *op, uint64_t old_bytes)
{
    *op = (struct assay_event){.kind = g->resizing[below(g, g->resizing_count)]};
    switch (below(g, 6)) {
    case 0: op->size = old_bytes + below(g, 33); break;
    case 1: op->size = old_bytes > 16 ? old_bytes - below(g, 17) : old_bytes; break;
    case 2: op->size = old_bytes * 2; break;
    case 3: op->size = old_bytes / 2; break;
    default: op->size = draw_size(g); break;
    }
    if (op->size > g->size_cap)
        op->size %= g->size_cap + 1;
    if (op->kind == ASSAY_OP_REALLOCARRAY) {
        op->arg = 1 + below(g, 4);
        op->size /= op->arg;
    }
    if (op->kind == ASSAY_OP_REALLOC && offers(g, ASSAY_OP_REZALLOC) && chance(g, 256))
        op->kind = ASSAY_OP_REZALLOC;
    if (chance(g, g->refuse_in_1024))
        draw_refused(g, op);
    if (chance(g, 8)) {
        op->place = ASSAY_PLACE_NULL;
        if (chance(g, 128))
            op->size = 0;
    }
}

static size_t make_release(struct assay_generator *g, struct assay_event *op)
{
    size_t count = g->live.count;
    *op = (struct assay_event){.kind = g->releasing[below(g, g->releasing_count)]};
    if (chance(g, 8))
        op->place = ASSAY_PLACE_NULL;
    /* null pointers with sizes are the directed programs' and the mutator's */
    if (op->kind == ASSAY_OP_FREE_ALIGNED_SIZED && (op->place == ASSAY_PLACE_NULL || count == 0))
        op->kind = ASSAY_OP_FREE;
    switch (g->order) {
    case RELEASE_NEWEST: return count ? count - 1 : 0;
    case RELEASE_OLDEST: return 0;
    default: return count ? (size_t)below(g, count) : 0;
    }
}

static size_t make_touch(struct assay_generator *g, struct assay_event *op)
{
    static const uint8_t kinds[] = {ASSAY_OP_WRITE,       ASSAY_OP_WRITE, ASSAY_OP_READ,
                                    ASSAY_OP_CHECK,       ASSAY_OP_CHECK, ASSAY_OP_USABLE_SIZE,
                                    ASSAY_OP_OBJECT_SIZE, ASSAY_OP_CHECK};
    size_t index = g->live.count ? (size_t)below(g, g->live.count) : 0;
    *op = (struct assay_event){.kind = kinds[below(g, sizeof kinds)]};
    if (op->kind == ASSAY_OP_READ || op->kind == ASSAY_OP_WRITE) {
        uint64_t bytes = g->live.count ? g->live.objects[index].bytes : 0;
        op->arg = bytes ? below(g, bytes) : 0;
        op->size = 1 + below(g, 64);
    }
    if (op->kind == ASSAY_OP_USABLE_SIZE && chance(g, 32))
        op->place = ASSAY_PLACE_NULL;
    return index;
}

static void enqueue(struct assay_generator *g, struct assay_event op)
{
    if (g->queued < ASSAY_GENERATE_QUEUE)
        g->queue[g->queued++] = op;
}

/* What few allocators offer: asked for beside the rest, so that programs for all others stay what
 * they are. A good size is followed by the request that it is about. */
static bool make_offered(struct assay_generator *g, struct assay_event *op)
{
    enum { ONE_IN_1024 = 8, WALK_IN_1024 = 1, TRIM_IN_1024 = 1, TRIMMED = 128 };
    if (offers(g, ASSAY_OP_GOOD_SIZE) && chance(g, ONE_IN_1024)) {
        *op = (struct assay_event){.kind = ASSAY_OP_GOOD_SIZE, .size = draw_size(g)};
        enqueue(g, (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = op->size});
        return true;
    }
    if (offers(g, ASSAY_OP_STATISTICS) && chance(g, ONE_IN_1024)) {
        *op = (struct assay_event){.kind = ASSAY_OP_STATISTICS, .arg = below(g, 2)};
        return true;
    }
    if (offers(g, ASSAY_OP_HEAP_WALK) && chance(g, WALK_IN_1024)) {
        *op = (struct assay_event){.kind = ASSAY_OP_HEAP_WALK};
        return true;
    }
    /* rare again: what is given back is all paid for anew */
    if (offers(g, ASSAY_OP_TRIM) && chance(g, TRIM_IN_1024) && chance(g, TRIMMED)) {
        *op = (struct assay_event){.kind = ASSAY_OP_TRIM};
        return true;
    }
    return false;
}

static void start_phase(struct assay_generator *g)
{
    g->phase = (uint32_t)below(g, PHASE_COUNT);
    g->phase_left = 16 + (uint32_t)below(g, 240);
    g->order = (uint32_t)below(g, RELEASE_ORDERS);
    g->chain_object = 0;
    if (g->phase == PHASE_GROW)
        g->phase_left = g->live_wanted;
    if (g->crowd && g->live.born == 0) {
        g->phase = PHASE_GROW;
        g->phase_left = g->live_wanted * 2;
    }
}

static size_t find_chain(const struct assay_generator *g)
{
    for (size_t i = g->live.count; i-- > 0 && g->live.count - i < 64;)
        if (g->live.objects[i].object == g->chain_object)
            return i;
    return SIZE_MAX;
}

/* An aligned object, a neighbour, then resizes of the first. */
static size_t make_aligned_chain(struct assay_generator *g, struct assay_event *op)
{
    static const uint8_t aligned[] = {ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_ALIGNED_ALLOC,
                                      ASSAY_OP_MEMALIGN};
    size_t index = g->chain_object ? find_chain(g) : SIZE_MAX;
    if (index != SIZE_MAX && chance(g, 640)) {
        make_resize(g, op, g->live.objects[index].bytes);
        if (op->place != ASSAY_PLACE_NULL)
            g->chain_object = g->live.born + 1;
        return index;
    }
    *op = (struct assay_event){.kind = aligned[below(g, 3)], .size = draw_size(g)};
    op->arg = UINT64_C(16) << below(g, 9);
    g->chain_object = g->live.born + 1;
    struct assay_event neighbour;
    make_allocate(g, &neighbour);
    enqueue(g, neighbour);
    return 0;
}

static size_t make_chain(struct assay_generator *g, struct assay_event *op)
{
    size_t index = g->chain_object ? find_chain(g) : SIZE_MAX;
    if (index == SIZE_MAX || chance(g, 64)) {
        make_allocate(g, op);
        g->chain_object = g->live.born + 1;
        return 0;
    }
    if (chance(g, 300)) {
        make_allocate(g, op);
        return 0;
    }
    make_resize(g, op, g->live.objects[index].bytes);
    if (op->place != ASSAY_PLACE_NULL)
        g->chain_object = g->live.born + 1;
    return index;
}

/* Birth, death, and a calloc of the same class onto the dirty memory. */
static size_t make_dirty(struct assay_generator *g, struct assay_event *op)
{
    uint64_t size = draw_size(g);
    enqueue(g, (struct assay_event){.kind = ASSAY_OP_FREE, .born = 1});
    enqueue(g, (struct assay_event){.kind = ASSAY_OP_CALLOC, .size = size, .arg = 1});
    *op = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = size};
    return 0;
}

/* A small object is born and dies; then the request that would wrap into its class. */
static size_t make_wrap(struct assay_generator *g, struct assay_event *op)
{
    static const uint8_t kinds[] = {
        ASSAY_OP_MALLOC,         ASSAY_OP_REALLOC,       ASSAY_OP_CALLOC,  ASSAY_OP_MEMALIGN,
        ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_ALIGNED_ALLOC, ASSAY_OP_PVALLOC, ASSAY_OP_VALLOC};
    struct assay_event wrap = {.kind = kinds[below(g, sizeof kinds)]};
    draw_refused(g, &wrap);
    if (wrap.kind == ASSAY_OP_MEMALIGN || wrap.kind == ASSAY_OP_POSIX_MEMALIGN ||
        wrap.kind == ASSAY_OP_ALIGNED_ALLOC)
        wrap.arg = UINT64_C(16) << below(g, 9);
    enqueue(g, (struct assay_event){.kind = ASSAY_OP_FREE, .born = 1});
    enqueue(g, wrap);
    *op = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = 1 + below(g, 128)};
    return 0;
}

static size_t make_swarm(struct assay_generator *g, struct assay_event *op)
{
    size_t count = g->live.count;

    if (g->queue_at < g->queued) {
        *op = g->queue[g->queue_at++];
        bool newest = op->born != 0; /* a proposal has no birth number: here it says 'the newest' */
        op->born = 0;
        if (g->queue_at == g->queued)
            g->queue_at = g->queued = 0;
        return newest || count == 0 ? (count ? count - 1 : 0) : (size_t)below(g, count);
    }
    if (g->phase_left == 0)
        start_phase(g);
    g->phase_left--;
    if (make_offered(g, op))
        return 0;
    if (chance(g, g->touch_in_1024))
        return make_touch(g, op);

    switch (g->phase) {
    case PHASE_GROW:
        if (count < g->live_wanted && chance(g, g->crowd ? 980 : 820))
            break;
        return make_release(g, op);
    case PHASE_SHRINK:
        if (count <= g->live_wanted / 8 || chance(g, 200))
            break;
        return make_release(g, op);
    case PHASE_RESIZE:
        if (count > 0 && chance(g, 700)) {
            size_t index = (size_t)below(g, count);
            make_resize(g, op, g->live.objects[index].bytes);
            return index;
        }
        if (count < g->live_wanted)
            break;
        return make_release(g, op);
    case PHASE_CHAIN: return make_chain(g, op);
    case PHASE_ALIGNED_THEN_RESIZE: return make_aligned_chain(g, op);
    case PHASE_DIRTY_THEN_CALLOC: return make_dirty(g, op);
    case PHASE_WRAP:
        if (chance(g, 200))
            return make_wrap(g, op);
        break;
    default:
        if (count < g->live_wanted && chance(g, 540))
            break;
        return make_release(g, op);
    }
    make_allocate(g, op);
    return 0;
}

static uint64_t mix_size(struct assay_generator *g)
{
    uint64_t pick = below(g, MIX_TOTAL);
    const struct assay_mix_guide *guide = &g->mix[pick >> ASSAY_MIX_GUIDE_SHIFT];
    size_t row = guide->row;
    pick -= guide->below_row;
    while (pick >= mix_rows[row].weight)
        pick -= mix_rows[row++].weight;
    uint64_t from = row ? mix_rows[row - 1].up_to : 0;
    return from + 1 + below(g, mix_rows[row].up_to - from);
}

/* Where to start looking for the row of a pick, so that the walk is a step or two. */
static void start_mix(struct assay_generator *g)
{
    uint32_t row = 0, below_row = 0;
    for (uint32_t i = 0; i <= (MIX_TOTAL - 1) >> ASSAY_MIX_GUIDE_SHIFT; i++) {
        while (i << ASSAY_MIX_GUIDE_SHIFT >= below_row + mix_rows[row].weight)
            below_row += mix_rows[row++].weight;
        g->mix[i] = (struct assay_mix_guide){row, below_row};
    }
}

static size_t make_mix(struct assay_generator *g, struct assay_event *op)
{
    size_t count = g->live.count;
    *op = (struct assay_event){.size = mix_size(g)};
    if (count > 0 && below(g, 100) < MIX_REALLOC_PERCENT) {
        op->kind = ASSAY_OP_REALLOC;
        return (size_t)below(g, count);
    }
    if (count < MIX_LIVE || chance(g, 512)) {
        bool zero = below(g, 100) < MIX_CALLOC_PERCENT;
        op->kind = zero ? ASSAY_OP_CALLOC : ASSAY_OP_MALLOC;
        op->arg = zero;
        return 0;
    }
    op->kind = ASSAY_OP_FREE;
    op->size = 0;
    /* most objects die young: half of the deaths among the 64 youngest places */
    return chance(g, 512) ? count - 1 - (size_t)below(g, 64) : (size_t)below(g, count);
}

void assay_generate_init(struct assay_generator *generator, enum assay_generate_mode mode,
                         const struct assay_program_limits *limits)
{
    memset(generator, 0, sizeof *generator);
    generator->limits = *limits;
    generator->mode = mode;
    if (generator->limits.max_live_objects > ASSAY_GENERATE_MAX_LIVE)
        generator->limits.max_live_objects = ASSAY_GENERATE_MAX_LIVE;
    generator->live.objects = generator->objects;
    generator->live.capacity = ASSAY_GENERATE_MAX_LIVE + 1;
    start_mix(generator);
}

static void draw_kinds(struct assay_generator *g)
{
    static const uint8_t optional[] = {ASSAY_OP_CALLOC,         ASSAY_OP_ALIGNED_ALLOC,
                                       ASSAY_OP_POSIX_MEMALIGN, ASSAY_OP_MEMALIGN,
                                       ASSAY_OP_VALLOC,         ASSAY_OP_PVALLOC};
    g->allocating_count = g->resizing_count = g->releasing_count = 0;
    g->allocating[g->allocating_count++] = ASSAY_OP_MALLOC;
    for (size_t i = 0; i < sizeof optional; i++)
        if (chance(g,
                   optional[i] == ASSAY_OP_VALLOC || optional[i] == ASSAY_OP_PVALLOC ? 100 : 512))
            g->allocating[g->allocating_count++] = optional[i];
    g->resizing[g->resizing_count++] = ASSAY_OP_REALLOC;
    if (chance(g, 400))
        g->resizing[g->resizing_count++] = ASSAY_OP_REALLOCARRAY;
    g->releasing[g->releasing_count++] = ASSAY_OP_FREE;
    if (chance(g, 400))
        g->releasing[g->releasing_count++] = ASSAY_OP_FREE_SIZED;
    if (chance(g, 400))
        g->releasing[g->releasing_count++] = ASSAY_OP_FREE_ALIGNED_SIZED;
}

void assay_generate_start(struct assay_generator *g, uint64_t seed, uint64_t index)
{
    assay_random_seed(&g->random, seed ^ (index * UINT64_C(0x9e3779b97f4a7c15)));
    g->now = g->limits;
    g->live.count = 0;
    g->live.bytes = 0;
    g->live.born = g->live.last_free = 0;
    g->phase_left = g->queued = g->queue_at = 0;
    g->chain_object = 0;
    if (g->mode == ASSAY_GENERATE_MIX) {
        g->ops_left = ASSAY_GENERATE_MIX_OPS;
        g->misuse = false;
        return;
    }
    /* most programs short: a fresh heap is cheap and a suspicion is then already small */
    g->ops_left = ASSAY_PROGRAM_MIN_OPS + (size_t)below(g, UINT64_C(64) << below(g, 7));
    if (g->ops_left > ASSAY_PROGRAM_MAX_OPS)
        g->ops_left = ASSAY_PROGRAM_MAX_OPS;
    g->misuse = g->limits.misuse && chance(g, 32); /* one that is noticed costs a child */
    g->crowd = g->limits.max_live_objects > ASSAY_PROGRAM_MAX_OPS && chance(g, 8);
    if (g->crowd)
        g->ops_left = ASSAY_PROGRAM_MAX_OPS * 2 +
                      (size_t)below(g, ASSAY_GENERATE_CROWD_OPS - ASSAY_PROGRAM_MAX_OPS * 2);
    bool large = !g->crowd && chance(g, 56);
    for (unsigned i = 0; i < ASSAY_GENERATE_SAMPLERS; i++)
        g->samplers[i] = (uint8_t)below(g, large ? SAMPLE_COUNT : SAMPLE_LARGE);
    if (large)
        g->samplers[1] = SAMPLE_LARGE;
    /* bytes cost time: half of the programs stay within two pages, one in eight goes to 128 KiB */
    static const uint8_t size_bits[] = {13, 13, 13, 13, 15, 15, 16, 17};
    g->size_bits = large ? 17 : size_bits[below(g, sizeof size_bits)];
    g->size_cap = large ? g->limits.max_object_bytes : UINT64_C(1) << g->size_bits;
    if (g->size_cap > g->limits.max_object_bytes)
        g->size_cap = g->limits.max_object_bytes;
    for (unsigned i = 0; i < 4; i++)
        g->fixed_sizes[i] = below(g, UINT64_C(16) << below(g, 9));
    g->refuse_in_1024 = chance(g, 512) ? 0 : chance(g, 256) ? 100 : 10;
    g->touch_in_1024 = chance(g, 512) ? 0 : 60;
    g->live_wanted = 4 + (uint32_t)below(g, UINT64_C(8) << below(g, 8));
    if (g->crowd) {
        g->live_wanted = ASSAY_PROGRAM_MAX_OPS + (uint32_t)below(g, ASSAY_PROGRAM_MAX_OPS - 64);
        g->size_cap = UINT64_C(64) << below(g, 6);
    }
    g->large_bits = 63 - (uint32_t)__builtin_clzll(g->size_cap | 1);
    if (g->large_bits > 20) /* most: a megabyte is enough; the largest cost as much as 10^5 calls */
        g->large_bits = chance(g, 700) ? 20 : 21 + (uint32_t)below(g, g->large_bits - 20);
    if (g->large_bits < 17)
        g->large_bits = 17;
    draw_kinds(g);
}

/* That a refusal changed nothing can be told for sure only before the next call: some are followed
 * by a look at all that lives, if that is not much. */
static void check_after_refusal(struct assay_generator *g, const struct assay_event *op)
{
    if (g->mode == ASSAY_GENERATE_SWARM && g->queued == 0 && g->live.count <= 64 &&
        assay_event_refused(op) && chance(g, 256))
        enqueue(g, (struct assay_event){.kind = ASSAY_OP_CHECK, .place = ASSAY_PLACE_NULL});
}

size_t assay_generate_fill(struct assay_generator *g, struct assay_event *ops, size_t capacity,
                           bool *ret_last)
{
    size_t n = 0;
    while (n < capacity && g->ops_left > 0) {
        struct assay_event *op = &ops[n++];
        size_t index;
        g->ops_left--;
        if (g->misuse && g->ops_left == 1) {
            g->order = RELEASE_NEWEST;
            index = make_release(g, op);
        } else if (g->misuse && g->ops_left == 0) {
            *op = (struct assay_event){.kind = ASSAY_OP_FREE, .flags = ASSAY_FLAG_MISUSE};
            index = 0;
        } else {
            index = g->mode == ASSAY_GENERATE_MIX ? make_mix(g, op) : make_swarm(g, op);
        }
        index = assay_live_fit(&g->live, &g->now, op, index);
        assay_live_apply(&g->live, op, index);
        check_after_refusal(g, op);
    }
    *ret_last = g->ops_left == 0;
    return n;
}
