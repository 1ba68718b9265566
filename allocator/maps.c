#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_USED = 512 };

/* One line of /proc/self/maps: "start-end perms offset device inode   path". */
struct reader {
    int fd;
    char buffer[1024];
    size_t filled, at;
};

/* The next line without its newline, cut to `bytes`. false at the end. */
static bool next_line(struct reader *reader, char *line, size_t bytes)
{
    size_t used = 0;
    bool any = false;
    for (;;) {
        if (reader->at == reader->filled) {
            ssize_t got;
            do
                got = read(reader->fd, reader->buffer, sizeof reader->buffer);
            while (got < 0 && errno == EINTR);
            if (got <= 0)
                break;
            reader->filled = (size_t)got;
            reader->at = 0;
        }
        char c = reader->buffer[reader->at++];
        any = true;
        if (c == '\n')
            break;
        if (used + 1 < bytes)
            line[used++] = c;
    }
    line[used] = '\0';
    return any;
}

static uintptr_t read_hex(const char **at)
{
    uintptr_t value = 0;
    for (;; (*at)++) {
        char c = **at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16)
            return value;
        value = value * 16 + digit;
    }
}

/* The path is the sixth field. */
static const char *path_of(const char *line)
{
    for (int field = 0; field < 5; field++) {
        while (*line != '\0' && *line != ' ')
            line++;
        while (*line == ' ')
            line++;
    }
    return line;
}

static void take_name(struct bw_maps_name *place, const char *path, uintptr_t offset)
{
    const char *slash = strrchr(path, '/');
    const char *from = *path == '/' && slash != NULL ? slash + 1 : path;
    size_t used = 0;
    for (; from[used] != '\0' && used + 1 < sizeof place->name; used++)
        place->name[used] = from[used];
    place->name[used] = '\0';
    place->offset = *path == '/' ? offset : 0;
    place->mapped = true;
}

bool bw_maps_find(const void *address, struct bw_maps_name *ret_place)
{
    struct reader reader = {.fd = -1};
    char line[LINE_MAX_USED], image[LINE_MAX_USED] = "";
    uintptr_t image_start = 0;
    int saved = errno;
    memset(ret_place, 0, sizeof *ret_place);
    reader.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0) {
        errno = saved;
        return false;
    }
    while (!ret_place->mapped && next_line(&reader, line, sizeof line)) {
        const char *at = line;
        uintptr_t start = read_hex(&at);
        at += *at == '-';
        uintptr_t end = read_hex(&at);
        const char *path = path_of(line);
        /* an image's parts follow each other; memory without a name may stand between them */
        if (*path == '/' && strcmp(path, image) != 0) {
            memcpy(image, path, strlen(path) + 1);
            image_start = start;
        }
        if ((uintptr_t)address - start < end - start)
            take_name(ret_place, path, (uintptr_t)address - image_start);
    }
    (void)close(reader.fd);
    errno = saved;
    return true;
}
