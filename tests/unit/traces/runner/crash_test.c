/* Crash records: of threads that crash at once the first is written, whole. */
#include "traces/runner/crash.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 50 };

struct shared {
    struct assay_crash_record record;
    _Atomic int begun, ended; /* notifications */
    _Atomic int told;         /* the signal of the last */
};

static struct shared *shared;
static pthread_barrier_t barrier;

static void note(int signal)
{
    const struct timespec nap = {0, 5000000}; /* time for the others to crash too */
    atomic_fetch_add(&shared->begun, 1);
    nanosleep(&nap, NULL);
    atomic_store(&shared->told, signal);
    atomic_fetch_add(&shared->ended, 1);
}

/* Each thread dies its own death: even ones of a write, odd ones of an abort. */
static void *die(void *self)
{
    static char stacks[THREADS][65536];
    uintptr_t number = (uintptr_t)self;
    struct assay_error err;
    assay_crash_thread(stacks[number], sizeof stacks[number], &err);
    pthread_barrier_wait(&barrier);
    if (number % 2 == 0)
        *(volatile char *)(0x1000 + number) = 1; /* NOLINT(performance-no-int-to-ptr) */
    pthread_kill(pthread_self(), SIGABRT);
    return NULL;
}

static void many_crash(void)
{
    pthread_t threads[THREADS];
    struct assay_error err;
    if (assay_crash_install(&shared->record, &err) != 0)
        _exit(1);
    assay_crash_notify(note);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, die, (void *)i); /* NOLINT(performance-no-int-to-ptr) */
    pause();
    _exit(2);
}

static int run(void (*crash)(void))
{
    int status = 0;
    *shared = (struct shared){0};
    pid_t pid = fork();
    if (pid == 0)
        crash();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void first_of_many_writes_whole(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(run(many_crash), ASSAY_CRASH_EXIT_CODE);
        int signal = atomic_load(&shared->record.signal);
        assert_true(signal == SIGSEGV || signal == SIGABRT);
        if (signal == SIGSEGV)
            assert_in_range(shared->record.address, 0x1000, 0x1000 + THREADS);
        else
            assert_int_equal(shared->record.address, 0);
        assert_int_not_equal(shared->record.pc, 0);
        assert_int_equal(atomic_load(&shared->begun), 1);
        assert_int_equal(atomic_load(&shared->ended), 1);
        assert_int_equal(atomic_load(&shared->told), signal);
    }
}

static void crash_again(int signal)
{
    (void)signal;
    atomic_fetch_add(&shared->begun, 1);
    raise(SIGILL);
}

static void crash_in_notify(void)
{
    struct assay_error err;
    if (assay_crash_install(&shared->record, &err) != 0)
        _exit(1);
    assay_crash_notify(crash_again);
    raise(SIGABRT);
    _exit(2);
}

/* Whoever wrote the record and faults again has nobody to wait for. */
static void writer_may_crash_again(void **state)
{
    struct timespec start, end;
    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(run(crash_in_notify), ASSAY_CRASH_EXIT_CODE);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(atomic_load(&shared->record.signal), SIGABRT);
    assert_int_equal(atomic_load(&shared->begun), 1);
    assert_true(end.tv_sec - start.tv_sec < 1 ||
                (end.tv_sec - start.tv_sec == 1 && end.tv_nsec < start.tv_nsec));
}

/* The page fault before it stands in the registers still. */
static void be_sent(void)
{
    static struct assay_landing landing;
    struct assay_error err;
    if (assay_crash_install(&shared->record, &err) != 0)
        _exit(1);
    assay_crash_notify(note);
    (void)assay_crash_landing(&landing);
    if (sigsetjmp(landing.place, 0) == 0) {
        landing.armed = 1;
        *(volatile char *)0x1000 = 1;
    }
    (void)assay_crash_landing(NULL);
    raise(SIGSEGV);
    _exit(2);
}

static void signal_that_is_sent_has_no_address(void **state)
{
    (void)state;
    assert_int_equal(run(be_sent), ASSAY_CRASH_EXIT_CODE);
    assert_int_equal(atomic_load(&shared->record.signal), SIGSEGV);
    assert_int_equal(atomic_load(&shared->record.capture.whole), 1);
    assert_int_equal(shared->record.capture.fault_known, 0);
    assert_true(shared->record.capture.code <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_of_many_writes_whole),
                                       cmocka_unit_test(writer_may_crash_again),
                                       cmocka_unit_test(signal_that_is_sent_has_no_address)};
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
