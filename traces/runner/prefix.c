/* The prefix that a library's functions have in common: what stands before both "malloc" and
 * "free" in its dynamic symbols. Host only. */
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "traces/runner/session.h"

enum { CANDIDATES = 64 };

struct prefixes {
    char text[CANDIDATES][ASSAY_PREFIX_BYTES];
    size_t count;
};

static void take(struct prefixes *prefixes, const char *name, const char *function)
{
    size_t length = strlen(name), tail = strlen(function);
    if (length <= tail || length - tail >= ASSAY_PREFIX_BYTES || prefixes->count == CANDIDATES ||
        strcmp(name + length - tail, function) != 0)
        return;
    memcpy(prefixes->text[prefixes->count], name, length - tail);
    prefixes->text[prefixes->count++][length - tail] = '\0';
}

static void read_names(Elf *elf, struct prefixes *mallocs, struct prefixes *frees)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        Elf_Data *data = elf_getdata(section, NULL);
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM || !data ||
            header.sh_entsize == 0)
            continue;
        for (size_t i = 0; i < header.sh_size / header.sh_entsize && i <= INT32_MAX; i++) {
            GElf_Sym symbol;
            if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF ||
                GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
                continue;
            const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
            if (name) {
                take(mallocs, name, "malloc");
                take(frees, name, "free");
            }
        }
    }
}

bool assay_subject_prefix(const char *path, char ret_prefix[ASSAY_PREFIX_BYTES])
{
    struct prefixes mallocs = {.count = 0}, frees = {.count = 0};
    const char *shortest = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        read_names(elf, &mallocs, &frees);
    if (elf)
        elf_end(elf);
    close(fd);
    for (size_t i = 0; i < mallocs.count; i++)
        for (size_t j = 0; j < frees.count; j++)
            if (strcmp(mallocs.text[i], frees.text[j]) == 0 &&
                (!shortest || strlen(mallocs.text[i]) < strlen(shortest)))
                shortest = mallocs.text[i];
    if (shortest)
        memcpy(ret_prefix, shortest, ASSAY_PREFIX_BYTES);
    return shortest != NULL;
}
