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
    OLD = 40,              /* one that nobody came upon so long goes elsewhere */
    STEPS_MANY = 2500,     /* steps of calls that are learnt from as they come, */
    STEPS_MOST = 8000,     /* and all together */
    SELDOM = 256,          /* one in so many calls, later, */
    SELDOM_RARE = 8,       /* and of what is rare */
    OF_ALL = 4,            /* one breakpoint in so many is of all ways */
    STAYS = 4,             /* without breakpoints one call in so many stays at a step */
    STEPS_OF_CALL = 2000,  /* of one call */
    YOUNG_CALLS = 8,       /* so many threads' first calls set the process up */
    YOUNG_STORES_LOG2 = 5, /* they stay at one of so many stores, */
    YOUNG_STEPS_LOG2 = 8   /* or of so many instructions */
};

static struct {
    bool steps_only;
    uintptr_t from, to; /* the code; it may be written, unless steps_only; empty: there is none */
    uint8_t *sites[SITES];
    _Atomic uint32_t count;
    struct { /* by the way they were learnt on, */
        uint8_t *sites[SITES];
        _Atomic uint32_t count;
        uint8_t *stores[SITES]; /* of them */
        _Atomic uint32_t store_count;
    } ways[ASSAY_BREAKPOINT_WAYS];
    uint8_t *table[2 * SITES]; /* and all of them by address */
    _Atomic uint32_t steps;
    _Atomic bool learning; /* some thread is in steps to learn */
    _Atomic uint32_t young_calls;
    _Atomic bool one_stays; /* steps_only: as one breakpoint stands at a time */
    _Atomic uint32_t lock;  /* of what follows */
    uint8_t *at;            /* NULL: none stands */
    uint8_t instruction;    /* its first byte */
    uint64_t since;
} state;

static bool (*tell_step)(void);
static void (*tell_breakpoint)(void);
static struct sigaction former;
static __thread uint32_t thread_steps;
static __thread struct {
    uint32_t stores, steps; /* still to come before it stays; 0: it does not count them */
    bool alone;             /* until then no other does, steps_only */
} thread_stays;
static __thread bool thread_learns;
static __thread enum assay_breakpoint_way thread_way;

static bool is_rare(enum assay_breakpoint_way way)
{
    return way >= ASSAY_BREAKPOINT_BEGINS;
}

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

/* True before a plain store to what is not the stack's: where a thread knows what it is about to
 * write, and others do not yet. What is taken for one by mistake is an instruction all the same. */
static bool stores(const uint8_t *at)
{
    if (*at == 0x66 || *at == 0xf2 || *at == 0xf3)
        at++;
    if ((*at & 0xf0) == 0x40) /* REX */
        at++;
    bool moves = *at == 0x88 || *at == 0x89 || *at == 0xc6 || *at == 0xc7;
    if (*at == 0x0f) { /* of a vector */
        at++;
        moves =
            *at == 0x11 || *at == 0x13 || *at == 0x17 || *at == 0x29 || *at == 0x7f || *at == 0xd6;
    }
    uint8_t mode = at[1] >> 6, base = at[1] & 7;
    return moves && mode != 3 && !(base == 4 && (at[2] & 7) == 4) && !(mode != 0 && base == 5);
}

static void append(uint8_t **list, _Atomic uint32_t *count, uint8_t *at)
{
    uint32_t n = atomic_load_explicit(count, memory_order_relaxed);
    list[n] = at;
    atomic_store_explicit(count, n + 1, memory_order_release);
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
    append(state.sites, &state.count, at);
    append(state.ways[thread_way].sites, &state.ways[thread_way].count, at);
    if (stores(at))
        append(state.ways[thread_way].stores, &state.ways[thread_way].store_count, at);
}

static void stay_no_more(void)
{
    thread_stays.stores = thread_stays.steps = 0;
    if (thread_stays.alone)
        atomic_store(&state.one_stays, false);
    thread_stays.alone = false;
}

void assay_breakpoint_learnt(void)
{
    if (thread_learns)
        atomic_store(&state.learning, false);
    thread_learns = false;
    stay_no_more();
}

static bool is_to_stay(void)
{
    return thread_stays.stores > 0 || thread_stays.steps > 0;
}

/* The first calls set a process up, before any place for a breakpoint is known. */
static void draw_stay(uint64_t random)
{
    bool at_store = random & 1;
    uint32_t of = 2u << (random >> 1) % (at_store ? YOUNG_STORES_LOG2 : YOUNG_STEPS_LOG2);
    uint32_t at = 1 + (uint32_t)(random >> 8) % of;
    thread_stays.stores = at_store ? at : 0;
    thread_stays.steps = at_store ? 0 : at;
}

/* At the latest before the first system call. */
static void stay_if_due(const uint8_t *next, bool calls_system)
{
    if (!is_to_stay())
        return;
    if ((uintptr_t)next >= state.from && (uintptr_t)next < state.to) {
        thread_stays.stores -= thread_stays.stores > 0 && stores(next);
        thread_stays.steps -= thread_stays.steps > 0;
    }
    if (is_to_stay() && !calls_system)
        return;
    thread_stays.stores = thread_stays.steps = 0;
    tell_breakpoint();
    stay_no_more();
}

static void step(ucontext_t *machine)
{
    uint8_t *next = (uint8_t *)(uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
    bool calls_system = next[0] == 0x0f && next[1] == 0x05;
    bool goes_on = tell_step();
    if (goes_on) /* else it is a thread that began meanwhile */
        stay_if_due(next, calls_system);
    goes_on = goes_on && (thread_learns || is_to_stay());
    if (!goes_on || calls_system || ++thread_steps > STEPS_OF_CALL) {
        machine->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        assay_breakpoint_learnt();
        return;
    }
    if (!thread_learns)
        return;
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

/* The trap's number tells; si_code does not always: the hypervisor may have put a stale value into
 * DR6 (KVM before Linux 6.14, after an exit that its fast path handled), and then the kernel takes
 * the step for an instruction of the program. */
static void on_trap(int signal, siginfo_t *info, void *context)
{
    enum { DEBUG_EXCEPTION = 1, BREAKPOINT_EXCEPTION = 3 };
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    bool met = registers[REG_TRAPNO] == BREAKPOINT_EXCEPTION;
    if (registers[REG_TRAPNO] == DEBUG_EXCEPTION)
        step(context);
    else if (!(met && come_upon(context)) && former.sa_flags & SA_SIGINFO)
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
        if (state.steps_only || mprotect((void *)first, from + header->p_memsz - first,
                                         PROT_READ | PROT_WRITE | PROT_EXEC) == 0) {
            state.from = from;
            state.to = from + header->p_memsz;
        }
        return 1;
    }
    return 0;
}

void assay_breakpoint_install(const void *code, bool steps_only, bool (*on_step)(void),
                              void (*on_breakpoint)(void))
{
    struct sigaction action;
    uintptr_t address = (uintptr_t)code;
    state.steps_only = steps_only;
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

void assay_breakpoint_set(uint64_t random, uint64_t time, enum assay_breakpoint_way way)
{
    bool rare = is_rare(way), of_all = !rare && random % OF_ALL == 0;
    uint8_t **sites = of_all ? state.sites : state.ways[way].sites;
    uint32_t count =
        atomic_load_explicit(of_all ? &state.count : &state.ways[way].count, memory_order_acquire);
    uint32_t store_count = atomic_load_explicit(&state.ways[way].store_count, memory_order_acquire);
    if (count == 0)
        return;
    random /= OF_ALL;
    if (!of_all && store_count > 0 && random % 3 != 0) {
        sites = state.ways[way].stores;
        count = store_count;
    }
    random /= 3;
    lock();
    if (!state.at || rare || time - state.since > OLD) {
        take_away();
        uint8_t *at = sites[random % count];
        state.instruction = *at;
        if (state.instruction != INT3) {
            *(volatile uint8_t *)at = INT3;
            state.at = at;
            state.since = time;
        }
    }
    unlock();
}

bool assay_breakpoint_steps(uint64_t random, enum assay_breakpoint_way way)
{
    uint32_t seldom = is_rare(way) ? SELDOM_RARE : SELDOM;
    uint32_t steps = atomic_load_explicit(&state.steps, memory_order_relaxed);
    if (state.from == state.to)
        return false;
    thread_steps = 0;
    if (state.steps_only) {
        thread_stays.alone =
            (is_rare(way) || random % STAYS == 0) && !atomic_exchange(&state.one_stays, true);
        if (thread_stays.alone)
            draw_stay(random / STAYS);
        return thread_stays.alone;
    }
    if (way == ASSAY_BREAKPOINT_BEGINS && atomic_fetch_add(&state.young_calls, 1) < YOUNG_CALLS)
        draw_stay(random);
    if (steps > STEPS_MOST || (steps > STEPS_MANY && random % seldom) ||
        atomic_exchange(&state.learning, true))
        return is_to_stay();
    thread_learns = true;
    thread_way = way;
    return true;
}
#else
void assay_breakpoint_learnt(void) {}

void assay_breakpoint_install(const void *code, bool steps_only, bool (*on_step)(void),
                              void (*on_breakpoint)(void))
{
    (void)code, (void)steps_only, (void)on_step, (void)on_breakpoint;
}

void assay_breakpoint_set(uint64_t random, uint64_t time, enum assay_breakpoint_way way)
{
    (void)random, (void)time, (void)way;
}

bool assay_breakpoint_steps(uint64_t random, enum assay_breakpoint_way way)
{
    (void)random, (void)way;
    return false;
}
#endif
