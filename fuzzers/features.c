#include "fuzzers/features.h"

#include <string.h>

enum {
    BANDS = 20, /* of sizes: 0, to 16, to 32, to 64 ... over 1 MiB; the last: must be refused */
    KINDS = 18, /* MALLOC to CHECK */
    BEARING_KINDS = 9,
    RELEASING_KINDS = 3,
    SLACKS = 8,
    AGES = 8,
    ALIGNMENTS = 21, /* asked for, as a power of two */
    NATURAL = 16,    /* what the result's address has */
    LENGTHS = 8,     /* powers of two of how long the same went on */
    HEIGHTS = 14,    /* powers of two of how many objects */
    BESIDE_BYTES = 16
};

/* Where a result stands, by what stood there in this program; or how it was refused. */
enum outcome {
    OUTCOME_OVERLAP,
    OUTCOME_BASE_SAME, /* base of a freed object of the same band */
    OUTCOME_BASE_OTHER,
    OUTCOME_INSIDE, /* inside the last occupant */
    OUTCOME_AFTER_LIVE,
    OUTCOME_AFTER_FREED,
    OUTCOME_BEFORE,
    OUTCOME_FRESH,
    OUTCOME_IN_PLACE,
    OUTCOME_NO_MEMORY,
    OUTCOME_INVALID,
    OUTCOME_NULL,
    OUTCOMES
};

/* The map, one part behind the other. */
enum part {
    PART_OUTCOME = 0,
    PART_SLACK = PART_OUTCOME + BEARING_KINDS * BANDS * OUTCOMES,
    PART_RESIZE = PART_SLACK + BEARING_KINDS * BANDS * SLACKS,
    PART_RELEASE = PART_RESIZE + BANDS * BANDS * 3,
    PART_ALIGNMENT = PART_RELEASE + RELEASING_KINDS * BANDS * 4 * 4,
    PART_HEAP = PART_ALIGNMENT + ALIGNMENTS * NATURAL,
    PART_PAIR = PART_HEAP + HEIGHTS * HEIGHTS * 3,
    PART_REUSE = PART_PAIR + (KINDS + 1) * KINDS * OUTCOMES,
    PART_ERRNO = PART_REUSE + BANDS * AGES * 2,
    PART_RUN = PART_ERRNO + KINDS * 3,
    PART_END = PART_RUN + KINDS * BANDS * LENGTHS
};
_Static_assert((int)PART_END <= (int)ASSAY_FEATURES, "the map is 16 KiB");

static uint32_t floor_log2(uint64_t n, uint32_t most)
{
    uint32_t log = n ? 63 - (uint32_t)__builtin_clzll(n) : 0;
    return log < most ? log : most;
}

static uint32_t band_of(uint64_t bytes)
{
    if (bytes == 0)
        return 0;
    if (bytes >> 48)
        return BANDS - 1;
    return bytes <= 16 ? 1 : floor_log2(bytes - 1, BANDS) - 2;
}

static void count(struct assay_features *f, uint32_t feature)
{
    if (f->counts[feature] == 0)
        f->touched[f->touched_count++] = (uint16_t)feature;
    if (f->counts[feature] < UINT8_MAX)
        f->counts[feature]++;
}

size_t assay_features_bytes(uint32_t max_objects)
{
    return assay_model_bytes(max_objects, 0) + 4096;
}

bool assay_features_create(struct assay_features *features, struct assay_arena *arena,
                           uint32_t max_objects)
{
    memset(features, 0, sizeof *features);
    return assay_model_create(&features->model, arena, max_objects, 0);
}

void assay_features_reset(struct assay_features *f)
{
    for (uint32_t i = 0; i < f->touched_count; i++)
        f->counts[f->touched[i]] = 0;
    f->touched_count = f->births = f->deaths = f->run = 0;
    f->last_kind = 0;
    f->cost = 0;
    assay_model_reset(&f->model);
}

static struct assay_object *live_operand(const struct assay_features *f,
                                         const struct assay_event *event)
{
    struct assay_object *object = assay_model_get(&f->model, event->object);
    return object && object->state == ASSAY_OBJECT_LIVE ? object : NULL;
}

/* The object that has this byte, or had it last. */
static const struct assay_object *occupant(const struct assay_features *f, uint64_t address)
{
    uint32_t number = assay_index_occupant(&f->model.index, f->model.objects, address);
    return number ? &f->model.objects[number] : NULL;
}

static bool is_live(const struct assay_object *object)
{
    return object && object->state == ASSAY_OBJECT_LIVE;
}

static uint64_t end_of(const struct assay_object *object)
{
    uint64_t usable = assay_object_usable(object);
    return object->address + (usable ? usable : 1);
}

static enum outcome where(struct assay_features *f, const struct assay_object *object)
{
    const struct assay_object *stood = occupant(f, object->address);
    uint32_t band = band_of(object->requested);
    if (is_live(stood))
        return OUTCOME_OVERLAP;
    if (stood) {
        bool same = band_of(stood->requested) == band;
        uint32_t age = f->births - stood->death;
        count(f, PART_REUSE + (band * AGES + floor_log2(age, AGES - 1)) * 2 + same);
        if (stood->address != object->address)
            return OUTCOME_INSIDE;
        return same ? OUTCOME_BASE_SAME : OUTCOME_BASE_OTHER;
    }
    const struct assay_object *before = occupant(f, object->address - BESIDE_BYTES);
    if (before)
        return is_live(before) ? OUTCOME_AFTER_LIVE : OUTCOME_AFTER_FREED;
    return occupant(f, end_of(object) + BESIDE_BYTES / 2) ? OUTCOME_BEFORE : OUTCOME_FRESH;
}

static uint32_t slack_of(const struct assay_object *object)
{
    int64_t slack = object->usable_extra;
    uint64_t bytes = object->requested;
    if (slack <= 0)
        return slack < 0 ? 7 : 0;
    if (slack <= 16)
        return slack <= 8 ? 1 : 2;
    if ((uint64_t)slack <= bytes / 8)
        return 3;
    if ((uint64_t)slack <= bytes / 2)
        return 4;
    return (uint64_t)slack <= bytes ? 5 : 6;
}

static enum outcome refusal(const struct assay_event *event)
{
    enum { NO_MEMORY = 12, INVALID = 22 }; /* errno as it crosses: numbers of this machine */
    if (event->error == NO_MEMORY)
        return OUTCOME_NO_MEMORY;
    return event->error == INVALID ? OUTCOME_INVALID : OUTCOME_NULL;
}

static void end_object(struct assay_features *f, uint32_t number)
{
    assay_model_end(&f->model, number, ASSAY_OBJECT_FREED);
    f->model.objects[number].death = f->births;
    f->deaths++;
}

/* The born object's record, not yet in the model; NULL if the event names none that can be. */
static struct assay_object *record(struct assay_features *f, const struct assay_event *event,
                                   uint64_t bytes)
{
    struct assay_object *object = assay_model_get(&f->model, event->born);
    bool usable = event->flags & ASSAY_FLAG_USABLE && event->usable_extra > -(1 << 20);
    if (!object || object->state != ASSAY_OBJECT_UNBORN || bytes >> 47 || event->address >> 47)
        return NULL;
    int64_t whole = (int64_t)bytes + (usable ? event->usable_extra : 0);
    *object = (struct assay_object){.address = event->address,
                                    .requested = bytes & UINT64_C(0xffffffffffff),
                                    .usable_extra = usable && whole >= 0 ? event->usable_extra : 0,
                                    .birth = f->births,
                                    .api = event->kind};
    if (usable && whole >= 0)
        object->flags = ASSAY_OBJECT_USABLE_KNOWN | ASSAY_OBJECT_EXTENT_USABLE;
    return object;
}

static uint32_t bearing(unsigned kind)
{
    if (kind == ASSAY_OP_REZALLOC)
        kind = ASSAY_OP_REALLOC;
    return kind <= ASSAY_OP_REALLOCARRAY ? kind - ASSAY_OP_MALLOC
                                         : kind - ASSAY_OP_ALIGNED_ALLOC + 4;
}

static void note_birth(struct assay_features *f, const struct assay_event *event,
                       struct assay_object *object, enum outcome outcome)
{
    struct assay_index_conflict conflict;
    uint32_t band = band_of(object->requested);
    uint64_t alignment = assay_event_alignment(event);
    count(f, PART_SLACK + (bearing(event->kind) * BANDS + band) * SLACKS + slack_of(object));
    if (alignment)
        count(f, PART_ALIGNMENT + floor_log2(alignment, ALIGNMENTS - 1) * NATURAL +
                     floor_log2(object->address & -object->address, NATURAL - 1));
    if (outcome == OUTCOME_OVERLAP)
        return; /* the judge's business */
    assay_model_bear(&f->model, event->born, &conflict);
    f->births++;
    f->cost += object->requested >> 12;
}

/* How long ops of one kind and band followed each other. */
static void note_run(struct assay_features *f, unsigned kind, uint32_t band)
{
    uint32_t cell = (kind - 1) * BANDS + band;
    f->run = cell == f->run_cell && f->run ? f->run + 1 : 1;
    f->run_cell = cell;
    if ((f->run & (f->run - 1)) == 0)
        count(f, PART_RUN + cell * LENGTHS + floor_log2(f->run, LENGTHS - 1));
}

static enum outcome note_bearing(struct assay_features *f, const struct assay_event *event)
{
    uint64_t bytes;
    bool fits = assay_event_bytes(event, &bytes);
    struct assay_object *operand = live_operand(f, event);
    uint32_t band = fits ? band_of(bytes) : BANDS - 1, old_band = 0;
    uint64_t old_address = operand ? operand->address : 0;
    enum outcome outcome = refusal(event);
    if (operand)
        old_band = band_of(operand->requested);
    note_run(f, event->kind, band);
    struct assay_object *object = NULL;
    if (fits && event->address != ASSAY_ADDRESS_NULL)
        object = record(f, event, bytes);
    if (object) {
        if (operand)
            end_object(f, event->object);
        outcome = operand && old_address == event->address ? OUTCOME_IN_PLACE : where(f, object);
        note_birth(f, event, object, outcome);
    } else if (operand && fits && bytes == 0 && event->error == 0) {
        end_object(f, event->object); /* as most do; who does not has one object less here */
    }
    if (operand)
        count(f, PART_RESIZE + (old_band * BANDS + band) * 3 +
                     (object ? outcome == OUTCOME_IN_PLACE : 2));
    count(f, PART_OUTCOME + (bearing(event->kind) * BANDS + band) * OUTCOMES + outcome);
    return outcome;
}

static enum outcome note_release(struct assay_features *f, const struct assay_event *event)
{
    const struct assay_object *operand = live_operand(f, event);
    if (!operand)
        return OUTCOME_NULL;
    uint32_t age = f->births - operand->birth;
    uint32_t age_class = age < 2 ? 0 : age < 16 ? 1 : age < 128 ? 2 : 3;
    bool before = is_live(occupant(f, operand->address - BESIDE_BYTES));
    bool behind = is_live(occupant(f, end_of(operand) + BESIDE_BYTES / 2));
    uint32_t band = band_of(operand->requested);
    uint32_t cell = (event->kind - (uint32_t)ASSAY_OP_FREE) * BANDS + band;
    note_run(f, event->kind, band);
    count(f, PART_RELEASE + (cell * 4 + age_class) * 4 + (uint32_t)before * 2 + behind);
    end_object(f, event->object);
    return before || behind ? OUTCOME_AFTER_LIVE : OUTCOME_FRESH;
}

void assay_features_after(struct assay_features *f, const struct assay_event *shared)
{
    const struct assay_event event = *shared; /* whoever shares it may still write */
    enum assay_op_class op_class = assay_op_info(event.kind)->op_class;
    enum outcome outcome = OUTCOME_FRESH;
    uint32_t which = 2;
    if (!(event.flags & ASSAY_FLAG_EXECUTED) || event.kind == 0 || event.kind > KINDS)
        return;
    f->cost++;
    if (op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE) {
        outcome = note_bearing(f, &event);
        which = op_class == ASSAY_CLASS_RESIZE;
    } else if (op_class == ASSAY_CLASS_RELEASE) {
        outcome = note_release(f, &event);
    }
    uint32_t kind = event.kind - 1u;
    count(f, PART_PAIR + (f->last_kind * KINDS + kind) * OUTCOMES + outcome);
    count(f, PART_ERRNO + kind * 3 + (event.error == 0 ? 0u : event.address ? 1u : 2u));
    if (op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE ||
        op_class == ASSAY_CLASS_RELEASE)
        count(f, PART_HEAP +
                     (floor_log2(f->model.live_count, HEIGHTS - 1) * HEIGHTS +
                      floor_log2(f->deaths, HEIGHTS - 1)) *
                         3 +
                     which);
    f->last_kind = event.kind;
}

/* 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more, as a bit. */
static uint8_t bucket_of(uint8_t times)
{
    if (times <= 3)
        return (uint8_t)(1u << (times - 1));
    uint32_t log = floor_log2(times, 7);
    return (uint8_t)(1u << (log < 5 ? log + 1 : log < 7 ? 6 : 7));
}

unsigned assay_features_enter(const struct assay_features *f, struct assay_features_seen *seen,
                              uint16_t *ret_rarest)
{
    unsigned news = 0;
    uint32_t rarest = UINT32_MAX;
    for (uint32_t i = 0; i < f->touched_count; i++) {
        uint16_t feature = f->touched[i];
        uint8_t bit = bucket_of(f->counts[feature]);
        uint32_t shown = seen->shown[feature]++;
        seen->features += shown == 0;
        if (seen->buckets[feature] & bit)
            continue;
        seen->buckets[feature] |= bit;
        news++;
        if (shown < rarest) {
            rarest = shown;
            *ret_rarest = feature;
        }
    }
    seen->bits += news;
    return news;
}
