/* USDT labels: places that a tracer finds by name (`readelf -n`) and can trap. Nobody looking, each
 * is a five-byte nop, which the kernel replaces without single-stepping. Provider "bulwark":
 *
 *     mem_allocate_start(size)       mem_allocate_end(address or 0, size)
 *     mem_free_start(address)        mem_free_end(address)
 *
 * A resize is a free of the old object around an allocation. The note is written here, because
 * distributions' sys/sdt.h makes one-byte nops. */
#ifndef BW_PROBES_H
#define BW_PROBES_H

#include "policy.h"

#if defined(__x86_64__)
#define BW_PROBE_NOP ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
#else
#define BW_PROBE_NOP "nop\n"
#endif

/* Name and description of the note as <sys/sdt.h> of SystemTap defines version 3. */
#define BW_PROBE_NOTE(name, arguments)                                                             \
    "990: " BW_PROBE_NOP ".pushsection .note.stapsdt, \"\", \"note\"\n"                            \
    ".balign 4\n"                                                                                  \
    ".4byte 992f-991f, 994f-993f, 3\n"                                                             \
    "991: .asciz \"stapsdt\"\n"                                                                    \
    "992: .balign 4\n"                                                                             \
    "993: .8byte 990b, _.stapsdt.base, 0\n"                                                        \
    ".asciz \"bulwark\"\n"                                                                         \
    ".asciz \"" #name "\"\n"                                                                       \
    ".asciz \"" arguments "\"\n"                                                                   \
    "994: .balign 4\n"                                                                             \
    ".popsection\n"                                                                                \
    ".ifndef _.stapsdt.base\n"                                                                     \
    ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"                    \
    ".weak _.stapsdt.base\n"                                                                       \
    ".hidden _.stapsdt.base\n"                                                                     \
    "_.stapsdt.base: .space 1\n"                                                                   \
    ".size _.stapsdt.base, 1\n"                                                                    \
    ".popsection\n"                                                                                \
    ".endif\n"

#define BW_PROBE1(name, a)                                                                         \
    do {                                                                                           \
        if (bw_policy_probes)                                                                      \
            __asm__ volatile(BW_PROBE_NOTE(name, "8@%0")::"r"(a));                                 \
    } while (0)
#define BW_PROBE2(name, a, b)                                                                      \
    do {                                                                                           \
        if (bw_policy_probes)                                                                      \
            __asm__ volatile(BW_PROBE_NOTE(name, "8@%0 8@%1")::"r"(a), "r"(b));                    \
    } while (0)

#endif
