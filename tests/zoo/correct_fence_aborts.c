/* Correct: an electric fence that says so and stops where the system grants no more mappings; any
 * other refusal it hands on. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void stop_without_mappings(void);
#define FENCE_REFUSED stop_without_mappings
#include "tests/zoo/fence.h"

static void stop_without_mappings(void)
{
    static const char words[] = "fence: the system grants no more mappings\n";
    enum { MANY = 65000 }; /* of 65,530 */
    char text[PAGE];
    size_t mappings = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t n = 1; fd >= 0 && n > 0;) {
        n = read(fd, text, sizeof text);
        for (ssize_t i = 0; i < n; i++)
            mappings += text[i] == '\n';
    }
    if (fd >= 0)
        close(fd);
    if (mappings < MANY)
        return;
    ssize_t written = write(STDERR_FILENO, words, sizeof words - 1);
    (void)written;
    abort();
}
