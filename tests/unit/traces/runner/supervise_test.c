/* The supervisor of system calls: the same seed, the same answers, whichever way a subject takes to
 * the kernel; and what it does not answer goes on as ever. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/runner/session.h"
#include "traces/runner/supervise.h"

#define SUPPORT(name) ASSAY_BINARY_DIR "/lib/support/" name ".so"

static void skip_where_refused(void)
{
    int error = assay_supervisor_check();
    if (error != 0) {
        print_message("user notification is refused here: %s\n", strerror(error));
        skip();
    }
}

/* ---- subjects ------------------------------------------------------------------------------- */

enum { OPS = 400 };

static struct assay_session_status run(const char *subject, uint64_t seed, bool frozen,
                                       uint64_t *ret_addresses)
{
    struct assay_subject_spec spec;
    struct assay_session *session;
    struct assay_session_status status;
    struct assay_error err = {0};
    size_t n, capacity;
    if (assay_subject_find(subject, &spec, &err) != 0) {
        print_message("%s\n", err.text);
        skip();
    }
    const struct assay_session_config config = {.subject = &spec,
                                                .max_objects = 1000,
                                                .want_results = true,
                                                .frozen = frozen,
                                                .seed = seed,
                                                .hang_ms = 5000};
    if (assay_session_start(&config, &session, &err) != 0)
        fail_msg("%s", err.text);
    struct assay_event *ops = assay_session_chunk(session, &capacity);
    memset(ops, 0, OPS * sizeof *ops);
    for (uint32_t i = 0; i < OPS; i++)
        ops[i] = (struct assay_event){.kind = ASSAY_OP_MALLOC, .size = 16 + i, .born = i + 1};
    assay_session_submit(session, OPS, true);
    const struct assay_event *results = assay_session_collect(session, &n);
    assert_int_equal(n, OPS);
    for (size_t i = 0; i < n; i++) /* relative: the layout may not be frozen here */
        ret_addresses[i] = results[i].address - results[0].address;
    assay_session_release(session);
    assay_session_wait(session, &status);
    assert_int_equal(status.state, ASSAY_SESSION_ENDED);
    assay_session_close(session);
    return status;
}

static void the_same_seed_places_the_same(void **state)
{
    (void)state;
    static const char *const subjects[] = {SUPPORT("random_call"), SUPPORT("random_device"),
                                           SUPPORT("random_libc_device"),
                                           SUPPORT("random_auxiliary"), "scudo"};
    uint64_t first[OPS], again[OPS], other[OPS];
    skip_where_refused();
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        struct assay_session_status status = run(subjects[i], 7, true, first);
        assert_true(status.supervision.works);
        assert_int_equal(status.supervision.refused, 0);
        run(subjects[i], 7, true, again);
        run(subjects[i], 8, true, other);
        assert_memory_equal(first, again, sizeof first);
        assert_memory_not_equal(first, other, sizeof first);
    }
}

static void who_is_not_frozen_is_not_supervised(void **state)
{
    (void)state;
    uint64_t first[OPS], again[OPS];
    struct assay_session_status status = run(SUPPORT("random_call"), 7, false, first);
    assert_false(status.supervision.works);
    assert_int_equal(status.supervision.answered, 0);
    run(SUPPORT("random_call"), 7, false, again);
    assert_memory_not_equal(first, again, sizeof first);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* Runs it in a supervised child; it returns the number of its failed expectation, or 0. */
static struct assay_supervision in_child(int (*body)(void))
{
    const struct assay_supervise_config config = {.frozen = true, .seed = 3};
    struct assay_supervisor *supervisor;
    struct assay_supervision supervision;
    int status;
    assert_int_equal(assay_supervisor_create(&config, &supervisor, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        assay_supervisor_enter(supervisor);
        _exit(body());
    }
    assay_supervisor_forked(supervisor);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assay_supervisor_look(supervisor, &supervision);
    assay_supervisor_close(supervisor);
    assert_int_equal(status, 0);
    return supervision;
}

#define EXPECT(condition)                                                                          \
    if (!(condition))                                                                              \
    return __LINE__ % 251 + 1

static long ask(void *buffer, size_t length, unsigned flags)
{
    return syscall(SYS_getrandom, buffer, length, flags);
}

static int ask_the_kernel(void)
{
    enum { PAGE = 4096, LONG = 100000 };
    static unsigned char bytes[LONG], more[16];
    EXPECT(ask(bytes, LONG, 0) == LONG);
    EXPECT(ask(more, sizeof more, 1) == sizeof more);
    EXPECT(memcmp(bytes, more, sizeof more) != 0);
    EXPECT(ask(bytes, 0, 0) == 0);
    EXPECT(ask(NULL, 8, 0) == -1 && errno == EFAULT);
    EXPECT(ask((void *)-8, 8, 0) == -1 && errno == EFAULT);
    EXPECT(ask(bytes, 8, 0x100) == -1 && errno == EINVAL);
    /* to the end of the mapping and not beyond */
    char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(two != MAP_FAILED && munmap(two + PAGE, PAGE) == 0);
    EXPECT(ask(two + PAGE - 32, 32, 0) == 32);
    EXPECT(ask(two + PAGE - 32, 64, 0) == 32);
    return 0;
}

static int open_files(void)
{
    enum { PAGE = 4096 };
    char bytes[64];
    struct {
        char page[PAGE];
    } * edge;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    EXPECT(read(fd, bytes, sizeof bytes) == sizeof bytes);
    close(fd);
    fd = open("/dev/random", O_RDONLY);
    EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == 0);
    close(fd);
    for (int i = 0; i < 100; i++) { /* places of closed ones are used again */
        fd = open("/dev/urandom", O_RDONLY);
        EXPECT(fd >= 0 && read(fd, bytes, sizeof bytes) == sizeof bytes);
        close(fd);
    }
    /* others are what they are */
    fd = open("/dev/zero", O_RDONLY);
    EXPECT(fd >= 0 && read(fd, bytes, sizeof bytes) == sizeof bytes && bytes[9] == 0);
    EXPECT(open("/nonexistent", O_RDONLY) == -1 && errno == ENOENT);
    EXPECT(syscall(SYS_openat, AT_FDCWD, 8, O_RDONLY) == -1 && errno == EFAULT);
    /* a path that ends with its page */
    edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(edge != MAP_FAILED && mprotect(edge + 1, PAGE, PROT_NONE) == 0);
    char *path = edge->page + PAGE - sizeof "/dev/urandom";
    memcpy(path, "/dev/urandom", sizeof "/dev/urandom");
    fd = open(path, O_RDONLY);
    EXPECT(fd >= 0 && lseek(fd, 0, SEEK_CUR) == -1 && errno == ESPIPE);
    return 0;
}

static int open_too_many(void)
{
    char byte;
    for (int i = 0; i < 20; i++) {
        int fd = open("/dev/urandom", O_RDONLY);
        EXPECT(fd >= 0 && read(fd, &byte, 1) == 1);
    }
    return 0;
}

static int die_at_once(void)
{
    return 0;
}

static void calls_are_answered_as_the_kernel_would(void **state)
{
    (void)state;
    skip_where_refused();
    struct assay_supervision seen = in_child(ask_the_kernel);
    assert_true(seen.works);
    seen = in_child(open_files);
    assert_true(seen.works);
    seen = in_child(open_too_many);
    assert_int_equal(seen.answered, 16);
    assert_false(seen.works); /* what went past it is told */
    in_child(die_at_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_places_the_same),
        cmocka_unit_test(who_is_not_frozen_is_not_supervised),
        cmocka_unit_test(calls_are_answered_as_the_kernel_would),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 || assay_supervisor_check() == 0 ? failed : 5; /* what could run did */
}
