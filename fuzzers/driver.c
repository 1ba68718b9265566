/* A plain main for fuzz targets: runs each file, and each file of each folder, that it is given. No
 * engine, any compiler: this makes every fuzz target an ordinary test over its corpus. Options
 * (arguments that begin with "-") are the target's. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzzers/fuzz.h"

enum { INPUT_MAX = 1 << 20 };

static uint8_t input[INPUT_MAX];

static long run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "driver: cannot open '%s': %s\n", path, strerror(errno));
        exit(3);
    }
    size_t size = fread(input, 1, sizeof input, file);
    fclose(file);
    /* an exact copy, so that a sanitizer sees reads past the end */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        exit(3);
    memcpy(copy, input, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 1;
}

static long run_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        struct dirent **entries;
        long runs = 0;
        int n = scandir(path, &entries, NULL, alphasort);
        for (int i = 0; i < n; i++) {
            char *inner;
            if (entries[i]->d_name[0] != '.' &&
                asprintf(&inner, "%s/%s", path, entries[i]->d_name) > 0) {
                runs += run_path(inner);
                free(inner);
            }
            free(entries[i]);
        }
        if (n >= 0)
            free(entries);
        return runs;
    }
    return run_file(path);
}

int main(int argc, char **argv)
{
    long runs = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-')
            runs += run_path(argv[i]);
    printf("%ld inputs\n", runs);
    return runs > 0 ? 0 : 2;
}
