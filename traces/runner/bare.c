#include "traces/runner/bare.h"

#include <string.h>

#include "traces/runner/executor.h"

size_t assay_bare_bytes(uint32_t max_objects)
{
    return ((size_t)max_objects + 1) * sizeof(void *) + 64;
}

bool assay_bare_create(struct assay_bare *bare, struct assay_arena *arena,
                       const struct assay_subject *subject, uint32_t max_objects)
{
    bare->subject = *subject;
    bare->missing = assay_executor_missing(subject);
    bare->max_objects = max_objects;
    bare->objects = assay_arena_take(arena, ((size_t)max_objects + 1) * sizeof(void *), 64);
    return bare->objects != NULL;
}

static inline void move(struct assay_bare *bare, const struct assay_event *event, void *result)
{
    if (result || event->size == 0) {
        bare->objects[event->object] = NULL;
        bare->objects[event->born] = result;
    }
}

void assay_bare_run(struct assay_bare *bare, const struct assay_event *events, size_t n)
{
    const struct assay_subject *subject = &bare->subject;
    void **objects = bare->objects, *out;
    for (const struct assay_event *event = events; event < events + n; event++) {
        if (bare->missing >> event->kind & 1)
            continue;
        switch (event->kind) {
        case ASSAY_OP_MALLOC: objects[event->born] = subject->malloc(event->size); break;
        case ASSAY_OP_FREE:
            subject->free(objects[event->object]);
            objects[event->object] = NULL;
            break;
        case ASSAY_OP_CALLOC:
            objects[event->born] = subject->calloc(event->arg, event->size);
            break;
        case ASSAY_OP_REALLOC:
            move(bare, event, subject->realloc(objects[event->object], event->size));
            break;
        case ASSAY_OP_REALLOCARRAY:
            move(bare, event,
                 subject->reallocarray(objects[event->object], event->arg, event->size));
            break;
        case ASSAY_OP_FREE_SIZED:
            subject->free_sized(objects[event->object], event->size);
            objects[event->object] = NULL;
            break;
        case ASSAY_OP_FREE_ALIGNED_SIZED:
            subject->free_aligned_sized(objects[event->object], event->arg, event->size);
            objects[event->object] = NULL;
            break;
        case ASSAY_OP_ALIGNED_ALLOC:
            objects[event->born] = subject->aligned_alloc(event->arg, event->size);
            break;
        case ASSAY_OP_POSIX_MEMALIGN:
            if (subject->posix_memalign(&out, event->arg, event->size) == 0)
                objects[event->born] = out;
            break;
        case ASSAY_OP_MEMALIGN:
            objects[event->born] = subject->memalign(event->arg, event->size);
            break;
        case ASSAY_OP_VALLOC: objects[event->born] = subject->valloc(event->size); break;
        case ASSAY_OP_PVALLOC: objects[event->born] = subject->pvalloc(event->size); break;
        case ASSAY_OP_USABLE_SIZE: subject->malloc_usable_size(objects[event->object]); break;
        case ASSAY_OP_OBJECT_SIZE: subject->malloc_object_size(objects[event->object]); break;
        case ASSAY_OP_TRIM: subject->malloc_trim(0); break;
        case ASSAY_OP_REZALLOC:
            move(bare, event, subject->rezalloc(objects[event->object], event->size));
            break;
        case ASSAY_OP_GOOD_SIZE: subject->malloc_good_size(event->size); break;
        case ASSAY_OP_STATISTICS: subject->statistics(event->arg != 0); break;
        default: break;
        }
    }
}

void assay_bare_reset(struct assay_bare *bare)
{
    for (uint32_t object = 0; object <= bare->max_objects; object++)
        if (bare->objects[object])
            bare->subject.free(bare->objects[object]);
    memset(bare->objects, 0, ((size_t)bare->max_objects + 1) * sizeof(void *));
}
