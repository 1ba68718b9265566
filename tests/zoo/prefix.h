/* The functions of an animal with a prefix before their names: it stands beside the C library's
 * allocator and does not replace it. */
#define malloc             zp_malloc
#define free               zp_free
#define calloc             zp_calloc
#define realloc            zp_realloc
#define reallocarray       zp_reallocarray
#define memalign           zp_memalign
#define aligned_alloc      zp_aligned_alloc
#define posix_memalign     zp_posix_memalign
#define valloc             zp_valloc
#define pvalloc            zp_pvalloc
#define free_sized         zp_free_sized
#define free_aligned_sized zp_free_aligned_sized
#define malloc_usable_size zp_malloc_usable_size
#define rezalloc           zp_rezalloc
#define malloc_good_size   zp_malloc_good_size
#define mallinfo2          zp_mallinfo2
#define heap_walk          zp_heap_walk

#include <stddef.h>

/* the C library's headers may have been read before */
void *aligned_alloc(size_t alignment, size_t bytes);
int posix_memalign(void **out, size_t alignment, size_t bytes);
