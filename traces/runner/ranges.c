#include "traces/runner/ranges.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

static uintptr_t least(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

static uintptr_t most(uintptr_t a, uintptr_t b)
{
    return a > b ? a : b;
}

void assay_ranges_add(struct assay_ranges *ranges, uintptr_t from, uintptr_t to)
{
    if (from >= to)
        return;
    struct assay_range *r = ranges->range;
    unsigned first = 0;
    while (first < ranges->count && r[first].to < from)
        first++;
    unsigned end = first; /* [first, end) touch the new range and melt into it */
    while (end < ranges->count && r[end].from <= to) {
        from = least(from, r[end].from);
        to = most(to, r[end].to);
        end++;
    }
    if (end == first && ranges->count == ASSAY_RANGES_MAX) {
        ranges->overflow = true;
        return;
    }
    memmove(&r[first + 1], &r[end], (ranges->count - end) * sizeof *r);
    r[first] = (struct assay_range){from, to};
    ranges->count = ranges->count - (end - first) + 1;
    memset(ranges->gap, 0, sizeof ranges->gap);
}

bool assay_ranges_touches_slowly(struct assay_ranges *ranges, uintptr_t from, uintptr_t to)
{
    if (to < from)
        return true;
    unsigned low = 0, high = ranges->count; /* first range that ends behind from */
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (ranges->range[middle].to > from)
            high = middle;
        else
            low = middle + 1;
    }
    if (low < ranges->count && ranges->range[low].from < to)
        return true;
    ranges->gap[ranges->next_gap] =
        (struct assay_range){low > 0 ? ranges->range[low - 1].to : 0,
                             low < ranges->count ? ranges->range[low].from : UINTPTR_MAX};
    ranges->next_gap ^= 1;
    return false;
}

struct snapshot {
    struct assay_ranges *ranges;
    uintptr_t subject_code;
};

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && address >= from && address - from < segment->p_memsz)
            return true;
    }
    return false;
}

static int add_image(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    struct snapshot *snapshot = argument;
    bool subject = contains(info, snapshot->subject_code);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (subject && (segment->p_flags & PF_W)))
            continue;
        uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        assay_ranges_add(snapshot->ranges, from, from + segment->p_memsz);
    }
    return 0;
}

/* One line of maps: "from-to perms offset dev inode   name". */
static void add_line(struct assay_ranges *ranges, const char *line)
{
    uintptr_t value[2] = {0, 0};
    int which = 0;
    const char *p = line;
    for (; *p && *p != ' '; p++) {
        if (*p == '-')
            which = 1;
        else
            value[which] = value[which] * 16 + (uintptr_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    }
    if (strstr(p, "[stack") || strstr(p, "[vdso]") || strstr(p, "[vvar") || strstr(p, "[vsyscall]"))
        assay_ranges_add(ranges, value[0], value[1]);
}

static int add_stacks(struct assay_ranges *ranges, struct assay_error *err)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return assay_fail_errno(err, "cannot open '/proc/self/maps'");
    char buffer[4096], line[256];
    size_t length = 0;
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] == '\n') {
                line[length] = '\0';
                add_line(ranges, line);
                length = 0;
            } else if (length < sizeof line - 1) {
                line[length++] = buffer[i];
            }
        }
    close(fd);
    return n < 0 ? assay_fail_errno(err, "cannot read '/proc/self/maps'") : 0;
}

int assay_ranges_snapshot(struct assay_ranges *ranges, const void *subject_code,
                          struct assay_error *err)
{
    struct snapshot snapshot = {ranges, (uintptr_t)subject_code};
    dl_iterate_phdr(add_image, &snapshot);
    return add_stacks(ranges, err);
}
