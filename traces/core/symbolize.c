#include "traces/core/symbolize.h"

#include <ctype.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CODE_BYTES_MAX = 1 << 16, CODE_BEHIND = 48, THE_THREAD = 1 };

/* ---- names ---- */

static bool is_rust_hash(const char *from, size_t length)
{
    if (length != 20 || strncmp(from, "17h", 3) != 0 || from[19] != 'E')
        return false;
    for (int i = 3; i < 19; i++)
        if (!isxdigit((unsigned char)from[i]))
            return false;
    return true;
}

void assay_symbol_plain(const char *symbol, char *ret_name, size_t room)
{
    static const char *const appended[] = {".isra.",    ".part.", ".constprop.", ".cold",
                                           ".lto_priv", ".llvm.", ".localalias", "@"};
    size_t length = strlen(symbol);
    for (size_t i = 0; i < sizeof appended / sizeof *appended; i++) {
        const char *at = strstr(symbol, appended[i]);
        if (at && at > symbol && (size_t)(at - symbol) < length)
            length = (size_t)(at - symbol);
    }
    if (length > 20 && strncmp(symbol, "_ZN", 3) == 0 && is_rust_hash(symbol + length - 20, 20))
        length -= 20;
    if (length > room - 1)
        length = room - 1;
    for (size_t i = 0; i < length; i++)
        ret_name[i] = symbol[i] > ' ' && symbol[i] <= '~' ? symbol[i] : '?';
    ret_name[length] = '\0';
}

/* ---- libdwfl ---- */

/* The path comes from a process that may have written what it liked: regular files only, and no
 * waiting for a pipe's other end. */
static int find_file(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                     char **file_name, Elf **elf)
{
    struct stat stat;
    (void)module;
    (void)user;
    (void)base;
    (void)elf;
    if (name[0] != '/')
        return -1;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        *file_name = strdup(name);
    return fd;
}

static bool read_stack(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret_word, void *argument)
{
    const struct assay_symbolize *in = argument;
    uint64_t sp = in->registers[in->sp];
    (void)dwfl;
    if (address < sp || in->stack_bytes < sizeof *ret_word ||
        address - sp > in->stack_bytes - sizeof *ret_word)
        return false;
    memcpy(ret_word, (const char *)in->stack + (address - sp), sizeof *ret_word);
    return true;
}

static pid_t next_thread(Dwfl *dwfl, void *argument, void **thread)
{
    (void)dwfl;
    if (*thread)
        return 0;
    *thread = argument;
    return THE_THREAD;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *argument, void **thread)
{
    (void)dwfl;
    *thread = argument;
    return tid == THE_THREAD;
}

static bool set_registers(Dwfl_Thread *thread, void *argument)
{
    const struct assay_symbolize *in = argument;
    Dwarf_Word words[64];
    unsigned last = in->register_count - 1; /* the pc */
    for (unsigned i = 0; i < last && i < 64; i++)
        words[i] = in->registers[i];
    if (!dwfl_thread_state_registers(thread, 0, last, words))
        return false;
    dwfl_thread_state_register_pc(thread, in->registers[last]);
    return true;
}

struct walk {
    const struct assay_symbolize *in;
    struct assay_frame *frames;
    struct assay_code *code;
    unsigned count, max;
    char subject[4096]; /* its real path */
};

static bool is_c_library(const char *base)
{
    return strncmp(base, "libc.so", 7) == 0 || strncmp(base, "libc-2.", 7) == 0 ||
           strncmp(base, "libc.musl", 9) == 0 || strncmp(base, "ld-musl", 7) == 0;
}

static void set_module(const struct walk *walk, Dwfl_Module *module, struct assay_frame *frame)
{
    const unsigned char *id = NULL;
    GElf_Addr id_at;
    const char *path = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    if (!path)
        return;
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    snprintf(frame->module, sizeof frame->module, "%s", base);
    bool c_library = is_c_library(base);
    frame->subject = walk->in->subject[0] ? strcmp(path, walk->subject) == 0 : c_library;
    frame->c_library = c_library && !frame->subject;
    int n = dwfl_module_build_id(module, &id, &id_at);
    for (int i = 0; i < n && 2 * (size_t)i + 2 < sizeof frame->build_id; i++)
        snprintf(frame->build_id + 2 * (size_t)i, 3, "%02x", id[i]);
}

static void set_symbol(Dwfl_Module *module, uint64_t address, struct assay_frame *frame)
{
    GElf_Sym symbol;
    GElf_Off offset;
    const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
    unsigned type = name ? GELF_ST_TYPE(symbol.st_info) : STT_NOTYPE;
    if (!name || (type != STT_FUNC && type != STT_GNU_IFUNC) || offset >= symbol.st_size)
        return;
    assay_symbol_plain(name, frame->symbol, sizeof frame->symbol);
    frame->symbol_offset = offset;
    frame->symbol_bytes = symbol.st_size;
}

/* clang writes no table from addresses to units: each is asked. */
static const char *source_by_units(Dwfl_Module *module, uint64_t address, int *ret_line)
{
    Dwarf_Addr bias = 0;
    for (Dwarf_Die *unit = NULL; (unit = dwfl_module_nextcu(module, unit, &bias)) != NULL;) {
        Dwarf_Line *at =
            dwarf_haspc(unit, address - bias) > 0 ? dwarf_getsrc_die(unit, address - bias) : NULL;
        if (at && dwarf_lineno(at, ret_line) == 0)
            return dwarf_linesrc(at, NULL, NULL);
    }
    return NULL;
}

static void set_source(Dwfl_Module *module, uint64_t address, struct assay_frame *frame)
{
    int line = 0;
    Dwfl_Line *at = dwfl_module_getsrc(module, address);
    const char *source = at ? dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL)
                            : source_by_units(module, address, &line);
    if (!source || line <= 0 || strlen(source) >= sizeof frame->source)
        return;
    memcpy(frame->source, source, strlen(source) + 1);
    frame->line = (unsigned)line;
}

/* The bytes of an executable segment, by the file's own numbering. */
static void take_code(Dwfl_Module *module, const struct assay_frame *frame, struct assay_code *code)
{
    GElf_Addr bias;
    size_t segments = 0;
    Elf *elf = dwfl_module_getelf(module, &bias);
    uint64_t from = frame->offset;
    if (frame->symbol[0] && frame->symbol_offset < CODE_BYTES_MAX - CODE_BEHIND)
        from -= frame->symbol_offset;
    if (!elf || elf_getphdrnum(elf, &segments) != 0)
        return;
    for (size_t i = 0; i < segments; i++) {
        GElf_Phdr segment;
        if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
            !(segment.p_flags & PF_X) || from < segment.p_vaddr ||
            frame->offset - segment.p_vaddr >= segment.p_filesz)
            continue;
        size_t left = segment.p_filesz - (from - segment.p_vaddr);
        size_t want = (size_t)(frame->offset - from) + CODE_BEHIND;
        if (want > left)
            want = left;
        if (frame->symbol[0] && from + frame->symbol_offset == frame->offset &&
            want > frame->symbol_bytes)
            want = frame->symbol_bytes;
        const Elf_Data *data = elf_getdata_rawchunk(
            elf, (int64_t)(segment.p_offset + (from - segment.p_vaddr)), want, ELF_T_BYTE);
        if (!data || !data->d_buf || data->d_size < want || !(code->bytes = malloc(want)))
            return;
        memcpy(code->bytes, data->d_buf, want);
        code->count = want;
        code->offset = from;
        code->at = (size_t)(frame->offset - from);
        return;
    }
}

static int on_frame(Dwfl_Frame *state, void *argument)
{
    struct walk *walk = argument;
    struct assay_frame *frame = &walk->frames[walk->count];
    Dwarf_Addr pc;
    bool activation;
    GElf_Addr bias;
    if (!dwfl_frame_pc(state, &pc, &activation))
        return DWARF_CB_ABORT;
    memset(frame, 0, sizeof *frame);
    /* a return address stands behind its call, maybe in the next function */
    uint64_t address = activation || walk->count == 0 ? pc : pc - 1;
    Dwfl_Module *module = dwfl_addrmodule(dwfl_thread_dwfl(dwfl_frame_thread(state)), address);
    if (module && dwfl_module_getelf(module, &bias)) {
        frame->offset = address - bias;
        set_module(walk, module, frame);
        if (walk->in->last && walk->count > 0 && strcmp(frame->module, walk->in->last) == 0)
            return DWARF_CB_ABORT;
        set_symbol(module, address, frame);
        if (frame->subject && !walk->in->names_only)
            set_source(module, address, frame);
        if (walk->count == 0 && walk->code)
            take_code(module, frame, walk->code);
    }
    return ++walk->count < walk->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

unsigned assay_symbolize_stack(const struct assay_symbolize *in, struct assay_frame *ret_frames,
                               unsigned max, struct assay_code *ret_code)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = find_file,
                                             .find_debuginfo = dwfl_build_id_find_debuginfo};
    static const Dwfl_Thread_Callbacks thread = {.next_thread = next_thread,
                                                 .get_thread = get_thread,
                                                 .memory_read = read_stack,
                                                 .set_initial_registers = set_registers};
    struct walk walk = {.in = in, .frames = ret_frames, .max = max, .code = ret_code};
    struct assay_symbolize copy = *in;
    if (ret_code)
        *ret_code = (struct assay_code){0};
    if (max == 0 || in->maps_bytes == 0 || in->register_count < 2)
        return 0;
    if (in->subject[0] && !realpath(in->subject, walk.subject))
        walk.subject[0] = '\0';
    FILE *maps = fmemopen((void *)(uintptr_t)in->maps, in->maps_bytes, "r");
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (maps && dwfl && dwfl_linux_proc_maps_report(dwfl, maps) == 0 &&
        dwfl_report_end(dwfl, NULL, NULL) == 0 &&
        dwfl_attach_state(dwfl, NULL, THE_THREAD, &thread, &copy))
        (void)dwfl_getthread_frames(dwfl, THE_THREAD, on_frame, &walk);
    if (dwfl)
        dwfl_end(dwfl);
    if (maps)
        fclose(maps);
    return walk.count;
}
