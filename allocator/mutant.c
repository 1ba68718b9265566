/* Which mutant this process has. Not in the product. */
#include "mutant.h"

#ifdef BW_MUTANTS

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps.h"
#include "options.h"

uint32_t bw_mutant_chosen;

static const char *const names[] = {
    "mutants", /* the library under its own name: none */
#define BW_MUTANT(name, what, properties, why) #name,
#include "mutants.def"
#undef BW_MUTANT
};

static const char before[] = "libbulwark-", after[] = ".so";

static bool is_number_of(const char *text, size_t length, uint32_t index)
{
    char digits[3] = {(char)('0' + index / 10), (char)('0' + index % 10), '\0'};
    const char *number = index < 10 ? digits + 1 : digits;
    return strlen(number) == length && memcmp(number, text, length) == 0;
}

static _Noreturn void refuse(const char *text, size_t length)
{
    static const char start[] = "bulwark: there is no mutant '", end[] = "'\n";
    (void)!write(STDERR_FILENO, start, sizeof start - 1);
    (void)!write(STDERR_FILENO, text, length);
    (void)!write(STDERR_FILENO, end, sizeof end - 1);
    abort();
}

static void choose(const char *text, size_t length)
{
    for (uint32_t i = 0; i < bw_mutant_index_end; i++) {
        bool is_name = strlen(names[i]) == length && memcmp(names[i], text, length) == 0;
        if (is_name || is_number_of(text, length, i)) {
            bw_mutant_chosen = i;
            return;
        }
    }
    refuse(text, length);
}

/* The file's name is the kernel's, so it holds whatever way led to the library. */
__attribute__((constructor)) void bw_mutant_choose(void)
{
    struct bw_maps_name place;
    char buffer[128];
    size_t known = sizeof before - 1;
    int saved = errno;
    static bool is_chosen;
    if (is_chosen)
        return;
    is_chosen = true;
    if (bw_maps_find((const void *)(uintptr_t)bw_mutant_choose, &place) &&
        strncmp(place.name, before, known) == 0) {
        const char *end = strstr(place.name, after);
        choose(place.name + known,
               end != NULL ? (size_t)(end - place.name) - known : strlen(place.name + known));
    }
    const char *text = bw_mutant_chosen != 0
                           ? NULL
                           : bw_environment_find("BULWARK_MUTANT=", buffer, sizeof buffer);
    if (text != NULL)
        choose(text, strnlen(text, sizeof buffer));
    errno = saved;
}

#endif
