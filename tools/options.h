/* What every command's option table shares, on top of argp.
 *
 * A command has a static struct argp whose children are assay_common_children (or, where it shows
 * progress, assay_progress_children, with --quiet) and whose parser starts with
 *     case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
 * and is parsed by assay_options_parse(). That gives --json, --help, --usage, --version and the
 * same wording of errors everywhere. Completion and the test that --help agrees with the man page
 * read the same tables through --help. Wrong usage is one line on stderr and exit 2. */
#ifndef ASSAY_OPTIONS_H
#define ASSAY_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/emit.h"
#include "tools/human.h"

struct assay_common {
    struct assay_emit emit;
    bool quiet; /* no progress */
};

extern const struct argp_child assay_common_children[], assay_progress_children[];

/* Keys of long-only options start here: enum { KEY_ORDER = ASSAY_KEY_FIRST, KEY_TOUCH, ... }. */
enum { ASSAY_KEY_FIRST = 0x200, ASSAY_KEY_JSON = 0x1000 };

/* Parses. `flags` are argp's (ARGP_IN_ORDER for a command that ends with another command's line).
 * Exits with 2 on wrong usage and with 0 after --help. */
void assay_options_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                         void *input);

/* For parsers: one line "assay show: <text>; 'assay show --help' lists the options" and exit 2.
 * Never returns in practice; the value lets a parser say `return assay_usage(...)`. */
error_t assay_usage(const struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For a text that says itself where to look. */
error_t assay_usage_without_hint(const struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* As assay_usage with the text of err, "--name: " before it when name is not NULL. */
error_t assay_usage_error(const struct argp_state *state, const char *name,
                          const struct assay_error *err);

/* For an argument of which there is one: keeps it, or says that it is the second `what` ("trace").
 */
error_t assay_option_single(const struct argp_state *state, const char **place, char *arg,
                            const char *what);
/* Refuses the subject 'recorded', which only replay has; subject may be NULL. */
error_t assay_option_not_recorded(const struct argp_state *state, const char *name,
                                  const char *subject);

/* The value of an option, or exit 2. `name` is the long option's name without dashes. A duration
 * is more than 0. */
uint64_t assay_option_duration(const struct argp_state *state, const char *name, const char *arg);
uint64_t assay_option_size(const struct argp_state *state, const char *name, const char *arg);
uint64_t assay_option_number(const struct argp_state *state, const char *name, const char *arg,
                             uint64_t min, uint64_t max);
/* Index of arg in choices (NULL-terminated), or exit 2 with the choices in the line. */
int assay_option_choice(const struct argp_state *state, const char *name, const char *arg,
                        const char *const *choices);

#endif
