#include "tools/replay_source.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 4096, PROCESSES = 65536, IMAGES_MAX = 4096 };

enum object_state { OBJECT_UNBORN, OBJECT_LIVE, OBJECT_DEAD };

/* What re-creates an object in a forked child. */
struct birth {
    uint64_t size, arg;
    uint8_t kind, family, state;
};

struct assay_replay_source {
    struct assay_trace_reader *reader;
    struct assay_replay_image *images;
    size_t image_count;
    int32_t *parents; /* by process: the process that forked it, -1 = none */
    uint32_t *execs;  /* by process, while reading */
    uint64_t events;
    uint32_t max_object, threads;
    bool has_access, has_misuse, has_address;
    /* the image being read */
    const struct assay_replay_image *image;
    uint16_t lineage[64]; /* ancestors that matter, oldest first, the image's process last */
    size_t lineage_count, lineage_at;
    struct birth *births; /* by object, of the lineage */
    uint32_t inherited;   /* next object to re-create, 0 = none left */
    uint64_t position;
    bool finished, misuse_next;
    struct assay_event batch[BATCH];
    size_t batch_count, batch_at;
    struct assay_replay_left_out left_out;
};

/* ---- scanning ------------------------------------------------------------------------------- */

static struct assay_replay_image *image_of(struct assay_replay_source *source, uint16_t process,
                                           int32_t *by_process)
{
    int32_t index = by_process[process];
    if (index >= 0 && source->images[index].exec == source->execs[process])
        return &source->images[index];
    if (source->image_count == IMAGES_MAX)
        return NULL;
    index = (int32_t)source->image_count++;
    by_process[process] = index;
    source->images[index] =
        (struct assay_replay_image){.process = process, .exec = source->execs[process]};
    return &source->images[index];
}

static int scan_one(struct assay_replay_source *source, const struct assay_event *event,
                    uint64_t position, long only, int32_t *by_process, struct assay_error *err)
{
    if (event->object > source->max_object)
        source->max_object = event->object;
    if (event->born > source->max_object)
        source->max_object = event->born;
    if (event->kind == ASSAY_OP_FORK && event->arg < PROCESSES)
        source->parents[event->arg] = event->process;
    if (event->kind == ASSAY_OP_EXEC) {
        source->execs[event->process]++;
        return 0;
    }
    if (only >= 0 && event->process != only)
        return 0;
    struct assay_replay_image *image = image_of(source, event->process, by_process);
    if (!image)
        return assay_fail(err, ASSAY_E_LIMIT,
                          "the trace has more than %d processes; choose one with --process",
                          IMAGES_MAX);
    if (image->events++ == 0)
        image->first = position;
    image->last = position;
    source->events++;
    if (event->thread + 1u > source->threads)
        source->threads = event->thread + 1u;
    source->has_access |= event->kind == ASSAY_OP_READ || event->kind == ASSAY_OP_WRITE;
    source->has_misuse |= event->kind == ASSAY_OP_MISUSE || (event->flags & ASSAY_FLAG_MISUSE);
    return 0;
}

static int scan(struct assay_replay_source *source, long only, struct assay_error *err)
{
    int32_t *by_process = malloc(PROCESSES * sizeof *by_process);
    if (!by_process)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    for (int i = 0; i < PROCESSES; i++)
        by_process[i] = source->parents[i] = -1;
    uint64_t position = 0;
    long n;
    int code = 0;
    while (code == 0 && (n = assay_trace_read(source->reader, source->batch, BATCH, err)) != 0) {
        if (n < 0)
            code = (int)n;
        for (long i = 0; i < n && code == 0; i++, position++)
            code = scan_one(source, &source->batch[i], position, only, by_process, err);
    }
    free(by_process);
    /* numbers are given one by one: a hostile file must not make us map what it likes */
    if (code == 0 && source->max_object > (1u << 20) && source->max_object / 8 > position)
        return assay_fail(err, ASSAY_E_FORMAT, "object %u in a trace of %llu events",
                          source->max_object, (unsigned long long)position);
    if (code == 0 && source->image_count == 0)
        return only >= 0 ? assay_fail(err, ASSAY_E_NOT_FOUND, "the trace has no process %ld", only)
                         : assay_fail(err, ASSAY_E_FORMAT, "the trace has no events");
    return code;
}

int assay_replay_open(const char *path, bool allow_lossy, long process,
                      struct assay_replay_source **ret_source, struct assay_error *err)
{
    struct assay_replay_source *source = calloc(1, sizeof *source);
    if (!source)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int code = assay_trace_open(path, &source->reader, err);
    if (code < 0)
        goto fail;
    const struct assay_trace_totals *totals = assay_trace_totals(source->reader);
    if (totals->dropped > 0 && !allow_lossy) {
        code = assay_fail(err, ASSAY_E_LOSSY,
                          "'%s' lost %llu events; --allow-lossy replays what is there", path,
                          (unsigned long long)totals->dropped);
        goto fail;
    }
    source->has_address = assay_trace_meta(source->reader)->has & ASSAY_HAS_ADDRESS;
    source->images = calloc(IMAGES_MAX, sizeof *source->images);
    source->parents = malloc(PROCESSES * sizeof *source->parents);
    source->execs = calloc(PROCESSES, sizeof *source->execs);
    if (!source->images || !source->parents || !source->execs) {
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
        goto fail;
    }
    code = scan(source, process, err);
    if (code < 0)
        goto fail;
    source->births = calloc((size_t)source->max_object + 1, sizeof *source->births);
    if (!source->births) {
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory for %u objects", source->max_object);
        goto fail;
    }
    *ret_source = source;
    return 0;
fail:
    assay_replay_close(source);
    return code;
}

/* ---- reading one image ---------------------------------------------------------------------- */

int assay_replay_begin(struct assay_replay_source *source, size_t image, struct assay_error *err)
{
    enum { DEEP = sizeof source->lineage / sizeof *source->lineage };
    int code = assay_trace_rewind(source->reader, err);
    if (code < 0)
        return code;
    source->image = &source->images[image];
    memset(source->births, 0, ((size_t)source->max_object + 1) * sizeof *source->births);
    memset(source->execs, 0, PROCESSES * sizeof *source->execs);
    memset(&source->left_out, 0, sizeof source->left_out);
    source->lineage_count = source->lineage_at = 0;
    source->position = source->batch_count = source->batch_at = 0;
    source->finished = source->misuse_next = false;
    source->inherited = 0;
    /* after an exec nothing is inherited; else follow the forks up (a hostile trace may have a
     * circle) */
    int32_t process = source->image->process;
    uint16_t upwards[DEEP];
    size_t n = 0;
    while (process >= 0 && n < DEEP) {
        upwards[n++] = (uint16_t)process;
        process = source->image->exec > 0 ? -1 : source->parents[process];
    }
    while (n > 0)
        source->lineage[source->lineage_count++] = upwards[--n];
    return 0;
}

static void bear(struct assay_replay_source *source, const struct assay_event *event)
{
    struct birth *birth = &source->births[event->born];
    *birth = (struct birth){.size = event->size,
                            .arg = event->arg,
                            .kind = event->kind,
                            .family = event->family,
                            .state = OBJECT_LIVE};
    if (event->kind == ASSAY_OP_REALLOC || event->kind == ASSAY_OP_REALLOCARRAY) {
        assay_event_bytes(event, &birth->size);
        birth->kind = ASSAY_OP_MALLOC;
        birth->arg = 0;
    }
}

/* Follows what lives and dies. Returns false if the event is to be left out. */
static bool take(struct assay_replay_source *source, struct assay_event *event)
{
    struct assay_replay_left_out *out = &source->left_out;
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    bool misuse = event->flags & ASSAY_FLAG_MISUSE || source->misuse_next;
    if (event->kind == ASSAY_OP_MISUSE)
        return source->misuse_next = true;
    source->misuse_next = false;
    if (event->flags & ASSAY_FLAG_LIBRARY) {
        out->library++;
        return false;
    }
    if (event->flags & ASSAY_FLAG_BEGIN)
        return false; /* its second half is the op */
    event->flags &= (uint8_t)~ASSAY_FLAG_END;
    event->flags &= (uint8_t)~ASSAY_FLAG_PREEXISTING; /* here it is born like any other */
    if (event->kind == ASSAY_OP_NONE || event->kind >= ASSAY_OP_REZALLOC) {
        out->reserved++;
        return false;
    }
    if (event->place == ASSAY_PLACE_WILD && !misuse) {
        out->unknown++;
        return false;
    }
    uint32_t object = event->place == ASSAY_PLACE_OBJECT ? event->object : 0;
    if (object && !misuse) {
        uint8_t state = source->births[object].state;
        if (state != OBJECT_LIVE) {
            *(state == OBJECT_DEAD ? &out->dead : &out->unknown) += 1;
            return false;
        }
    }
    bool failed = source->has_address && assay_event_bears(event) &&
                  event->address == ASSAY_ADDRESS_NULL && (event->flags & ASSAY_FLAG_EXECUTED);
    if (op_class == ASSAY_CLASS_RESIZE && failed && event->size > 0 && !misuse) {
        out->refused++;
        return false;
    }
    if (object && (op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE))
        source->births[object].state = OBJECT_DEAD;
    if (event->born && (op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE))
        bear(source, event);
    return true;
}

/* The next object that the forked child inherits, as the op that re-creates it. */
static bool next_inherited(struct assay_replay_source *source, struct assay_event *event)
{
    while (source->inherited > 0 && source->inherited <= source->max_object) {
        uint32_t object = source->inherited++;
        const struct birth *birth = &source->births[object];
        if (birth->state != OBJECT_LIVE)
            continue;
        memset(event, 0, sizeof *event);
        event->kind = birth->kind;
        event->family = birth->family;
        event->process = source->image->process;
        event->born = object;
        event->size = birth->size;
        event->arg = birth->arg;
        return true;
    }
    source->inherited = 0;
    return false;
}

/* Looks at one event of the trace. Returns true if it is the image's and to be executed. */
static bool follow(struct assay_replay_source *source, struct assay_event *event)
{
    uint16_t current = source->lineage[source->lineage_at];
    bool own = source->lineage_at + 1 == source->lineage_count;
    if (event->process != current)
        return false;
    if (event->kind == ASSAY_OP_EXEC) {
        source->execs[current]++;
        memset(source->births, 0, ((size_t)source->max_object + 1) * sizeof *source->births);
        source->finished = own && source->execs[current] > source->image->exec;
        return false;
    }
    if (!own) {
        take(source, event);
        if (event->kind == ASSAY_OP_FORK && event->arg == source->lineage[source->lineage_at + 1]) {
            memset(&source->left_out, 0, sizeof source->left_out);
            source->inherited = ++source->lineage_at + 1 == source->lineage_count ? 1 : 0;
        }
        return false;
    }
    return source->execs[current] == source->image->exec && take(source, event);
}

long assay_replay_next(struct assay_replay_source *source, struct assay_event *events, size_t n,
                       struct assay_error *err)
{
    size_t filled = 0;
    while (filled < n) {
        if (source->inherited > 0) {
            if (next_inherited(source, &events[filled]))
                filled++;
            continue;
        }
        if (source->finished || source->position > source->image->last)
            break;
        if (source->batch_at == source->batch_count) {
            long got = assay_trace_read(source->reader, source->batch, BATCH, err);
            if (got < 0)
                return got;
            if (got == 0)
                break;
            source->batch_count = (size_t)got;
            source->batch_at = 0;
        }
        struct assay_event *event = &source->batch[source->batch_at++];
        source->position++;
        if (follow(source, event))
            events[filled++] = *event;
    }
    return (long)filled;
}

/* ---- what is known -------------------------------------------------------------------------- */

const struct assay_trace_meta *assay_replay_meta(const struct assay_replay_source *source)
{
    return assay_trace_meta(source->reader);
}

size_t assay_replay_images(const struct assay_replay_source *source,
                           const struct assay_replay_image **ret_images)
{
    *ret_images = source->images;
    return source->image_count;
}

uint64_t assay_replay_events(const struct assay_replay_source *source)
{
    return source->events;
}

uint32_t assay_replay_max_object(const struct assay_replay_source *source)
{
    return source->max_object;
}

uint32_t assay_replay_threads(const struct assay_replay_source *source)
{
    return source->threads;
}

bool assay_replay_has_access(const struct assay_replay_source *source)
{
    return source->has_access;
}

bool assay_replay_has_misuse(const struct assay_replay_source *source)
{
    return source->has_misuse;
}

struct assay_replay_left_out assay_replay_left_out(const struct assay_replay_source *source)
{
    return source->left_out;
}

void assay_replay_close(struct assay_replay_source *source)
{
    if (!source)
        return;
    if (source->reader)
        assay_trace_free(source->reader);
    free(source->images);
    free(source->parents);
    free(source->execs);
    free(source->births);
    free(source);
}
