#include "tools/fuzz_corpus.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/core/hash.h"

/* A record and its varints: what an op takes at most. */
enum { OP_BYTES_MAX = 32, FILE_BYTES_MAX = 1 << 20 };

static int append(struct assay_fuzz_corpus *corpus, const uint8_t *bytes, size_t length,
                  struct assay_error *err)
{
    if (corpus->count == corpus->capacity) {
        uint32_t capacity = corpus->capacity ? corpus->capacity * 2 : 64;
        struct assay_fuzz_kept *kept = realloc(corpus->kept, capacity * sizeof *kept);
        if (!kept)
            return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
        corpus->kept = kept;
        corpus->capacity = capacity;
    }
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    memcpy(copy, bytes, length);
    corpus->kept[corpus->count++] = (struct assay_fuzz_kept){
        .bytes = copy, .length = (uint32_t)length, .cost = ASSAY_PROGRAM_MAX_OPS};
    return 0;
}

static int load_file(struct assay_fuzz_corpus *corpus, const char *name, uint8_t *buffer,
                     struct assay_error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", corpus->folder, name);
    struct stat status;
    int fd = n < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool file = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    ssize_t length = file ? read(fd, buffer, FILE_BYTES_MAX) : -1;
    if (fd >= 0)
        close(fd);
    return length > 0 ? append(corpus, buffer, (size_t)length, err) : 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int assay_fuzz_corpus_load(struct assay_fuzz_corpus *corpus, const char *folder,
                           const struct assay_program_limits *limits, struct assay_error *err)
{
    struct dirent **names = NULL;
    uint8_t *buffer = malloc(FILE_BYTES_MAX);
    int code = 0;
    *corpus = (struct assay_fuzz_corpus){.limits = limits, .folder = folder};
    int n = buffer ? scandir(folder, &names, is_visible, alphasort) : 0;
    if (!buffer)
        code = assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    else if (n < 0)
        code = assay_fail_errno(err, "cannot read '%s'", folder);
    for (int i = 0; i < n; i++) {
        if (code == 0 && corpus->count < ASSAY_FUZZ_CORPUS_MAX)
            code = load_file(corpus, names[i]->d_name, buffer, err);
        free(names[i]);
    }
    corpus->loaded = corpus->count;
    free(names);
    free(buffer);
    return code;
}

int assay_fuzz_corpus_copy(struct assay_fuzz_corpus *corpus, const struct assay_fuzz_corpus *from,
                           struct assay_error *err)
{
    int code = 0;
    *corpus = (struct assay_fuzz_corpus){.limits = from->limits, .folder = from->folder};
    for (uint32_t i = 0; i < from->count && code == 0; i++)
        code = append(corpus, from->kept[i].bytes, from->kept[i].length, err);
    corpus->loaded = corpus->count;
    return code;
}

static int write_file(const struct assay_fuzz_corpus *corpus, const struct assay_fuzz_kept *kept,
                      unsigned tag, struct assay_error *err)
{
    char path[PATH_MAX], partial[PATH_MAX];
    uint64_t name = kept->length;
    for (uint32_t i = 0; i < kept->length; i++)
        name = assay_mix64(name ^ kept->bytes[i]);
    int n = snprintf(path, sizeof path, "%s/%016llx", corpus->folder, (unsigned long long)name);
    int m = snprintf(partial, sizeof partial, "%s/.partial-%u", corpus->folder, tag);
    if (n >= (int)sizeof path || m >= (int)sizeof partial)
        return assay_fail(err, ASSAY_E_USAGE, "the name of the output folder is too long");
    int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool written = fd >= 0 && write(fd, kept->bytes, kept->length) == (ssize_t)kept->length;
    if (fd >= 0)
        written = close(fd) == 0 && written;
    if (written && rename(partial, path) == 0)
        return 0;
    int code = assay_fail_errno(err, "cannot write '%s'", path);
    unlink(partial);
    return code;
}

int assay_fuzz_corpus_add(struct assay_fuzz_corpus *corpus, const struct assay_program *program,
                          uint16_t feature, uint64_t cost, bool lasting, unsigned tag,
                          struct assay_error *err)
{
    size_t capacity = (program->count + 1) * OP_BYTES_MAX;
    if (corpus->count >= ASSAY_FUZZ_CORPUS_MAX || program->count > ASSAY_PROGRAM_MAX_OPS)
        return 0;
    uint8_t *bytes = malloc(capacity);
    if (!bytes)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    size_t length = assay_program_encode(program, corpus->limits, bytes, capacity);
    int code = length ? append(corpus, bytes, length, err) : 0;
    if (length && code == 0) {
        struct assay_fuzz_kept *kept = &corpus->kept[corpus->count - 1];
        kept->feature = feature;
        kept->cost = cost;
        if (lasting)
            code = write_file(corpus, kept, tag, err);
    }
    free(bytes);
    return code;
}

void assay_fuzz_corpus_decode(const struct assay_fuzz_corpus *corpus, uint32_t number,
                              struct assay_program *program)
{
    const struct assay_fuzz_kept *kept = &corpus->kept[number];
    assay_program_decode(kept->bytes, kept->length, corpus->limits, program);
}

void assay_fuzz_corpus_free(struct assay_fuzz_corpus *corpus)
{
    for (uint32_t i = 0; i < corpus->count; i++)
        free(corpus->kept[i].bytes);
    free(corpus->kept);
    corpus->kept = NULL;
    corpus->count = corpus->capacity = 0;
}
