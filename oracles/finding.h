/* A finding for people and for programs: what a violation means, whether it is the same as another,
 * and whether its profile lists it already.
 *
 * Host only (allocates; jansson, xxhash). A violation is data about a subject; this turns it into
 * words. The fingerprint says what kind of violation it is: property, op, size class, relation, and
 * of a crash the subject's function on top of the stack if symbols tell; never an address, an op
 * number or a seed, so that one bug is one report over runs, machines and rebuilds. */
#ifndef ASSAY_FINDING_H
#define ASSAY_FINDING_H

#include <jansson.h>
#include <stdio.h>

#include "oracles/judge.h"
#include "oracles/suppress.h"

enum { ASSAY_FINGERPRINT_BYTES = 17 }; /* 16 hex digits and a zero */

/* What fingerprints are made of. 1: the relation as it was seen; 2: of lost content (C10, C12, C16,
 * C17) only that it is lost. 3: of damage (C08) not who noticed it, of C20 no size class. 4: of C06
 * and C09 neither who notices nor what he sees, and the size of the object whose usable bytes it is
 * about. What was saved by an older scheme is known again by it. */
enum { ASSAY_FINGERPRINT_SCHEME = 4 };

/* "empty", "small" (to 1 KiB), "medium" (to 128 KiB), "large", "oversize" (over PTRDIFF_MAX). */
const char *assay_finding_size_class(const struct assay_violation *violation);
void assay_finding_fingerprint(const struct assay_violation *violation,
                               char ret_hex[ASSAY_FINGERPRINT_BYTES]);
/* Of races, where a bug shows in many ways: the less, the more exact is what it says. */
unsigned assay_finding_rank(const struct assay_violation *violation);
void assay_finding_fingerprint_by(unsigned scheme, const struct assay_violation *violation,
                                  char ret_hex[ASSAY_FINGERPRINT_BYTES]);
/* As far as fingerprints go: from what finding.json tells. False: it names what there is not. */
bool assay_finding_known(const json_t *finding, struct assay_violation *ret_violation);
/* Whether a line that names a property, an op and a relation (0: any) means it: it does where the
 * finding that the line names would have the fingerprint of this one. Of races, whose fingerprint
 * is that of any damage, the line means only what it says. */
bool assay_finding_named(const struct assay_violation *violation, unsigned property, unsigned kind,
                         unsigned relation);
/* The reason for which the profile accepts it, or NULL. Owned by the profile. */
const char *assay_finding_accepted(const struct assay_violation *violation,
                                   const struct assay_profile *profile);
/* Several lines: property and statement, the op, what was expected and seen, and, if the program's
 * events are given, the history of the objects concerned. */
void assay_finding_text(FILE *out, const struct assay_violation *violation, const char *subject,
                        const struct assay_event *events, size_t count);
/* One line: "C05 malloc small overlap-partial: ...". */
void assay_finding_line(char *ret_text, size_t bytes, const struct assay_violation *violation);
/* property op fingerprint subject severity statement source relation size_class op_index object
 * other evidence, of a crash crash_class and function if known. Holds no addresses. New reference,
 * NULL when out of memory. */
json_t *assay_finding_json(const struct assay_violation *violation, const char *subject);
/* "malloc(40)", "realloc(object 3, 16)". */
void assay_finding_call(char *ret_text, size_t bytes, const struct assay_event *event);

struct assay_circumstances; /* oracles/finding_report.h */

/* One report per fingerprint. */
struct assay_finding {
    struct assay_violation violation; /* the first one */
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    uint64_t count;
    const char *accepted; /* reason, NULL if new */
    bool suppressed;      /* the reason is a suppression's, not the profile's */
    struct assay_circumstances *circumstances; /* of the first one, NULL if not known */
};

struct assay_finding_set;

/* The profile is copied. NULL when out of memory. */
struct assay_finding_set *assay_finding_set_create(const struct assay_profile *profile);
/* Findings that a suppression fits count as accepted from now on. Both must outlive the set. */
void assay_finding_set_suppress(struct assay_finding_set *set,
                                struct assay_suppressions *suppressions, const char *subject);
/* Returns the finding, and true in *ret_first when it is the first of its kind; NULL when out of
 * memory. Valid until the set is freed. */
const struct assay_finding *assay_finding_set_add(struct assay_finding_set *set,
                                                  const struct assay_violation *violation,
                                                  bool *ret_first);
/* Keeps a copy beside a finding of the set, unless it has one; does nothing when out of memory. */
void assay_finding_set_describe(struct assay_finding_set *set, const struct assay_finding *finding,
                                const struct assay_circumstances *circumstances);
/* Kinds of findings in order of appearance, accepted ones included. */
size_t assay_finding_set_count(const struct assay_finding_set *set);
/* Kinds that are neither accepted by the profile nor suppressed. */
size_t assay_finding_set_new(const struct assay_finding_set *set);
/* Kinds that a suppression fits; what the profile accepts is not among them. */
size_t assay_finding_set_suppressed(const struct assay_finding_set *set);
const struct assay_finding *assay_finding_set_get(const struct assay_finding_set *set, size_t i);
void assay_finding_set_free(struct assay_finding_set *set);

#endif
