/* Where allocators change their mind, as numbers: the sizes to ask for, what the answers say of
 * size classes, and what no allocator can grant. Pure functions; the programs are made in edges.c
 * and limits.c. */
#ifndef ASSAY_BOUNDARY_H
#define ASSAY_BOUNDARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ASSAY_BOUNDARY_GRID = 320, /* sizes that are asked for first, at most */
    ASSAY_BOUNDARY_EDGES = 96, /* edges of classes that are tried, at most */
};
#define ASSAY_BOUNDARY_LARGEST (UINT64_C(4) << 20)

/* Rising sizes up to `largest`: every eighth byte to 1 KiB, then `per_doubling` to each power of
 * two. Returns how many; sizes has room for ASSAY_BOUNDARY_GRID. */
size_t assay_boundary_grid(uint64_t *sizes, unsigned per_doubling, uint64_t largest);

/* What an allocator answered for a size: the usable size, or whatever else is the same for all
 * sizes of a class (distances of slots); 0 = nothing. */
struct assay_boundary_answer {
    uint64_t size, key;
};

/* True if the keys are usable sizes that tell classes: more than was asked for, and the same for
 * neighbours. */
bool assay_boundary_tells(const struct assay_boundary_answer *answers, size_t n);
/* Edges by usable sizes: the largest size of each class that was seen, rising. Returns how many. */
size_t assay_boundary_by_usable(const struct assay_boundary_answer *answers, size_t n,
                                uint64_t edges[ASSAY_BOUNDARY_EDGES]);
/* What slots are apart, from the addresses of objects of one size: 0 if they do not tell. */
uint64_t assay_boundary_stride(const uint64_t *addresses, size_t n);
/* Between two sizes with different keys lies an edge. Fills the next sizes to ask for (the
 * middles), and the edges that are known to the byte. answers rise by size. Returns the number of
 * sizes. */
size_t assay_boundary_bisect(const struct assay_boundary_answer *answers, size_t n, uint64_t *sizes,
                             size_t room, uint64_t edges[ASSAY_BOUNDARY_EDGES], size_t *ret_edges);
/* Thins a rising list out to `most`, evenly; the first and last stay. Returns the new length. */
size_t assay_boundary_thin(uint64_t *sizes, size_t n, size_t most);

/* Sizes that must be refused: around PTRDIFF_MAX, powers of two from 2^48, and all of
 * SIZE_MAX - 0..4096. Rising index; false beyond the last. */
bool assay_boundary_beyond(size_t index, uint64_t *ret_size);
/* Products that must be refused; modulo 2^32 and modulo 2^64 they look small. */
bool assay_boundary_product(size_t index, uint64_t *ret_count, uint64_t *ret_size);
/* Alignments that posix_memalign refuses. */
bool assay_boundary_bad_alignment(size_t index, uint64_t *ret_alignment);

#endif
