/* Where large objects stand: a range of whole pages with an unreadable gap of random size on each
 * side, in random cells of a reserved window. And spares: places that were made ready when an
 * object was freed, with the zeroed pages of that object, so that the next objects cost few page
 * faults and system calls. Nobody but the allocator knows where a spare stands. */
#ifndef BW_PLACE_H
#define BW_PLACE_H

#include "meta.h"

/* Chooses a place for object->usable bytes: address, cells and gaps of `object`. Under the lock. An
 * address of 0 says that the window has none or may not be used: bw_place_ready will ask the system
 * for one. */
void bw_place_choose(struct bw_large *large, struct bw_large_object *object, size_t alignment,
                     bool use_window);
/* Makes a chosen place readable and writable; zero. Needs no lock. false = out of memory, and the
 * place is still to be given up. */
bool bw_place_ready(struct bw_large_object *object, size_t alignment);
/* Unreadable and without pages, still reserved. Needs no lock. */
bool bw_place_close(const struct bw_large_object *object);
/* Anybody may have the addresses, which are closed. Under the lock. */
void bw_place_give_up(struct bw_large *large, const struct bw_large_object *object);

/* Takes the smallest spare that is large enough and not far too large, as `object` of which usable
 * is set. Under the lock. false = there is none. */
bool bw_spare_take(struct bw_large *large, struct bw_large_object *object);
/* What taking left to do: the bytes too many become unreadable. Needs no lock. false = no, and they
 * belong to the object, to be closed with it. */
bool bw_spare_trim(struct bw_large_object *object);
bool bw_spare_wanted(size_t usable);
/* The pages of the freed object `from` go to the chosen place of `spare`, cleared, if most of them
 * are in memory. Needs no lock. */
void bw_spare_fill(struct bw_large_object *spare, const struct bw_large_object *from);
/* Adds a spare; `closed` are those that it pushes out. Under the lock. Returns how many. */
unsigned bw_spare_add(struct bw_large *large, const struct bw_large_object *spare,
                      struct bw_large_object ret_out[bw_policy_large_spare_objects]);
/* Gives all of them up. Returns whether there was one. Under the lock. */
bool bw_spare_drop(struct bw_large *large);

#endif
