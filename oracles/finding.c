#include "oracles/finding.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "oracles/crash_site.h"
#include "oracles/finding_report.h"
#include "traces/core/printable.h"

const char *assay_finding_size_class(const struct assay_violation *violation)
{
    uint32_t band = violation->size_band; /* band b: 2^(b-1) <= size < 2^b */
    if (band == 0)
        return "empty";
    if (band <= 10)
        return "small";
    if (band <= 17)
        return "medium";
    return band <= 63 ? "large" : "oversize";
}

/* Where content is missing that a call should have put there, what stands in its place is what the
 * memory held before: that changes from run to run, the bug does not. */
static unsigned relation_that_counts(const struct assay_violation *violation, unsigned scheme)
{
    bool content = violation->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
                   violation->relation <= ASSAY_RELATION_CONTENT_UNKNOWN;
    switch (violation->property) {
    case ASSAY_PROPERTY_C06:
        return scheme > 3 && violation->relation == ASSAY_RELATION_OVERLAP_SAME_START
                   ? (unsigned)ASSAY_RELATION_OVERLAP_PARTIAL
                   : violation->relation;
    case ASSAY_PROPERTY_C09:
        return scheme > 3 && content ? (unsigned)ASSAY_RELATION_CONTENT_UNKNOWN
                                     : violation->relation;
    case ASSAY_PROPERTY_C10:
    case ASSAY_PROPERTY_C12:
    case ASSAY_PROPERTY_C16:
    case ASSAY_PROPERTY_C17:
        return content ? (unsigned)ASSAY_RELATION_CONTENT_UNKNOWN : violation->relation;
    default: return violation->relation;
    }
}

/* Damage is noticed by whoever looks next: a check, a release of whatever kind, a resize. */
static const char *op_that_counts(const struct assay_violation *violation, unsigned scheme)
{
    bool content = violation->relation >= ASSAY_RELATION_CONTENT_ZEROED &&
                   violation->relation <= ASSAY_RELATION_CONTENT_UNKNOWN;
    if (violation->relation == ASSAY_RELATION_REPORT) /* who wrote it, when, was not seen */
        return "any";
    bool usable =
        violation->property == ASSAY_PROPERTY_C06 || violation->property == ASSAY_PROPERTY_C09;
    return (scheme > 2 && violation->property == ASSAY_PROPERTY_C08 && content) ||
                   (scheme > 3 && usable)
               ? "any"
               : assay_op_info(violation->kind)->name;
}

/* What posix_memalign leaves behind when it refuses has to do with its alignment, if with anything.
 */
static const char *size_class_that_counts(const struct assay_violation *violation)
{
    return violation->property == ASSAY_PROPERTY_C20 || violation->relation == ASSAY_RELATION_REPORT
               ? "any"
               : assay_finding_size_class(violation);
}

void assay_finding_fingerprint(const struct assay_violation *violation,
                               char ret_hex[ASSAY_FINGERPRINT_BYTES])
{
    assay_finding_fingerprint_by(ASSAY_FINGERPRINT_SCHEME, violation, ret_hex);
}

/* How an unordered pair of calls does its damage is chance: which call is hit, and whether two get
 * one place, one finds the other's content, or the subject stumbles over it. */
static const char *raced(const struct assay_violation *violation)
{
    bool stopped = violation->relation == ASSAY_RELATION_CRASH ||
                   violation->relation == ASSAY_RELATION_ABORT ||
                   violation->relation == ASSAY_RELATION_REPORT;
    switch (violation->property) {
    case ASSAY_PROPERTY_C05:
    case ASSAY_PROPERTY_C06:
    case ASSAY_PROPERTY_C08:
    case ASSAY_PROPERTY_C09: return "damage";
    case ASSAY_PROPERTY_C26:
    case ASSAY_PROPERTY_C28: return stopped ? "damage" : "";
    default: return "";
    }
}

unsigned assay_finding_rank(const struct assay_violation *violation)
{
    switch (violation->property) {
    case ASSAY_PROPERTY_C05: return 0;
    case ASSAY_PROPERTY_C06: return 1;
    case ASSAY_PROPERTY_C08: return 2;
    case ASSAY_PROPERTY_C09: return 3;
    default: return 4;
    }
}

void assay_finding_fingerprint_by(unsigned scheme, const struct assay_violation *violation,
                                  char ret_hex[ASSAY_FINGERPRINT_BYTES])
{
    unsigned relation = scheme > 1 ? relation_that_counts(violation, scheme) : violation->relation;
    char key[256];
    if (violation->races) {
        const char *what = raced(violation);
        int n = snprintf(key, sizeof key, "races|%s|%s",
                         what[0] ? what : assay_property_info(violation->property)->id,
                         violation->relation == ASSAY_RELATION_HANG ? "hang" : "");
        snprintf(ret_hex, ASSAY_FINGERPRINT_BYTES, "%016" PRIx64,
                 (uint64_t)XXH3_64bits(key, (size_t)n));
        return;
    }
    int length = snprintf(
        key, sizeof key, "%s|%s|%s|%s", assay_property_info(violation->property)->id,
        op_that_counts(violation, scheme),
        scheme > 2 ? size_class_that_counts(violation) : assay_finding_size_class(violation),
        assay_relation_name(relation));
    if (violation->function[0])
        length += snprintf(key + length, sizeof key - (size_t)length, "|%.*s",
                           (int)sizeof violation->function, violation->function);
    snprintf(ret_hex, ASSAY_FINGERPRINT_BYTES, "%016" PRIx64,
             (uint64_t)XXH3_64bits(key, (size_t)length));
}

static const char *word_of(const json_t *finding, const char *key)
{
    const char *text = json_string_value(json_object_get(finding, key));
    return text ? text : "";
}

bool assay_finding_known(const json_t *finding, struct assay_violation *ret_violation)
{
    static const uint32_t bands[] = {0, 1, 11, 18, 64}; /* one of each size class */
    struct assay_violation v = {.property =
                                    (uint16_t)assay_property_by_id(word_of(finding, "property"))};
    const char *op = word_of(finding, "op");
    bool sized = false;
    v.kind = (uint8_t)assay_op_by_name(op, strlen(op));
    v.relation = (uint8_t)assay_relation_by_name(word_of(finding, "relation"));
    for (size_t i = 0; i < sizeof bands / sizeof *bands && !sized; i++) {
        v.size_band = bands[i];
        sized = strcmp(assay_finding_size_class(&v), word_of(finding, "size_class")) == 0;
    }
    snprintf(v.function, sizeof v.function, "%s", word_of(finding, "function"));
    v.races = json_is_true(json_object_get(finding, "races"));
    *ret_violation = v;
    return v.property && v.kind && v.relation && sized;
}

bool assay_finding_named(const struct assay_violation *violation, unsigned property, unsigned kind,
                         unsigned relation)
{
    char own[ASSAY_FINGERPRINT_BYTES], meant[ASSAY_FINGERPRINT_BYTES];
    struct assay_violation named = *violation;
    if (property != violation->property)
        return false;
    if (violation->races)
        return (!kind || kind == violation->kind) && (!relation || relation == violation->relation);
    if (kind)
        named.kind = (uint8_t)kind;
    if (relation)
        named.relation = (uint8_t)relation;
    assay_finding_fingerprint(violation, own);
    assay_finding_fingerprint(&named, meant);
    return strcmp(own, meant) == 0;
}

const char *assay_finding_accepted(const struct assay_violation *violation,
                                   const struct assay_profile *profile)
{
    if (violation->property == ASSAY_PROPERTY_C32 && profile->merges != ASSAY_ANSWER_YES)
        return "the profile does not promise that what is freed is merged";
    for (uint32_t i = 0; i < profile->accepted_count && i < ASSAY_PROFILE_ACCEPTED_MAX; i++) {
        const struct assay_accepted *accepted = &profile->accepted[i];
        if (assay_finding_named(violation, accepted->property, accepted->kind, accepted->relation))
            return accepted->reason;
    }
    return NULL;
}

/* ---- words ---- */

static const char *errno_name(uint64_t code)
{
    const char *name = code <= 4095 ? strerrorname_np((int)code) : NULL;
    return name ? name : "an unknown code";
}

static const char *signal_name(uint64_t number)
{
    const char *name = number < NSIG ? sigabbrev_np((int)number) : NULL;
    return name ? name : "?";
}

static const char *measured(const struct assay_event *event)
{
    static const char *const names[ASSAY_MEASURES] = {[ASSAY_MEASURE_RESIDENT] = "resident bytes",
                                                      [ASSAY_MEASURE_MAPPINGS] = "mappings",
                                                      [ASSAY_MEASURE_SPACE] =
                                                          "bytes of address space"};
    return event->arg < ASSAY_MEASURES ? names[event->arg] : "?";
}

void assay_finding_call(char *ret_text, size_t bytes, const struct assay_event *event)
{
    char *text = ret_text;
    char operand[48] = "";
    if (event->place == ASSAY_PLACE_NULL ||
        (event->place == ASSAY_PLACE_OBJECT && event->object == 0))
        snprintf(operand, sizeof operand, "NULL");
    else if (event->place == ASSAY_PLACE_OBJECT)
        snprintf(operand, sizeof operand, "object %" PRIu32, event->object);
    else
        snprintf(operand, sizeof operand, "%s", assay_place_name(event->place));
    const char *name = assay_op_info(event->kind)->name;
    switch (event->kind) {
    case ASSAY_OP_NONE: snprintf(text, bytes, "no call in hand"); return;
    case ASSAY_OP_MALLOC:
    case ASSAY_OP_VALLOC:
    case ASSAY_OP_PVALLOC: snprintf(text, bytes, "%s(%" PRIu64 ")", name, event->size); return;
    case ASSAY_OP_CALLOC:
    case ASSAY_OP_ALIGNED_ALLOC:
    case ASSAY_OP_MEMALIGN:
        snprintf(text, bytes, "%s(%" PRIu64 ", %" PRIu64 ")", name, event->arg, event->size);
        return;
    case ASSAY_OP_POSIX_MEMALIGN:
        snprintf(text, bytes, "%s(&out, %" PRIu64 ", %" PRIu64 ")", name, event->arg, event->size);
        return;
    case ASSAY_OP_REALLOC:
    case ASSAY_OP_REZALLOC:
    case ASSAY_OP_FREE_SIZED:
        snprintf(text, bytes, "%s(%s, %" PRIu64 ")", name, operand, event->size);
        return;
    case ASSAY_OP_REALLOCARRAY:
    case ASSAY_OP_FREE_ALIGNED_SIZED:
        snprintf(text, bytes, "%s(%s, %" PRIu64 ", %" PRIu64 ")", name, operand, event->arg,
                 event->size);
        return;
    case ASSAY_OP_READ:
    case ASSAY_OP_WRITE:
        snprintf(text, bytes, "%s(%s + %" PRIu64 ", %" PRIu64 " bytes)", name, operand, event->arg,
                 event->size);
        return;
    case ASSAY_OP_CHECK:
        snprintf(text, bytes, "check(%s)", event->object ? operand : "all live objects");
        return;
    case ASSAY_OP_TRIM: snprintf(text, bytes, "%s(0)", name); return;
    case ASSAY_OP_GOOD_SIZE: snprintf(text, bytes, "%s(%" PRIu64 ")", name, event->size); return;
    case ASSAY_OP_STATISTICS:
        snprintf(text, bytes, "%s().uordblks%s", name, event->arg ? " + hblkhd" : "");
        return;
    case ASSAY_OP_HEAP_WALK: snprintf(text, bytes, "%s()", name); return;
    case ASSAY_OP_MEASURE: snprintf(text, bytes, "%s(%s)", name, measured(event)); return;
    case ASSAY_OP_LIMIT: snprintf(text, bytes, "%s(%" PRIu64 ")", name, event->size); return;
    case ASSAY_OP_TURNOVER:
        snprintf(text, bytes, "%s(%" PRIu64 " of %" PRIu64 " bytes)", name, event->arg,
                 event->size);
        return;
    case ASSAY_OP_CONTEXT:
        snprintf(text, bytes, "%s(%s, %" PRIu64 ")", name, assay_context_name((unsigned)event->arg),
                 event->size);
        return;
    default: snprintf(text, bytes, "%s(%s)", name, operand); return;
    }
}

static void seen_other(char *text, size_t bytes, const struct assay_violation *v)
{
    switch (v->property) {
    case ASSAY_PROPERTY_C02:
    case ASSAY_PROPERTY_C03:
    case ASSAY_PROPERTY_C14:
    case ASSAY_PROPERTY_C16:
    case ASSAY_PROPERTY_C21:
        if (v->offset != 0)
            snprintf(text, bytes, "expected %" PRIu64 " bytes, seen %" PRIu64, v->expected,
                     v->seen);
        else
            snprintf(text, bytes,
                     "expected an address that is a multiple of %" PRIu64
                     ", seen one that is %" PRIu64 " off",
                     v->expected, v->seen);
        return;
    case ASSAY_PROPERTY_C04:
    case ASSAY_PROPERTY_C13:
    case ASSAY_PROPERTY_C24:
        snprintf(text, bytes, "expected a usable size of %" PRIu64 ", seen %" PRIu64, v->expected,
                 v->seen);
        return;
    case ASSAY_PROPERTY_C07:
        snprintf(text, bytes, "the address lies in memory of the program's own");
        return;
    case ASSAY_PROPERTY_C20: snprintf(text, bytes, "*out was changed by a failed call"); return;
    case ASSAY_PROPERTY_C25:
        snprintf(text, bytes, "expected a good size of %" PRIu64 ", seen %" PRIu64, v->expected,
                 v->seen);
        return;
    case ASSAY_PROPERTY_C36:
        snprintf(text, bytes,
                 "the same calls in two fresh processes were answered otherwise: %s differs",
                 v->offset == 0 ? "the placement" : "the answer");
        return;
    case ASSAY_PROPERTY_C34:
        if (v->kind == ASSAY_OP_HEAP_WALK)
            snprintf(text, bytes,
                     "%" PRIu64 " objects are not shown as they are, object %" PRIu32 " first",
                     v->seen, v->other);
        else
            snprintf(text, bytes, "expected at %s %" PRIu64 " bytes in use, seen %" PRIu64,
                     v->offset ? "most" : "least", v->expected, v->seen);
        return;
    case ASSAY_PROPERTY_T01:
        snprintf(text, bytes, "the program used memory that it had not allocated");
        return;
    case ASSAY_PROPERTY_T02:
    case ASSAY_PROPERTY_T03:
        snprintf(text, bytes, "the program had freed object %" PRIu32 " at op %" PRIu64, v->object,
                 v->expected);
        return;
    case ASSAY_PROPERTY_C31:
        snprintf(text, bytes,
                 "%s go on growing: %" PRIu64 " after %" PRIu64 " passes, %" PRIu64
                 " after %" PRIu64,
                 measured(&v->event), v->expected, v->event.size / 2, v->seen, v->event.size);
        return;
    case ASSAY_PROPERTY_T04:
        snprintf(text, bytes, "the program freed what it had not allocated");
        return;
    case ASSAY_PROPERTY_T05:
        snprintf(text, bytes, "object %" PRIu32 ", allocated at op %" PRIu64 ", was never freed",
                 v->object, v->expected);
        return;
    default: snprintf(text, bytes, "expected %" PRIu64 ", seen %" PRIu64, v->expected, v->seen);
    }
}

static void seen_text(char *text, size_t bytes, const struct assay_violation *v)
{
    switch (v->relation) {
    case ASSAY_RELATION_OVERLAP_SAME_START:
        snprintf(text, bytes, "object %" PRIu32 " was put at the address of live object %" PRIu32,
                 v->object, v->other);
        return;
    case ASSAY_RELATION_OVERLAP_PARTIAL:
        if (v->property == ASSAY_PROPERTY_C37)
            snprintf(text, bytes,
                     "rounded to capability bounds, object %" PRIu32 " and live object %" PRIu32
                     " reach into each other",
                     v->object, v->other);
        else
            snprintf(text, bytes, "object %" PRIu32 " shares %sbytes with live object %" PRIu32,
                     v->object, v->property == ASSAY_PROPERTY_C06 ? "usable " : "", v->other);
        return;
    case ASSAY_RELATION_NULL:
        snprintf(text, bytes, "expected memory, seen a null pointer with %s",
                 v->seen ? errno_name(v->seen) : "no error");
        return;
    case ASSAY_RELATION_NOT_NULL:
        snprintf(text, bytes, "expected a null pointer, seen an address");
        return;
    case ASSAY_RELATION_WRONG_ERRNO:
        snprintf(text, bytes, "expected %s, seen %s",
                 v->expected ? errno_name(v->expected) : "errno unchanged",
                 v->seen ? errno_name(v->seen) : "errno unchanged");
        return;
    case ASSAY_RELATION_CONTENT_ZEROED:
    case ASSAY_RELATION_CONTENT_FOREIGN:
    case ASSAY_RELATION_CONTENT_STALE:
    case ASSAY_RELATION_CONTENT_UNKNOWN:
        snprintf(text, bytes,
                 "object %" PRIu32 " at offset %" PRIu64 ": expected %016" PRIx64
                 ", seen %016" PRIx64,
                 v->object, v->offset, v->expected, v->seen);
        if (v->relation == ASSAY_RELATION_CONTENT_FOREIGN) {
            size_t used = strlen(text);
            snprintf(text + used, bytes - used, ", which is what object %" PRIu32 " holds",
                     v->other);
        }
        return;
    case ASSAY_RELATION_CRASH:
    case ASSAY_RELATION_ABORT:
        if (v->event.signal || v->seen) {
            int used = snprintf(text, bytes, "signal SIG%s",
                                signal_name(v->event.signal ? v->event.signal : v->seen));
            if (v->function[0])
                used += snprintf(text + used, bytes - (size_t)used, " in %.*s",
                                 (int)sizeof v->function, v->function);
            if (v->crash_class && v->crash_class != ASSAY_CRASH_UNEXPLAINED)
                snprintf(text + used, bytes - (size_t)used, " (%s)",
                         assay_crash_class_name(v->crash_class));
        } else
            snprintf(text, bytes,
                     "the memory of object %" PRIu32 " cannot be touched at offset %" PRIu64,
                     v->object, v->offset);
        return;
    case ASSAY_RELATION_HANG: snprintf(text, bytes, "the call never came back"); return;
    case ASSAY_RELATION_REPORT:
        snprintf(text, bytes, "a report of corruption was written, by this op or before it");
        return;
    case ASSAY_RELATION_UNDETECTED:
        snprintf(text, bytes, "expected the program to be stopped, seen silence");
        return;
    default: seen_other(text, bytes, v); return;
    }
}

void assay_finding_line(char *ret_text, size_t bytes, const struct assay_violation *violation)
{
    char seen[256], op[160];
    seen_text(seen, sizeof seen, violation);
    if (violation->event.kind == violation->kind)
        assay_finding_call(op, sizeof op, &violation->event);
    else
        snprintf(op, sizeof op, "%s", assay_op_info(violation->kind)->name);
    snprintf(ret_text, bytes, "%s %s %s %s: %s", assay_property_info(violation->property)->id, op,
             assay_finding_size_class(violation), assay_relation_name(violation->relation), seen);
}

static bool concerns(const struct assay_event *event, uint32_t number)
{
    if (number == 0 || event->kind == ASSAY_OP_EVIDENCE)
        return false;
    return event->object == number || (assay_event_bears(event) && event->born == number);
}

static void print_history(FILE *out, const struct assay_violation *v,
                          const struct assay_event *events, size_t count)
{
    enum { LINES_MAX = 40 };
    unsigned lines = 0;
    for (size_t i = 0; i < count && i <= v->op_index && lines < LINES_MAX; i++) {
        char op[160];
        if (!concerns(&events[i], v->object) && !concerns(&events[i], v->other) && i != v->op_index)
            continue;
        if (lines++ == 0)
            fprintf(out, "  history\n");
        assay_finding_call(op, sizeof op, &events[i]);
        fprintf(out, "    op %zu: %s", i, op);
        if (assay_event_bears(&events[i]) && (events[i].flags & ASSAY_FLAG_EXECUTED)) {
            if (events[i].address == ASSAY_ADDRESS_NULL)
                fprintf(out, " -> null%s%s", events[i].error ? ", " : "",
                        events[i].error ? errno_name(events[i].error) : "");
            else if (events[i].born)
                fprintf(out, " -> object %" PRIu32 " at 0x%" PRIx64, events[i].born,
                        events[i].address);
        }
        fputc('\n', out);
    }
}

void assay_finding_text(FILE *out, const struct assay_violation *violation, const char *subject,
                        const struct assay_event *events, size_t count)
{
    const struct assay_property_info *info = assay_property_info(violation->property);
    char fingerprint[ASSAY_FINGERPRINT_BYTES], op[160], seen[256];
    struct assay_printable shown;
    assay_finding_fingerprint(violation, fingerprint);
    assay_finding_call(op, sizeof op, &violation->event);
    seen_text(seen, sizeof seen, violation);
    fprintf(out, "%s violated by %s: %s\n", info->id, assay_printable(&shown, subject),
            info->statement);
    fprintf(out, "  op %" PRIu64 ": %s", violation->op_index, op);
    if (violation->races)
        fprintf(out, " by thread %u", violation->event.thread);
    fputc('\n', out);
    fprintf(out, "  %s\n", seen);
    fprintf(out, "  severity %s, size class %s, relation %s, fingerprint %s\n",
            assay_severity_name(info->severity), assay_finding_size_class(violation),
            assay_relation_name(violation->relation), fingerprint);
    fprintf(out, "  source: %s\n", info->source);
    if (events)
        print_history(out, violation, events, count);
}

/* Results are byte-identical from run to run, so addresses stay out. */
static json_t *evidence_json(const struct assay_violation *v)
{
    json_t *evidence = json_object();
    char hex[24];
    int bad = 0;
    switch (v->relation) {
    case ASSAY_RELATION_OVERLAP_SAME_START:
    case ASSAY_RELATION_OVERLAP_PARTIAL:
    case ASSAY_RELATION_NOT_NULL:
    case ASSAY_RELATION_UNDETECTED:
    case ASSAY_RELATION_REPORT:
    case ASSAY_RELATION_HANG: break;
    case ASSAY_RELATION_NULL:
    case ASSAY_RELATION_WRONG_ERRNO:
        if (v->relation == ASSAY_RELATION_WRONG_ERRNO)
            bad |= json_object_set_new(evidence, "expected_errno",
                                       json_string(v->expected ? errno_name(v->expected) : "0"));
        bad |= json_object_set_new(evidence, "errno",
                                   json_string(v->seen ? errno_name(v->seen) : "0"));
        break;
    case ASSAY_RELATION_CRASH:
    case ASSAY_RELATION_ABORT:
        bad |= json_object_set_new(evidence, "signal", json_integer(v->event.signal));
        break;
    case ASSAY_RELATION_CONTENT_ZEROED:
    case ASSAY_RELATION_CONTENT_FOREIGN:
    case ASSAY_RELATION_CONTENT_STALE:
    case ASSAY_RELATION_CONTENT_UNKNOWN:
        bad |= json_object_set_new(evidence, "offset", json_integer((json_int_t)v->offset));
        snprintf(hex, sizeof hex, "%016" PRIx64, v->expected);
        bad |= json_object_set_new(evidence, "expected_bytes", json_string(hex));
        if (v->relation != ASSAY_RELATION_CONTENT_UNKNOWN) {
            snprintf(hex, sizeof hex, "%016" PRIx64, v->seen);
            bad |= json_object_set_new(evidence, "seen_bytes", json_string(hex));
        }
        break;
    default:
        if (v->property == ASSAY_PROPERTY_C07 || v->property == ASSAY_PROPERTY_C20)
            break;
        bad |= json_object_set_new(evidence, "expected", json_integer((json_int_t)v->expected));
        bad |= json_object_set_new(evidence, "seen", json_integer((json_int_t)v->seen));
    }
    if (evidence && bad) {
        json_decref(evidence);
        return NULL;
    }
    return evidence;
}

/* JSON has no names that are not UTF-8. */
static json_t *subject_json(const char *subject)
{
    struct assay_printable shown;
    json_t *name = json_string(subject);
    return name ? name : json_string(assay_printable(&shown, subject));
}

json_t *assay_finding_json(const struct assay_violation *violation, const char *subject)
{
    const struct assay_property_info *info = assay_property_info(violation->property);
    char fingerprint[ASSAY_FINGERPRINT_BYTES], op[160];
    assay_finding_fingerprint(violation, fingerprint);
    assay_finding_call(op, sizeof op, &violation->event);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o}",
                  "property", info->id, "op", assay_op_info(violation->kind)->name, "fingerprint",
                  fingerprint, "subject", subject_json(subject), "severity",
                  assay_severity_name(info->severity), "statement", info->statement, "source",
                  info->source, "relation", assay_relation_name(violation->relation), "size_class",
                  assay_finding_size_class(violation), "call", op, "op_index",
                  (json_int_t)violation->op_index, "object", (json_int_t)violation->object, "other",
                  (json_int_t)violation->other, "evidence", evidence_json(violation));
    if (object)
        json_object_set_new(object, "fingerprint_scheme", json_integer(ASSAY_FINGERPRINT_SCHEME));
    if (object && violation->crash_class)
        json_object_set_new(object, "crash_class",
                            json_string(assay_crash_class_name(violation->crash_class)));
    if (object && violation->races)
        json_object_set_new(object, "races", json_true());
    if (object && violation->function[0])
        json_object_set_new(object, "function", json_string(violation->function));
    return object;
}

/* ---- one report per fingerprint ---- */

struct assay_finding_set {
    struct assay_profile profile;
    struct assay_suppressions *suppressions; /* NULL: none */
    const char *subject;
    struct assay_finding **findings;
    size_t count, capacity, accepted, suppressed; /* accepted: suppressed ones too */
};

struct assay_finding_set *assay_finding_set_create(const struct assay_profile *profile)
{
    struct assay_finding_set *set = calloc(1, sizeof *set);
    if (set)
        set->profile = *profile;
    return set;
}

void assay_finding_set_suppress(struct assay_finding_set *set,
                                struct assay_suppressions *suppressions, const char *subject)
{
    set->suppressions = suppressions;
    set->subject = subject;
}

/* Why it is none to be told of, or NULL. */
static const char *reason_for(const struct assay_finding_set *set,
                              const struct assay_violation *violation, bool *ret_suppressed)
{
    const char *accepted = assay_finding_accepted(violation, &set->profile);
    const struct assay_suppression *suppression = NULL;
    if (!accepted && set->suppressions)
        suppression = assay_suppressed(set->suppressions, violation, set->subject, true);
    *ret_suppressed = suppression != NULL;
    return suppression ? suppression->reason : accepted;
}

const struct assay_finding *assay_finding_set_add(struct assay_finding_set *set,
                                                  const struct assay_violation *violation,
                                                  bool *ret_first)
{
    char fingerprint[ASSAY_FINGERPRINT_BYTES];
    assay_finding_fingerprint(violation, fingerprint);
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->findings[i]->fingerprint, fingerprint) == 0) {
            set->findings[i]->count++;
            *ret_first = false;
            return set->findings[i];
        }
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 16;
        struct assay_finding **grown = reallocarray(set->findings, capacity, sizeof *grown);
        if (!grown)
            return NULL;
        set->findings = grown;
        set->capacity = capacity;
    }
    struct assay_finding *finding = calloc(1, sizeof *finding);
    if (!finding)
        return NULL;
    finding->violation = *violation;
    memcpy(finding->fingerprint, fingerprint, sizeof fingerprint);
    finding->count = 1;
    finding->accepted = reason_for(set, violation, &finding->suppressed);
    set->accepted += finding->accepted != NULL;
    set->suppressed += finding->suppressed;
    set->findings[set->count++] = finding;
    *ret_first = true;
    return finding;
}

void assay_finding_set_describe(struct assay_finding_set *set, const struct assay_finding *finding,
                                const struct assay_circumstances *circumstances)
{
    for (size_t i = 0; i < set->count; i++) {
        struct assay_finding *own = set->findings[i];
        if (own != finding || own->circumstances)
            continue;
        own->circumstances = malloc(sizeof *own->circumstances);
        if (own->circumstances)
            *own->circumstances = *circumstances;
    }
}

size_t assay_finding_set_count(const struct assay_finding_set *set)
{
    return set->count;
}

size_t assay_finding_set_new(const struct assay_finding_set *set)
{
    return set->count - set->accepted;
}

size_t assay_finding_set_suppressed(const struct assay_finding_set *set)
{
    return set->suppressed;
}

const struct assay_finding *assay_finding_set_get(const struct assay_finding_set *set, size_t i)
{
    return i < set->count ? set->findings[i] : NULL;
}

void assay_finding_set_free(struct assay_finding_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->findings[i]->circumstances);
        free(set->findings[i]);
    }
    free(set->findings);
    free(set);
}
