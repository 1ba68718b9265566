/* Instructions as text, and the memory operand that the registers give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "traces/core/disassemble.h"

#if defined(__x86_64__)
enum { RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, RIP = 16, REGISTERS };

static void text_and_length(void **state)
{
    static const uint8_t code[] = {0x55, 0x48, 0x8b, 0x47, 0x08, 0xc3, 0x06}; /* 06: no code */
    struct assay_instruction lines[8];
    (void)state;
    assert_int_equal(assay_disassemble(code, sizeof code, 0x1000, lines, 8), 3);
    assert_string_equal(lines[1].text, "mov rax, qword ptr [rdi + 8]");
    assert_int_equal(lines[1].address, 0x1001);
    assert_int_equal(lines[2].address, 0x1005);
    assert_int_equal(assay_disassemble(code, sizeof code, 0x1000, lines, 2), 2);
}

static void operands_by_registers(void **state)
{
    struct assay_memory_operand operand;
    uint64_t registers[REGISTERS] = {[RDI] = 0x5000, [RCX] = 3, [RIP] = 0x400000};
    (void)state;
    static const uint8_t load[] = {0x48, 0x8b, 0x44, 0xcf, 0x10}; /* mov rax, [rdi + rcx*8 + 16] */
    assert_int_equal(assay_disassemble_operand(load, sizeof load, registers, false, 0, &operand),
                     ASSAY_INSTRUCTION_OTHER);
    assert_true(operand.present && operand.reads && !operand.writes && !operand.other_registers);
    assert_int_equal(operand.address, 0x5000 + 24 + 16);
    assert_int_equal(operand.bytes, 8);
    assert_string_equal(operand.text, "[rdi + rcx*8 + 0x10]");
    static const uint8_t store[] = {0xc6, 0x05, 0x10, 0, 0, 0, 1}; /* mov byte [rip + 16], 1 */
    assay_disassemble_operand(store, sizeof store, registers, false, 0, &operand);
    assert_true(operand.writes && !operand.reads);
    assert_int_equal(operand.address, 0x400000 + 7 + 16);
    static const uint8_t segment[] = {0x64, 0x48, 0x8b, 0x07}; /* mov rax, fs:[rdi] */
    assay_disassemble_operand(segment, sizeof segment, registers, false, 0, &operand);
    assert_true(operand.present && operand.other_registers);
    static const uint8_t lea[] = {0x48, 0x8d, 0x47, 0x08};
    assay_disassemble_operand(lea, sizeof lea, registers, false, 0, &operand);
    assert_false(operand.present);
}

/* movsb reads and writes: the fault says which of the two it was. */
static void the_operand_that_faulted(void **state)
{
    struct assay_memory_operand operand;
    uint64_t registers[REGISTERS] = {[RDI] = 0x5000, [RSI] = 0x6000};
    static const uint8_t code[] = {0xa4};
    (void)state;
    assay_disassemble_operand(code, sizeof code, registers, true, 0x6000, &operand);
    assert_int_equal(operand.address, 0x6000);
    assay_disassemble_operand(code, sizeof code, registers, true, 0x5000, &operand);
    assert_int_equal(operand.address, 0x5000);
}

static void kinds(void **state)
{
    struct assay_memory_operand operand;
    uint64_t registers[REGISTERS] = {0};
    (void)state;
    static const uint8_t ret[] = {0xc3}, ud2[] = {0x0f, 0x0b}, call[] = {0xff, 0xd0}, none[] = {6};
    assert_int_equal(assay_disassemble_operand(ret, 1, registers, false, 0, &operand),
                     ASSAY_INSTRUCTION_RETURN);
    assert_int_equal(assay_disassemble_operand(ud2, 2, registers, false, 0, &operand),
                     ASSAY_INSTRUCTION_TRAP);
    assert_int_equal(assay_disassemble_operand(call, 2, registers, false, 0, &operand),
                     ASSAY_INSTRUCTION_JUMP);
    assert_int_equal(assay_disassemble_operand(none, 1, registers, false, 0, &operand),
                     ASSAY_INSTRUCTION_OTHER);
    assert_false(operand.present);
    assert_string_equal(assay_register_name(5), "rdi");
    assert_string_equal(assay_register_name(99), "?");
}
#endif

int main(void)
{
#if defined(__x86_64__)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_length),
        cmocka_unit_test(operands_by_registers),
        cmocka_unit_test(the_operand_that_faulted),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 5;
#endif
}
