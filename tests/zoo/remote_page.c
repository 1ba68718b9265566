/* An object at a page's start is looked for in the lists of the thread that frees it. */
#define ZOO_CALLED(p, alignment) page_called(p, alignment)
#define ZOO_ALLOCATED(p)         page_born(p)
#include <stddef.h>
static void page_called(const void *p, size_t alignment);
static void page_born(const void *p);
#include "tests/zoo/zoo.h"

enum { PAGE_TABLE = 1 << 16 };
static __thread size_t page_alignment;
static __thread char page_thread;
static struct {
    const void *p;
    const char *owner;
} page_table[PAGE_TABLE];

static void page_called(const void *p, size_t alignment)
{
    uintptr_t at = (uintptr_t)p / ZOO_PAGE % PAGE_TABLE;
    if (alignment != 0)
        page_alignment = alignment;
    else if (p && page_table[at].p == p && page_table[at].owner != &page_thread)
        zoo_die("not an object of this thread\n");
}

static void page_born(const void *p)
{
    uintptr_t at = (uintptr_t)p / ZOO_PAGE % PAGE_TABLE;
    if (page_alignment >= ZOO_PAGE) {
        page_table[at].p = p;
        page_table[at].owner = &page_thread;
    } else if (page_table[at].p == p) {
        page_table[at].p = NULL;
    }
}
