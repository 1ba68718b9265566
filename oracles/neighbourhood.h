/* The objects that a violation concerns and those that stand near, as the model has them at that
 * moment: a snapshot that outlives the model.
 *
 * Places are relative to the start of one object, the focus: no addresses. Host only (allocates
 * while it looks). */
#ifndef ASSAY_NEIGHBOURHOOD_H
#define ASSAY_NEIGHBOURHOOD_H

#include "oracles/judge.h"
#include "oracles/model/model.h"

enum {
    ASSAY_NEIGHBOURS_MAX = 12,
    ASSAY_CONCERNED_MAX = 4,
    ASSAY_NEIGHBOURHOOD_REACH = 8192 /* bytes before and behind the focus */
};

struct assay_neighbour {
    uint32_t object;
    uint8_t state; /* enum assay_object_state */
    uint8_t api;   /* enum assay_op that bore it */
    bool usable_known;
    uint32_t birth, death; /* op index; death only of what is not live */
    uint64_t requested, usable;
    int64_t from; /* start, relative to the focus */
};

struct assay_neighbourhood {
    uint32_t focus; /* 0: nothing has a place, there is no picture */
    bool at_known;
    int64_t at; /* the byte that it is about, relative to the focus */
    unsigned concerned_count, near_count;
    struct assay_neighbour concerned[ASSAY_CONCERNED_MAX]; /* `from` holds only if it is near */
    struct assay_neighbour near[ASSAY_NEIGHBOURS_MAX];     /* by place; the focus is among them */
};

/* Where an address lies: in a live object, else where one lived last, else close to one (within
 * 256 bytes). Returns its number and the offset from its start, or 0. */
uint32_t assay_neighbourhood_find(const struct assay_model *model, uint64_t address,
                                  int64_t *ret_offset);
/* fault: an address that the violation is about, NULL if none. */
void assay_neighbourhood_take(const struct assay_model *model,
                              const struct assay_violation *violation, const uint64_t *fault,
                              struct assay_neighbourhood *ret_neighbourhood);
/* "live", "freed", ... */
const char *assay_object_state_name(unsigned state);

#endif
