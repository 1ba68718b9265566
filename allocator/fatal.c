#include "fatal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "constants.h"
#include "note.h"
#include "maps.h"
#include "thread.h"

void bw_set_fatal_hook(bw_fatal_hook *hook, void *self)
{
    bw_constants.fatal_hook = hook;
    bw_constants.fatal_hook_self = self;
}

struct line {
    char text[640];
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

static void put_hex(struct line *line, uintptr_t value)
{
    put(line, "0x");
    put_number(line, value, 16);
}

/* "libx.so+0x1234", "[stack]", "memory without a name", "no mapping". */
static void put_place(struct line *line, const char *words, const void *address)
{
    struct bw_maps_name place;
    if (!bw_maps_find(address, &place))
        return;
    put(line, words);
    put(line, !place.mapped           ? "no mapping"
              : place.name[0] == '\0' ? "memory without a name"
                                      : place.name);
    if (place.offset != 0) {
        put(line, "+");
        put_hex(line, place.offset);
    }
}

/* What takes system calls: only where the line is the last thing that the program says. */
static void put_places(struct line *line, const struct bw_misuse *misuse)
{
    if (strcmp(misuse->state, "no object") == 0)
        put_place(line, ", in ", misuse->address);
    if (!bw_policy_sites)
        return;
    const void *allocated = NULL, *freed = NULL;
    if (bw_constants.heap != NULL)
        bw_note_sites(bw_constants.heap, misuse->address, &allocated, &freed);
    if (allocated != NULL)
        put_place(line, ", allocated at ", allocated);
    if (freed != NULL && strcmp(misuse->state, "live") != 0)
        put_place(line, ", freed at ", freed);
    if (misuse->seen == NULL && bw_thread()->caller != NULL)
        put_place(line, ", called from ", bw_thread()->caller);
}

static void describe(struct line *line, const struct bw_misuse *misuse)
{
    put(line, "bulwark: ");
    put(line, misuse->rule);
    put(line, ": address ");
    put_hex(line, (uintptr_t)misuse->address);
    put(line, ", size ");
    if (misuse->size == BW_SIZE_UNKNOWN)
        put(line, "unknown");
    else
        put_number(line, misuse->size, 10);
    put(line, ", state ");
    put(line, misuse->state);
    if (misuse->detail != NULL) {
        put(line, ", ");
        put(line, misuse->detail);
        if (misuse->number != BW_NO_NUMBER) {
            put(line, " ");
            put_number(line, misuse->number, 10);
        }
    }
    if (misuse->guess != NULL) {
        put(line, ", looks like ");
        put(line, misuse->guess);
        if (misuse->guess_object != NULL) {
            put(line, " ");
            put_hex(line, (uintptr_t)misuse->guess_object);
        }
    }
    if (misuse->seen != NULL) {
        put(line, ", seen ");
        put(line, misuse->seen);
    }
}

void bw_fatal(const struct bw_misuse *misuse)
{
    struct line line = {.used = 0};
    describe(&line, misuse);
    if (bw_constants.fatal_hook != NULL) {
        line.text[line.used] = '\0';
        bw_constants.fatal_hook(bw_constants.fatal_hook_self, line.text);
    }
    put_places(&line, misuse);
    line.text[line.used++] = '\n';
    for (size_t done = 0; done < line.used;) {
        ssize_t wrote = write(STDERR_FILENO, line.text + done, line.used - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            break;
    }
    if (bw_constants.options.trap)
        __builtin_trap();
    abort();
}
