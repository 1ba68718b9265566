/* usage: known_calls ROUNDS. See known_calls.h. Built without builtins: no call is optimised away.
 */
#include <malloc.h>
#include <stdlib.h>

#include "tests/capture/known_calls.h"

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    void *slots[KNOWN_SLOTS] = {0};
    volatile size_t sum = 0;
    free(malloc(KNOWN_BEGIN));
    for (size_t r = 0; r < rounds; r++) {
        void **slot = &slots[r % KNOWN_SLOTS], *x = NULL;
        free(*slot);
        *slot = malloc(known_malloc(r));
        void *tmp = calloc(known_count(r), known_element(r));
        *slot = realloc(*slot, known_realloc(r));
        tmp = reallocarray(tmp, known_count(r) + 1, known_element(r));
        if (posix_memalign(&x, 64, known_malloc(r)) != 0)
            return 1;
        void *y = aligned_alloc(32, known_aligned(r));
        sum += malloc_usable_size(*slot);
        free(x);
        free(y);
        free(tmp);
    }
    free(malloc(KNOWN_END));
    return sum == (size_t)-1;
}
