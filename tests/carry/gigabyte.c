/* 1 GiB of live 64-byte objects under the default limit on mappings (65,530), contents intact, and
 * the memory given back at the end. Run under libbulwark.so. Exits 5 where the machine has not the
 * memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 64, COUNT = (1 << 30) / SIZE };

static size_t resident_mib(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
        exit(3);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE) >> 20;
}

static unsigned mappings(void)
{
    unsigned lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    if (file == NULL)
        exit(3);
    for (int c; (c = getc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

int main(void)
{
    if ((sysconf(_SC_AVPHYS_PAGES) >> 10) * sysconf(_SC_PAGESIZE) < 3 << 20) {
        puts("less than 3 GiB of free memory: skipped");
        return 5;
    }
    unsigned long **objects = malloc(COUNT * sizeof *objects);
    for (size_t i = 0; i < COUNT; i++) {
        objects[i] = malloc(SIZE);
        if (objects[i] == NULL) {
            printf("NULL after %zu MiB\n", i * SIZE >> 20);
            return 1;
        }
        objects[i][0] = objects[i][SIZE / sizeof(unsigned long) - 1] = i;
    }
    size_t full = resident_mib();
    unsigned maps = mappings();
    for (size_t i = 0; i < COUNT; i++) {
        if (objects[i][0] != i || objects[i][SIZE / sizeof(unsigned long) - 1] != i) {
            printf("object %zu lost its content\n", i);
            return 1;
        }
        free(objects[i]);
    }
    free(objects);
    size_t rest = resident_mib();
    printf("%zu MiB resident, %u mappings; %zu MiB after the frees\n", full, maps, rest);
    return full > 1800 || maps > 30000 || rest > 200;
}
