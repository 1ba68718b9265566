#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "traces/capture/maps_line.h"
#include "traces/capture/merge_internal.h"

#define MOST_MAPS_BYTES (UINT64_C(64) << 20)

static char *read_text(const char *path, size_t *ret_bytes)
{
    char *text = NULL;
    size_t bytes = 0, capacity = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    for (;;) {
        if (bytes == capacity) {
            capacity = capacity ? capacity * 2 : 65536;
            char *grown = capacity <= MOST_MAPS_BYTES ? realloc(text, capacity) : NULL;
            if (!grown)
                break;
            text = grown;
        }
        ssize_t n = read(file, text + bytes, capacity - bytes);
        if (n <= 0)
            break;
        bytes += (size_t)n;
    }
    close(file);
    *ret_bytes = bytes;
    return text;
}

static bool covers(const char *text, size_t bytes, uint64_t address, char *path, size_t path_bytes)
{
    struct assay_maps_line line;
    for (const char *at = text; assay_maps_line_next(&at, text + bytes, &line);)
        if (line.start <= address && address < line.end) {
            snprintf(path, path_bytes, "%.*s", (int)path_bytes - 1, line.path);
            return true;
        }
    return false;
}

/* The image's own snapshot (at its start, again at its end), else the process itself while it is
 * there. */
static char *maps_of(const struct assay_merge *m, uint32_t image, uint32_t pid, uint64_t address,
                     size_t *ret_bytes)
{
    char path[256], module[4096];
    snprintf(path, sizeof path, "%s/maps.%u", m->directory, image);
    char *text = read_text(path, ret_bytes);
    if (text && covers(text, *ret_bytes, address, module, sizeof module))
        return text;
    free(text);
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    text = read_text(path, ret_bytes);
    if (text && covers(text, *ret_bytes, address, module, sizeof module))
        return text;
    free(text);
    return NULL;
}

void assay_merge_need_maps(void *self, uint32_t pid, uint64_t address)
{
    const struct assay_merge *m = self;
    const struct process *p = merge_process(m, pid);
    size_t bytes;
    if (!p)
        return;
    char *text = maps_of(m, p->image, p->pid, address, &bytes);
    if (text) /* out of memory here costs a module name, not the trace */
        (void)assay_assembler_maps(m->assembler, pid, text, bytes, NULL);
    free(text);
}

bool assay_merge_allocator(struct assay_merge *m, char *path, size_t bytes)
{
    path[0] = '\0';
    if (merge_discover(m, NULL) < 0 || m->log_count == 0 || !m->logs[0]->header)
        return false;
    const struct recorder_log_header *header = m->logs[0]->header;
    size_t text_bytes;
    char *text = maps_of(m, header->image, header->pid, header->next_malloc, &text_bytes);
    if (text)
        covers(text, text_bytes, header->next_malloc, path, bytes);
    free(text);
    return true;
}
