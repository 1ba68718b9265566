#include "tools/replay_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct assay_replay_scanned *image_of(struct assay_replay_source *source, uint16_t process)
{
    int32_t index = source->by_process[process];
    uint32_t exec = source->execs[process];
    if (index >= 0 && source->images[index].shown.exec == exec)
        return &source->images[index];
    if (source->image_count == ASSAY_REPLAY_IMAGES)
        return NULL;
    index = (int32_t)source->image_count++;
    source->by_process[process] = index;
    struct assay_replay_scanned *image = &source->images[index];
    *image = (struct assay_replay_scanned){
        .shown = {.process = process, .exec = exec}, .parent = -1, .after_gap = source->gaps};
    if (exec == 0 && source->forks[process].image >= 0) {
        image->parent = source->forks[process].image;
        image->fork_at = source->forks[process].at;
    }
    return image;
}

static void scan_facts(struct assay_replay_source *source, const struct assay_event *event)
{
    if (event->object > source->max_object)
        source->max_object = event->object;
    if (event->born > source->max_object)
        source->max_object = event->born;
    if (event->thread + 1u > source->threads)
        source->threads = event->thread + 1u;
    source->has_access |= event->kind == ASSAY_OP_READ || event->kind == ASSAY_OP_WRITE;
    source->has_misuse |= event->kind == ASSAY_OP_MISUSE || (event->flags & ASSAY_FLAG_MISUSE);
}

static int write_block(struct assay_replay_source *source, const struct assay_replay_block *block,
                       uint32_t number, struct assay_error *err)
{
    if (pwrite(source->sorted_fd, block, sizeof *block, (off_t)number * (off_t)sizeof *block) !=
        (ssize_t)sizeof *block)
        return assay_fail_errno(err, "cannot write a temporary file");
    return 0;
}

/* Adds an event to its image's chain. */
static int sort_one(struct assay_replay_source *source, struct assay_replay_scanned *image,
                    const struct assay_event *event, struct assay_error *err)
{
    if (!image->open) {
        image->open = calloc(1, sizeof *image->open);
        if (!image->open)
            return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
        image->first_block = image->last_block = ++source->blocks;
    }
    if (image->open->count == ASSAY_REPLAY_BLOCK) {
        image->open->next = ++source->blocks;
        int code = write_block(source, image->open, image->last_block, err);
        if (code < 0)
            return code;
        image->last_block = image->open->next;
        image->open->next = image->open->count = 0;
    }
    image->open->events[image->open->count++] = *event;
    return 0;
}

static void count_live(struct assay_replay_scanned *image, const struct assay_event *event)
{
    enum assay_op_class op_class = assay_op_info(event->kind)->op_class;
    if (event->flags & ASSAY_FLAG_BEGIN)
        return;
    if (op_class == ASSAY_CLASS_ALLOCATE && event->born)
        image->live++;
    else if (op_class == ASSAY_CLASS_RELEASE && event->object && image->live > 0)
        image->live--;
    if (image->live > image->shown.max_live)
        image->shown.max_live = (uint32_t)image->live;
}

/* What is lost is lost to every image. */
static int scan_gap(struct assay_replay_source *source, const struct assay_event *event, bool sort,
                    struct assay_error *err)
{
    int code = 0;
    source->gaps = true;
    for (size_t i = 0; sort && i < source->image_count && code == 0; i++)
        code = sort_one(source, &source->images[i], event, err);
    return code;
}

static int scan_one(struct assay_replay_source *source, const struct assay_event *event, bool sort,
                    struct assay_error *err)
{
    if (event->kind == ASSAY_OP_GAP)
        return scan_gap(source, event, sort, err);
    if (event->kind == ASSAY_OP_EXEC) {
        source->execs[event->process]++;
        return 0;
    }
    struct assay_replay_scanned *image = image_of(source, event->process);
    if (!image)
        return assay_fail(err, ASSAY_E_LIMIT, "the trace has more than %d process images",
                          ASSAY_REPLAY_IMAGES);
    image->shown.events++;
    count_live(image, event);
    if (event->kind == ASSAY_OP_FORK && event->arg < ASSAY_REPLAY_PROCESSES)
        source->forks[event->arg] =
            (struct assay_replay_forked){(int32_t)(image - source->images), image->shown.events};
    return sort ? sort_one(source, image, event, err) : 0;
}

int assay_replay_scan(struct assay_replay_source *source, bool sort, struct assay_error *err)
{
    uint64_t events = 0;
    long n = 0;
    int code = 0;
    source->image_count = 0;
    source->gaps = false;
    memset(source->execs, 0, ASSAY_REPLAY_PROCESSES * sizeof *source->execs);
    for (int i = 0; i < ASSAY_REPLAY_PROCESSES; i++) {
        source->by_process[i] = -1;
        source->forks[i].image = -1;
    }
    while (code == 0 &&
           (n = assay_trace_read(source->reader, source->buffer, ASSAY_REPLAY_BATCH, err)) > 0) {
        events += (uint64_t)n;
        for (long i = 0; i < n && code == 0; i++) {
            scan_facts(source, &source->buffer[i]);
            code = scan_one(source, &source->buffer[i], sort, err);
        }
    }
    if (code == 0 && n < 0)
        code = (int)n;
    for (size_t i = 0; i < source->image_count; i++) {
        struct assay_replay_scanned *image = &source->images[i];
        if (code == 0 && image->open)
            code = write_block(source, image->open, image->last_block, err);
        free(image->open);
        image->open = NULL;
    }
    /* numbers are given one by one: a hostile file must not make us map what it likes */
    if (code == 0 && source->max_object > (1u << 20) && source->max_object / 8 > events)
        code = assay_fail(err, ASSAY_E_FORMAT, "object %u in a trace of %llu events",
                          source->max_object, (unsigned long long)events);
    return code;
}

int assay_replay_sort(struct assay_replay_source *source, struct assay_error *err)
{
    const char *chosen = getenv("TMPDIR");
    const char *folder = chosen && *chosen ? chosen : "/tmp";
    char path[4200];
    snprintf(path, sizeof path, "%s/assay-replay-XXXXXX", folder);
    source->sorted_fd = mkstemp(path);
    if (source->sorted_fd < 0)
        return assay_fail_errno(err, "cannot make a temporary file in '%s'", folder);
    unlink(path);
    int code = assay_trace_rewind(source->reader, err);
    return code < 0 ? code : assay_replay_scan(source, true, err);
}
