/* What happens to threads and processes: their ends, forks, exits. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/capture/recorder.h"

__thread uint32_t recorder_fork_number;

static pthread_key_t key;
static bool key_made;

static void note(unsigned kind, uint64_t what, uint64_t size)
{
    struct recorder_thread *self = recorder_enter();
    if (!self)
        return;
    if (recorder_open(self)) {
        recorder_put(self, recorder_stamp_before(), kind, 0, 0, what, size, 0, 0);
        recorder_close(self);
    }
    recorder_leave(self);
}

/* Runs again as long as it may, so that other keys' destructors are recorded. */
static void thread_ends(void *value)
{
    struct recorder_thread *self = recorder_self;
    if (!self || self != value || !self->header)
        return;
    if (++self->exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(key, self);
        return;
    }
    note(ASSAY_OP_THREAD_EXIT, 0, 0);
    recorder_detach(self);
}

static void before_fork(void)
{
    if (recorder_off || !recorder_control)
        return;
    uint32_t number = atomic_fetch_add(&recorder_control->next_fork, 1) + 1;
    /* A child that forks before it allocated becomes known by this record: until then
     * recorder_fork_number is the number of its own birth. */
    note(ASSAY_OP_FORK, number, 0);
    recorder_fork_number = number;
}

static void after_fork_in_parent(void)
{
    recorder_fork_number = 0;
}

/* The child tells its pid itself, before it can do anything else: a parent may be gone or late. By
 * it an exec'd child is known that never called an allocator before. */
static void after_fork_in_child(void)
{
    uint64_t number = recorder_fork_number;
    if (number)
        atomic_store(&recorder_control->born[number % RECORDER_BIRTHS],
                     number << 32 | (uint32_t)syscall(SYS_getpid));
}

static void process_exits(int status, void *unused)
{
    (void)unused;
    if (recorder_off)
        return;
    recorder_maps();
    note(ASSAY_OP_EXIT, 0, (uint64_t)(unsigned)status);
}

void recorder_life_start(void)
{
    key_made = pthread_key_create(&key, thread_ends) == 0;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    on_exit(process_exits, NULL);
}

void recorder_life_attach(struct recorder_thread *self)
{
    if (key_made)
        pthread_setspecific(key, self);
}

/* A forked child usually ends here: exit handlers are not run. */
RECORDER_EXPORT _Noreturn void _exit(int status)
{
    const struct recorder_thread *self = recorder_self;
    /* A child of vfork ends here too, in its parent's memory. */
    if (self && self->header && self->header->pid == (uint32_t)syscall(SYS_getpid))
        note(ASSAY_OP_EXIT, 0, (uint64_t)(unsigned)status);
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

RECORDER_EXPORT _Noreturn void _Exit(int status)
{
    _exit(status);
}
