#include "traces/core/disassemble.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#if defined(__aarch64__)
#define ARCHITECTURE CS_ARCH_ARM64
#define MODE         CS_MODE_ARM
#else
#define ARCHITECTURE CS_ARCH_X86
#define MODE         CS_MODE_64
#endif

size_t assay_disassemble(const uint8_t *code, size_t n, uint64_t address,
                         struct assay_instruction *ret_instructions, size_t max)
{
    csh handle;
    size_t count = 0;
    if (cs_open(ARCHITECTURE, MODE, &handle) != CS_ERR_OK)
        return 0;
    cs_insn *insn = cs_malloc(handle);
    while (insn && count < max && n > 0 && cs_disasm_iter(handle, &code, &n, &address, insn)) {
        struct assay_instruction *out = &ret_instructions[count++];
        out->address = insn->address;
        out->bytes = insn->size;
        snprintf(out->text, sizeof out->text, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "",
                 insn->op_str);
    }
    if (insn)
        cs_free(insn, 1);
    cs_close(&handle);
    return count;
}

#if defined(__aarch64__)

const char *assay_register_name(unsigned number)
{
    static const char *const names[] = {
        "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
        "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
        "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",  "pc"};
    return number < sizeof names / sizeof *names ? names[number] : "?";
}

static bool value_of(unsigned reg, const uint64_t *registers, uint64_t next, uint64_t *ret_value)
{
    (void)next;
    if (reg >= ARM64_REG_X0 && reg <= ARM64_REG_X28)
        *ret_value = registers[reg - ARM64_REG_X0];
    else if (reg == ARM64_REG_X29)
        *ret_value = registers[29];
    else if (reg == ARM64_REG_X30)
        *ret_value = registers[30];
    else if (reg == ARM64_REG_SP)
        *ret_value = registers[31];
    else
        return false;
    return true;
}

static void take_operands(const cs_insn *insn, const uint64_t *registers, bool fault_known,
                          uint64_t fault, struct assay_memory_operand *ret)
{
    const cs_arm64 *arm = &insn->detail->arm64;
    for (uint8_t i = 0; i < arm->op_count && !ret->present; i++) {
        const cs_arm64_op *op = &arm->operands[i];
        uint64_t base = 0, index = 0;
        if (op->type != ARM64_OP_MEM)
            continue;
        ret->present = true;
        ret->reads = strncmp(insn->mnemonic, "ld", 2) == 0;
        ret->writes = strncmp(insn->mnemonic, "st", 2) == 0;
        ret->other_registers = !value_of(op->mem.base, registers, 0, &base) ||
                               (op->mem.index && !value_of(op->mem.index, registers, 0, &index));
        ret->address = base + index + (uint64_t)(int64_t)op->mem.disp;
        if (fault_known)
            ret->address = fault;
        const char *bracket = strchr(insn->op_str, '[');
        snprintf(ret->text, sizeof ret->text, "%s", bracket ? bracket : "");
    }
}

static enum assay_instruction_kind kind_of(csh handle, const cs_insn *insn)
{
    if (insn->id == ARM64_INS_BRK || insn->id == ARM64_INS_HLT)
        return ASSAY_INSTRUCTION_TRAP;
    if (insn->id == ARM64_INS_RET)
        return ASSAY_INSTRUCTION_RETURN;
    return cs_insn_group(handle, insn, ARM64_GRP_JUMP) || insn->id == ARM64_INS_BL ||
                   insn->id == ARM64_INS_BLR
               ? ASSAY_INSTRUCTION_JUMP
               : ASSAY_INSTRUCTION_OTHER;
}

#else

static const struct {
    const char *name;
    x86_reg full, half;
} machine[] = {
    {"rax", X86_REG_RAX, X86_REG_EAX},  {"rdx", X86_REG_RDX, X86_REG_EDX},
    {"rcx", X86_REG_RCX, X86_REG_ECX},  {"rbx", X86_REG_RBX, X86_REG_EBX},
    {"rsi", X86_REG_RSI, X86_REG_ESI},  {"rdi", X86_REG_RDI, X86_REG_EDI},
    {"rbp", X86_REG_RBP, X86_REG_EBP},  {"rsp", X86_REG_RSP, X86_REG_ESP},
    {"r8", X86_REG_R8, X86_REG_R8D},    {"r9", X86_REG_R9, X86_REG_R9D},
    {"r10", X86_REG_R10, X86_REG_R10D}, {"r11", X86_REG_R11, X86_REG_R11D},
    {"r12", X86_REG_R12, X86_REG_R12D}, {"r13", X86_REG_R13, X86_REG_R13D},
    {"r14", X86_REG_R14, X86_REG_R14D}, {"r15", X86_REG_R15, X86_REG_R15D},
};
enum { MACHINE = sizeof machine / sizeof *machine };

const char *assay_register_name(unsigned number)
{
    return number < MACHINE ? machine[number].name : number == MACHINE ? "rip" : "?";
}

/* next: the address of the following instruction, which is what rip means in an operand. */
static bool value_of(unsigned reg, const uint64_t *registers, uint64_t next, uint64_t *ret_value)
{
    if (reg == X86_REG_RIP) {
        *ret_value = next;
        return true;
    }
    for (unsigned i = 0; i < MACHINE; i++) {
        if (reg != (unsigned)machine[i].full && reg != (unsigned)machine[i].half)
            continue;
        *ret_value = reg == (unsigned)machine[i].full ? registers[i] : (uint32_t)registers[i];
        return true;
    }
    return false;
}

static void take_operand(const cs_insn *insn, const cs_x86_op *op, const uint64_t *registers,
                         struct assay_memory_operand *ret)
{
    uint64_t base = 0, index = 0;
    *ret = (struct assay_memory_operand){.present = true,
                                         .reads = op->access & CS_AC_READ,
                                         .writes = op->access & CS_AC_WRITE,
                                         .bytes = op->size};
    bool known = (op->mem.base == X86_REG_INVALID ||
                  value_of(op->mem.base, registers, registers[MACHINE] + insn->size, &base)) &&
                 (op->mem.index == X86_REG_INVALID ||
                  value_of(op->mem.index, registers, registers[MACHINE] + insn->size, &index));
    ret->other_registers = !known || op->mem.segment == X86_REG_FS || op->mem.segment == X86_REG_GS;
    ret->address = base + index * (uint64_t)op->mem.scale + (uint64_t)op->mem.disp;
    const char *bracket = strchr(insn->op_str, '[');
    size_t length = bracket ? strcspn(bracket, "]") + 1 : 0;
    if (length < sizeof ret->text && bracket)
        memcpy(ret->text, bracket, length);
}

static void take_operands(const cs_insn *insn, const uint64_t *registers, bool fault_known,
                          uint64_t fault, struct assay_memory_operand *ret)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (insn->id == X86_INS_LEA || insn->id == X86_INS_NOP)
        return;
    for (uint8_t i = 0; i < x86->op_count; i++) {
        struct assay_memory_operand operand;
        if (x86->operands[i].type != X86_OP_MEM)
            continue;
        take_operand(insn, &x86->operands[i], registers, &operand);
        /* an access may begin before the page that it faults in; rep moves on by itself */
        bool hit = fault_known && fault - operand.address < (operand.bytes ? operand.bytes : 1);
        if (!ret->present || hit)
            *ret = operand;
        if (hit)
            return;
    }
}

static enum assay_instruction_kind kind_of(csh handle, const cs_insn *insn)
{
    if (insn->id == X86_INS_UD2 || insn->id == X86_INS_INT3 || insn->id == X86_INS_HLT)
        return ASSAY_INSTRUCTION_TRAP;
    if (cs_insn_group(handle, insn, X86_GRP_RET))
        return ASSAY_INSTRUCTION_RETURN;
    return cs_insn_group(handle, insn, X86_GRP_JUMP) || cs_insn_group(handle, insn, X86_GRP_CALL)
               ? ASSAY_INSTRUCTION_JUMP
               : ASSAY_INSTRUCTION_OTHER;
}

#endif

enum assay_instruction_kind assay_disassemble_operand(const uint8_t *code, size_t n,
                                                      const uint64_t *registers, bool fault_known,
                                                      uint64_t fault,
                                                      struct assay_memory_operand *ret_operand)
{
    csh handle;
    enum assay_instruction_kind kind = ASSAY_INSTRUCTION_OTHER;
    uint64_t address = 0;
    *ret_operand = (struct assay_memory_operand){0};
    if (cs_open(ARCHITECTURE, MODE, &handle) != CS_ERR_OK)
        return kind;
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    cs_insn *insn = cs_malloc(handle);
    if (insn && cs_disasm_iter(handle, &code, &n, &address, insn)) {
        kind = kind_of(handle, insn);
        take_operands(insn, registers, fault_known, fault, ret_operand);
    }
    if (insn)
        cs_free(insn, 1);
    cs_close(&handle);
    return kind;
}
