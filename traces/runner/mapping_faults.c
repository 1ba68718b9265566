#include "traces/runner/mapping_faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static const int numbers[ASSAY_MAPPING_CALLS] = {
    [ASSAY_MAPPING_MMAP] = SYS_mmap,       [ASSAY_MAPPING_MREMAP] = SYS_mremap,
    [ASSAY_MAPPING_MUNMAP] = SYS_munmap,   [ASSAY_MAPPING_MPROTECT] = SYS_mprotect,
    [ASSAY_MAPPING_MADVISE] = SYS_madvise, [ASSAY_MAPPING_BRK] = SYS_brk,
};

int assay_mapping_number(enum assay_mapping_call kind)
{
    return numbers[kind];
}

int assay_mapping_kind(int number)
{
    for (int kind = 0; kind < ASSAY_MAPPING_CALLS; kind++)
        if (numbers[kind] == number)
            return kind;
    return -1;
}

bool assay_mapping_fails(struct assay_mapping_faults *faults, struct assay_mapping_line *line,
                         enum assay_mapping_call kind)
{
    uint32_t turn = atomic_load(&line->turn);
    const struct assay_mapping_schedule schedule = line->schedule;
    atomic_fetch_add(&faults->seen[kind], 1);
    atomic_store(&line->answered, turn);
    if (turn != faults->turn)
        faults->counted = 0;
    faults->turn = turn;
    if (turn == 0 || !(schedule.kinds >> kind & 1))
        return false;
    faults->counted++;
    if (faults->counted < schedule.first ||
        (schedule.many && faults->counted - schedule.first >= schedule.many))
        return false;
    atomic_fetch_add(&faults->failed[kind], 1);
    atomic_fetch_add(&line->failed, 1);
    return true;
}

/* Where the heap begins: field 47 of /proc/PID/stat, counted behind the name in parentheses. */
static uint64_t first_break(pid_t pid)
{
    enum { BEHIND_NAME = 45 };
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 0; at && field < BEHIND_NAME; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

uint64_t assay_mapping_break(const struct assay_mapping_faults *faults, pid_t pid)
{
    char path[64], line[512];
    uint64_t end = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strstr(line, "[heap]"))
            end = strtoull(strchr(line, '-') + 1, NULL, 16);
    if (file)
        fclose(file);
    if (end == 0)
        return first_break(pid);
    /* the break stands in the last page, where it was asked to */
    uint64_t asked = faults->asked_break;
    return asked <= end && end - asked < 4096 ? asked : end;
}
