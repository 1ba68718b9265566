#include <stdlib.h>
#include <sys/wait.h>

#include "traces/capture/assemble_internal.h"

enum { MAX_INDEX = UINT16_MAX };

/* Threads */

static void clear_threads(struct process *p)
{
    struct thread *thread, *next;
    HASH_ITER(hh, p->threads, thread, next)
    {
        HASH_DEL(p->threads, thread);
        free(thread);
    }
    p->last = NULL;
}

static int add_thread(struct assay_assembler *a, struct process *p, uint32_t tid,
                      struct thread **ret_thread, struct assay_error *err)
{
    bool main_thread = tid == p->pid;
    *ret_thread = NULL;
    if (!main_thread && p->next_thread > MAX_INDEX)
        return 0;
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return assemble_out_of_memory(err);
    thread->tid = tid;
    thread->index = main_thread ? 0 : (uint16_t)p->next_thread++;
    a->totals.threads += !main_thread;
    HASH_ADD(hh, p->threads, tid, sizeof tid, thread); /* NOLINT: uthash, see sites.c */
    *ret_thread = thread;
    return 0;
}

struct thread *assemble_find_thread(struct process *p, uint32_t tid)
{
    struct thread *thread;
    if (p->last && p->last->tid == tid)
        return p->last;
    HASH_FIND(hh, p->threads, &tid, sizeof tid, thread);
    if (thread)
        p->last = thread;
    return thread;
}

static void forget_thread(struct process *p, struct thread *thread)
{
    if (p->last == thread)
        p->last = NULL;
    HASH_DEL(p->threads, thread);
    free(thread);
}

static struct assay_event control(const struct assay_assembler *a, const struct process *p,
                                  const struct thread *thread, unsigned kind, uint64_t arg)
{
    return (struct assay_event){.kind = (uint8_t)kind,
                                .thread = thread ? thread->index : 0,
                                .process = p->index,
                                .arg = arg,
                                .time = a->last_time,
                                .flags = ASSAY_FLAG_EXECUTED};
}

int assemble_start_thread(struct assay_assembler *a, struct process *p,
                          const struct thread *starter, uint32_t tid, struct thread **ret_thread,
                          struct assay_error *err)
{
    int rc = add_thread(a, p, tid, ret_thread, err);
    if (rc < 0 || !*ret_thread || tid == p->pid)
        return rc;
    struct assay_event event = control(a, p, starter, ASSAY_OP_THREAD_START, (*ret_thread)->index);
    rc = assemble_release_held(a, err);
    return rc < 0 ? rc : assemble_append(a, &event, err);
}

/* Processes */

struct process *assemble_find_process(struct assay_assembler *a, uint32_t pid)
{
    struct process *p;
    if (a->last && a->last->pid == pid)
        return a->last;
    HASH_FIND(hh, a->processes, &pid, sizeof pid, p);
    if (p)
        a->last = p;
    return p;
}

void assemble_forget_process(struct assay_assembler *a, struct process *p)
{
    if (a->last == p)
        a->last = NULL;
    HASH_DEL(a->processes, p);
    clear_threads(p);
    assay_pointer_map_clear(&p->objects);
    assay_site_view_clear(&p->sites);
    free(p);
}

/* parent NULL: inherits nothing. *ret_process is NULL when no numbers are left. */
static int add_process(struct assay_assembler *a, const struct process *parent, uint32_t pid,
                       struct process **ret_process, struct assay_error *err)
{
    struct thread *main_thread;
    *ret_process = NULL;
    if (a->totals.processes > MAX_INDEX)
        return 0;
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        return assemble_out_of_memory(err);
    p->pid = pid;
    p->next_thread = 1;
    if (parent && (!assay_pointer_map_copy(&parent->objects, &p->objects) ||
                   !assay_site_view_copy(&parent->sites, &p->sites))) {
        assay_pointer_map_clear(&p->objects);
        free(p);
        return assemble_out_of_memory(err);
    }
    p->index = (uint16_t)a->totals.processes++;
    HASH_ADD(hh, a->processes, pid, sizeof pid, p);
    a->totals.threads++;
    *ret_process = p;
    return add_thread(a, p, pid, &main_thread, err);
}

/* Makes pid a child of parent, by thread; what was known under that pid is over. */
static int fork_process(struct assay_assembler *a, struct process *parent,
                        const struct thread *thread, uint32_t pid, bool inherit,
                        struct process **ret_process, struct assay_error *err)
{
    struct process *old = assemble_find_process(a, pid);
    int rc = assemble_release_held(a, err);
    *ret_process = NULL;
    if (rc < 0 || old == parent)
        return rc;
    if (old)
        assemble_forget_process(a, old);
    rc = add_process(a, inherit ? parent : NULL, pid, ret_process, err);
    if (rc < 0 || !*ret_process || !parent)
        return rc;
    struct assay_event event = control(a, parent, thread, ASSAY_OP_FORK, (*ret_process)->index);
    return assemble_append(a, &event, err);
}

int assemble_exec(struct assay_assembler *a, struct process *p, struct assay_error *err)
{
    struct thread *main_thread;
    int rc = assemble_release_held(a, err);
    if (rc < 0)
        return rc;
    assay_pointer_map_clear(&p->objects);
    assay_site_view_clear(&p->sites);
    clear_threads(p); /* their numbers are not given again */
    rc = add_thread(a, p, p->pid, &main_thread, err);
    if (rc < 0)
        return rc;
    struct assay_event event = control(a, p, NULL, ASSAY_OP_EXEC, 0);
    return assemble_append(a, &event, err);
}

int assemble_adopt(struct assay_assembler *a, uint32_t pid, uint32_t parent,
                   struct process **ret_process, struct assay_error *err)
{
    if (!a->processes && a->totals.processes == 0)
        return add_process(a, NULL, pid, ret_process, err);
    struct process *from = parent ? assemble_find_process(a, parent) : NULL;
    if (!from) { /* the oldest that still runs */
        from = a->processes;
        if (!from)
            return add_process(a, NULL, pid, ret_process, err);
    }
    int rc = fork_process(a, from, NULL, pid, false, ret_process, err);
    if (rc < 0 || !*ret_process)
        return rc;
    return assemble_exec(a, *ret_process, err);
}

/* Records */

int assemble_life(struct assay_assembler *a, struct process *p, struct thread *thread,
                  const struct assay_raw *raw, struct assay_error *err)
{
    struct process *child;
    struct thread *started;
    struct assay_event event;
    int rc = assemble_release_held(a, err);
    if (rc < 0)
        return rc;
    switch (raw->kind) {
    case ASSAY_OP_THREAD_START:
        started = assemble_find_thread(p, (uint32_t)raw->arg);
        if (started && !started->exited)
            return 0; /* its first record came before this one */
        if (started)
            forget_thread(p, started);
        return assemble_start_thread(a, p, thread, (uint32_t)raw->arg, &started, err);
    case ASSAY_OP_THREAD_EXIT:
        if (thread->exited)
            return 0;
        thread->exited = true;
        event = control(a, p, thread, ASSAY_OP_THREAD_EXIT, 0);
        return assemble_append(a, &event, err);
    case ASSAY_OP_FORK: return fork_process(a, p, thread, (uint32_t)raw->arg, true, &child, err);
    case ASSAY_OP_EXIT:
        event = control(a, p, thread, ASSAY_OP_EXIT, 0);
        if (WIFSIGNALED((int)raw->arg))
            event.signal = (uint8_t)WTERMSIG((int)raw->arg);
        else
            event.arg = (uint64_t)WEXITSTATUS((int)raw->arg);
        rc = assemble_append(a, &event, err);
        assemble_forget_process(a, p);
        return rc;
    default: return 0;
    }
}
