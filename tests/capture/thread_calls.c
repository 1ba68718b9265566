/* usage: thread_calls THREADS PAIRS: each thread makes PAIRS mallocs and frees of 1 to 200 bytes,
 * keeps a hundred of them for a while, so that its cache is not empty when it ends. */
#include <pthread.h>
#include <stdlib.h>

enum { KEPT = 100, THREADS_MAX = 64 };
static size_t pairs;

static void *thread_main(void *unused)
{
    void *kept[KEPT] = {0};
    (void)unused;
    for (size_t i = 0; i < pairs; i++) {
        free(kept[i % KEPT]);
        kept[i % KEPT] = malloc(i % 200 + 1);
    }
    for (size_t i = 0; i < KEPT; i++)
        free(kept[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    pairs = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    for (size_t i = 0; i < n && i < THREADS_MAX; i++)
        if (pthread_create(&threads[i], NULL, thread_main, NULL) != 0)
            return 1;
    for (size_t i = 0; i < n && i < THREADS_MAX; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
