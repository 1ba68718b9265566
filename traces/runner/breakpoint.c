#include "traces/runner/breakpoint.h"

#if defined(__x86_64__)
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "traces/runner/shared.h"

enum {
    SITES_LOG2 = 12,
    SITES = 1 << SITES_LOG2,
    TRAP_FLAG = 0x100,
    INT3 = 0xcc,
    PAGE = 4096,
    OLD = 150,           /* one that nobody came upon so long goes elsewhere */
    STEPS_MANY = 2500,   /* steps of calls that are learnt from as they come, */
    STEPS_MOST = 8000,   /* and all together */
    SELDOM = 256,        /* one in so many calls, later, */
    SELDOM_RARE = 8,     /* and of what is rare */
    STEPS_OF_CALL = 2000 /* of one call */
};

static struct {
    uintptr_t from, to; /* the code, which may be written; empty: there is none */
    uint8_t *sites[SITES];
    _Atomic uint32_t count;
    uint8_t *rare[SITES]; /* those of what is rare, */
    _Atomic uint32_t rare_count;
    uint8_t *table[2 * SITES]; /* and all of them by address */
    _Atomic uint32_t steps;
    _Atomic bool learning; /* some thread is in steps */
    _Atomic uint32_t lock; /* of what follows */
    uint8_t *at;           /* NULL: none stands */
    uint8_t instruction;   /* its first byte */
    uint64_t since;
} state;

static bool (*tell_step)(void);
static void (*tell_breakpoint)(void);
static struct sigaction former;
static __thread uint32_t thread_steps;
static __thread bool thread_learns, thread_rare;

static void lock(void)
{
    while (atomic_exchange_explicit(&state.lock, 1, memory_order_acquire))
        assay_spin();
}

static void unlock(void)
{
    atomic_store_explicit(&state.lock, 0, memory_order_release);
}

static void take_away(void)
{
    if (state.at)
        *(volatile uint8_t *)state.at = state.instruction;
    state.at = NULL;
}

/* Only by the thread that learns. */
static void learn(uint8_t *at)
{
    uint32_t count = atomic_load_explicit(&state.count, memory_order_relaxed);
    if ((uintptr_t)at < state.from || (uintptr_t)at >= state.to || count == SITES)
        return;
    size_t slot = (size_t)((uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15) >> (63 - SITES_LOG2));
    for (; state.table[slot]; slot = (slot + 1) % (2 * SITES))
        if (state.table[slot] == at)
            return;
    state.table[slot] = at;
    state.sites[count] = at;
    atomic_store_explicit(&state.count, count + 1, memory_order_release);
    if (thread_rare) {
        uint32_t rare = atomic_load_explicit(&state.rare_count, memory_order_relaxed);
        state.rare[rare] = at;
        atomic_store_explicit(&state.rare_count, rare + 1, memory_order_release);
    }
}

void assay_breakpoint_learnt(void)
{
    if (thread_learns)
        atomic_store(&state.learning, false);
    thread_learns = false;
}

static void step(ucontext_t *machine)
{
    uint8_t *next = (uint8_t *)(uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
    bool calls_system = next[0] == 0x0f && next[1] == 0x05;
    if (!tell_step() || !thread_learns || calls_system || ++thread_steps > STEPS_OF_CALL) {
        machine->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        assay_breakpoint_learnt(); /* or it is a thread that began meanwhile */
        return;
    }
    atomic_fetch_add_explicit(&state.steps, 1, memory_order_relaxed);
    learn(next);
}

/* False: it is the subject's own. */
static bool come_upon(ucontext_t *machine)
{
    uint8_t *at = (uint8_t *)(uintptr_t)machine->uc_mcontext.gregs[REG_RIP] - 1;
    lock();
    bool ours = state.at == at;
    if (ours)
        take_away();
    bool gone = *(volatile uint8_t *)at != INT3;
    unlock();
    if (!gone)
        return false;
    machine->uc_mcontext.gregs[REG_RIP]--;
    if (ours)
        tell_breakpoint();
    return true;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    if (info->si_code == TRAP_TRACE)
        step(context);
    else if (!come_upon(context) && former.sa_flags & SA_SIGINFO)
        former.sa_sigaction(signal, info, context);
}

/* The executable part of what holds the code. */
static int find_code(struct dl_phdr_info *info, size_t size, void *argument)
{
    uintptr_t code = *(const uintptr_t *)argument;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || code < from ||
            code - from >= header->p_memsz)
            continue;
        uintptr_t first = from & ~(uintptr_t)(PAGE - 1);
        if (mprotect((void *)first, from + header->p_memsz - first,
                     PROT_READ | PROT_WRITE | PROT_EXEC) == 0) {
            state.from = from;
            state.to = from + header->p_memsz;
        }
        return 1;
    }
    return 0;
}

void assay_breakpoint_install(const void *code, bool (*on_step)(void), void (*on_breakpoint)(void))
{
    struct sigaction action;
    uintptr_t address = (uintptr_t)code;
    tell_step = on_step;
    tell_breakpoint = on_breakpoint;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    /* no call of the subject is to be cut short, and none of the handler's to end at a breakpoint
     */
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
    if (sigaction(SIGTRAP, &action, &former) == 0)
        dl_iterate_phdr(find_code, &address);
}

void assay_breakpoint_set(uint64_t random, uint64_t time, bool rare)
{
    uint32_t count =
        atomic_load_explicit(rare ? &state.rare_count : &state.count, memory_order_acquire);
    if (count == 0)
        return;
    lock();
    if (!state.at || rare || time - state.since > OLD) {
        take_away();
        uint8_t *at = (rare ? state.rare : state.sites)[random % count];
        state.instruction = *at;
        if (state.instruction != INT3) {
            *(volatile uint8_t *)at = INT3;
            state.at = at;
            state.since = time;
        }
    }
    unlock();
}

bool assay_breakpoint_learns(uint64_t random, bool rare)
{
    uint32_t seldom = rare ? SELDOM_RARE : SELDOM;
    uint32_t steps = atomic_load_explicit(&state.steps, memory_order_relaxed);
    if (state.from == state.to || steps > STEPS_MOST || (steps > STEPS_MANY && random % seldom) ||
        atomic_exchange(&state.learning, true))
        return false;
    thread_learns = true;
    thread_rare = rare;
    thread_steps = 0;
    return true;
}
#else
void assay_breakpoint_learnt(void) {}

void assay_breakpoint_install(const void *code, bool (*on_step)(void), void (*on_breakpoint)(void))
{
    (void)code, (void)on_step, (void)on_breakpoint;
}

void assay_breakpoint_set(uint64_t random, uint64_t time, bool rare)
{
    (void)random, (void)time, (void)rare;
}

bool assay_breakpoint_learns(uint64_t random, bool rare)
{
    (void)random, (void)rare;
    return false;
}
#endif
