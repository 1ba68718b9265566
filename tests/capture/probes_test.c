/* The USDT labels of Bulwark: their notes name five-byte nops, and a uprobe on each fires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 4, SITES = 64, CALLS = 1000 };
static const char *const names[NAMES] = {"mem_allocate_start", "mem_allocate_end", "mem_free_start",
                                         "mem_free_end"};
static const char *library;
static const uint8_t *image;

static struct {
    uint64_t offset[SITES]; /* in the file */
    size_t count;
} sites[NAMES];

static uint64_t file_offset(uint64_t address)
{
    const Elf64_Ehdr *header = (const void *)image;
    const Elf64_Phdr *segments = (const void *)(image + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && address - segments[i].p_vaddr < segments[i].p_filesz)
            return address - segments[i].p_vaddr + segments[i].p_offset;
    return 0;
}

/* Three addresses, then provider, name and arguments. */
static void take_note(const uint8_t *description)
{
    uint64_t address;
    memcpy(&address, description, sizeof address);
    const char *provider = (const char *)description + 24;
    const char *name = provider + strlen(provider) + 1;
    assert_string_equal(provider, "bulwark");
    for (int i = 0; i < NAMES; i++)
        if (strcmp(name, names[i]) == 0) {
            assert_in_range(sites[i].count, 0, SITES - 1);
            sites[i].offset[sites[i].count++] = file_offset(address);
            return;
        }
    fail_msg("label '%s'", name);
}

static int read_notes(void **state)
{
    (void)state;
    struct stat status;
    int fd = open(library, O_RDONLY);
    assert_return_code(fstat(fd, &status), 0);
    image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(image, MAP_FAILED);
    const Elf64_Ehdr *header = (const void *)image;
    const Elf64_Shdr *sections = (const void *)(image + header->e_shoff);
    const char *strings = (const char *)image + sections[header->e_shstrndx].sh_offset;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (strcmp(strings + sections[i].sh_name, ".note.stapsdt") != 0)
            continue;
        const uint8_t *at = image + sections[i].sh_offset, *end = at + sections[i].sh_size;
        while (at < end) {
            Elf64_Nhdr note;
            memcpy(&note, at, sizeof note);
            at += sizeof note + ((note.n_namesz + 3) & ~3u);
            assert_int_equal(note.n_type, 3);
            take_note(at);
            at += (note.n_descsz + 3) & ~3u;
        }
    }
    return close(fd);
}

static void every_label_is_a_five_byte_nop(void **state)
{
    (void)state;
#ifndef __x86_64__
    skip();
#endif
    for (int i = 0; i < NAMES; i++) {
        assert_in_range(sites[i].count, 5, SITES);
        for (size_t k = 0; k < sites[i].count; k++)
            assert_memory_equal(image + sites[i].offset[k], "\x0f\x1f\x44\x00\x00", 5);
    }
}

static int probe_type(void)
{
    int type = -1;
    FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%d", &type) != 1)
        type = -1;
    return fclose(file) == 0 ? type : -1;
}

/* A counter of the hits at one place by `pid` and its children; -1 where that is not allowed. */
static int count_hits(pid_t pid, uint64_t offset)
{
    struct perf_event_attr attributes = {.size = sizeof attributes,
                                         .type = (uint32_t)probe_type(),
                                         .config1 = (uint64_t)(uintptr_t)library,
                                         .config2 = offset,
                                         .inherit = 1};
    return (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void use_library(int go)
{
    char byte;
    if (read(go, &byte, 1) != 1)
        _exit(2);
    setenv("LD_PRELOAD", library, 1);
    execl("/proc/self/exe", "probes_test", "child", NULL);
    _exit(3);
}

static void a_probe_on_each_label_fires(void **state)
{
    (void)state;
    int pipes[2], counters[NAMES][SITES], status = 0;
    if (probe_type() < 0)
        skip();
    assert_return_code(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0)
        use_library(pipes[0]);
    bool refused = false;
    for (int i = 0; i < NAMES; i++)
        for (size_t k = 0; k < sites[i].count; k++) {
            counters[i][k] = count_hits(child, sites[i].offset[k]);
            refused |= counters[i][k] < 0;
        }
    assert_int_equal(write(pipes[1], "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = 0; i < NAMES; i++) {
        uint64_t hits = 0;
        for (size_t k = 0; k < sites[i].count; k++) {
            uint64_t value = 0;
            if (!refused)
                assert_int_equal(read(counters[i][k], &value, sizeof value), sizeof value);
            hits += value;
            if (counters[i][k] >= 0)
                (void)close(counters[i][k]);
        }
        if (!refused && hits < CALLS)
            fail_msg("%s fired %llu times", names[i], (unsigned long long)hits);
    }
    if (refused)
        skip();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_label_is_a_five_byte_nop),
        cmocka_unit_test(a_probe_on_each_label_fires),
    };
    if (argc != 2)
        return 2;
    if (strcmp(argv[1], "child") == 0) {
        static void *volatile p;
        for (int i = 0; i < CALLS; i++) {
            p = malloc(100);
            free(p);
        }
        return 0;
    }
    library = argv[1];
    return cmocka_run_group_tests(tests, read_notes, NULL);
}
