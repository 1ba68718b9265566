/* The symbolic allocator state: names for observed addresses, terms for states and results.
 *
 * Every call is a pair of uninterpreted functions over a state symbol: result = result_model(op,
 * args, ALO) and ALO' = state_update(op, args, ALO). Two runs that made the same calls from the
 * same state have equal terms; what the two builds really answered is turned into *names* that mean
 * the same under any address layout. Equal terms with different names are a difference
 * (oracles/compare/behaviour.h).
 *
 * One struct assay_symbols is one build's run. It judges nothing and reads no memory of a subject.
 * Host only (allocates). Terms exist only in a total order: serial replay, one process. Source:
 * ../../ARCHITECTURE.md, "symbolic allocator state". */
#ifndef ASSAY_SYMBOL_H
#define ASSAY_SYMBOL_H

#include <stdbool.h>

#include "traces/event.h"

/* How an address is named, in order of preference: the first that applies. */
enum assay_name_kind {
    ASSAY_NAME_NONE,   /* nothing to name: the op bears nothing */
    ASSAY_NAME_NULL,   /* a refusal */
    ASSAY_NAME_BASE,   /* base of what freed object `object` was: reuse */
    ASSAY_NAME_INSIDE, /* inside what object `object` was, at +offset */
    ASSAY_NAME_AFTER, /* next to object `object`, live or freed, which ends at most 128 bytes before
                         it and starts at -offset */
    ASSAY_NAME_BEFORE, /* next to object `object`, live or freed, which starts `offset` bytes after
                          this one's end */
    ASSAY_NAME_FRESH,  /* in the `object`-th stretch of fresh address space, at signed +offset from
                          its first address */
    ASSAY_NAME_COUNT
};

struct assay_name {
    uint8_t kind; /* enum assay_name_kind */
    uint32_t object;
    uint64_t offset; /* bytes */
};

/* A term: 128-bit digest of a hash-consed expression. Equal digests are equal terms. */
struct assay_term {
    uint64_t low, high;
};

struct assay_symbols;

/* Returns NULL when memory is out. */
struct assay_symbols *assay_symbols_create(void);
void assay_symbols_free(struct assay_symbols *symbols);

/* Names the result of an executed op, in the state before it; for a resize the operand counts as
 * given up. To be followed by assay_symbols_bind with the same event. */
struct assay_name assay_symbols_name(const struct assay_symbols *symbols,
                                     const struct assay_event *event);
/* Advances the run over an executed event: ends its operand, binds the born object to its address.
 * Returns 0, ASSAY_E_MEMORY or ASSAY_E_LIMIT (then the symbols are unusable). */
int assay_symbols_bind(struct assay_symbols *symbols, const struct assay_event *event);

enum { ASSAY_NOWHERE = UINT32_MAX };
/* Could this run have answered so too? Returns 0 if what the name denotes is free here, the number
 * of the live object that stands in its way, or ASSAY_NOWHERE if the name denotes nothing in this
 * run. */
uint32_t assay_symbols_blocker(const struct assay_symbols *symbols, const struct assay_name *name);

/* True if the object is live in this run. */
bool assay_symbols_live(const struct assay_symbols *symbols, uint32_t object);

/* "base of freed object 12", "next to object 7, at +48", "NULL", ...; size as snprintf's. */
int assay_name_print(char *text, size_t size, const struct assay_name *name);
bool assay_name_equal(const struct assay_name *a, const struct assay_name *b);

/* state_update: the state after the op. `operand` is the symbol of the op's object argument (its
 * birth number where it is live, 0 where it is not). */
struct assay_term assay_term_update(struct assay_term state, const struct assay_event *op,
                                    uint32_t operand);
/* result_model: the result of the op in that state. */
struct assay_term assay_term_result(struct assay_term state, const struct assay_event *op,
                                    uint32_t operand);
/* The n-th fresh state symbol, common to both runs. ALO_0 is fresh(0). */
struct assay_term assay_term_fresh(uint64_t n);
bool assay_term_equal(struct assay_term a, struct assay_term b);

#endif
