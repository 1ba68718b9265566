#include "constants.h"

#include "pages.h"

/* No page of any size that this machine may have holds anything else. */
enum { PAGE_MOST = 65536 };

static union {
    struct bw_constants constants;
    unsigned char pages[PAGE_MOST];
} place __attribute__((aligned(PAGE_MOST)));

extern struct bw_constants bw_constants __attribute__((alias("place")));

bool bw_constants_seal(void)
{
    return bw_policy_sealed_constants && bw_pages_seal(&place, sizeof place);
}
