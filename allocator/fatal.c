#include "fatal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bulwark.h"

static bw_fatal_hook *fatal_hook;
static void *fatal_hook_self;

void bw_set_fatal_hook(bw_fatal_hook *hook, void *self)
{
    fatal_hook = hook;
    fatal_hook_self = self;
}

struct line {
    char text[256];
    size_t used;
};

static void put(struct line *line, const char *words)
{
    while (*words != '\0' && line->used < sizeof line->text - 2)
        line->text[line->used++] = *words++;
}

static void put_number(struct line *line, size_t value, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put(line, digits + at);
}

void bw_fatal(const struct bw_misuse *misuse)
{
    struct line line = {.used = 0};
    put(&line, "bulwark: ");
    put(&line, misuse->rule);
    put(&line, ": address 0x");
    put_number(&line, (uintptr_t)misuse->address, 16);
    put(&line, ", size ");
    if (misuse->size == BW_SIZE_UNKNOWN)
        put(&line, "unknown");
    else
        put_number(&line, misuse->size, 10);
    put(&line, ", state ");
    put(&line, misuse->state);
    if (misuse->detail != NULL) {
        put(&line, ", ");
        put(&line, misuse->detail);
        put(&line, " ");
        put_number(&line, misuse->number, 10);
    }
    line.text[line.used] = '\0';
    if (fatal_hook != NULL)
        fatal_hook(fatal_hook_self, line.text);
    line.text[line.used++] = '\n';
    for (size_t done = 0; done < line.used;) {
        ssize_t wrote = write(STDERR_FILENO, line.text + done, line.used - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            break;
    }
    abort();
}
