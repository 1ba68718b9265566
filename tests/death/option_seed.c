/* expect debug exit 0: nothing */
#include "death.h"

#include <sys/wait.h>

/* Distances between objects of one class: the same in two processes with one seed. */
int main(void)
{
    static char *p[50];
    with_options("seed=7");
    uint64_t hash = 0;
    for (int i = 0; i < 50; i++) {
        p[i] = HIDE(malloc(1000));
        hash = hash * 31 + (uint64_t)(p[i] - p[0]);
    }
    if (getenv("SEEN") == NULL) {
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)hash);
        setenv("SEEN", text, 1);
        execl("/proc/self/exe", "again", NULL);
    }
    return strtoull(getenv("SEEN"), NULL, 10) == hash ? 0 : 1;
}
