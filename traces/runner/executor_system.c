/* MEASURE, LIMIT and REFUSE: what a program asks of the system itself; TURNOVER. Raw reads of
 * /proc, no memory but the stack's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "traces/core/clock.h"
#include "traces/runner/executor_state.h"
#include "traces/runner/mapping_faults.h"

enum { PAGE = 4096, TEXT = 4096 };

/* As much of the file as fits; returns its length, 0 if there is none. */
static size_t read_text(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* The number behind a word at a line's start. */
static uint64_t number_behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    uint64_t number = 0;
    for (at = at ? at + strlen(word) : ""; *at == ' ' || *at == '\t';)
        at++;
    for (; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

/* Of the executor's arena, which fills as objects are numbered. */
static uint64_t own_pages(const struct assay_executor *ex)
{
    unsigned char present[PAGE];
    uint64_t pages = 0;
    for (size_t at = 0; at < ex->own_bytes; at += sizeof present * PAGE) {
        size_t some = ex->own_bytes - at;
        some = some < sizeof present * PAGE ? some : sizeof present * PAGE;
        if (mincore(ex->own + at, some, present) != 0)
            continue;
        for (size_t i = 0; i < (some + PAGE - 1) / PAGE; i++)
            pages += present[i] & 1;
    }
    return pages;
}

/* Memory that no file gave. The rollup walks the page tables, so it is exact; the counters of
 * statm, where there is no rollup, may lag behind. */
static uint64_t resident_bytes(const struct assay_executor *ex)
{
    char text[TEXT];
    uint64_t bytes = 0, own = own_pages(ex) * PAGE;
    if (read_text("/proc/self/smaps_rollup", text, sizeof text)) {
        bytes = number_behind(text, "\nAnonymous:") * 1024;
    } else if (read_text("/proc/self/status", text, sizeof text)) {
        bytes = number_behind(text, "\nRssAnon:") * 1024;
    }
    return bytes > own ? bytes - own : 0;
}

/* Of the address space, touched or not. */
static uint64_t space_bytes(void)
{
    char text[TEXT];
    return read_text("/proc/self/statm", text, sizeof text) ? strtoull(text, NULL, 10) * PAGE : 0;
}

static uint64_t mappings(void)
{
    char text[TEXT];
    uint64_t lines = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t n = 1; fd >= 0 && n > 0;) {
        n = read(fd, text, sizeof text);
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    }
    if (fd >= 0)
        close(fd);
    return lines;
}

/* What may be needed of the stack under a limit, mapped before it: no more than half of what there
 * may be of a stack. */
static __attribute__((noinline)) void grow_stack(void)
{
    enum { STACK = 256 * 1024 };
    struct rlimit own;
    size_t bytes = STACK;
    if (getrlimit(RLIMIT_STACK, &own) == 0 && own.rlim_cur / 2 < STACK)
        bytes = own.rlim_cur / 2;
    volatile char *room = __builtin_alloca(bytes);
    for (size_t i = 0; i < bytes; i += PAGE)
        room[i] = 1;
}

static bool limit(struct assay_executor *ex, struct assay_event *event)
{
    char text[TEXT];
    struct rlimit now;
    if (getrlimit(RLIMIT_AS, &now) != 0)
        return false;
    if (event->size == 0) {
        if (ex->limited)
            now.rlim_cur = ex->former_limit;
        ex->limited = false;
        return setrlimit(RLIMIT_AS, &now) == 0;
    }
    grow_stack();
    if (!read_text("/proc/self/statm", text, sizeof text))
        return false;
    event->value = strtoull(text, NULL, 10) * PAGE;
    rlim_t wanted = (event->value + event->size) & ~(rlim_t)(PAGE - 1);
    if (!ex->limited)
        ex->former_limit = now.rlim_cur;
    now.rlim_cur = wanted < ex->former_limit ? wanted : ex->former_limit;
    ex->limited = true;
    return setrlimit(RLIMIT_AS, &now) == 0;
}

/* Whether anybody watches: a call of no effect tells. The system call itself is the supervisor's;
 * by its name it is looked at in the runner, if it is a runner that this runs in. */
static bool is_watched(struct assay_mapping_line *line, uint32_t turn)
{
    if (!atomic_load(&line->by_name))
        syscall(SYS_madvise, NULL, 0, MADV_NORMAL);
    if (atomic_load(&line->answered) == turn)
        return true;
    atomic_store(&line->by_name, 1);
    (void)madvise(NULL, 0, MADV_NORMAL);
    return atomic_load(&line->answered) == turn;
}

/* Sets the schedule. */
static bool refuse(struct assay_executor *ex, struct assay_event *event)
{
    struct assay_mapping_line *line = ex->mapping;
    static const struct assay_mapping_schedule none;
    if (!line)
        return false;
    event->value = atomic_load(&line->failed);
    line->schedule = none;
    uint32_t turn = atomic_load(&line->turn) + 1;
    atomic_store(&line->turn, turn);
    bool watched = is_watched(line, turn);
    ex->refusing = watched && (event->arg & ASSAY_MAPPING_ALL);
    atomic_store(&line->failed, 0);
    if (ex->refusing)
        line->schedule = assay_mapping_schedule_of(event);
    atomic_store(&line->turn, turn + 1);
    return watched;
}

bool assay_executor_system(struct assay_executor *ex, struct assay_event *event)
{
    switch (event->kind) {
    case ASSAY_OP_LIMIT: return limit(ex, event);
    case ASSAY_OP_REFUSE: return refuse(ex, event);
    default: break;
    }
    if (event->arg == ASSAY_MEASURE_RESIDENT)
        event->value = resident_bytes(ex);
    else if (event->arg == ASSAY_MEASURE_MAPPINGS)
        event->value = mappings();
    else if (event->arg == ASSAY_MEASURE_SPACE)
        event->value = space_bytes();
    else
        return false;
    return true;
}

/* Had from the subject and touched in each page. False: there is none, or it lies where no object
 * may, and is neither touched nor freed. */
static bool turn_over(struct assay_executor *ex, uint64_t bytes, char **ret_object)
{
    char *p = ex->subject.malloc(bytes);
    if (!p)
        return false;
    if (assay_ranges_touches(ex->ranges, (uintptr_t)p, bytes ? bytes : 1)) {
        assay_executor_evidence(ex, ASSAY_FACT_FOREIGN, 0, 0, 0, 0, 0);
        return false;
    }
    for (uint64_t at = 0; at < bytes; at += PAGE)
        *(volatile char *)(p + at) = 1;
    *ret_object = p;
    return true;
}

/* What is freed is taken from both ends. */
void assay_executor_turnover(struct assay_executor *ex, struct assay_event *event)
{
    enum { BATCH = 64, MOST_NS = 20 * 1000 * 1000 };
    char *objects[BATCH];
    uint64_t start = assay_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    event->value = 0;
    for (size_t wanted = BATCH, n = wanted; n == wanted && event->value < event->arg;) {
        uint64_t left = event->arg - event->value;
        wanted = left < BATCH ? (size_t)left : BATCH;
        for (n = 0; n < wanted && turn_over(ex, event->size, &objects[n]);)
            n++;
        for (size_t i = 0; i < n; i++)
            ex->subject.free(objects[i % 2 ? n - 1 - i / 2 : i / 2]);
        event->value += n;
        if (assay_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start > MOST_NS)
            break;
    }
}

/* True if the system's limit to the number of mappings stands in the way of a few more. Their ends
 * are readable, so that they are joined to nothing that stands there. */
static bool mappings_end(void)
{
    enum { PAGES = 17, SOME = 1 << 20 };
    char text[TEXT];
    struct rlimit space;
    char *p = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return getrlimit(RLIMIT_AS, &space) == 0 &&
               (space.rlim_cur == RLIM_INFINITY ||
                (read_text("/proc/self/statm", text, sizeof text) > 0 &&
                 strtoull(text, NULL, 10) * PAGE + SOME < space.rlim_cur));
    bool end = false;
    for (size_t i = 1; i < PAGES && !end; i += 2)
        end = mprotect(p + i * PAGE, PAGE, PROT_NONE) != 0;
    munmap(p, (size_t)PAGES * PAGE);
    return end;
}

void assay_executor_refused(struct assay_executor *ex, struct assay_event *event)
{
    enum { LARGE = 64 << 20 }; /* beyond is refused for other reasons */
    enum { EVERY = 16, MOMENT_NS = 10 * 1000 * 1000 };
    uint64_t bytes;
    /* a thread of the subject's own may be about to give memory back */
    if (ex->limited && ++ex->refusals % EVERY == 0)
        (void)nanosleep(&(struct timespec){.tv_nsec = MOMENT_NS}, NULL);
    if (!ex->limited && !ex->refusing && assay_event_bytes(event, &bytes) && bytes <= LARGE &&
        assay_event_alignment(event) <= LARGE && mappings_end())
        event->checked |= ASSAY_FACT_FOREIGN;
}

void assay_executor_system_restore(struct assay_executor *ex)
{
    struct assay_event lift = {.kind = ASSAY_OP_LIMIT}, end = {.kind = ASSAY_OP_REFUSE};
    if (ex->limited)
        (void)limit(ex, &lift);
    if (ex->refusing)
        (void)refuse(ex, &end);
}
