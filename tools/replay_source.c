#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/replay_scan.h"

enum object_state { OBJECT_UNBORN, OBJECT_LIVE, OBJECT_DEAD };

static int out_of_memory(struct assay_error *err)
{
    return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
}

static int choose(struct assay_replay_source *source, long process, struct assay_error *err)
{
    for (size_t i = 0; i < source->image_count; i++) {
        if (process >= 0 && source->images[i].shown.process != process)
            continue;
        source->chosen[source->shown_count] = (uint32_t)i;
        source->shown[source->shown_count++] = source->images[i].shown;
        source->events += source->images[i].shown.events;
    }
    if (source->shown_count > 0)
        return 0;
    return process >= 0
               ? assay_fail(err, ASSAY_E_NOT_FOUND, "the trace has no process %ld", process)
               : assay_fail(err, ASSAY_E_FORMAT, "the trace has no events");
}

/* What a trace lost, or lacks behind its end, makes its replay another program. */
static int check_loss(const struct assay_replay_source *source, const char *path,
                      struct assay_error *err)
{
    const struct assay_trace_totals *totals = assay_trace_totals(source->reader);
    if (!assay_trace_complete(source->reader))
        return assay_fail(err, ASSAY_E_TRUNCATED,
                          "'%.200s' is incomplete: it was cut off or damaged, or its capture did "
                          "not end; --allow-lossy replays what is there",
                          path);
    if (totals->fragment)
        return assay_fail(err, ASSAY_E_LOSSY,
                          "'%.200s' is a fragment: what was cut off or damaged is missing; "
                          "--allow-lossy replays what is there",
                          path);
    if (totals->dropped > 0)
        return assay_fail(err, ASSAY_E_LOSSY,
                          "'%s' lost %llu events; --allow-lossy replays what is there", path,
                          (unsigned long long)totals->dropped);
    return 0;
}

int assay_replay_open(const char *path, bool allow_lossy, long process,
                      struct assay_replay_source **ret_source, struct assay_error *err)
{
    struct assay_replay_source *source = calloc(1, sizeof *source);
    if (!source)
        return out_of_memory(err);
    source->sorted_fd = -1;
    int code = assay_trace_open(path, &source->reader, err);
    if (code < 0)
        goto fail;
    source->has_address = assay_trace_meta(source->reader)->has & ASSAY_HAS_ADDRESS;
    source->images = calloc(ASSAY_REPLAY_IMAGES, sizeof *source->images);
    source->shown = calloc(ASSAY_REPLAY_IMAGES, sizeof *source->shown);
    source->chosen = calloc(ASSAY_REPLAY_IMAGES, sizeof *source->chosen);
    source->forks = calloc(ASSAY_REPLAY_PROCESSES, sizeof *source->forks);
    source->by_process = calloc(ASSAY_REPLAY_PROCESSES, sizeof *source->by_process);
    source->execs = calloc(ASSAY_REPLAY_PROCESSES, sizeof *source->execs);
    if (!source->images || !source->shown || !source->chosen || !source->forks ||
        !source->by_process || !source->execs) {
        code = out_of_memory(err);
        goto fail;
    }
    code = assay_replay_scan(source, false, err);
    if (code == 0)
        code = assay_trace_check_rest(source->reader, err);
    source->lossy = assay_trace_totals(source->reader)->dropped > 0 ||
                    assay_trace_totals(source->reader)->fragment;
    if (code == 0 && !allow_lossy)
        code = check_loss(source, path, err);
    if (code == 0 && source->image_count > 1)
        code = assay_replay_sort(source, err);
    if (code == 0)
        code = choose(source, process, err);
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

static void enter(struct assay_replay_source *source, size_t at)
{
    source->lineage_at = at;
    source->read_of_lineage = 0;
    source->next_block = source->images[source->lineage[at]].first_block;
    source->batch_count = source->batch_at = 0;
}

void assay_replay_as_recorded(struct assay_replay_source *source)
{
    source->as_recorded = true;
}

int assay_replay_begin(struct assay_replay_source *source, size_t image, struct assay_error *err)
{
    if (source->sorted_fd < 0) {
        int code = assay_trace_rewind(source->reader, err);
        if (code < 0)
            return code;
    }
    memset(source->births, 0, ((size_t)source->max_object + 1) * sizeof *source->births);
    memset(&source->left_out, 0, sizeof source->left_out);
    memset(&source->taken, 0, sizeof source->taken);
    source->misuse_next = false;
    source->at_gap = source->as_recorded && source->images[source->chosen[image]].after_gap;
    source->inherited = 0;
    /* an image's parent has a lower number: no circles */
    source->lineage_count = 0;
    for (int32_t i = (int32_t)source->chosen[image]; i >= 0; i = source->images[i].parent)
        source->lineage_count++;
    size_t n = source->lineage_count;
    for (int32_t i = (int32_t)source->chosen[image]; i >= 0; i = source->images[i].parent)
        source->lineage[--n] = (uint32_t)i;
    enter(source, 0);
    return 0;
}

static void bear(struct assay_replay_source *source, const struct assay_event *event)
{
    struct assay_replay_birth *birth = &source->births[event->born];
    *birth = (struct assay_replay_birth){.size = event->size,
                                         .arg = event->arg,
                                         .kind = event->kind,
                                         .family = event->family,
                                         .address = event->address,
                                         .site = event->site,
                                         .state = OBJECT_LIVE};
    if (assay_op_info(event->kind)->op_class == ASSAY_CLASS_RESIZE) {
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
    if (event->kind == ASSAY_OP_NONE || event->kind > ASSAY_OP_HEAP_WALK) {
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

/* Follows what lives and dies where everything stays in. */
static void follow(struct assay_replay_source *source, const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    uint32_t object = event->place == ASSAY_PLACE_OBJECT ? event->object : 0;
    bool resizing = op_class == ASSAY_CLASS_RESIZE;
    bool begins = event->flags & ASSAY_FLAG_BEGIN;
    bool refused = source->has_address && resizing && !begins &&
                   event->address == ASSAY_ADDRESS_NULL && event->size > 0;
    bool whole = !assay_op_has_offset(event->kind) || event->arg == 0;
    if (object && (op_class == ASSAY_CLASS_RELEASE || resizing) && whole)
        source->births[object].state = refused ? OBJECT_LIVE : OBJECT_DEAD;
    if (event->born && !begins && !refused && (op_class == ASSAY_CLASS_ALLOCATE || resizing) &&
        (!source->has_address || event->address != ASSAY_ADDRESS_NULL))
        bear(source, event);
}

/* The next object that the forked child inherits, as the op that re-creates it. */
static bool next_inherited(struct assay_replay_source *source, struct assay_event *event)
{
    while (source->inherited > 0 && source->inherited <= source->max_object) {
        uint32_t object = source->inherited++;
        const struct assay_replay_birth *birth = &source->births[object];
        if (birth->state != OBJECT_LIVE)
            continue;
        memset(event, 0, sizeof *event);
        event->kind = birth->kind;
        event->family = birth->family;
        event->process = source->images[source->lineage[source->lineage_count - 1]].shown.process;
        event->born = object;
        event->size = birth->size;
        event->arg = birth->arg;
        if (source->as_recorded) {
            event->address = birth->address;
            event->site = birth->site;
            event->flags = ASSAY_FLAG_PREEXISTING | ASSAY_FLAG_EXECUTED;
        }
        return true;
    }
    source->inherited = 0;
    return false;
}

/* Fills the batch from the trace or from the chain of blocks. Returns events, 0 at the end. */
static long fill_batch(struct assay_replay_source *source, struct assay_error *err)
{
    source->batch_at = source->batch_count = 0;
    if (source->sorted_fd < 0) {
        source->batch = source->buffer;
        long got = assay_trace_read(source->reader, source->buffer, ASSAY_REPLAY_BATCH, err);
        source->batch_count = got > 0 ? (size_t)got : 0;
        return got;
    }
    if (source->next_block == 0)
        return 0;
    off_t at = (off_t)source->next_block * (off_t)sizeof source->block;
    if (pread(source->sorted_fd, &source->block, sizeof source->block, at) !=
        (ssize_t)sizeof source->block)
        return assay_fail_errno(err, "cannot read a temporary file");
    source->batch = source->block.events;
    source->batch_count = source->block.count;
    source->next_block = source->block.next;
    return (long)source->batch_count;
}

/* The end of what the next in the lineage inherits. */
static bool forks_here(const struct assay_replay_source *source)
{
    return source->lineage_at + 1 < source->lineage_count &&
           source->read_of_lineage ==
               source->images[source->lineage[source->lineage_at + 1]].fork_at;
}

long assay_replay_next(struct assay_replay_source *source, struct assay_event *events, size_t n,
                       struct assay_error *err)
{
    size_t filled = 0;
    while (filled < n && !source->at_gap) {
        if (source->inherited > 0) {
            if (next_inherited(source, &events[filled])) {
                filled++;
                source->taken.inherited++;
            }
            continue;
        }
        if (forks_here(source)) {
            enter(source, source->lineage_at + 1);
            if (source->lineage_at + 1 == source->lineage_count) {
                memset(&source->left_out, 0, sizeof source->left_out);
                source->inherited = 1;
            }
            continue;
        }
        if (source->batch_at == source->batch_count) {
            long got = fill_batch(source, err);
            if (got < 0)
                return got;
            if (got == 0)
                break;
        }
        struct assay_event *event = &source->batch[source->batch_at++];
        if (event->kind == ASSAY_OP_GAP) {
            source->at_gap = source->as_recorded;
            continue;
        }
        source->read_of_lineage++;
        bool own = source->lineage_at + 1 == source->lineage_count;
        if (event->kind == ASSAY_OP_EXEC)
            continue;
        source->taken.events += own;
        if (source->as_recorded)
            follow(source, event);
        else
            own = take(source, event) && own;
        if (own)
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
    *ret_images = source->shown;
    return source->shown_count;
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

const struct assay_trace_totals *assay_replay_totals(const struct assay_replay_source *source)
{
    return assay_trace_totals(source->reader);
}

bool assay_replay_lossy(const struct assay_replay_source *source)
{
    return source->lossy;
}

bool assay_replay_has_gaps(const struct assay_replay_source *source)
{
    return source->gaps;
}

const struct assay_trace_site *assay_replay_site(const struct assay_replay_source *source,
                                                 uint32_t site)
{
    return assay_trace_get_site(source->reader, site);
}

struct assay_replay_taken assay_replay_taken(const struct assay_replay_source *source)
{
    return source->taken;
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
    if (source->sorted_fd >= 0)
        close(source->sorted_fd);
    free(source->images);
    free(source->shown);
    free(source->chosen);
    free(source->forks);
    free(source->by_process);
    free(source->execs);
    free(source->births);
    free(source);
}
