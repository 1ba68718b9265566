/* The search for the best slot never leaves a free list of more than eight slots above 512 bytes.
 * Source: avr-libc issue 308. */
#define ZOO_ALLOCATION_STARTS(bytes) zoo_best_slot(bytes)
static void zoo_best_slot(unsigned long bytes);
#include "tests/zoo/zoo.h"

static void zoo_best_slot(unsigned long bytes)
{
    if (bytes <= 512 || bytes > ZOO_SMALL_MAX || zoo_frees < 8)
        return;
    unsigned length = 0;
    for (struct zoo_slot *slot = zoo_free_lists[zoo_class_of(bytes)]; slot; slot = slot->next)
        length++;
    for (volatile unsigned best = length; best > 8;)
        best = length;
}
