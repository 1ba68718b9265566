/* The rows of mutants.def as conditions: bw_mutant(name) is a constant 0 in the product, where
 * nothing of them is left. In the one library that holds them all (BW_MUTANTS, tests/mutants) one
 * row at most is true. */
#ifndef BW_MUTANT_H
#define BW_MUTANT_H

#include <stdint.h>

#define BW_MUTANT(name, what, properties, why) bw_mutant_index_##name,
enum bw_mutant_index {
    bw_mutant_index_none,
#include "mutants.def"
    bw_mutant_index_end
};
#undef BW_MUTANT

#ifdef BW_MUTANTS
extern uint32_t bw_mutant_chosen;
#define bw_mutant(name) (bw_mutant_chosen == bw_mutant_index_##name)
/* Before the first allocation: the row that the library's own file is named after
 * (libbulwark-NAME.so), else the one whose name or number, from 1, BULWARK_MUTANT gives. Never
 * allocates; a name that is no row's ends the process. */
void bw_mutant_choose(void);
#else
#define bw_mutant(name) ((int)bw_mutant_index_##name < 0)
static inline void bw_mutant_choose(void) {}
#endif

#endif
