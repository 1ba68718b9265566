#include "oracles/finding_report.h"

#include <inttypes.h>
#include <string.h>

enum { CELLS_PER_ROW = 16, ROWS_MAX = 12, CELL_BYTES_MIN = 16 };

static bool lives(const struct assay_neighbour *n)
{
    return n->state == ASSAY_OBJECT_LIVE || n->state == ASSAY_OBJECT_RESIZING;
}

/* ---- history ---- */

static bool ends(const struct assay_event *op, uint32_t object)
{
    enum assay_op_class op_class = assay_op_info(op->kind)->op_class;
    return op->place == ASSAY_PLACE_OBJECT && op->object == object &&
           (op_class == ASSAY_CLASS_RELEASE || op_class == ASSAY_CLASS_RESIZE);
}

/* Where threads call at the same time ops are numbered as they were made, not as they stand in the
 * program: there the object tells its op. */
static const struct assay_event *op_of(const struct assay_finding_report *report, uint32_t object,
                                       uint32_t index, bool birth)
{
    const struct assay_event *ops = report->ops;
    if (ops && index < report->count &&
        (birth ? ops[index].born == object : ends(&ops[index], object)))
        return &ops[index];
    for (size_t i = 0; ops && i < report->count; i++)
        if (birth ? ops[i].born == object : ends(&ops[i], object))
            return &ops[i];
    return NULL;
}

static void print_op(FILE *out, const struct assay_finding_report *report,
                     const struct assay_event *op, const char *otherwise)
{
    char call[160];
    bool threads = false;
    for (size_t i = 0; op && i < report->count && !threads; i++)
        threads = report->ops[i].thread != 0;
    if (op) {
        assay_finding_call(call, sizeof call, op);
        fprintf(out, ": %s", call);
        if (threads)
            fprintf(out, " by thread %u", op->thread);
    } else if (otherwise) {
        fprintf(out, ": %s", otherwise);
    }
    fputc('\n', out);
}

static void print_object(FILE *out, const struct assay_finding_report *report,
                         const struct assay_neighbour *n)
{
    fprintf(out, "object %" PRIu32 ": %" PRIu64 " bytes", n->object, n->requested);
    if (n->usable_known && n->usable != n->requested)
        fprintf(out, " (%" PRIu64 " usable)", n->usable);
    fprintf(out, ", %s\n", assay_object_state_name(n->state));
    fprintf(out, "    allocated at op %" PRIu32, n->birth);
    print_op(out, report, op_of(report, n->object, n->birth, true), assay_op_info(n->api)->name);
    if (lives(n))
        return;
    fprintf(out, "    freed at op %" PRIu32, n->death);
    print_op(out, report, op_of(report, n->object, n->death, false), NULL);
}

/* ---- picture ---- */

struct picture {
    const struct assay_neighbourhood *around;
    int64_t from, cell; /* bytes */
    unsigned rows;
};

static int64_t extent(const struct assay_neighbour *n)
{
    uint64_t bytes = n->usable > n->requested ? n->usable : n->requested;
    return bytes ? (int64_t)bytes : 1;
}

/* Live objects by capitals, freed ones by small letters, in the order of their places. */
static char letter(const struct picture *picture, unsigned i)
{
    return (char)((lives(&picture->around->near[i]) ? 'A' : 'a') + (int)i);
}

static char cell(const struct picture *picture, int64_t from)
{
    char seen = '.';
    bool slack = false;
    unsigned live = 0;
    for (unsigned i = 0; i < picture->around->near_count; i++) {
        const struct assay_neighbour *n = &picture->around->near[i];
        int64_t end = n->from + (n->requested ? (int64_t)n->requested : 1);
        if (n->from < from + picture->cell && end > from) {
            live += lives(n);
            if (seen == '.' || lives(n))
                seen = letter(picture, i);
        } else if (lives(n) && n->from < from + picture->cell && n->from + extent(n) > from) {
            slack = true;
        }
    }
    if (live > 1 && picture->cell == CELL_BYTES_MIN)
        return '#';
    return seen == '.' && slack ? '-' : seen;
}

static int64_t row_below(int64_t at, int64_t row)
{
    int64_t rest = at % row;
    return at - rest - (rest < 0 ? row : 0);
}

/* As many bytes to a cell as make what is near fit. */
static void fit(struct picture *picture)
{
    const struct assay_neighbourhood *around = picture->around;
    int64_t from = around->near[0].from, to = from;
    for (unsigned i = 0; i < around->near_count; i++)
        if (around->near[i].from + extent(&around->near[i]) > to)
            to = around->near[i].from + extent(&around->near[i]);
    if (around->at_known && around->at >= to && around->at - to < 4096)
        to = around->at + 1;
    if (around->at_known && around->at < from && from - around->at < 4096)
        from = around->at;
    picture->cell = CELL_BYTES_MIN;
    for (;; picture->cell *= 2) {
        int64_t row = picture->cell * CELLS_PER_ROW;
        picture->from = row_below(from, row);
        int64_t rows = (to - picture->from + row - 1) / row;
        picture->rows = rows < ROWS_MAX ? (unsigned)rows : ROWS_MAX;
        if (rows <= ROWS_MAX || picture->cell > INT64_MAX / 64)
            return;
    }
}

static void print_row(FILE *out, const struct picture *picture, unsigned row)
{
    int64_t start = picture->from + (int64_t)row * CELLS_PER_ROW * picture->cell;
    int64_t at = picture->around->at;
    int marked = -1;
    if (picture->around->at_known && at >= start && at < start + CELLS_PER_ROW * picture->cell)
        marked = (int)((at - start) / picture->cell);
    fprintf(out, "%s%+10" PRId64 ":", marked >= 0 ? "=>" : "  ", start);
    for (int i = 0; i < CELLS_PER_ROW; i++)
        fprintf(out, "%c%c",
                i == marked                      ? '['
                : i == marked + 1 && marked >= 0 ? ']'
                                                 : ' ',
                cell(picture, start + i * picture->cell));
    fputs(marked == CELLS_PER_ROW - 1 ? "]\n" : "\n", out);
}

static void print_picture(FILE *out, const struct assay_neighbourhood *around)
{
    struct picture picture = {.around = around};
    if (around->focus == 0 || around->near_count == 0)
        return;
    fit(&picture);
    fprintf(out,
            "memory around object %" PRIu32 ", %" PRId64
            " bytes to a cell, offsets from its start:\n",
            around->focus, picture.cell);
    for (unsigned row = 0; row < picture.rows; row++)
        print_row(out, &picture, row);
    for (unsigned i = 0; i < around->near_count; i++) {
        const struct assay_neighbour *n = &around->near[i];
        fprintf(out, "  %c  object %" PRIu32 ", %s, %+" PRId64 " to %+" PRId64 "\n",
                letter(&picture, i), n->object, assay_object_state_name(n->state), n->from,
                n->from + (int64_t)n->requested);
    }
    fprintf(out, "  capitals live, small letters freed, # shared by two that live, - usable beyond "
                 "the request, . nothing known\n");
}

/* ---- the whole ---- */

void assay_finding_report_text(FILE *out, const struct assay_finding_report *report)
{
    const struct assay_circumstances *c = report->circumstances;
    char line[512];
    assay_finding_line(line, sizeof line, report->violation);
    fprintf(out, "=================================================================\n");
    fprintf(out, "ERROR: assay: %s\n", line);
    assay_finding_text(out, report->violation, report->subject, NULL, 0);
    if (c && c->site.crash_class != ASSAY_CRASH_NONE)
        assay_crash_site_text(out, &c->site);
    for (unsigned i = 0; c && i < c->around.concerned_count; i++)
        print_object(out, report, &c->around.concerned[i]);
    if (c)
        print_picture(out, &c->around);
    fprintf(out, "SUMMARY: assay: %s\n", line);
}

static json_t *neighbour_json(const struct assay_neighbour *n, bool placed)
{
    json_t *object =
        json_pack("{s:I, s:I, s:s, s:s, s:I}", "object", (json_int_t)n->object, "size",
                  (json_int_t)n->requested, "state", assay_object_state_name(n->state), "api",
                  assay_op_info(n->api)->name, "allocated_at", (json_int_t)n->birth);
    if (!object)
        return NULL;
    int bad =
        lives(n) ? 0 : json_object_set_new(object, "freed_at", json_integer((json_int_t)n->death));
    if (n->usable_known)
        bad |= json_object_set_new(object, "usable", json_integer((json_int_t)n->usable));
    if (placed)
        bad |= json_object_set_new(object, "from", json_integer((json_int_t)n->from));
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int assay_finding_report_json(json_t *finding, const struct assay_circumstances *circumstances)
{
    const struct assay_neighbourhood *around = &circumstances->around;
    json_t *objects = json_array(), *neighbours = json_array();
    int bad = !objects || !neighbours;
    for (unsigned i = 0; i < around->concerned_count; i++)
        bad |= json_array_append_new(objects, neighbour_json(&around->concerned[i], false));
    for (unsigned i = 0; i < around->near_count; i++)
        bad |= json_array_append_new(neighbours, neighbour_json(&around->near[i], true));
    bad |= json_object_set_new(finding, "objects", objects);
    bad |= json_object_set_new(finding, "focus", json_integer((json_int_t)around->focus));
    bad |= json_object_set_new(finding, "neighbours", neighbours);
    if (circumstances->site.crash_class != ASSAY_CRASH_NONE)
        bad |= json_object_set_new(finding, "crash", assay_crash_site_json(&circumstances->site));
    return bad ? -1 : 0;
}
