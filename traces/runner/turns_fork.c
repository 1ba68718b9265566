/* Processes and handlers of turns: fork, what runs around it, and what runs at a process's end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/runner/turns_state.h"

static struct assay_turns *the_turns; /* handlers are given no argument */

/* What atexit() calls, which is not to be called beside a subject: only the first 32 handlers have
 * room without an allocation. These are two. */
extern int __cxa_atexit(void (*handler)(void *), void *argument, void *library);

static struct worker *main_of(struct assay_turns *turns)
{
    return &turns->workers[0];
}

/* Looks past the ops of others and leaves them alone: the child may be at them. */
static bool next_is_context(const struct assay_turns *turns, enum assay_context context)
{
    size_t at = turns->next;
    const struct assay_event *events = turns->chunk->events;
    while (at < turns->count && events[at].process != turns->process)
        at++;
    return at < turns->count && events[at].kind == ASSAY_OP_CONTEXT && events[at].thread == 0 &&
           events[at].arg == context;
}

/* ---- the child ------------------------------------------------------------------------------ */

/* From here on this is the child: without its parent's other threads, and not outliving it. */
static void enter_child(struct assay_turns *turns)
{
    if (turns->entered)
        return;
    turns->entered = true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    atomic_store(&turns->shared->forked, (int32_t)getpid());
    if (turns->fork_at < turns->count)
        turns->chunk->events[turns->fork_at].flags |= ASSAY_FLAG_EXECUTED;
    turns->process = turns->child;
    turns->forking = false;
    turns->in_fork = turns->in_exit = ASSAY_CONTEXT_NONE;
    for (int i = 1; i < ASSAY_TURNS_THREADS; i++)
        turns->workers[i].running = false;
}

static _Noreturn void be_child(struct assay_turns *turns)
{
    enter_child(turns);
    for (;;)
        assay_turns_serve(turns, main_of(turns)); /* what a removed context's end left over */
}

void assay_turns_leave_child(struct assay_turns *turns)
{
    if (turns->process != 0 && turns->in_exit == ASSAY_CONTEXT_NONE)
        _exit(0);
}

/* ---- the parent ----------------------------------------------------------------------------- */

/* All ops of the child forked at `at` were executed, and its exit was the last; and so of its own
 * children. */
static bool finished(struct assay_turns *turns, size_t at, uint16_t child)
{
    for (size_t i = at; i < turns->count; i++) {
        struct assay_event *event = &turns->chunk->events[i];
        if (event->process != child || (event->flags & ASSAY_FLAG_LIBRARY))
            continue;
        if (event->kind == ASSAY_OP_EXIT)
            event->flags |= ASSAY_FLAG_EXECUTED;
        if (!(event->flags & (ASSAY_FLAG_EXECUTED | ASSAY_FLAG_SKIPPED)))
            return false;
        if (event->kind == ASSAY_OP_FORK && (event->flags & ASSAY_FLAG_EXECUTED) &&
            !finished(turns, i + 1, (uint16_t)event->arg))
            return false;
    }
    return true;
}

/* fork() failed: a program goes on as if it had not asked. */
static void no_child(struct assay_turns *turns)
{
    turns->reaped = true;
    if (turns->fork_at < turns->count)
        turns->chunk->events[turns->fork_at].flags |= ASSAY_FLAG_SKIPPED;
}

/* What ended the child early ends its parent, so that the host sees it. The handler of the parent
 * runs where there is no child, too. */
static void reap(struct assay_turns *turns)
{
    struct assay_crash_record *crash = &turns->shared->crash;
    int status = 0;
    if (turns->reaped)
        return;
    while (waitpid(-1, &status, 0) < 0)
        if (errno != EINTR) {
            no_child(turns);
            return;
        }
    turns->reaped = true;
    /* a child of a child left its parent as the one that goes on */
    atomic_store(&turns->shared->forked, turns->process == 0 ? 0 : (int32_t)getpid());
    if (WIFSIGNALED(status)) {
        atomic_store(&crash->signal, WTERMSIG(status));
        _exit(ASSAY_CRASH_EXIT_CODE);
    }
    if (WEXITSTATUS(status) != 0 || !finished(turns, turns->fork_at, turns->child))
        _exit(WEXITSTATUS(status));
}

static void fork_now(struct assay_turns *turns)
{
    turns->forking = true;
    turns->reaped = turns->entered = false;
    pid_t pid = fork();
    if (pid == 0)
        be_child(turns);
    turns->forking = false;
    if (pid > 0)
        reap(turns);
    else
        no_child(turns);
}

/* For what other threads are in the middle of: who has just called finds them waiting. */
static void wait_before(uint64_t microseconds)
{
    enum { MOST = 10000 };
    uint64_t some = microseconds < MOST ? microseconds : MOST;
    const struct timespec pause = {0, (long)some * 1000};
    if (some > 0)
        nanosleep(&pause, NULL);
}

bool assay_turns_fork(struct assay_turns *turns)
{
    const struct assay_event *event = &turns->chunk->events[turns->next];
    bool prepared = turns->forking && turns->in_fork == ASSAY_CONTEXT_PREPARE;
    if (event->arg == 0 || event->arg > UINT16_MAX || event->arg == turns->process ||
        (turns->forking && !prepared)) {
        assay_turns_skip(turns);
        return false;
    }
    turns->child = (uint16_t)event->arg;
    turns->fork_at = turns->next;
    assay_turns_begin(turns);
    wait_before(event->size);
    turns->next++; /* executed when there is a child */
    if (prepared)
        return true; /* fork() goes on behind its handler */
    fork_now(turns);
    return false;
}

/* ---- handlers of fork ----------------------------------------------------------------------- */

static void on_prepare(void)
{
    struct assay_turns *turns = the_turns;
    if (!turns || !turns->forking || turns->in_fork != ASSAY_CONTEXT_PREPARE)
        return;
    assay_turns_serve(turns, main_of(turns));
    turns->in_fork = ASSAY_CONTEXT_NONE;
}

static void on_parent(void)
{
    struct assay_turns *turns = the_turns;
    if (!turns || !turns->forking || !next_is_context(turns, ASSAY_CONTEXT_PARENT))
        return;
    reap(turns);
    (void)assay_turns_peek(turns);
    assay_turns_pass(turns);
    turns->in_fork = ASSAY_CONTEXT_PARENT;
    assay_turns_serve(turns, main_of(turns));
    turns->in_fork = ASSAY_CONTEXT_NONE;
}

static void on_child(void)
{
    struct assay_turns *turns = the_turns;
    if (!turns || !turns->forking)
        return;
    enter_child(turns);
    if (!next_is_context(turns, ASSAY_CONTEXT_CHILD))
        return;
    (void)assay_turns_peek(turns);
    assay_turns_pass(turns);
    turns->in_fork = ASSAY_CONTEXT_CHILD;
    assay_turns_serve(turns, main_of(turns));
    turns->in_fork = ASSAY_CONTEXT_NONE;
}

/* Registered when a program first wants one, behind all that the subject registered before its
 * first call and at it: such handlers run while its locks are free. */
static bool have_handlers(struct assay_turns *turns)
{
    if (!turns->handlers)
        turns->handlers = pthread_atfork(on_prepare, on_parent, on_child) == 0;
    return turns->handlers;
}

/* ---- handlers of exit ----------------------------------------------------------------------- */

static void serve_exit(enum assay_context context)
{
    struct assay_turns *turns = the_turns;
    if (turns && turns->in_exit == context)
        assay_turns_serve(turns, main_of(turns));
}

static void on_exit_now(void *nothing)
{
    (void)nothing;
    serve_exit(ASSAY_CONTEXT_ATEXIT);
}

static void on_last_exit(void *nothing)
{
    (void)nothing;
    serve_exit(ASSAY_CONTEXT_ATEXIT_FIRST);
}

/* Before any library's constructor: handlers run in the reverse order, so this one runs behind
 * those of the subject, and behind its destructors. */
static void register_first(void)
{
    (void)__cxa_atexit(on_last_exit, NULL, NULL);
}
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = register_first;

bool assay_turns_exit(struct assay_turns *turns)
{
    if (turns->process == 0) {
        assay_turns_skip(turns);
        return false;
    }
    /* in progress until its parent has seen that the process came to its end */
    assay_turns_begin(turns);
    while (++turns->next < turns->count) {
        struct assay_event *event = &turns->chunk->events[turns->next];
        if (event->process == turns->process)
            event->flags |= ASSAY_FLAG_SKIPPED;
    }
    if (turns->in_exit == ASSAY_CONTEXT_NONE)
        _exit(0);
    return true;
}

/* ---- contexts ------------------------------------------------------------------------------- */

bool assay_turns_context(struct assay_turns *turns, enum assay_context context)
{
    bool child = turns->process != 0;
    switch (context) {
    case ASSAY_CONTEXT_ATEXIT:
    case ASSAY_CONTEXT_ATEXIT_FIRST:
        if (!child || turns->in_exit != ASSAY_CONTEXT_NONE || turns->in_fork != ASSAY_CONTEXT_NONE)
            break;
        assay_turns_pass(turns);
        turns->in_exit = context;
        if (context == ASSAY_CONTEXT_ATEXIT)
            (void)__cxa_atexit(on_exit_now, NULL, NULL);
        exit(0);
    case ASSAY_CONTEXT_PREPARE:
        if (turns->forking || !have_handlers(turns))
            break;
        assay_turns_pass(turns);
        turns->in_fork = ASSAY_CONTEXT_PREPARE;
        turns->child = UINT16_MAX; /* should no FORK follow */
        turns->fork_at = turns->count;
        fork_now(turns);
        return false;
    case ASSAY_CONTEXT_NONE:
        assay_turns_pass(turns);
        return turns->in_fork == ASSAY_CONTEXT_PARENT || turns->in_fork == ASSAY_CONTEXT_CHILD;
    default: break; /* the others begin where fork() calls their handler */
    }
    assay_turns_skip(turns);
    return false;
}

void assay_turns_fork_init(struct assay_turns *turns)
{
    the_turns = turns;
}
