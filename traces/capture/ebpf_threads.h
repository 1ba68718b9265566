/* The C library's own frees when a thread ends.
 *
 * glibc gives a thread's cached chunks back through free() when the thread exits: to a probe these
 * are double frees of objects that the program freed long ago, and one free of the cache itself.
 * They are known by their return addresses, and those are measured, not guessed: a child with one
 * thread is traced, and what it frees after its last own call is what the library frees. Host
 * side. */
#ifndef ASSAY_CAPTURE_EBPF_THREADS_H
#define ASSAY_CAPTURE_EBPF_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/capture/ebpf.h"
#include "traces/capture/ebpf_maps.h"

struct assay_exit_frees {
    uint64_t device, inode; /* of the C library */
    uint64_t offsets[8];    /* return addresses, as offsets in its file */
    unsigned n;             /* 0: nothing to recognise, or another C library than ours */
};

/* Measures with the C library that this process itself has mapped. Never fails: n is 0 then. */
void assay_exit_frees_measure(struct assay_ebpf *ebpf, struct assay_exit_frees *ret_frees);

/* True if a release with this return address, by a thread that is not its process's main thread,
 * is one of them. `process` is its process as `maps` knows it. */
bool assay_exit_frees_match(const struct assay_exit_frees *frees, struct assay_maps *maps,
                            uint32_t process, const struct assay_ebpf_record *record);

#endif
