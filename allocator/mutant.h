/* The rows of mutants.def as constants: all 0, but for the one that this build is. Costs nothing in
 * the product. */
#ifndef BW_MUTANT_H
#define BW_MUTANT_H

#define BW_MUTANT(name, file, what, properties, why) bw_mutant_index_##name,
enum {
#include "mutants.def"
    bw_mutant_index_none
};
#undef BW_MUTANT

#ifndef BW_MUTANT_BUILT
#define BW_MUTANT_BUILT none
#endif
#define BW_MUTANT_INDEX_(name) bw_mutant_index_##name
#define BW_MUTANT_INDEX(name)  BW_MUTANT_INDEX_(name)

#define BW_MUTANT(name, file, what, properties, why)                                               \
    bw_mutant_##name = bw_mutant_index_##name == BW_MUTANT_INDEX(BW_MUTANT_BUILT),
enum {
#include "mutants.def"
};
#undef BW_MUTANT

#endif
