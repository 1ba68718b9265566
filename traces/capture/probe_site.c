/* See probe_site.h. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capstone/capstone.h>

#include "traces/capture/probe_site.h"

enum { WALK_BYTES_MAX = 64, NEEDED_MAX = 64, SYMBOL_BYTES_MAX = 1 << 16 };

static const unsigned cost_ns[] = {
    [ASSAY_SITE_NOP5] = 362,   [ASSAY_SITE_NOP] = 490,      [ASSAY_SITE_PUSH] = 510,
    [ASSAY_SITE_BRANCH] = 550, [ASSAY_SITE_STEPPED] = 9900,
};

const char *assay_site_kind_name(enum assay_site_kind kind)
{
    switch (kind) {
    case ASSAY_SITE_NOP5: return "nop5";
    case ASSAY_SITE_NOP: return "nop";
    case ASSAY_SITE_PUSH: return "push";
    case ASSAY_SITE_BRANCH: return "branch";
    case ASSAY_SITE_STEPPED: return "stepped";
    }
    return "unknown";
}

/* ---- code ---- */

/* The nops of the kernel's table x86_nops[], by length. Longer ones are single-stepped. */
static bool is_kernel_nop(const uint8_t *code, size_t length)
{
    static const uint8_t nops[9][8] = {
        {0},
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    return length >= 1 && length <= 8 && memcmp(code, nops[length], length) == 0;
}

/* The class of one instruction. Judged by its bytes, as the kernel does: a disassembler's idea of a
 * nop (endbr64 among them) is wider than the kernel's. */
static enum assay_site_kind classify(const uint8_t *code, size_t length)
{
    if (is_kernel_nop(code, length))
        return length == 5 ? ASSAY_SITE_NOP5 : ASSAY_SITE_NOP;
    if (length == 1 && code[0] >= 0x50 && code[0] <= 0x57)
        return ASSAY_SITE_PUSH;
    if (length == 2 && code[0] == 0x41 && code[1] >= 0x50 && code[1] <= 0x57)
        return ASSAY_SITE_PUSH;
    if ((length == 2 && (code[0] == 0xeb || (code[0] >= 0x70 && code[0] <= 0x7f))) ||
        (length == 5 && (code[0] == 0xe9 || code[0] == 0xe8)) ||
        (length == 6 && code[0] == 0x0f && code[1] >= 0x80 && code[1] <= 0x8f))
        return ASSAY_SITE_BRANCH;
    return ASSAY_SITE_STEPPED;
}

static bool is_argument_or_stack(unsigned reg)
{
    switch (reg) {
    case X86_REG_RDI:
    case X86_REG_EDI:
    case X86_REG_DI:
    case X86_REG_DIL:
    case X86_REG_RSI:
    case X86_REG_ESI:
    case X86_REG_SI:
    case X86_REG_SIL:
    case X86_REG_RDX:
    case X86_REG_EDX:
    case X86_REG_DX:
    case X86_REG_DL:
    case X86_REG_DH:
    case X86_REG_RSP:
    case X86_REG_ESP:
    case X86_REG_SP:
    case X86_REG_SPL: return true;
    default: return false;
    }
}

/* True if the walk may go past this instruction: control goes on to the next one and the arguments
 * and the stack pointer stay. What Capstone cannot tell counts as a no. */
static bool passable(csh handle, const cs_insn *insn)
{
    if (cs_insn_group(handle, insn, X86_GRP_JUMP) || cs_insn_group(handle, insn, X86_GRP_CALL) ||
        cs_insn_group(handle, insn, X86_GRP_RET) || cs_insn_group(handle, insn, X86_GRP_INT) ||
        cs_insn_group(handle, insn, X86_GRP_IRET) || insn->id == X86_INS_SYSCALL ||
        insn->id == X86_INS_UD2 || insn->id == X86_INS_HLT)
        return false;
    cs_regs reads, writes;
    uint8_t n_reads = 0, n_writes = 0;
    if (cs_regs_access(handle, insn, reads, &n_reads, writes, &n_writes) != CS_ERR_OK)
        return false;
    for (unsigned i = 0; i < n_writes; i++)
        if (is_argument_or_stack(writes[i]))
            return false;
    return true;
}

/* True if some direct branch of the function lands in (symbol, site]: then the site is reached more
 * than once in a call, or by a path that skipped what stands before it. */
static bool is_branch_target(csh handle, const uint8_t *code, size_t n, uint64_t function,
                             uint64_t site)
{
    cs_insn *insn = cs_malloc(handle);
    if (!insn)
        return true;
    bool found = false;
    uint64_t address = function;
    for (const uint8_t *at = code; n > 0 && !found;) {
        if (!cs_disasm_iter(handle, &at, &n, &address, insn)) {
            at++, n--, address++; /* data between code: step over it */
            continue;
        }
        const cs_x86 *x86 = &insn->detail->x86;
        if (cs_insn_group(handle, insn, X86_GRP_JUMP) && x86->op_count == 1 &&
            x86->operands[0].type == X86_OP_IMM) {
            uint64_t target = (uint64_t)x86->operands[0].imm;
            found = target > function && target <= site;
        }
    }
    cs_free(insn, 1);
    return found;
}

void assay_probe_site_in_code(const uint8_t *code, size_t n, uint64_t address,
                              struct assay_probe_site *ret_site)
{
    *ret_site = (struct assay_probe_site){.function = address,
                                          .address = address,
                                          .kind = ASSAY_SITE_STEPPED,
                                          .cost_ns = cost_ns[ASSAY_SITE_STEPPED]};
    csh handle;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
        return;
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    cs_insn *insn = cs_malloc(handle);
    const uint8_t *at = code;
    size_t left = n < WALK_BYTES_MAX ? n : WALK_BYTES_MAX;
    uint64_t next = address;
    while (insn && left > 0 && cs_disasm_iter(handle, &at, &left, &next, insn)) {
        unsigned after = (unsigned)(insn->address - address);
        enum assay_site_kind kind = classify(code + after, insn->size);
        if (kind != ASSAY_SITE_STEPPED) {
            if (after == 0 || !is_branch_target(handle, code, n, address, insn->address)) {
                ret_site->after = after;
                ret_site->offset = after;
                ret_site->address = insn->address;
                ret_site->kind = kind;
                ret_site->cost_ns = cost_ns[kind];
            }
            break;
        }
        if (!passable(handle, insn))
            break;
    }
    if (insn)
        cs_free(insn, 1);
    cs_close(&handle);
}

/* ---- files ---- */

struct assay_probe_file {
    int fd;
    Elf *elf;
    char *path;
    char *interpreter;
    char *runpath;
    char *needed[NEEDED_MAX + 1];
    char build_id[2 * 64 + 1];
};

static void read_dynamic(struct assay_probe_file *file, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t needed = 0;
    const char *rpath = NULL, *runpath = NULL;
    for (int i = 0; data; i++) {
        GElf_Dyn dyn;
        if (!gelf_getdyn(data, i, &dyn) || dyn.d_tag == DT_NULL)
            break;
        if (dyn.d_tag != DT_NEEDED && dyn.d_tag != DT_RUNPATH && dyn.d_tag != DT_RPATH)
            continue;
        const char *text = elf_strptr(file->elf, header->sh_link, dyn.d_un.d_val);
        if (!text)
            continue;
        if (dyn.d_tag == DT_NEEDED && needed < NEEDED_MAX)
            file->needed[needed++] = strdup(text);
        else if (dyn.d_tag == DT_RUNPATH)
            runpath = text;
        else if (dyn.d_tag == DT_RPATH)
            rpath = text;
    }
    if (runpath || rpath)
        file->runpath = strdup(runpath ? runpath : rpath);
}

static void read_build_id(struct assay_probe_file *file, Elf_Scn *section)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Nhdr note;
    size_t name_at, text_at;
    for (size_t at = 0; data && (at = gelf_getnote(data, at, &note, &name_at, &text_at)) > 0;) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_descsz > sizeof file->build_id / 2 - 1 ||
            note.n_namesz != sizeof "GNU" ||
            memcmp((char *)data->d_buf + name_at, "GNU", sizeof "GNU") != 0)
            continue;
        for (size_t i = 0; i < note.n_descsz; i++)
            snprintf(file->build_id + 2 * i, 3, "%02x", ((uint8_t *)data->d_buf)[text_at + i]);
        return;
    }
}

static void read_sections(struct assay_probe_file *file)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(file->elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header))
            continue;
        if (header.sh_type == SHT_DYNAMIC)
            read_dynamic(file, section, &header);
        else if (header.sh_type == SHT_NOTE && file->build_id[0] == 0)
            read_build_id(file, section);
    }
}

static void read_interpreter(struct assay_probe_file *file)
{
    size_t n = 0;
    char path[4096];
    if (elf_getphdrnum(file->elf, &n) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_INTERP ||
            header.p_filesz == 0 || header.p_filesz > sizeof path)
            continue;
        ssize_t got = pread(file->fd, path, header.p_filesz, (off_t)header.p_offset);
        if (got == (ssize_t)header.p_filesz) {
            path[got - 1] = 0;
            file->interpreter = strdup(path);
        }
        return;
    }
}

int assay_probe_file_open(const char *path, struct assay_probe_file **ret_file,
                          struct assay_error *err)
{
    if (elf_version(EV_CURRENT) == EV_NONE)
        return assay_fail(err, ASSAY_E_UNSUPPORTED, "libelf is too old");
    struct assay_probe_file *file = calloc(1, sizeof *file);
    if (!file)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int rc = 0;
    GElf_Ehdr header;
    file->path = strdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        rc = assay_fail_errno(err, "cannot open '%s'", path);
        goto out;
    }
    file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
    if (!file->elf || elf_kind(file->elf) != ELF_K_ELF || !gelf_getehdr(file->elf, &header)) {
        rc = assay_fail(err, ASSAY_E_FORMAT, "'%s' is not an ELF file", path);
        goto out;
    }
    if (header.e_machine != EM_X86_64 || gelf_getclass(file->elf) != ELFCLASS64) {
        rc = assay_fail(err, ASSAY_E_UNSUPPORTED, "'%s' is not for x86-64", path);
        goto out;
    }
    read_interpreter(file);
    read_sections(file);
    *ret_file = file;
    return 0;
out:
    assay_probe_file_close(file);
    return rc;
}

void assay_probe_file_close(struct assay_probe_file *file)
{
    if (!file)
        return;
    if (file->elf)
        elf_end(file->elf);
    if (file->fd >= 0)
        close(file->fd);
    for (size_t i = 0; i < NEEDED_MAX; i++)
        free(file->needed[i]);
    free(file->interpreter);
    free(file->runpath);
    free(file->path);
    free(file);
}

const char *assay_probe_file_interpreter(const struct assay_probe_file *file)
{
    return file->interpreter;
}

const char *assay_probe_file_needed(const struct assay_probe_file *file, size_t i)
{
    return i < NEEDED_MAX ? file->needed[i] : NULL;
}

const char *assay_probe_file_runpath(const struct assay_probe_file *file)
{
    return file->runpath;
}

const char *assay_probe_file_build_id(const struct assay_probe_file *file)
{
    return file->build_id;
}

/* Finds the default version of a function that one symbol table defines for others. */
static bool find_in(Elf *elf, Elf_Scn *section, Elf_Scn *versions, const char *name,
                    GElf_Sym *ret_symbol)
{
    GElf_Shdr header;
    Elf_Data *data = elf_getdata(section, NULL);
    Elf_Data *version = versions ? elf_getdata(versions, NULL) : NULL;
    if (!data || !gelf_getshdr(section, &header) || header.sh_entsize == 0)
        return false;
    size_t n = header.sh_size / header.sh_entsize;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF ||
            GELF_ST_BIND(symbol.st_info) == STB_LOCAL)
            continue;
        unsigned type = GELF_ST_TYPE(symbol.st_info);
        const char *text = elf_strptr(elf, header.sh_link, symbol.st_name);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || !text || strcmp(text, name) != 0)
            continue;
        GElf_Versym number = 0;
        bool hidden = version && gelf_getversym(version, (int)i, &number) && (number & 0x8000) != 0;
        if (!found || !hidden)
            *ret_symbol = symbol;
        found = true;
        if (!hidden)
            break;
    }
    return found;
}

static bool find_symbol(const struct assay_probe_file *file, const char *name, GElf_Sym *ret_symbol)
{
    Elf_Scn *dynamic = NULL, *full = NULL, *versions = NULL;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(file->elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header))
            continue;
        if (header.sh_type == SHT_DYNSYM)
            dynamic = section;
        else if (header.sh_type == SHT_SYMTAB)
            full = section;
        else if (header.sh_type == SHT_GNU_versym)
            versions = section;
    }
    return (dynamic && find_in(file->elf, dynamic, versions, name, ret_symbol)) ||
           (full && find_in(file->elf, full, NULL, name, ret_symbol));
}

bool assay_probe_file_defines(const struct assay_probe_file *file, const char *symbol)
{
    GElf_Sym found;
    return find_symbol(file, symbol, &found);
}

static bool to_offset(const struct assay_probe_file *file, uint64_t address, uint64_t *ret_offset,
                      uint64_t *ret_left)
{
    size_t n = 0;
    if (elf_getphdrnum(file->elf, &n) != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_LOAD ||
            !(header.p_flags & PF_X) || address < header.p_vaddr ||
            address - header.p_vaddr >= header.p_filesz)
            continue;
        *ret_offset = address - header.p_vaddr + header.p_offset;
        *ret_left = header.p_filesz - (address - header.p_vaddr);
        return true;
    }
    return false;
}

int assay_probe_site_find(const struct assay_probe_file *file, const char *symbol,
                          struct assay_probe_site *ret_site, struct assay_error *err)
{
    GElf_Sym found;
    uint64_t offset, left;
    if (!find_symbol(file, symbol, &found))
        return assay_fail(err, ASSAY_E_NOT_FOUND, "'%s' does not define %s", file->path, symbol);
    if (GELF_ST_TYPE(found.st_info) == STT_GNU_IFUNC)
        return assay_fail(err, ASSAY_E_UNSUPPORTED, "%s in '%s' is resolved at run time", symbol,
                          file->path);
    if (!to_offset(file, found.st_value, &offset, &left))
        return assay_fail(err, ASSAY_E_FORMAT, "%s in '%s' lies outside its code", symbol,
                          file->path);
    size_t n = found.st_size ? found.st_size : WALK_BYTES_MAX;
    if (n > left)
        n = left;
    if (n > SYMBOL_BYTES_MAX)
        n = SYMBOL_BYTES_MAX;
    uint8_t *code = malloc(n ? n : 1);
    if (!code)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    ssize_t got = pread(file->fd, code, n, (off_t)offset);
    if (got <= 0) {
        free(code);
        return assay_fail(err, ASSAY_E_TRUNCATED, "cannot read %s in '%s'", symbol, file->path);
    }
    struct assay_probe_site site;
    assay_probe_site_in_code(code, (size_t)got, found.st_value, &site);
    free(code);
    site.offset = offset + site.after;
    *ret_site = site;
    return 0;
}
