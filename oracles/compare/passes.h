/* Programs that do the same again and again (C31, and threads side by side): the pass that they
 * repeat, and how to make one from a pass. So a program of tens of thousands of ops is minimised,
 * printed and written as C as what it is. Host only. */
#ifndef ASSAY_PASSES_H
#define ASSAY_PASSES_H

#include "traces/event.h"

struct assay_passes {
    size_t length;     /* ops of one pass: the first of the program */
    uint32_t born;     /* objects that it bears, by number, */
    uint64_t deaths;   /* and with those of TURNOVER ops */
    size_t count;      /* how often it is made */
    uint32_t measures; /* what is measured, a bit per enum assay_measure, when 2^k passes are
                          behind; 0: nothing, and there is but the passes */
};

/* False: the program is not of that kind. */
bool assay_passes_find(const struct assay_event *ops, size_t n, struct assay_passes *ret_passes);
/* How many ops the whole is. */
size_t assay_passes_ops(const struct assay_passes *passes);
/* Writes the whole; out has room for assay_passes_ops, and may not overlap the pass. */
void assay_passes_expand(const struct assay_passes *passes, const struct assay_event *pass,
                         struct assay_event *out);
/* Another pass in place of the first, as often as before or as often as C31 asks for; where nothing
 * is measured so often that the whole is as long as it was. */
struct assay_passes assay_passes_of(const struct assay_passes *before,
                                    const struct assay_event *pass, size_t length);

#endif
