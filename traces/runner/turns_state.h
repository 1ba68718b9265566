/* What turns.c (threads) and turns_fork.c (processes and handlers) share. Nobody else includes
 * this. */
#ifndef ASSAY_TURNS_STATE_H
#define ASSAY_TURNS_STATE_H

#include "traces/runner/threads.h"
#include "traces/runner/turns.h"

struct worker {
    struct assay_turns *turns;
    uint16_t thread; /* its index in the program */
    bool running, leave;
    unsigned rounds;      /* of destructors until its turn comes, for CONTEXT_KEY */
    unsigned rounds_left; /* that the C library is still to make at this thread's end */
    pthread_t handle;
    _Atomic uint32_t turn; /* 1 = this thread's; futex word */
    char *stack, *signal_stack;
    struct assay_executor *executor; /* for loops */
    size_t loop_count;
    struct assay_event loop[ASSAY_TURNS_LOOP];
};

struct assay_turns {
    struct assay_shared *shared;
    struct assay_executor *executor;
    const struct assay_sink *sink;
    struct assay_chunk *chunk;
    size_t next, count; /* in the chunk */
    uint64_t base;      /* op index of its first event */
    uint16_t process;   /* this one */
    bool closing;       /* threads leave, whatever is to come */
    bool have_key;
    pthread_key_t key;
    struct worker workers[ASSAY_TURNS_THREADS]; /* [0]: the main thread */

    /* turns_fork.c */
    uint16_t child;                /* index of the process being forked */
    size_t fork_at;                /* its FORK in the chunk */
    enum assay_context in_fork;    /* PREPARE: fork() was called for the prepare handler */
    enum assay_context in_exit;    /* ATEXIT or ATEXIT_FIRST: exit() was called for that handler */
    bool forking, reaped, entered; /* fork() goes on; its child ended; its child is this process */
    bool handlers;                 /* pthread_atfork was called */
};

/* Executes ops of the calling thread, which has the turn, until what it stands in ends: its thread,
 * a handler, or the chunk (main thread only). The main thread hands turns on. */
void assay_turns_serve(struct assay_turns *turns, struct worker *self);
/* The next event of this process, NULL at the chunk's end. */
struct assay_event *assay_turns_peek(struct assay_turns *turns);
/* The event at turns->next is the op in progress. */
void assay_turns_begin(struct assay_turns *turns);
/* Executes the event at turns->next as one that has been done: it is counted and told. */
void assay_turns_pass(struct assay_turns *turns);
void assay_turns_skip(struct assay_turns *turns);

/* Registers what enum assay_crowd says, without an end. */
void assay_turns_crowd(uint64_t what);

void assay_turns_fork_init(struct assay_turns *turns);
/* FORK, EXIT and CONTEXT events of the main thread. Returns true where what it stands in ends. */
bool assay_turns_fork(struct assay_turns *turns);
bool assay_turns_exit(struct assay_turns *turns);
bool assay_turns_context(struct assay_turns *turns, enum assay_context context);
/* The end of the chunk: a forked child does not come back from here. */
void assay_turns_leave_child(struct assay_turns *turns);

#endif
