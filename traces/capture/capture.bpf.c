/* The kernel half of the eBPF capture: one record per allocator call of the followed tasks.
 *
 * A task is followed when it has an entry in `tasks`: the host makes the first one, fork and clone
 * hand it on. Order: one ring is a causal total order because an allocation is recorded when it
 * returned, a release before it starts, a resize at both. Nothing is lost silently: every record
 * that finds no room is counted. */
#include "traces/capture/vmlinux_min.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "traces/capture/ebpf_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 wake_bytes = 1 << 20; /* pending bytes that wake the host */

struct assay_ebpf_counters counters;

struct task_state {
    __u64 pointer, size, arg;
    __u64 sp;     /* stack pointer at the entry of the open call */
    __u64 caller; /* its return address; known at entry for a resize only */
    __u32 depth;  /* 0 = no call is open */
    __u16 function;
    __u8 shape;
    __u8 unused;
    __u64 freed, freed_sp; /* the last release: a tail call arrives with the same frame */
    __u32 freed_function;
    __u32 since_wake;
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct task_state);
} tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 << 20);
} ring SEC(".maps");

extern bool bpf_session_is_return(void) __weak __ksym;

static __always_inline struct task_state *followed(void)
{
    return bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
}

static __always_inline struct assay_ebpf_record *take(__u8 type)
{
    struct assay_ebpf_record *record = bpf_ringbuf_reserve(&ring, sizeof *record, 0);
    if (!record) {
        __sync_fetch_and_add(&counters.dropped, 1);
        return 0;
    }
    __u64 id = bpf_get_current_pid_tgid();
    record->time = bpf_ktime_get_ns();
    record->process = id >> 32;
    record->thread = (__u32)id;
    record->type = type;
    record->error = 0;
    record->other = 0;
    record->function = 0;
    return record;
}

/* Wakes the host only when much is pending: a wakeup per record costs five times the record. The
 * host also looks by itself every few milliseconds. */
static __always_inline void give(struct assay_ebpf_record *record, struct task_state *task)
{
    __u64 flags = BPF_RB_NO_WAKEUP;
    if (++task->since_wake >= 64) {
        task->since_wake = 0;
        if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_bytes)
            flags = BPF_RB_FORCE_WAKEUP;
    }
    bpf_ringbuf_submit(record, flags);
}

static __always_inline __u64 return_address(struct pt_regs *ctx)
{
    __u64 address = 0;
    bpf_probe_read_user(&address, sizeof address, (void *)ctx->sp);
    return address;
}

/* True if the call that the task has open is still on its stack. A frame above the open call's
 * means that it was left by longjmp: its record is missing, and that is counted. */
static __always_inline bool inside(struct task_state *task, __u64 sp)
{
    if (task->depth == 0)
        return false;
    if (sp <= task->sp)
        return true;
    task->depth = 0;
    __sync_fetch_and_add(&counters.abandoned, 1);
    return false;
}

struct arguments {
    __u64 first, second, third;
};

/* All at once, held in registers: a compiler that merges several loads behind one computed address
 * makes the verifier refuse the context. */
static __always_inline struct arguments arguments_of(struct pt_regs *ctx)
{
    struct arguments a = {ctx->di, ctx->si, ctx->dx};
    barrier_var(a.first);
    barrier_var(a.second);
    barrier_var(a.third);
    return a;
}

/* Returns 0 when this call's return is wanted. */
static __always_inline int enter(struct pt_regs *ctx, bool session)
{
    struct task_state *task = followed();
    if (!task)
        return 1;
    __u64 sp = ctx->sp;
    if (inside(task, sp)) {
        __sync_fetch_and_add(&counters.nested, 1);
        if (!session)
            task->depth++;
        return 1;
    }
    __u64 cookie = bpf_get_attach_cookie(ctx);
    struct arguments a = arguments_of(ctx);
    task->depth = 1;
    task->sp = sp;
    task->function = cookie >> 8;
    task->shape = cookie & 0xff;
    task->freed_sp = 0;
    task->pointer = 0;
    task->arg = 0;
    switch (cookie & 0xff) {
    case ASSAY_EBPF_SIZE: task->size = a.first; return 0;
    case ASSAY_EBPF_COUNT_SIZE:
    case ASSAY_EBPF_ALIGN_SIZE:
        task->arg = a.first;
        task->size = a.second;
        return 0;
    case ASSAY_EBPF_SIZE_ALIGN:
        task->size = a.first;
        task->arg = a.second;
        return 0;
    case ASSAY_EBPF_OUT:
        task->pointer = a.first;
        task->arg = a.second;
        task->size = a.third;
        return 0;
    case ASSAY_EBPF_QUERY:
        task->pointer = a.first;
        task->size = 0;
        return 0;
    case ASSAY_EBPF_RESIZE: task->size = a.second; break;
    default:
        task->arg = a.second;
        task->size = a.third;
        break;
    }
    task->pointer = a.first;
    struct assay_ebpf_record *record = take(ASSAY_EBPF_BEGIN);
    if (!record)
        return 0;
    record->address = task->pointer;
    record->size = task->size;
    record->arg = task->arg;
    record->caller = return_address(ctx);
    record->function = task->function;
    give(record, task);
    return 0;
}

static __always_inline int leave(struct pt_regs *ctx, bool session)
{
    struct task_state *task = followed();
    if (!task || task->depth == 0)
        return 0;
    if (!session && task->depth > 1) {
        task->depth--;
        return 0;
    }
    task->depth = 0;
    __u64 address = ctx->ax, arg = task->arg;
    __u8 error = 0, shape = task->shape;
    if (shape == ASSAY_EBPF_OUT) {
        error = (__u8)address;
        address = 0;
        if (!error && bpf_probe_read_user(&address, sizeof address, (void *)task->pointer) != 0)
            __sync_fetch_and_add(&counters.unreadable, 1);
    } else if (shape == ASSAY_EBPF_QUERY) {
        arg = address;
        address = task->pointer;
    }
    bool resize = shape == ASSAY_EBPF_RESIZE || shape == ASSAY_EBPF_RESIZE_COUNT;
    struct assay_ebpf_record *record = take(resize ? ASSAY_EBPF_END : ASSAY_EBPF_CALL);
    if (!record)
        return 0;
    record->address = address;
    record->size = task->size;
    record->arg = arg;
    record->error = error;
    record->caller = ctx->ip; /* the kernel has put the return address back by now */
    record->function = task->function;
    give(record, task);
    return 0;
}

/* Kernels with session links: one probe, both ends, and nested calls skip their return. */
SEC("uprobe")
int assay_session(struct pt_regs *ctx)
{
    return bpf_session_is_return() ? leave(ctx, true) : enter(ctx, true);
}

SEC("uprobe")
int assay_enter(struct pt_regs *ctx)
{
    enter(ctx, false);
    return 0;
}

SEC("uretprobe")
int assay_leave(struct pt_regs *ctx)
{
    return leave(ctx, false);
}

SEC("uprobe")
int assay_release(struct pt_regs *ctx)
{
    struct task_state *task = followed();
    if (!task)
        return 0;
    struct arguments a = arguments_of(ctx);
    __u64 sp = ctx->sp, pointer = a.first;
    if (inside(task, sp)) {
        __sync_fetch_and_add(&counters.nested, 1);
        return 0;
    }
    __u64 cookie = bpf_get_attach_cookie(ctx);
    __u32 function = cookie >> 8;
    if (task->freed_sp == sp && task->freed == pointer && task->freed_function != function) {
        __u64 caller = return_address(ctx);
        if (caller == task->caller) { /* operator delete jumped to free: one call */
            task->freed_sp = 0;
            __sync_fetch_and_add(&counters.nested, 1);
            return 0;
        }
    }
    task->freed = pointer;
    task->freed_sp = sp;
    task->freed_function = function;
    task->caller = return_address(ctx);
    struct assay_ebpf_record *record = take(ASSAY_EBPF_CALL);
    if (!record)
        return 0;
    record->address = pointer;
    record->caller = task->caller;
    record->function = function;
    record->size = 0;
    record->arg = 0;
    switch (cookie & 0xff) {
    case ASSAY_EBPF_FREE_SIZE: record->size = a.second; break;
    case ASSAY_EBPF_FREE_ALIGN: record->arg = a.second; break;
    case ASSAY_EBPF_FREE_SIZE_ALIGN:
        record->size = a.second;
        record->arg = a.third;
        break;
    case ASSAY_EBPF_FREE_ALIGN_SIZE:
        record->arg = a.second;
        record->size = a.third;
        break;
    }
    give(record, task);
    return 0;
}

static __always_inline void note(struct task_state *task, __u8 type, __u32 other, __u64 arg,
                                 __u64 own_id)
{
    struct assay_ebpf_record *record = take(type);
    if (!record)
        return;
    record->address = 0;
    record->size = 0;
    record->caller = own_id;
    record->other = other;
    record->arg = arg;
    give(record, task);
}

/* The task's id in its own pid namespace, which is how perf names it to a capture in there. */
static __always_inline __u32 own_id(struct task_struct *task)
{
    struct pid *pid = task->thread_pid;
    __u32 id = 0;
    __u64 at = (__u64)pid + bpf_core_field_offset(struct pid, numbers) +
               (__u64)pid->level * bpf_core_type_size(struct upid);
    bpf_probe_read_kernel(&id, sizeof id, (void *)at);
    return id;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(assay_fork, struct task_struct *parent, struct task_struct *child)
{
    struct task_state *task = followed(), zero = {0};
    if (!task)
        return 0;
    if (!bpf_task_storage_get(&tasks, child, &zero, BPF_LOCAL_STORAGE_GET_F_CREATE))
        __sync_fetch_and_add(&counters.unfollowed, 1);
    if (child->tgid == parent->tgid)
        note(task, ASSAY_EBPF_THREAD_START, child->pid, 0, 0);
    else
        note(task, ASSAY_EBPF_FORK, child->tgid, child->mm == parent->mm, own_id(child));
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(assay_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
    struct task_state *state = followed();
    if (!state)
        return 0;
    state->depth = 0; /* no call survives an exec */
    state->freed_sp = 0;
    note(state, ASSAY_EBPF_EXEC, old_pid, 0, 0);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(assay_exit, struct task_struct *task)
{
    struct task_state *state = followed();
    if (!state)
        return 0;
    note(state, ASSAY_EBPF_THREAD_EXIT, task->signal->live.counter == 0, task->exit_code, 0);
    return 0;
}
