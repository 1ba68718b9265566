#include "traces/capture/assemble.h"

#include <stdlib.h>
#include <string.h>

#include "traces/capture/assemble_internal.h"
#include "traces/capture/maps_line.h"

int assemble_out_of_memory(struct assay_error *err)
{
    return assay_fail(err, ASSAY_E_MEMORY, "out of memory while assembling the trace");
}

int assay_assembler_create(struct assay_trace_writer *writer,
                           const struct assay_assembler_options *options,
                           struct assay_assembler **ret_assembler, struct assay_error *err)
{
    struct assay_assembler *a = calloc(1, sizeof *a);
    if (!a)
        return assemble_out_of_memory(err);
    a->writer = writer;
    a->options = *options;
    a->site_table = assay_site_table_create(writer, options->scrub);
    if (!a->site_table) {
        free(a);
        return assemble_out_of_memory(err);
    }
    *ret_assembler = a;
    return 0;
}

static int flush(struct assay_assembler *a, struct assay_error *err)
{
    size_t n = a->n;
    a->n = 0;
    return n && a->writer ? assay_trace_append(a->writer, a->events, n, err) : 0;
}

int assemble_append(struct assay_assembler *a, const struct assay_event *event,
                    struct assay_error *err)
{
    a->events[a->n++] = *event;
    a->totals.events++;
    return a->n == ASSEMBLE_BATCH ? flush(a, err) : 0;
}

int assemble_release_held(struct assay_assembler *a, struct assay_error *err)
{
    if (!a->held)
        return 0;
    a->held = NULL;
    return assemble_append(a, &a->held_event, err);
}

/* Records to events */

static uint32_t site_of(struct assay_assembler *a, struct process *p, uint64_t caller)
{
    if (a->options.no_callers)
        return 0;
    return assay_site_find(a->site_table, &p->sites, caller, a->options.need_maps, a->options.self,
                           p->pid);
}

static bool succeeded(const struct assay_raw *raw)
{
    return raw->result != 0 && (raw->kind != ASSAY_OP_POSIX_MEMALIGN || raw->error == 0);
}

/* Fills in place, object, and the address as arg where the kind leaves arg free. Returns the
 * entry, NULL for NULL and unknown pointers. */
static struct assay_pointer_entry *operand(struct process *p, const struct assay_raw *raw,
                                           struct assay_event *event)
{
    if (raw->pointer == 0) {
        event->place = ASSAY_PLACE_NULL;
        return NULL;
    }
    struct assay_pointer_entry *entry = assay_pointer_map_find(&p->objects, raw->pointer);
    if (entry) {
        event->place = ASSAY_PLACE_OBJECT;
        event->object = entry->object;
        return entry;
    }
    event->place = ASSAY_PLACE_WILD;
    if (raw->kind != ASSAY_OP_REALLOCARRAY && raw->kind != ASSAY_OP_FREE_ALIGNED_SIZED)
        event->arg = raw->pointer;
    return NULL;
}

static int step(struct assay_assembler *a, const struct assay_raw *raw, struct assay_error *err);

/* An allocation at a live address: its release may stand a little later, where stamps of two cores
 * crossed. */
static int repair(struct assay_assembler *a, const struct assay_raw *raw, struct assay_error *err)
{
    for (size_t i = a->head; i < a->tail; i++) {
        struct assay_raw *later = &a->waiting[i];
        if (later->time > raw->time + a->options.repair_window_ns)
            break;
        enum assay_op_class op_class = assay_op_info(later->kind)->op_class;
        bool releases = op_class == ASSAY_CLASS_RELEASE ||
                        (op_class == ASSAY_CLASS_RESIZE && !(later->flags & ASSAY_FLAG_END));
        if (!releases || later->pid != raw->pid || later->pointer != raw->result ||
            later->tid == raw->tid || (later->flags & ASSAY_FLAG_LIBRARY))
            continue;
        struct assay_raw pulled = *later;
        later->kind = ASSAY_OP_NONE;
        pulled.time = raw->time;
        a->totals.repaired++;
        return step(a, &pulled, err);
    }
    return 0;
}

static int bind(struct assay_assembler *a, struct process *p, const struct assay_raw *raw,
                struct assay_event *event, struct assay_error *err)
{
    if (a->totals.objects == UINT32_MAX)
        return assay_fail(err, ASSAY_E_LIMIT, "the capture has more than 2^32 objects");
    event->born = ++a->totals.objects;
    event->address = succeeded(raw) ? raw->result : ASSAY_ADDRESS_NULL;
    if (event->address && !assay_pointer_map_put(&p->objects, event->address, event->born))
        return assemble_out_of_memory(err);
    return 0;
}

static int resize_begin(struct assay_assembler *a, struct process *p, struct thread *thread,
                        const struct assay_raw *raw, struct assay_event *event)
{
    struct assay_pointer_entry *entry = operand(p, raw, event);
    a->totals.unknown_frees += event->place == ASSAY_PLACE_WILD;
    if (entry)
        assay_pointer_map_kill(&p->objects, entry);
    event->site = site_of(a, p, raw->caller);
    thread->resizing = true;
    thread->begin = *raw;
    thread->place = event->place;
    thread->object = event->object;
    return 0;
}

/* A failed resize leaves the old object alone; realloc(p, 0) that returns NULL without ENOMEM freed
 * it. */
static void resize_failed(struct process *p, const struct assay_raw *begin, uint32_t object,
                          const struct assay_event *event)
{
    uint64_t bytes;
    assay_event_bytes(event, &bytes);
    if (bytes == 0 && event->error == 0)
        return;
    struct assay_pointer_entry *entry = assay_pointer_map_find(&p->objects, begin->pointer);
    if (entry && entry->object == object)
        assay_pointer_map_revive(&p->objects, entry);
}

static int resize_end(struct assay_assembler *a, struct process *p, struct thread *thread,
                      const struct assay_raw *raw, struct assay_event *event,
                      struct assay_error *err)
{
    bool adjacent = a->held == thread;
    if (thread->resizing) {
        event->place = thread->place;
        event->object = thread->object;
        event->size = thread->begin.size;
        event->arg = thread->place == ASSAY_PLACE_WILD && raw->kind == ASSAY_OP_REALLOC
                         ? thread->begin.pointer
                         : thread->begin.arg;
        event->family = thread->begin.family;
        event->kind = thread->begin.kind;
        event->site = adjacent ? a->held_event.site : site_of(a, p, thread->begin.caller);
    } else { /* the begin was lost */
        event->place = raw->pointer ? ASSAY_PLACE_WILD : ASSAY_PLACE_NULL;
    }
    if (adjacent)
        a->held = NULL;
    int rc = bind(a, p, raw, event, err);
    if (rc < 0)
        return rc;
    if (event->address == ASSAY_ADDRESS_NULL && thread->resizing)
        resize_failed(p, &thread->begin, thread->object, event);
    thread->resizing = false;
    if (adjacent)
        event->flags &= (uint8_t)~ASSAY_FLAG_END;
    return assemble_append(a, event, err);
}

static int resize(struct assay_assembler *a, struct process *p, struct thread *thread,
                  const struct assay_raw *raw, struct assay_event *event, struct assay_error *err)
{
    bool begins = !(raw->flags & ASSAY_FLAG_END);
    bool ends = !(raw->flags & ASSAY_FLAG_BEGIN);
    int rc = 0;
    if (begins) {
        if ((rc = assemble_release_held(a, err)) < 0)
            return rc;
        resize_begin(a, p, thread, raw, event);
        if (!ends) {
            a->held = thread;
            a->held_event = *event;
            return 0;
        }
    }
    if (a->held && a->held != thread && (rc = assemble_release_held(a, err)) < 0)
        return rc;
    struct assay_event end = *event;
    end.arg = raw->arg;
    return resize_end(a, p, thread, raw, &end, err);
}

/* One record in its final place. */
static int step(struct assay_assembler *a, const struct assay_raw *raw, struct assay_error *err)
{
    int rc;
    if (raw->flags & ASSAY_FLAG_LIBRARY) {
        a->totals.library_calls++;
        return 0;
    }
    a->last_time = raw->time;
    struct process *p = assemble_find_process(a, raw->pid);
    if (!p) {
        uint32_t parent = raw->kind == ASSAY_OP_EXEC ? (uint32_t)raw->arg : 0;
        if ((rc = assemble_adopt(a, raw->pid, parent, &p, err)) < 0)
            return rc;
        if (!p) {
            a->totals.dropped++;
            return 0;
        }
        if (raw->kind == ASSAY_OP_EXEC)
            return 0;
    } else if (raw->kind == ASSAY_OP_EXEC) {
        return assemble_exec(a, p, err);
    }
    struct thread *thread = assemble_find_thread(p, raw->tid);
    if (!thread) {
        if ((rc = assemble_start_thread(a, p, NULL, raw->tid, &thread, err)) < 0)
            return rc;
        if (!thread) {
            a->totals.dropped++;
            return 0;
        }
    }
    struct assay_event event = {
        .kind = raw->kind,
        .family = raw->family,
        .flags =
            (uint8_t)((raw->flags & (ASSAY_FLAG_BEGIN | ASSAY_FLAG_END)) | ASSAY_FLAG_EXECUTED),
        .thread = thread->index,
        .process = p->index,
        .size = raw->size,
        .arg = raw->arg,
        .time = raw->time,
        .error = raw->error,
    };
    enum assay_op_class op_class = assay_op_info(raw->kind)->op_class;
    if ((op_class == ASSAY_CLASS_ALLOCATE || op_class == ASSAY_CLASS_RESIZE) && raw->result &&
        a->options.repair_window_ns) {
        const struct assay_pointer_entry *there = assay_pointer_map_find(&p->objects, raw->result);
        if (there && there->live && (rc = repair(a, raw, err)) < 0)
            return rc;
    }
    if (op_class == ASSAY_CLASS_RESIZE)
        return resize(a, p, thread, raw, &event, err);
    if (op_class == ASSAY_CLASS_CONTROL)
        return assemble_life(a, p, thread, raw, err);
    if ((rc = assemble_release_held(a, err)) < 0)
        return rc;
    if (op_class == ASSAY_CLASS_ALLOCATE) {
        if ((rc = bind(a, p, raw, &event, err)) < 0)
            return rc;
    } else if (op_class == ASSAY_CLASS_RELEASE) {
        struct assay_pointer_entry *entry = operand(p, raw, &event);
        a->totals.unknown_frees += event.place == ASSAY_PLACE_WILD;
        if (entry)
            assay_pointer_map_kill(&p->objects, entry);
        event.address = raw->pointer;
    } else if (op_class == ASSAY_CLASS_QUERY) {
        if (raw->kind != ASSAY_OP_TRIM)
            operand(p, raw, &event);
        event.value = raw->result;
    }
    event.site = site_of(a, p, raw->caller);
    return assemble_append(a, &event, err);
}

static int let_through(struct assay_assembler *a, uint64_t window, struct assay_error *err)
{
    int rc = 0;
    while (rc >= 0 && a->head < a->tail &&
           (window == 0 || a->waiting[a->tail - 1].time > a->waiting[a->head].time + window)) {
        const struct assay_raw *raw = &a->waiting[a->head++];
        if (raw->kind != ASSAY_OP_NONE)
            rc = step(a, raw, err);
    }
    if (a->head > 0)
        memmove(a->waiting, a->waiting + a->head, (a->tail - a->head) * sizeof *a->waiting);
    a->tail -= a->head;
    a->head = 0;
    return rc;
}

int assay_assembler_feed(struct assay_assembler *a, const struct assay_raw *records, size_t n,
                         struct assay_error *err)
{
    if (a->options.repair_window_ns == 0) {
        for (size_t i = 0; i < n; i++) {
            int rc = step(a, &records[i], err);
            if (rc < 0)
                return rc;
        }
        return 0;
    }
    if (a->tail + n > a->capacity) {
        size_t capacity = (a->tail + n) * 2;
        struct assay_raw *waiting = realloc(a->waiting, capacity * sizeof *waiting);
        if (!waiting)
            return assemble_out_of_memory(err);
        a->waiting = waiting;
        a->capacity = capacity;
    }
    memcpy(a->waiting + a->tail, records, n * sizeof *records);
    a->tail += n;
    return let_through(a, a->options.repair_window_ns, err);
}

int assay_assembler_tick(struct assay_assembler *a, uint64_t now_ns, struct assay_error *err)
{
    int rc = flush(a, err);
    return rc < 0 || !a->writer ? rc : assay_trace_tick(a->writer, now_ns, err);
}

int assay_assembler_module(struct assay_assembler *a, uint32_t pid, uint64_t start, uint64_t end,
                           uint64_t offset, const char *path, struct assay_error *err)
{
    struct process *p = assemble_find_process(a, pid);
    if (!p) /* its first record is yet to come */
        return 0;
    if (!assay_site_view_add(&p->sites, a->site_table, start, end, offset, path))
        return assemble_out_of_memory(err);
    return 0;
}

int assay_assembler_maps(struct assay_assembler *a, uint32_t pid, const char *text, size_t bytes,
                         struct assay_error *err)
{
    struct assay_maps_line line;
    for (const char *at = text; assay_maps_line_next(&at, text + bytes, &line);) {
        if (!line.executable || !line.path[0])
            continue;
        int rc = assay_assembler_module(a, pid, line.start, line.end, line.offset, line.path, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void assay_assembler_lost(struct assay_assembler *a, uint64_t dropped, uint64_t nested)
{
    a->totals.dropped += dropped;
    a->totals.nested += nested;
}

const struct assay_trace_totals *assay_assembler_totals(const struct assay_assembler *a)
{
    return &a->totals;
}

int assay_assembler_finish(struct assay_assembler *a, struct assay_trace_totals *ret_totals,
                           struct assay_error *err)
{
    int rc = let_through(a, 0, err);
    if (rc >= 0)
        rc = assemble_release_held(a, err);
    if (rc >= 0)
        rc = flush(a, err);
    *ret_totals = a->totals;
    return rc;
}

void assay_assembler_free(struct assay_assembler *a)
{
    struct process *p, *next;
    if (!a)
        return;
    HASH_ITER(hh, a->processes, p, next) assemble_forget_process(a, p);
    assay_site_table_free(a->site_table);
    free(a->waiting);
    free(a);
}
