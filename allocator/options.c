#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const char options_variable[] = "BULWARK_OPTIONS=";
enum { TEXT_MAX = 256 };

static const struct option {
    const char *name, *what;
    size_t at;
    uint64_t most;
    bool allowed;
} options[] = {
#define BW_OPTION(name_, default_, most_, allowed_, what_)                                         \
    {.name = #name_,                                                                               \
     .what = (what_),                                                                              \
     .at = offsetof(struct bw_options, name_),                                                     \
     .most = (most_),                                                                              \
     .allowed = (allowed_)},
#include "options.def"
#undef BW_OPTION
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static void say(const char *const *words)
{
    char text[TEXT_MAX + 128];
    size_t used = 0;
    for (; *words != NULL; words++)
        for (const char *at = *words; *at != '\0' && used + 1 < sizeof text; at++)
            text[used++] = *at;
    text[used++] = '\n';
    (void)!write(STDERR_FILENO, text, used);
}

static void help(void)
{
    say((const char *const[]){"bulwark: BULWARK_OPTIONS=name=number:name=number", NULL});
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].allowed)
            say((const char *const[]){"  ", options[i].name, ": ", options[i].what, NULL});
}

/* Digits alone, up to `most`. */
static bool read_number(const char *from, const char *end, uint64_t most, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (from == end)
        return false;
    for (; from < end; from++) {
        if (*from < '0' || *from > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*from - '0'), &value))
            return false;
    }
    *ret_value = value;
    return value <= most;
}

static void take_one(const char *from, const char *end, struct bw_options *ret_options)
{
    const char *equals = memchr(from, '=', (size_t)(end - from));
    for (size_t i = 0; i < OPTIONS && equals != NULL; i++) {
        size_t length = strlen(options[i].name);
        uint64_t value;
        if (!options[i].allowed || (size_t)(equals - from) != length ||
            memcmp(from, options[i].name, length) != 0 ||
            !read_number(equals + 1, end, options[i].most, &value))
            continue;
        memcpy((char *)ret_options + options[i].at, &value, sizeof value);
        return;
    }
    char copy[TEXT_MAX];
    size_t length = (size_t)(end - from);
    memcpy(copy, from, length);
    copy[length] = '\0';
    say((const char *const[]){"bulwark: BULWARK_OPTIONS: '", copy, "' is no option: see help=1",
                              NULL});
}

static void take_all(const char *text, struct bw_options *ret_options)
{
    size_t length = strnlen(text, TEXT_MAX);
    if (length == TEXT_MAX) {
        say((const char *const[]){"bulwark: BULWARK_OPTIONS is too long: ignored", NULL});
        return;
    }
    const char *end = text + length;
    while (text < end) {
        const char *colon = memchr(text, ':', (size_t)(end - text));
        const char *stop = colon != NULL ? colon : end;
        if (stop != text)
            take_one(text, stop, ret_options);
        text = stop + 1;
    }
    if (ret_options->help)
        help();
}

/* The dynamic loader may allocate before the C library knows its environment. */
static const char *from_kernel(const char *variable, char *buffer, size_t bytes)
{
    size_t known = strlen(variable);
    size_t used = 0, at = 0;
    bool skipping = false;
    char chunk[1024];
    int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    for (ssize_t got; (got = read(fd, chunk, sizeof chunk)) > 0;) {
        for (at = 0; at < (size_t)got; at++) {
            char c = chunk[at];
            if (c == '\0') {
                if (!skipping && used >= known) {
                    buffer[used] = '\0';
                    (void)close(fd);
                    return buffer + known;
                }
                used = 0;
                skipping = false;
            } else if (!skipping) {
                skipping = used < known ? c != variable[used] : used + 1 == bytes;
                buffer[used] = c;
                used += !skipping;
            }
        }
    }
    (void)close(fd);
    return NULL;
}

const char *bw_environment_find(const char *variable, char *buffer, size_t bytes)
{
    if (environ == NULL)
        return from_kernel(variable, buffer, bytes);
    size_t known = strlen(variable);
    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, variable, known) == 0)
            return *at + known;
    return NULL;
}

void bw_options_read(struct bw_options *ret_options)
{
    static char buffer[sizeof options_variable + TEXT_MAX + 2];
    int saved = errno;
    *ret_options = (struct bw_options){
#define BW_OPTION(name, default_, most, allowed, what) (default_),
#include "options.def"
#undef BW_OPTION
    };
    if (getauxval(AT_SECURE) != 0)
        return;
    const char *text = bw_environment_find(options_variable, buffer, sizeof buffer);
    if (text != NULL)
        take_all(text, ret_options);
    errno = saved;
}
