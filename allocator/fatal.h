/* The one exit of Bulwark: one line on stderr, then abort(); or the hook, where one is set. Callers
 * hold no lock, so a SIGABRT handler that allocates does not hang. Async-signal-safe. */
#ifndef BW_FATAL_H
#define BW_FATAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BW_SIZE_UNKNOWN SIZE_MAX
#define BW_NO_NUMBER    SIZE_MAX

struct bw_misuse {
    const char *rule;         /* "double free" */
    const void *address;      /* as the program passed it, or the object found damaged */
    size_t size;              /* requested size of the object, or BW_SIZE_UNKNOWN */
    const char *state;        /* "live", "quarantined", "free", "no object" */
    const char *detail;       /* NULL, or words into which `number` is put at the end */
    size_t number;            /* or BW_NO_NUMBER */
    const char *guess;        /* NULL, or what it looks like, with guess_object behind it */
    const void *guess_object; /* NULL: no address belongs to the guess */
    const char *seen;         /* NULL, or when it was noticed, where not at a call */
};

_Noreturn void bw_fatal(const struct bw_misuse *misuse);

#endif
