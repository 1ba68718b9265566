/* Where libraries are mapped in the processes of a capture, also in those that live for a
 * millisecond: the kernel's own mapping records (perf PERF_RECORD_MMAP2), kept per process.
 *
 * Host side; owns its tables. Needs the same privileges as the capture. */
#ifndef ASSAY_CAPTURE_EBPF_MAPS_H
#define ASSAY_CAPTURE_EBPF_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "traces/core/error.h"

struct assay_maps;

struct assay_mapping {
    uint64_t start, end, offset;
    uint64_t device_major, device_minor, inode;
    uint64_t time; /* CLOCK_MONOTONIC, ns */
    uint32_t process;
    const char *path;
};

/* Watches a process that has not exec'd yet, and all that it starts. */
int assay_maps_create(pid_t pid, struct assay_maps **ret_maps, struct assay_error *err);
/* Reads what the kernel has written since the last call. */
int assay_maps_update(struct assay_maps *maps, struct assay_error *err);
/* A child starts with its parent's mappings. */
int assay_maps_fork(struct assay_maps *maps, uint32_t parent, uint32_t child, uint64_t time,
                    struct assay_error *err);
/* The executable mapping that held the address at the time; NULL if none is known. Valid until the
 * next call. */
const struct assay_mapping *assay_maps_find(struct assay_maps *maps, uint32_t process,
                                            uint64_t address, uint64_t time);
/* The i-th file that was seen mapped as code, by first sight; NULL beyond the last.
 * *ret_mappings: how often. */
const char *assay_maps_file(const struct assay_maps *maps, size_t i, unsigned *ret_mappings);
void assay_maps_free(struct assay_maps *maps);

#endif
