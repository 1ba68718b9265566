/* The rows of policy.def as constants, from the column of the variant that is built. Build-time: a
 * mechanism that is off costs nothing. Another BW_POLICY_FILE has other figures
 * (tests/bench/mechanisms). */
#ifndef BW_POLICY_H
#define BW_POLICY_H

#ifndef BW_POLICY_FILE
#define BW_POLICY_FILE "policy.def"
#endif

#define BW_VARIANT(name, what) bw_variant_##name,
#define BW_SCALED(name, what)  bw_variant_##name,
enum bw_variant {
#include "variants.def"
};
#undef BW_VARIANT
#undef BW_SCALED

#ifndef BW_VARIANT_BUILT
#define BW_VARIANT_BUILT default
#endif
#define BW_VARIANT_INDEX_(name) bw_variant_##name
#define BW_VARIANT_INDEX(name)  BW_VARIANT_INDEX_(name)
#define bw_variant_built        BW_VARIANT_INDEX(BW_VARIANT_BUILT)

#define BW_POLICY(name, default_, light, max, debug, flat, what)                                   \
    bw_policy_##name = bw_variant_built == bw_variant_default ? (default_)                         \
                       : bw_variant_built == bw_variant_light ? (light)                            \
                       : bw_variant_built == bw_variant_max   ? (max)                              \
                       : bw_variant_built == bw_variant_debug ? (debug)                            \
                                                              : (flat),
enum bw_policy {
#include BW_POLICY_FILE
};
#undef BW_POLICY

#endif
