/* A finding at length, for people, in the shape of a sanitizer's report: what was violated, the
 * crash if it was one, the history of the objects concerned, and a picture of the memory around.
 *
 * The places in it are relative to one object: no addresses, so that two runs read the same. Host
 * only. */
#ifndef ASSAY_FINDING_REPORT_H
#define ASSAY_FINDING_REPORT_H

#include "oracles/crash_site.h"
#include "oracles/finding.h"
#include "oracles/neighbourhood.h"

/* What the host saw beside the violation. Plain data. */
struct assay_circumstances {
    struct assay_crash_site site; /* crash_class NONE: it was no crash */
    struct assay_neighbourhood around;
};

struct assay_finding_report {
    const struct assay_violation *violation;
    const char *subject;
    const struct assay_circumstances *circumstances; /* NULL: not known */
    const struct assay_event *ops;                   /* the program, NULL: not at hand */
    size_t count;
};

void assay_finding_report_text(FILE *out, const struct assay_finding_report *report);
/* Adds objects, neighbours and crash to what assay_finding_json() made. Returns 0, or -1 when out
 * of memory. */
int assay_finding_report_json(json_t *finding, const struct assay_circumstances *circumstances);

#endif
