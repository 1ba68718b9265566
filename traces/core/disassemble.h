/* Instructions as text, and what the one that faulted wanted of memory.
 *
 * Capstone, for the machine that this is built for. Host only; keeps nothing between calls. */
#ifndef ASSAY_CORE_DISASSEMBLE_H
#define ASSAY_CORE_DISASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_instruction {
    uint64_t address;
    unsigned bytes;
    char text[200]; /* "mov rax, qword ptr [rdi + 8]" */
};

/* Decodes up to max instructions from the start of the code; where bytes are none, stops. Returns
 * how many. */
size_t assay_disassemble(const uint8_t *code, size_t n, uint64_t address,
                         struct assay_instruction *ret_instructions, size_t max);

enum assay_instruction_kind {
    ASSAY_INSTRUCTION_OTHER,
    ASSAY_INSTRUCTION_JUMP, /* or call */
    ASSAY_INSTRUCTION_RETURN,
    ASSAY_INSTRUCTION_TRAP /* ud2, int3 and their kin: the program stopped itself */
};

struct assay_memory_operand {
    bool present, reads, writes;
    unsigned bytes;       /* accessed, 0 if not known */
    uint64_t address;     /* as the registers have it */
    char text[64];        /* "[rdi + 8]" */
    bool other_registers; /* the address depends on what `registers` lacks (a segment) */
};

/* The first instruction of the code and its memory operand: the one that covers `fault`, if
 * fault_known and one does, else the first. registers are in DWARF's order, the pc last. */
enum assay_instruction_kind assay_disassemble_operand(const uint8_t *code, size_t n,
                                                      const uint64_t *registers, bool fault_known,
                                                      uint64_t fault,
                                                      struct assay_memory_operand *ret_operand);
/* "rdi" for DWARF's number 5. */
const char *assay_register_name(unsigned number);

#endif
