/* Where large objects stand: a range of whole pages with an unreadable gap of random size on each
 * side, in random cells of a reserved window. And spares: places that were made ready when an
 * object was freed, with the zeroed pages of that object, so that the next objects cost few page
 * faults and system calls. Nobody but the allocator knows where a spare stands. */
#ifndef BW_PLACE_H
#define BW_PLACE_H

#include "meta.h"
#include "pages.h"

/* How long the tail of an object of so many bytes should be, see bw_large_object. */
size_t bw_place_tail(const struct bw_pages *pages, size_t usable);
/* Chooses a place for object->usable bytes and object->tail: address, cells and gaps of `object`.
 * Under the lock. An address of 0 says that the window has none or may not be used: bw_place_ready
 * will ask the system for one. */
void bw_place_choose(struct bw_large *large, struct bw_large_object *object, size_t alignment,
                     bool use_window);
/* Makes a chosen place readable and writable, but for its tail; zero. That of an object of size 0
 * stays unreadable. Needs no lock. false = out of memory, and the place is still to be given up. */
bool bw_place_ready(const struct bw_pages *pages, struct bw_large_object *object, size_t alignment);
/* So many bytes, not more than bw_place_room, are readable from now on; new ones are zero. Needs no
 * lock. false = no, and nothing has changed. */
bool bw_place_fit(const struct bw_pages *pages, struct bw_large_object *object, size_t usable);
size_t bw_place_room(const struct bw_pages *pages, const struct bw_large_object *object);
/* Gives `to`, a chosen place with as much room at least, the pages of `from`, whose place is
 * reserved then. Needs no lock. false = no, and nothing has changed. *ret_lost = the place that
 * should have no pages now may be somebody else's: it is never to be given up. */
bool bw_place_move(const struct bw_pages *pages, struct bw_large_object *to,
                   const struct bw_large_object *from, bool *ret_lost);
/* Unreadable and without pages, still reserved. Needs no lock. */
bool bw_place_close(const struct bw_large *large, const struct bw_large_object *object);
/* Anybody may have the addresses, which are closed. Under the lock. */
void bw_place_give_up(struct bw_large *large, const struct bw_large_object *object);

/* Takes the spare whose size is nearest, if it is near, as `object` of which size and usable are
 * set; its own usable is to be made to fit. Under the lock. false = there is none. */
bool bw_spare_take(struct bw_large *large, struct bw_large_object *object);
bool bw_spare_wanted(size_t usable);
/* The pages of the freed object `from` go to the chosen place of `spare`, and are cleared there,
 * out of reach of who still writes to the freed object, if enough of them are in memory. Needs no
 * lock. *ret_lost as above, of whichever has no pages. Returns whether they went; spare->cells is 0
 * then if the spare could neither be cleared nor closed: its place is lost. */
bool bw_spare_fill(const struct bw_pages *pages, struct bw_large_object *spare,
                   const struct bw_large_object *from, bool *ret_lost);
/* Adds a spare; `closed` are those that it pushes out. Under the lock. Returns how many. */
unsigned bw_spare_add(struct bw_large *large, const struct bw_large_object *spare,
                      struct bw_large_object ret_out[bw_policy_large_spare_objects]);
/* Gives all of them up. Returns whether there was one. Under the lock. */
bool bw_spare_drop(struct bw_large *large);

#endif
