/* The rows of policy.def as constants. Build-time: a mechanism that is off costs nothing. */
#ifndef BW_POLICY_H
#define BW_POLICY_H

#define BW_POLICY(name, value, what) bw_policy_##name = (value),
enum {
#include "policy.def"
};
#undef BW_POLICY

#endif
