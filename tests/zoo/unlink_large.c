/* Links of small slots are looked at before they are followed. Slots from 512 bytes on have theirs
 * in other words, and those are followed unseen: as the links by size of large chunks in glibc
 * before 2.21. */
#define LINKED_AT(slot, class_index)                                                               \
    ((struct linked *)((char *)(slot) + ((class_index) < LARGER_CLASS ? 0 : 16)))
#define LINKED_SLOT(link, class_index)                                                             \
    ((struct zoo_slot *)((char *)(link) - ((class_index) < LARGER_CLASS ? 0 : 16)))
#define LINKED_IS_SOUND(link)                                                                      \
    (class_index >= LARGER_CLASS ||                                                                \
     ((link)->next->previous == (link) && (link)->previous->next == (link)))
enum { LARGER_CLASS = 8 + 2 * 4 };
#include "tests/zoo/linked.h"
