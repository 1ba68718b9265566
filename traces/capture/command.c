#include "traces/capture/command.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "traces/capture/capture.h"

enum { MOST_INTERPRETERS = 4 };

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int assay_capture_find(const char *name, char *buffer, size_t bytes, struct assay_error *err)
{
    bool forbidden = false;
    const char *path = getenv("PATH");
    if (!name || !*name)
        return assay_fail(err, ASSAY_E_USAGE, "no command given");
    if (strchr(name, '/')) {
        if ((size_t)snprintf(buffer, bytes, "%s", name) >= bytes)
            return assay_fail(err, ASSAY_E_LIMIT, "the command's path is too long");
        if (!is_file(name)) {
            if (access(name, F_OK) == 0)
                return assay_fail(err, ASSAY_E_PERMISSION, "cannot run '%s': not a file", name);
            return assay_fail_errno(err, "cannot run '%s'", name);
        }
        if (access(name, X_OK) != 0)
            return assay_fail_errno(err, "cannot run '%s'", name);
        return 0;
    }
    for (const char *at = path ? path : "/usr/local/bin:/usr/bin:/bin"; at;) {
        const char *colon = strchr(at, ':');
        int length = (int)(colon ? colon - at : (ptrdiff_t)strlen(at));
        if ((size_t)snprintf(buffer, bytes, "%.*s%s%s", length, at, length ? "/" : "", name) <
                bytes &&
            is_file(buffer)) {
            if (access(buffer, X_OK) == 0)
                return 0;
            forbidden = true;
        }
        at = colon ? colon + 1 : NULL;
    }
    if (forbidden)
        return assay_fail(err, ASSAY_E_PERMISSION, "cannot run '%s': not executable", name);
    return assay_fail(err, ASSAY_E_NOT_FOUND, "cannot run '%s': no such command in PATH", name);
}

/* "#!/usr/bin/env python3" -> "/usr/bin/env". False: not a script. */
static bool interpreter_of(const char *path, char *buffer, size_t bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : read(file, buffer, bytes - 1);
    if (file >= 0)
        close(file);
    if (n < 2 || buffer[0] != '#' || buffer[1] != '!')
        return false;
    buffer[n] = '\0';
    char *start = buffer + 2 + strspn(buffer + 2, " \t");
    start[strcspn(start, " \t\n")] = '\0';
    memmove(buffer, start, strlen(start) + 1);
    return *buffer != '\0';
}

static int look_at_elf(const char *path, Elf *elf, struct assay_error *err)
{
    GElf_Ehdr header;
    size_t n = 0;
    if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
        return assay_fail(err, ASSAY_E_UNSUPPORTED, "'%s' is neither a program nor a script", path);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        return assay_fail(err, ASSAY_E_UNSUPPORTED,
                          "'%s' is not an x86-64 program: the recorder cannot be loaded into it",
                          path);
    elf_getphdrnum(elf, &n);
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_INTERP)
            return 0;
    }
    return assay_fail(err, ASSAY_E_UNSUPPORTED,
                      "'%s' is statically linked: the preload recorder cannot see its calls; try "
                      "--method ebpf",
                      path);
}

int assay_capture_preloadable(const char *path, struct assay_error *err)
{
    char current[4096], next[4096];
    struct stat status;
    snprintf(current, sizeof current, "%s", path);
    for (int i = 0; i < MOST_INTERPRETERS && interpreter_of(current, next, sizeof next); i++)
        snprintf(current, sizeof current, "%s", next);
    int file = open(current, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == EACCES ? 0 : assay_fail_errno(err, "cannot open '%s'", current);
    int rc = 0;
    if (fstat(file, &status) == 0 && (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
                                      ((status.st_mode & S_ISGID) && status.st_gid != getegid())))
        rc = assay_fail(err, ASSAY_E_UNSUPPORTED,
                        "'%s' changes its user or group: the loader keeps the recorder out; run it "
                        "as that user, or try --method ebpf as root",
                        current);
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(file, ELF_C_READ, NULL);
    if (rc == 0)
        rc = look_at_elf(current, elf, err);
    elf_end(elf);
    close(file);
    return rc;
}

void assay_capture_build_id(const char *path, char *buffer, size_t bytes)
{
    buffer[0] = '\0';
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(file, ELF_C_READ, NULL);
    size_t n = 0, at = 0;
    if (elf && elf_kind(elf) == ELF_K_ELF)
        elf_getphdrnum(elf, &n);
    for (size_t i = 0; i < n && at == 0; i++) {
        GElf_Phdr segment;
        GElf_Nhdr note;
        size_t name, description;
        if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_NOTE)
            continue;
        Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)segment.p_offset, segment.p_filesz,
                                              segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
        for (size_t offset = 0, next;
             data && (next = gelf_getnote(data, offset, &note, &name, &description)) > 0;
             offset = next) {
            const unsigned char *id = (const unsigned char *)data->d_buf + description;
            if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
                memcmp((const char *)data->d_buf + name, "GNU", 4) != 0)
                continue;
            for (size_t k = 0; k < note.n_descsz && at + 3 <= bytes; k++)
                at += (size_t)snprintf(buffer + at, bytes - at, "%02x", id[k]);
        }
    }
    elf_end(elf);
    close(file);
}

/* Description */

static bool plain(const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "@%+=:,./_-";
    return *word && word[strspn(word, safe)] == '\0';
}

static size_t put(char *to, size_t at, size_t bytes, const char *text, size_t n)
{
    if (at + n + 1 > bytes)
        n = bytes - at - 1;
    memcpy(to + at, text, n);
    to[at + n] = '\0';
    return at + n;
}

/* Words as a shell would need them. */
static void quote(char *const *argv, char *to, size_t bytes)
{
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; argv[i]; i++) {
        if (i)
            at = put(to, at, bytes, " ", 1);
        if (plain(argv[i])) {
            at = put(to, at, bytes, argv[i], strlen(argv[i]));
            continue;
        }
        at = put(to, at, bytes, "'", 1);
        for (const char *c = argv[i]; *c; c++)
            at = *c == '\'' ? put(to, at, bytes, "'\\''", 4) : put(to, at, bytes, c, 1);
        at = put(to, at, bytes, "'", 1);
    }
}

/* First word of a file, the bracketed one if there is one ("always [madvise] never"). */
static void setting(const char *path, char *word, size_t bytes)
{
    char line[256] = "";
    FILE *file = fopen(path, "re");
    snprintf(word, bytes, "?");
    if (!file)
        return;
    if (fgets(line, sizeof line, file)) {
        char *start = strchr(line, '[');
        start = start ? start + 1 : line;
        start[strcspn(start, "] \n")] = '\0';
        snprintf(word, bytes, "%s", start);
    }
    fclose(file);
}

void assay_capture_describe(const struct assay_capture_config *config, const char *method,
                            const char *clock, struct assay_capture_strings *strings,
                            struct assay_trace_meta *ret_meta)
{
    struct utsname name;
    char overcommit[32], thp[32], maps[32];
    struct timespec now;
    *ret_meta = (struct assay_trace_meta){
        .has = ASSAY_HAS_ORDER | ASSAY_HAS_THREAD, .method = method, .clock = clock};
    if (strcmp(clock, "counter") != 0)
        ret_meta->has |= ASSAY_HAS_TIME;
    if (!config->no_addresses)
        ret_meta->has |= ASSAY_HAS_ADDRESS;
    if (!config->no_callers)
        ret_meta->has |= ASSAY_HAS_CALLER;
    uname(&name);
    setting("/proc/sys/vm/overcommit_memory", overcommit, sizeof overcommit);
    setting("/sys/kernel/mm/transparent_hugepage/enabled", thp, sizeof thp);
    setting("/proc/sys/vm/max_map_count", maps, sizeof maps);
    snprintf(strings->kernel, sizeof strings->kernel, "%.64s overcommit=%s thp=%s max_map_count=%s",
             name.release, overcommit, thp, maps);
    ret_meta->kernel = strings->kernel;
    if (config->scrub)
        return;
    quote(config->argv, strings->command, sizeof strings->command);
    snprintf(strings->host, sizeof strings->host, "%s", name.nodename);
    ret_meta->command = strings->command;
    ret_meta->host = strings->host;
    clock_gettime(CLOCK_REALTIME, &now);
    ret_meta->start_unix_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
