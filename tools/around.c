#include "tools/around.h"

#include <inttypes.h>
#include <stdlib.h>

#include "tools/replay_source.h"
#include "traces/core/printable.h"
#include "traces/text.h"

enum { BATCH = 1024, SITES_MAX = 64 };

struct view {
    const struct assay_around *around;
    struct assay_replay_source *source;
    FILE *out;
    uint32_t sites[SITES_MAX]; /* of the events shown */
    size_t site_count;
    uint64_t ops; /* of the image looked at last */
    bool shown;
};

static void note_site(struct view *view, uint32_t site)
{
    size_t i = 0;
    while (i < view->site_count && view->sites[i] != site)
        i++;
    if (site && i == view->site_count && i < SITES_MAX)
        view->sites[view->site_count++] = site;
}

static void print_event(struct view *view, uint64_t op, const struct assay_event *event)
{
    char line[ASSAY_TEXT_EVENT_MAX];
    size_t length = assay_text_format(event, line);
    bool it = op == view->around->at;
    fprintf(view->out, "%c op %" PRIu64 ": %.*s\n", it ? '>' : ' ', op, (int)length, line);
    note_site(view, event->site);
    view->shown |= it;
}

static void print_sites(const struct view *view)
{
    for (size_t i = 0; i < view->site_count; i++) {
        const struct assay_trace_site *site = assay_replay_site(view->source, view->sites[i]);
        struct assay_printable shown;
        if (site && site->module)
            fprintf(view->out, "  site %" PRIu32 ": %s+0x%" PRIx64 "\n", view->sites[i],
                    assay_printable(&shown, site->module), site->offset);
        else if (site)
            fprintf(view->out, "  site %" PRIu32 ": 0x%" PRIx64 "\n", view->sites[i],
                    site->address);
    }
}

static int print_image(struct view *view, size_t index, const struct assay_replay_image *image,
                       struct assay_event *events, struct assay_error *err)
{
    const struct assay_around *around = view->around;
    uint64_t first = around->at > around->events ? around->at - around->events : 0, op = 0;
    bool headed = false;
    long n = 0;
    int code = assay_replay_begin(view->source, index, err);
    view->site_count = 0;
    while (code == 0 && op <= around->at + around->events &&
           (n = assay_replay_next(view->source, events, BATCH, err)) > 0)
        for (long i = 0; i < n; i++, op++) {
            if (op < first || op > around->at + around->events)
                continue;
            if (!headed)
                fprintf(view->out, "process %u, exec %" PRIu32 "\n", image->process, image->exec);
            headed = true;
            print_event(view, op, &events[i]);
        }
    if (code == 0 && n < 0)
        code = (int)n;
    view->ops = op;
    if (code == 0)
        print_sites(view);
    return code;
}

int assay_around_print(const struct assay_around *around, FILE *out, struct assay_error *err)
{
    struct view view = {.around = around, .out = out};
    const struct assay_replay_image *images;
    struct assay_event *events = malloc(BATCH * sizeof *events);
    if (!events)
        return assay_fail(err, ASSAY_E_MEMORY, "cannot show the trace: out of memory");
    int code = assay_replay_open(around->path, true, around->process, &view.source, err);
    if (code == 0) {
        assay_replay_as_recorded(view.source);
        size_t n = assay_replay_images(view.source, &images);
        if (around->process < 0 && n > 1)
            n = 1;
        for (size_t i = 0; i < n && code == 0; i++)
            code = print_image(&view, i, &images[i], events, err);
    }
    if (code == 0 && !view.shown)
        code = assay_fail(err, ASSAY_E_NOT_FOUND,
                          "the trace has no op %" PRIu64 " in %s process, which has %" PRIu64 "%s",
                          around->at, around->process < 0 ? "its first" : "this", view.ops,
                          around->process < 0 ? "; --process takes another" : "");
    assay_replay_close(view.source);
    free(events);
    return code;
}
