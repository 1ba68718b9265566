/* A pipe as a file: whole, or told in one line; never endless. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/trace_format.h"
#include "traces/trace_spool.h"

enum { LIMIT = 1 << 20 };

struct source {
    int fd;
    const char *start; /* TRACE_MAGIC_BYTES of it */
    uint64_t bytes;
    size_t step;
};

static void *write_source(void *self)
{
    const struct source *source = self;
    char bytes[4096] = "";
    uint64_t total = 0;
    memcpy(bytes, source->start, TRACE_MAGIC_BYTES);
    while (total < source->bytes) {
        size_t n = source->bytes - total < source->step ? source->bytes - total : source->step;
        ssize_t written = write(source->fd, bytes + (total < 8 ? total : 8), n);
        if (written <= 0)
            break; /* the reader has had enough */
        total += (uint64_t)written;
    }
    close(source->fd);
    return NULL;
}

static int spool(const char *start, uint64_t bytes, size_t step, int *ret_fd,
                 struct assay_error *err)
{
    int ends[2];
    pthread_t thread;
    assert_int_equal(pipe(ends), 0);
    struct source source = {.fd = ends[1], .start = start, .bytes = bytes, .step = step};
    assert_int_equal(pthread_create(&thread, NULL, write_source, &source), 0);
    int code = trace_spool(ends[0], "standard input", LIMIT, ret_fd, err);
    close(ends[0]);
    pthread_join(thread, NULL);
    return code;
}

static void comes_whole(void **state)
{
    static const uint64_t sizes[] = {0, 8, 100000, LIMIT};
    struct assay_error err;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = -1;
        char start[TRACE_MAGIC_BYTES] = "";
        assert_int_equal(spool(TRACE_MAGIC, sizes[i], i == 2 ? 3 : 4000, &fd, &err), 0);
        assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)sizes[i]);
        if (sizes[i]) {
            assert_int_equal(pread(fd, start, sizeof start, 0), sizeof start);
            assert_memory_equal(start, TRACE_MAGIC, sizeof start);
        }
        close(fd);
    }
}

static void endless_is_refused(void **state)
{
    struct assay_error err;
    int fd = -1;
    (void)state;
    assert_int_equal(spool(TRACE_MAGIC, UINT64_MAX, 4000, &fd, &err), ASSAY_E_LIMIT);
    assert_string_equal(err.text, "cannot read 'standard input': more than 1 MiB came through a "
                                  "pipe; save it to a file and name that");
    assert_int_equal(fd, -1);
}

/* By the bytes of the magic, however they arrive. */
static void another_file_is_refused_at_once(void **state)
{
    struct assay_error err;
    int fd = -1;
    (void)state;
    assert_int_equal(spool("PNG\n    ", UINT64_MAX, 4000, &fd, &err), ASSAY_E_FORMAT);
    assert_int_equal(spool("\x89"
                           "ASSAY\x1a ",
                           UINT64_MAX, 1, &fd, &err),
                     ASSAY_E_FORMAT);
    assert_non_null(strstr(err.text, "not an assay trace"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comes_whole),
                                       cmocka_unit_test(endless_is_refused),
                                       cmocka_unit_test(another_file_is_refused_at_once)};
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
