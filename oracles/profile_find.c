/* Which shipped profile is a subject's: by the whole name that its library gives itself
 * (DT_SONAME), else by that of its file. A part of a name does not count:
 * libtcmalloc_minimal_debug.so promises other things than libtcmalloc_minimal.so. */
#include <fcntl.h>
#include <fnmatch.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oracles/profile.h"

enum { NAME_BYTES = 128 };

/* Without lib and .so.N; the first that fits counts. */
static const struct {
    const char *pattern, *profile;
} shipped[] = {
    {"bulwark-light", "bulwark-light"},
    {"bulwark-max", "bulwark-max"},
    {"bulwark-debug", "bulwark-debug"},
    {"bulwark", "bulwark"},
    {"bulwark-*", "bulwark"}, /* mutants, builds of one's own */
    {"jemalloc", "jemalloc"},
    {"mimalloc", "mimalloc"},
    {"mimalloc-secure", "mimalloc-secure"},
    {"tcmalloc", "tcmalloc"},
    {"tcmalloc_minimal", "tcmalloc"},
    {"tcmalloc_and_profiler", "tcmalloc"},
    {"scudo", "scudo"},
    {"scudo_standalone*", "scudo"},
    {"clang_rt.scudo_standalone*", "scudo"},
    {"hardened_malloc", "hardened_malloc"},
    {"snmalloc", "snmalloc"},
    {"snmallocshim", "snmalloc"},
    {"snmalloc-checks", "snmalloc-checks"},
    {"snmallocshim-checks", "snmalloc-checks"},
    {"starmalloc", "starmalloc"},
    {"isoalloc", "isoalloc"},
    {"glibc", "glibc"},
    {"c", "glibc"},
};

/* "libjemalloc.so.2" is jemalloc. */
static const char *profile_of(const char *file)
{
    char name[NAME_BYTES];
    const char *from = strncmp(file, "lib", 3) == 0 ? file + 3 : file, *end = strstr(from, ".so");
    size_t length = end ? (size_t)(end - from) : strlen(from);
    if (length >= sizeof name)
        return NULL;
    memcpy(name, from, length);
    name[length] = '\0';
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++)
        if (fnmatch(shipped[i].pattern, name, 0) == 0)
            return shipped[i].profile;
    return NULL;
}

static void read_dynamic(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, char *ret_name)
{
    Elf_Data *data = elf_getdata(section, NULL);
    for (size_t i = 0;
         data && header->sh_entsize && i < header->sh_size / header->sh_entsize && i <= INT_MAX;
         i++) {
        GElf_Dyn entry;
        if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag != DT_SONAME)
            continue;
        const char *name = elf_strptr(elf, header->sh_link, entry.d_un.d_val);
        if (name)
            snprintf(ret_name, NAME_BYTES, "%s", name);
        return;
    }
}

/* "" where it has none, or is no library. */
static void read_soname(const char *path, char ret_name[NAME_BYTES])
{
    struct stat status;
    ret_name[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    elf_version(EV_CURRENT);
    bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    Elf *elf = regular ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    bool library = elf && elf_kind(elf) == ELF_K_ELF;
    for (Elf_Scn *section = NULL; library && (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNAMIC)
            read_dynamic(elf, section, &header, ret_name);
    }
    if (elf)
        elf_end(elf);
    close(fd);
}

/* The folders that may hold shipped profiles: beside the installed program, then the source's. */
static bool find_file(const char *name, char *ret_path, size_t bytes)
{
    char exe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (length > 0) {
        exe[length] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash) {
            *slash = '\0';
            int n = snprintf(ret_path, bytes, "%s/../share/assay/profiles/%s.ini", exe, name);
            if (n > 0 && (size_t)n < bytes && access(ret_path, R_OK) == 0)
                return true;
        }
    }
    int n = snprintf(ret_path, bytes, ASSAY_PROFILE_DIR "/%s.ini", name);
    return n > 0 && (size_t)n < bytes && access(ret_path, R_OK) == 0;
}

int assay_profile_find(const char *subject, struct assay_profile *profile, struct assay_error *err)
{
    const char *slash = strrchr(subject, '/'), *file = slash ? slash + 1 : subject;
    char path[PATH_MAX + 64], soname[NAME_BYTES] = "";
    if (slash)
        read_soname(subject, soname);
    const char *name = soname[0] ? profile_of(soname) : NULL;
    name = name ? name : profile_of(file);
    if (find_file(name ? name : "generic", path, sizeof path))
        return assay_profile_load(path, profile, err);
    assay_profile_generic(profile);
    return 0;
}
