/* Union-find over names (addresses and values), each class with the op at which it was first
 * united. Path halving, union by order of creation; open addressing on the name's digest. Host
 * only. */
#ifndef ASSAY_UNITE_H
#define ASSAY_UNITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_unite_node {
    uint64_t key; /* digest of the name, 0 = empty */
    uint64_t cause;
    uint32_t parent;
};

struct assay_unite {
    struct assay_unite_node *nodes; /* by number, from 1 */
    uint32_t *table;                /* key -> number */
    size_t count, capacity, table_capacity;
};

/* Unites the classes of two keys. Returns 0 or ASSAY_E_MEMORY. */
int assay_unite_join(struct assay_unite *unite, uint64_t a, uint64_t b, uint64_t cause);
/* True if both are in one class; then *ret_cause is the op that first united something of it. */
bool assay_unite_same(struct assay_unite *unite, uint64_t a, uint64_t b, uint64_t *ret_cause);
/* What stands for a key after substitution: the same number for all of a class; the key itself if
 * it was never united. */
uint64_t assay_unite_substitute(struct assay_unite *unite, uint64_t key);
/* True if the key was ever united; then *ret_cause is as above. */
bool assay_unite_known(struct assay_unite *unite, uint64_t key, uint64_t *ret_cause);
void assay_unite_clear(struct assay_unite *unite);

#endif
