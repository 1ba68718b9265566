/* The table of large objects: open addressing by address, in a guarded mapping of its own. Callers
 * hold the lock of `large`; a pointer into the table holds until the next call here. */
#ifndef BW_TABLE_H
#define BW_TABLE_H

#include "meta.h"

/* NULL where no object starts at the address. */
struct bw_large_object *bw_large_find(const struct bw_large *large, uintptr_t address);
/* Room for one more, which bw_large_insert relies on. false = out of memory. */
bool bw_large_make_room(struct bw_large *large);
void bw_large_insert(struct bw_large *large, const struct bw_large_object *object);
void bw_large_erase(struct bw_large *large, struct bw_large_object *object);
void bw_large_table_drop(struct bw_large *large);

#endif
