#include "statistics.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "default_heap.h"
#include "mutant.h"

static struct bw_statistics read_statistics(void)
{
    struct bw_statistics statistics = {0};
    struct bw_heap *heap = bw_default_heap();
    if (heap != NULL)
        bw_heap_statistics(heap, &statistics);
    return statistics;
}

/* As glibc counts: objects in mappings of their own apart. */
BW_EXPORT struct mallinfo2 mallinfo2(void)
{
    struct bw_statistics s = read_statistics();
    size_t free_bytes = s.committed_bytes > s.small_bytes ? s.committed_bytes - s.small_bytes : 0;
    return (struct mallinfo2){.arena = s.committed_bytes,
                              .ordblks = s.free_slots,
                              .smblks = s.quarantined_slots,
                              .hblks = s.large_objects,
                              .hblkhd = s.large_bytes,
                              .uordblks = s.small_bytes / (bw_mutant(statistics_short) ? 2 : 1),
                              .fordblks = free_bytes,
                              .keepcost = s.empty_bytes};
}

/* Its fields wrap, as its manual page says. */
BW_EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 all = mallinfo2();
    return (struct mallinfo){.arena = (int)all.arena,
                             .ordblks = (int)all.ordblks,
                             .smblks = (int)all.smblks,
                             .hblks = (int)all.hblks,
                             .hblkhd = (int)all.hblkhd,
                             .uordblks = (int)all.uordblks,
                             .fordblks = (int)all.fordblks,
                             .keepcost = (int)all.keepcost};
}

BW_EXPORT int malloc_info(int options, FILE *file)
{
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    struct bw_statistics s = read_statistics();
    int wrote = fprintf(file,
                        "<malloc version=\"bulwark-1\">\n"
                        "<slots live=\"%zu\" bytes=\"%zu\" free=\"%zu\" quarantined=\"%zu\"/>\n"
                        "<large live=\"%zu\" bytes=\"%zu\"/>\n"
                        "<slabs committed=\"%zu\" empty=\"%zu\"/>\n"
                        "</malloc>\n",
                        s.small_objects, s.small_bytes, s.free_slots, s.quarantined_slots,
                        s.large_objects, s.large_bytes, s.committed_bytes, s.empty_bytes);
    return wrote < 0 ? -1 : 0;
}

void bw_statistics_print(struct bw_heap *heap)
{
    struct bw_statistics s;
    bw_heap_statistics(heap, &s);
    (void)dprintf(
        STDERR_FILENO,
        "bulwark: %zu live objects of %zu bytes in slots, %zu of %zu bytes in mappings of "
        "their own\n"
        "bulwark: %zu slots free, %zu in quarantine; slabs have %zu bytes, %zu of them "
        "empty\n",
        s.small_objects, s.small_bytes, s.large_objects, s.large_bytes, s.free_slots,
        s.quarantined_slots, s.committed_bytes, s.empty_bytes);
}

BW_EXPORT void malloc_stats(void)
{
    struct bw_heap *heap = bw_default_heap();
    if (heap != NULL)
        bw_statistics_print(heap);
}

/* glibc's parameters tune what is not here: they are taken and change nothing. */
BW_EXPORT int mallopt(int parameter, int value)
{
    (void)value;
    return parameter == M_MXFAST || (parameter <= M_TRIM_THRESHOLD && parameter >= M_ARENA_MAX);
}
