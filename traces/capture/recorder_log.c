/* The slow path of the recorder: logs, windows, who this process is. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/capture/recorder.h"

enum { FIRST_WINDOW = 64 << 10, LARGEST_WINDOW = 1 << 20, RETRY_AFTER = 4096, STACK = 8 << 20 };

__thread struct recorder_thread *recorder_self;
__thread uint32_t recorder_ended;
struct recorder_control *recorder_control;
bool recorder_off, recorder_counter, recorder_fence;

static char variable[sizeof ASSAY_RECORDER_DIRECTORY + 256] = ASSAY_RECORDER_DIRECTORY "=";
static char *const directory = variable + sizeof ASSAY_RECORDER_DIRECTORY;
enum { PATH_BYTES = 256 };
static _Atomic uint32_t lock_owner; /* pid; a child forked while the lock was held ignores it */
static struct {
    uint32_t pid, parent_pid, number, parent, fork, kind;
} image;

static uint32_t own_pid(void)
{
    return (uint32_t)syscall(SYS_getpid); /* libc's may be interposed or cached */
}

static void lock(uint32_t pid)
{
    uint32_t seen = atomic_load(&lock_owner);
    while (seen == pid || !atomic_compare_exchange_weak(&lock_owner, &seen, pid))
        seen = atomic_load(&lock_owner);
}

static void unlock(void)
{
    atomic_store(&lock_owner, 0);
}

static size_t append_text(char *to, size_t at, size_t bytes, const char *text)
{
    while (*text && at + 1 < bytes)
        to[at++] = *text++;
    to[at] = '\0';
    return at;
}

static void file_path(char *to, size_t bytes, const char *stem, uint32_t number)
{
    char digits[12];
    size_t n = sizeof digits - 1;
    digits[n] = '\0';
    do
        digits[--n] = (char)('0' + number % 10);
    while (number /= 10);
    size_t at = append_text(to, 0, bytes, directory);
    at = append_text(to, at, bytes, stem);
    append_text(to, at, bytes, digits + n);
}

/* The very first calls come before libc knows its environment: the kernel's copy is there. */
static bool find_directory(void)
{
    static const char name[] = ASSAY_RECORDER_DIRECTORY "=";
    size_t matched = 0, length = 0;
    bool taking = false, skipping = false;
    int file = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    char chunk[1024];
    ssize_t n;
    while ((n = read(file, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            char c = chunk[i];
            if (c == '\0') {
                if (taking) {
                    close(file);
                    directory[length] = '\0';
                    return length > 0;
                }
                matched = 0;
                skipping = false;
            } else if (taking) {
                if (length + 32 < PATH_BYTES)
                    directory[length++] = c;
            } else if (!skipping) {
                if (name[matched] == c)
                    matched++;
                else
                    skipping = true;
                taking = matched == sizeof name - 1;
            }
        }
    close(file);
    return false;
}

static bool map_control(void)
{
    char path[PATH_BYTES];
    append_text(path, append_text(path, 0, sizeof path, directory), sizeof path, "/control");
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return false;
    struct recorder_control *control =
        mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (control == MAP_FAILED)
        return false;
    if (control->magic != ASSAY_RECORDER_MAGIC) {
        munmap(control, sizeof *control);
        return false;
    }
    recorder_counter = control->use_counter;
    recorder_fence = control->full_fence;
    recorder_control = control;
    return true;
}

const char *recorder_directory_variable(void)
{
    return variable;
}

/* Who we are, anew after a fork or an exec. *ret_first: this is the program's first call. */
static bool identify(bool *ret_first)
{
    bool good = true;
    uint32_t pid = own_pid();
    lock(pid);
    *ret_first = false;
    if (!recorder_control && !recorder_off) {
        good = find_directory() && map_control();
        recorder_off = !good;
        *ret_first = good;
    }
    good = good && !recorder_off;
    if (good && image.pid != pid) {
        image.parent = image.number;
        image.kind = image.pid ? RECORDER_IMAGE_FORKED : RECORDER_IMAGE_STARTED;
        image.fork = image.pid ? recorder_fork_number : 0;
        recorder_fork_number = 0;
        image.number = atomic_fetch_add(&recorder_control->next_image, 1) + 1;
        image.parent_pid = (uint32_t)getppid();
        image.pid = pid;
    }
    unlock();
    return good;
}

/* Past RLIMIT_FSIZE the kernel would send SIGXFSZ, and that would be ours, not the program's. */
static bool reserve(int file, uint64_t offset, size_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + bytes > limit.rlim_cur)
        return false;
    return fallocate(file, 0, (off_t)offset, (off_t)bytes) == 0;
}

static void *map_window(struct recorder_thread *self, uint64_t offset, size_t bytes)
{
    char path[PATH_BYTES];
    file_path(path, sizeof path, "/log.", self->log);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return NULL;
    /* Blocks are reserved first: a full disk must be a drop, not a SIGBUS in somebody's program. */
    void *window = MAP_FAILED;
    if (reserve(file, offset, bytes))
        window = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file,
                      (off_t)offset);
    close(file);
    if (window == MAP_FAILED)
        return NULL;
    madvise(window, bytes, MADV_DONTFORK);
    return window;
}

static bool make_log(struct recorder_thread *self)
{
    char path[PATH_BYTES];
    self->log = atomic_fetch_add(&recorder_control->next_log, 1);
    file_path(path, sizeof path, "/log.", self->log);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    struct recorder_log_header *header = MAP_FAILED;
    if (reserve(file, 0, ASSAY_LOG_HEADER_BYTES))
        header = mmap(NULL, ASSAY_LOG_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (header == MAP_FAILED)
        return false;
    madvise(header, ASSAY_LOG_HEADER_BYTES, MADV_DONTFORK);
    header->magic = ASSAY_RECORDER_MAGIC;
    header->pid = image.pid;
    header->tid = self->tid;
    header->parent_pid = image.parent_pid;
    header->image = image.number;
    header->parent_image = image.parent;
    header->kind = image.kind;
    header->fork = image.fork;
    header->next_malloc = recorder_next_malloc();
    header->thread = recorder_ended ? recorder_ended - 1 : self->log;
    atomic_store_explicit(&header->ready, 1, memory_order_release);
    self->next_window = recorder_ended ? 4096 : FIRST_WINDOW;
    self->header = header;
    return true;
}

static struct recorder_thread *attach(void)
{
    struct recorder_thread *self = recorder_self;
    bool first;
    if (!self) {
        self = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (self == MAP_FAILED || madvise(self, 4096, MADV_WIPEONFORK) != 0)
            return NULL;
        recorder_self = self;
    }
    if (self->inside) /* what follows called an allocator */
        return NULL;
    self->inside = (uintptr_t)__builtin_frame_address(0);
    bool made = identify(&first);
    if (made) {
        self->tid = (uint32_t)syscall(SYS_gettid);
        if (first) {
            recorder_maps();
            recorder_life_start();
        }
        made = make_log(self);
        if (made)
            recorder_life_attach(self);
        else
            atomic_fetch_add(&recorder_control->dropped, 1);
    }
    self->inside = 0;
    return made ? self : NULL;
}

/* A signal handler must not jump out of what follows, and must not come back into it. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, before);
}

struct recorder_thread *recorder_attach(void)
{
    int saved = errno;
    sigset_t before;
    hold_signals(&before);
    struct recorder_thread *self = attach();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return self;
}

/* A program that never allocates is seen as well. */
__attribute__((constructor)) static void loaded(void)
{
    if (!recorder_self && !recorder_off)
        recorder_attach();
}

static bool next_window(struct recorder_thread *self)
{
    size_t bytes = self->next_window;
    /* A window may end with one unused record (a pair must not be split): records are numbered by
     * place, so the next window starts behind the last one used, on a page of its own or the same
     * one. */
    uint64_t place = ASSAY_LOG_HEADER_BYTES + self->head * sizeof(struct recorder_record);
    uint64_t offset = place & ~UINT64_C(4095);
    void *window = map_window(self, offset, bytes);
    if (!window)
        return false;
    if (self->window)
        munmap(self->window, self->window_bytes);
    self->window = window;
    self->window_bytes = bytes;
    self->cursor = (struct recorder_record *)((char *)window + (place - offset));
    self->limit = (struct recorder_record *)((char *)window + bytes);
    self->next_window = bytes * 2 > LARGEST_WINDOW ? LARGEST_WINDOW : bytes * 2;
    return true;
}

bool recorder_window(struct recorder_thread *self)
{
    int saved = errno;
    bool made = false;
    if (self->retry_in == 0) {
        sigset_t before;
        hold_signals(&before);
        made = next_window(self);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (!made) {
        self->retry_in = self->retry_in ? self->retry_in - 1 : RETRY_AFTER;
        atomic_fetch_add_explicit(&self->header->dropped, 1, memory_order_relaxed);
    }
    errno = saved;
    return made;
}

void recorder_detach(struct recorder_thread *self)
{
    recorder_ended = self->header->thread + 1;
    recorder_self = NULL;
    if (self->window)
        munmap(self->window, self->window_bytes);
    munmap(self->header, ASSAY_LOG_HEADER_BYTES);
    munmap(self, 4096);
}

struct recorder_thread *recorder_nested(struct recorder_thread *self, uintptr_t frame)
{
    /* A signal handler that jumped out of an allocator left its mark behind: the frame below ours
     * on the same stack is gone. */
    if (frame >= self->inside && frame - self->inside < STACK) {
        atomic_store_explicit(&self->header->busy, 0, memory_order_release);
        self->head = atomic_load(&self->header->head); /* a half-written record is given up */
        self->limit = self->cursor;
        self->inside = frame;
        return self;
    }
    atomic_fetch_add_explicit(&self->header->nested, 1, memory_order_relaxed);
    return NULL;
}

void recorder_maps(void)
{
    char path[PATH_BYTES], chunk[4096];
    ssize_t n;
    if (recorder_control->no_callers)
        return;
    int from = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return;
    file_path(path, sizeof path, "/maps.", image.number);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (to >= 0 && (n = read(from, chunk, sizeof chunk)) > 0)
        if (write(to, chunk, (size_t)n) != n)
            break;
    if (to >= 0)
        close(to);
    close(from);
}
