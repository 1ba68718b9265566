#include "traces/runner/mapping_faults.h"

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
