/* What a heap holds, as the C library's functions tell it. For the drop-in. */
#ifndef BW_STATISTICS_H
#define BW_STATISTICS_H

struct bw_heap;

/* On standard error. */
void bw_statistics_print(struct bw_heap *heap);

#endif
