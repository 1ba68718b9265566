/* expect ABRT: bulwark: double free: address ADDRESS, size 24, state quarantined */
#include "death.h"
#include <pthread.h>

static void *free_it(void *p)
{
    free(p);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    char *p = HIDE(malloc(24));
    SHOW(p);
    pthread_create(&thread, NULL, free_it, p);
    pthread_join(thread, NULL);
    free(HIDE(p));
    return 0;
}
