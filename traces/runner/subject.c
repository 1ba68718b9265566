/* What --subject says, resolved: names, paths and adapters; exports read with libelf. Host only. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <link.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/parts.h"
#include "traces/runner/session.h"

extern char **environ;

static const struct api {
    const char *symbol;
    enum assay_op kind;
    enum assay_form form;
} apis[] = {
#define ASSAY_API(KIND, symbol, form) {symbol, ASSAY_OP_##KIND, ASSAY_FORM_##form},
#include "traces/runner/apis.def"
#undef ASSAY_API
};
enum { APIS = sizeof apis / sizeof *apis };

/* What a form needs beside its function. */
static const struct {
    enum assay_form form;
    const char *before, *after;
} companions[] = {
    {ASSAY_FORM_ITERATE, "malloc_disable", "malloc_enable"},
    {ASSAY_FORM_VISIT, "mi_heap_get_default", ""},
    {ASSAY_FORM_VISIT, "heap_get_default", ""},
};
enum { COMPANIONS = sizeof companions / sizeof *companions };

/* Where distributions put the libraries; the last match of a pattern (the highest version) wins. */
static const struct {
    const char *name, *patterns[8];
} known[] = {
    {"jemalloc",
     {"/usr/local/lib/libjemalloc.so*", "/usr/lib/*/libjemalloc.so*", "/usr/lib64/libjemalloc.so*",
      "/usr/lib/libjemalloc.so*"}},
    {"mimalloc",
     {"/usr/local/lib/libmimalloc.so*", "/usr/lib/*/libmimalloc.so*", "/usr/lib64/libmimalloc.so*",
      "/usr/lib/libmimalloc.so*"}},
    {"tcmalloc",
     {"/usr/local/lib/libtcmalloc_minimal.so*", "/usr/lib/*/libtcmalloc_minimal.so.*",
      "/usr/lib/*/libtcmalloc.so.*", "/usr/lib64/libtcmalloc*.so.*", "/usr/lib/libtcmalloc*.so.*"}},
    {"scudo",
     {"/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-" ASSAY_MACHINE ".so",
      "/usr/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-" ASSAY_MACHINE ".so",
      "/usr/lib64/clang/*/lib/*/libclang_rt.scudo_standalone*.so"}},
};

/* ---- ELF ------------------------------------------------------------------------------------ */

struct exports {
    const struct assay_subject_names *names; /* NULL: the usual ones */
    uint64_t by_api[APIS], by_kind[ASSAY_OP_COUNT];
    uint64_t before[COMPANIONS], after[COMPANIONS];
    bool adapter;
};

/* The name without the profile's prefix; NULL if it has none. */
static const char *without_prefix(const struct exports *exports, const char *name)
{
    const char *prefix = exports->names ? exports->names->prefix : "";
    size_t length = strnlen(prefix, ASSAY_PREFIX_BYTES);
    return strncmp(name, prefix, length) == 0 ? name + length : NULL;
}

static void take_symbol(struct exports *exports, const char *name, uint64_t place)
{
    const char *bare = without_prefix(exports, name);
    for (int i = 0; bare && i < APIS; i++)
        if (strcmp(bare, apis[i].symbol) == 0)
            exports->by_api[i] = place;
    for (int i = 0; bare && i < COMPANIONS; i++) {
        if (strcmp(bare, companions[i].before) == 0)
            exports->before[i] = place;
        if (strcmp(bare, companions[i].after) == 0)
            exports->after[i] = place;
    }
    for (unsigned kind = 0; exports->names && kind < ASSAY_OP_COUNT; kind++)
        if (strncmp(name, exports->names->symbol[kind], ASSAY_SYMBOL_BYTES) == 0)
            exports->by_kind[kind] = place;
}

static void add_companions(const struct exports *exports, struct assay_binding *binding)
{
    for (int i = 0; i < COMPANIONS; i++)
        if (companions[i].form == binding->form && exports->before[i]) {
            binding->before = exports->before[i];
            binding->after = exports->after[i];
        }
}

/* The function that serves a kind: the profile's, else the first of apis.def that is there. False:
 * none is. */
static bool choose(const struct exports *exports, unsigned kind, struct assay_binding *ret_binding,
                   char ret_symbol[ASSAY_SYMBOL_BYTES])
{
    const struct assay_subject_names *names = exports->names;
    bool usual = !names || names->prefix[0] == '\0';
    struct assay_binding binding = {0};
    bool found = false;
    if (names && names->symbol[kind][0]) {
        binding.offset = exports->by_kind[kind];
        for (int i = 0; i < APIS; i++)
            if (apis[i].kind == kind && strcmp(apis[i].symbol, names->symbol[kind]) == 0)
                binding.form = (uint8_t)apis[i].form;
        found = binding.offset != 0;
        snprintf(ret_symbol, ASSAY_SYMBOL_BYTES, "%s", names->symbol[kind]);
    } else {
        for (int i = 0; i < APIS && !found; i++) {
            if (apis[i].kind != kind || exports->by_api[i] == 0)
                continue;
            found = true;
            binding.form = (uint8_t)apis[i].form;
            if (usual && kind <= ASSAY_OP_TRIM) /* the name that the dynamic linker knows */
                continue;
            binding.offset = exports->by_api[i];
            snprintf(ret_symbol, ASSAY_SYMBOL_BYTES, "%.15s%s", usual ? "" : names->prefix,
                     apis[i].symbol);
        }
    }
    add_companions(exports, &binding);
    *ret_binding = binding;
    return found;
}

static void choose_one(const struct exports *exports, struct assay_subject_spec *spec,
                       unsigned kind)
{
    if (!choose(exports, kind, &spec->bindings.by_kind[kind], spec->names.symbol[kind]))
        spec->missing_apis |= UINT64_C(1) << kind;
}

static void choose_all(const struct exports *exports, struct assay_subject_spec *spec)
{
    for (int i = 0; i < APIS; i++)
        choose_one(exports, spec, apis[i].kind);
    choose_one(exports, spec, ASSAY_OP_GUARDED_COPY); /* it has no usual name */
}

/* Data is no allocator's call, whatever its name; the table of an adapter is data. */
static bool is_call(const GElf_Sym *symbol)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    return type != STT_OBJECT && type != STT_TLS && type != STT_COMMON && symbol->st_value != 0;
}

/* Where it is, as bindings.h has it. */
static uint64_t place_of(const GElf_Sym *symbol)
{
    bool resolver = GELF_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC;
    return symbol->st_value | (resolver ? ASSAY_BINDING_RESOLVER : 0);
}

static void read_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                         struct exports *exports)
{
    Elf_Data *data = elf_getdata(section, NULL);
    if (!data || header->sh_entsize == 0)
        return;
    for (size_t i = 0; i < header->sh_size / header->sh_entsize && i <= INT32_MAX; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF ||
            GELF_ST_BIND(symbol.st_info) == STB_LOCAL ||
            GELF_ST_VISIBILITY(symbol.st_other) == STV_HIDDEN)
            continue;
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name && strcmp(name, "assay_subject") == 0)
            exports->adapter = true;
        else if (name && is_call(&symbol))
            take_symbol(exports, name, place_of(&symbol));
    }
}

static void read_build_id(Elf_Scn *section, char *ret_text, size_t room)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Nhdr note;
    size_t offset = 0, name, description;
    while (data && (offset = gelf_getnote(data, offset, &note, &name, &description)) > 0) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
            memcmp((const char *)data->d_buf + name, "GNU", 4) != 0)
            continue;
        const unsigned char *bytes = (const unsigned char *)data->d_buf + description;
        for (size_t i = 0; i < note.n_descsz && 2 * i + 2 < room; i++)
            snprintf(ret_text + 2 * i, room - 2 * i, "%02x", bytes[i]);
        return;
    }
}

/* Do the tables and segments that the header promises lie in the file? */
static bool is_whole(Elf *elf, const GElf_Ehdr *header, uint64_t bytes)
{
    size_t sections = 0, segments = 0;
    uint64_t end;
    if (elf_getshdrnum(elf, &sections) != 0 || elf_getphdrnum(elf, &segments) != 0)
        return false;
    if (__builtin_add_overflow(header->e_shoff, sections * header->e_shentsize, &end) ||
        end > bytes || (sections > 0 && header->e_shoff == 0))
        return false;
    for (size_t i = 0; i < segments; i++) {
        GElf_Phdr segment;
        if (!gelf_getphdr(elf, (int)i, &segment) ||
            __builtin_add_overflow(segment.p_offset, segment.p_filesz, &end) ||
            (segment.p_type == PT_LOAD && end > bytes))
            return false;
    }
    return true;
}

static bool has_elf_magic(int fd)
{
    char magic[SELFMAG];
    return pread(fd, magic, sizeof magic, 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static int read_elf(const char *path, struct assay_subject_spec *spec, struct exports *exports,
                    struct assay_error *err)
{
    int code = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return assay_fail_errno(err, "cannot open the subject '%s'", path);
    struct stat stat;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        close(fd);
        return assay_fail(err, ASSAY_E_SUBJECT, "the subject '%s' is not a file", path);
    }
    spec->bindings.device = stat.st_dev;
    spec->bindings.inode = stat.st_ino;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    GElf_Ehdr header;
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header)) {
        code = assay_fail(err, ASSAY_E_SUBJECT, "the subject '%s' is %s", path,
                          has_elf_magic(fd) ? "cut off or damaged: build or copy it again"
                                            : "not an ELF shared object");
        goto out;
    }
    if (header.e_machine != ASSAY_ELF_MACHINE || header.e_ident[EI_CLASS] != ELFCLASS64) {
        code =
            assay_fail(err, ASSAY_E_SUBJECT, "the subject '%s' is built for another machine", path);
        goto out;
    }
    if (header.e_type != ET_DYN) {
        code = assay_fail(err, ASSAY_E_SUBJECT,
                          "the subject '%s' is not a shared object; build it with -shared -fPIC",
                          path);
        goto out;
    }
    if (!is_whole(elf, &header, (uint64_t)stat.st_size)) {
        code = assay_fail(err, ASSAY_E_SUBJECT,
                          "the subject '%s' is cut off or damaged: build or copy it again", path);
        goto out;
    }
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr shdr;
        if (!gelf_getshdr(section, &shdr))
            continue;
        if (shdr.sh_type == SHT_DYNSYM)
            read_symbols(elf, section, &shdr, exports);
        else if (shdr.sh_type == SHT_NOTE && spec->build_id[0] == '\0')
            read_build_id(section, spec->build_id, sizeof spec->build_id);
    }
out:
    if (elf)
        elf_end(elf);
    close(fd);
    return code;
}

/* ---- where it is ---------------------------------------------------------------------------- */

static int set_path(struct assay_subject_spec *spec, const char *path, struct assay_error *err)
{
    char *real = realpath(path, NULL);
    if (!real)
        return assay_fail_errno(err, "cannot open the subject '%s'", path);
    size_t length = strlen(real);
    int code = 0;
    if (length >= sizeof spec->path)
        code = assay_fail(err, ASSAY_E_LIMIT, "the subject's path is too long: '%.200s...'", real);
    else
        memcpy(spec->path, real, length + 1);
    free(real);
    return code;
}

/* "libfoo.so.2" -> "foo" */
static void set_name(struct assay_subject_spec *spec, const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    if (strncmp(base, "lib", 3) == 0 && base[3])
        base += 3;
    const char *end = strstr(base, ".so");
    size_t length = end && end > base ? (size_t)(end - base) : strlen(base);
    snprintf(spec->name, sizeof spec->name, "%.*s", (int)(length < 63 ? length : 63), base);
}

static int find_known(const char *text, struct assay_subject_spec *spec, struct assay_error *err)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(text, known[i].name) != 0)
            continue;
        for (int p = 0; p < 8 && known[i].patterns[p]; p++) {
            glob_t matches;
            int code = 1;
            if (glob(known[i].patterns[p], 0, NULL, &matches) == 0) {
                code = set_path(spec, matches.gl_pathv[matches.gl_pathc - 1], err);
                globfree(&matches);
            }
            if (code <= 0)
                return code;
        }
        return assay_fail(err, ASSAY_E_NOT_FOUND,
                          "the subject '%s' is not installed; install its package or give a path",
                          text);
    }
    return 1;
}

static bool is_bulwark(const char *text)
{
    return strncmp(text, "bulwark", 7) == 0 && (text[7] == '\0' || text[7] == '-') &&
           !strchr(text, '/');
}

/* "bulwark", or "bulwark-" and a variant. Positive where there is no such variant. */
static int find_bulwark(const char *text, struct assay_subject_spec *spec, struct assay_error *err)
{
    struct assay_part part;
    char file[64];
    snprintf(file, sizeof file, "lib%.48s.so", text);
    if (assay_part_find(&part, file))
        return set_path(spec, part.path, err);
    if (strcmp(text, "bulwark") != 0)
        return 1;
    return assay_fail(err, ASSAY_E_NOT_FOUND,
                      "libbulwark.so is not beside the program; build it or give a path");
}

static int libc_path(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    const char *base = strrchr(info->dlpi_name, '/');
    if (!base || strncmp(base, "/libc.so", 8) != 0)
        return 0;
    snprintf(argument, 4096, "%s", info->dlpi_name);
    return 1;
}

/* ---- adapters ------------------------------------------------------------------------------- */

static const char *adapter_include(void)
{
    bool built_here = access(ASSAY_ADAPTER_INCLUDE "/assay_subject.h", R_OK) == 0;
    return built_here ? ASSAY_ADAPTER_INCLUDE : ASSAY_ADAPTER_INCLUDE_INSTALLED;
}

static int run_compiler(const char *source, const char *output, struct assay_error *err)
{
    char include[4200];
    const char *chosen = getenv("CC");
    const char *compiler = chosen && *chosen ? chosen : "cc";
    snprintf(include, sizeof include, "-I%s", adapter_include());
    /* link flags come behind the file, as libraries must; split at spaces */
    char extra[2000] = "";
    char *arguments[48] = {(char *)(uintptr_t)compiler,
                           "-std=gnu17",
                           "-O2",
                           "-g",
                           "-fPIC",
                           "-shared",
                           "-fno-builtin-malloc",
                           include,
                           "-o",
                           (char *)(uintptr_t)output,
                           (char *)(uintptr_t)source};
    const char *flags = getenv("ASSAY_ADAPTER_FLAGS");
    snprintf(extra, sizeof extra, "%s", flags ? flags : "");
    char *rest = extra, *word;
    for (size_t n = 11; n < 47 && (word = strtok_r(rest, " ", &rest)) != NULL; n++)
        arguments[n] = word;
    pid_t pid;
    int status, code = posix_spawnp(&pid, compiler, NULL, NULL, arguments, environ);
    if (code != 0) {
        errno = code;
        return assay_fail_errno(err, "cannot run the compiler '%s'", compiler);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return assay_fail_errno(err, "cannot wait for the compiler");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return assay_fail(err, ASSAY_E_SUBJECT,
                          "the adapter '%s' does not compile; '%s' said why above", source,
                          compiler);
    return 0;
}

/* The compiled adapter lives as an open descriptor of this process: no file is left behind. */
static int compile_adapter(const char *source, struct assay_subject_spec *spec,
                           struct assay_error *err)
{
    const char *chosen = getenv("TMPDIR");
    const char *temporary = chosen && *chosen ? chosen : "/tmp";
    char folder[4200], output[4300];
    if (access(source, R_OK) != 0)
        return assay_fail_errno(err, "cannot read the adapter '%s'", source);
    snprintf(folder, sizeof folder, "%s/assay-adapter-XXXXXX", temporary);
    if (!mkdtemp(folder))
        return assay_fail_errno(err, "cannot make a folder in '%s'", temporary);
    snprintf(output, sizeof output, "%s/adapter.so", folder);
    int code = run_compiler(source, output, err);
    if (code == 0) {
        int fd = open(output, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            code = assay_fail_errno(err, "cannot open the compiled adapter");
        else
            snprintf(spec->path, sizeof spec->path, "/proc/%d/fd/%d", (int)getpid(), fd);
    }
    unlink(output);
    rmdir(folder);
    return code;
}

/* Names go into JSON. */
static bool is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        unsigned more = *at < 0x80 ? 0 : *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        if (more && (*at < 0xc2 || *at > 0xf4))
            return false;
        for (at++; more > 0; more--, at++)
            if ((*at & 0xc0) != 0x80)
                return false;
    }
    return true;
}

int assay_subject_find(const char *text, struct assay_subject_spec *ret_spec,
                       struct assay_error *err)
{
    return assay_subject_find_named(text, NULL, ret_spec, err);
}

int assay_subject_find_named(const char *text, const struct assay_subject_names *names,
                             struct assay_subject_spec *ret_spec, struct assay_error *err)
{
    struct assay_subject_spec spec;
    struct exports exports = {.names = names};
    char libc[4096] = "";
    int code;
    memset(&spec, 0, sizeof spec);
    if (!is_utf8(text))
        return assay_fail(err, ASSAY_E_SUBJECT,
                          "the subject '%s' has a name that is not UTF-8: give it a link with "
                          "another name",
                          text);
    snprintf(spec.name, sizeof spec.name, "%.63s", text);
    if (strcmp(text, "glibc") == 0) {
        code = 0;
        dl_iterate_phdr(libc_path, libc);
        if (libc[0] == '\0')
            return assay_fail(err, ASSAY_E_SUBJECT, "this program does not use glibc");
    } else if (is_bulwark(text) && (code = find_bulwark(text, &spec, err)) <= 0) {
        /* found, or said why not */
    } else if (strncmp(text, "adapter:", 8) == 0) {
        set_name(&spec, text + 8);
        char *dot = strrchr(spec.name, '.');
        if (dot)
            *dot = '\0';
        code = compile_adapter(text + 8, &spec, err);
    } else {
        code = find_known(text, &spec, err);
        if (code > 0) {
            if (!strchr(text, '/') && access(text, F_OK) != 0)
                return assay_fail(err, ASSAY_E_NOT_FOUND,
                                  "'%s' is no subject: give bulwark, glibc, jemalloc, mimalloc, "
                                  "tcmalloc, scudo, a path or adapter:FILE.c",
                                  text);
            set_name(&spec, text);
            code = set_path(&spec, text, err);
        }
    }
    if (code < 0)
        return code;
    code = read_elf(libc[0] ? libc : spec.path, &spec, &exports, err);
    if (code < 0)
        return code;
    const uint64_t both = UINT64_C(1) << ASSAY_OP_MALLOC | UINT64_C(1) << ASSAY_OP_FREE;
    choose_all(&exports, &spec);
    if (exports.adapter) {
        spec.adapter = true;
        spec.missing_apis = 0; /* its table tells, once it runs */
    } else if (spec.missing_apis & both) {
        unsigned lacks = spec.missing_apis >> ASSAY_OP_MALLOC & 1 ? ASSAY_OP_MALLOC : ASSAY_OP_FREE;
        if (strncmp(text, "adapter:", 8) == 0)
            return assay_fail(err, ASSAY_E_SUBJECT,
                              "the adapter '%s' defines no table assay_subject; see "
                              "'%s/assay_subject.h'",
                              text + 8, adapter_include());
        if (names && names->symbol[lacks][0])
            return assay_fail(err, ASSAY_E_SUBJECT,
                              "the subject '%s' exports no function %.48s, which its profile names",
                              text, names->symbol[lacks]);
        return assay_fail(
            err, ASSAY_E_SUBJECT,
            "the subject '%s' exports no function %.16s%s: it must export malloc and free, "
            "or be an adapter",
            text, names ? names->prefix : "", assay_op_info(lacks)->name);
    }
    if (spec.adapter) {
        code = assay_subject_probe(&spec, err);
        if (code < 0)
            return code;
    }
    *ret_spec = spec;
    return 0;
}
