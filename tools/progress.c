#include "tools/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/human.h"
#include "tools/terminal.h"
#include "traces/core/clock.h"

enum {
    TERMINAL_INTERVAL_MS = 100,
    PLAIN_INTERVAL_MS = 10000,
};

void assay_progress_begin(struct assay_progress *progress, const char *what, const char *unit,
                          uint64_t total, uint64_t total_ns, bool quiet)
{
    const char *wish = getenv("ASSAY_PROGRESS");
    *progress = (struct assay_progress){
        .what = what,
        .unit = unit,
        .total = total,
        .total_ns = total_ns,
        .start_ns = assay_clock_ns(CLOCK_MONOTONIC_COARSE),
        .terminal = assay_terminal_is(stderr),
        .silent = quiet || (wish && strcmp(wish, "0") == 0),
    };
    progress->drawn_ns = progress->start_ns;
}

/* Parts done, 0 to 1; negative when the end is not known. */
static double fraction(const struct assay_progress *progress, uint64_t elapsed_ns)
{
    double part = -1;
    if (progress->total > 0)
        part = (double)progress->done / (double)progress->total;
    else if (progress->total_ns > 0)
        part = (double)elapsed_ns / (double)progress->total_ns;
    return part > 1 ? 1 : part;
}

static void draw(struct assay_progress *progress, uint64_t now, const char *note)
{
    uint64_t elapsed_ns = now - progress->start_ns;
    double seconds = (double)elapsed_ns / 1e9;
    double part = fraction(progress, elapsed_ns);
    struct assay_human count, rate, left;
    char line[256];
    int used = snprintf(line, sizeof line, "%s  ", progress->what);
    if (part >= 0)
        used += snprintf(line + used, sizeof line - (size_t)used, "%3.0f %%  ", part * 100);
    used += snprintf(line + used, sizeof line - (size_t)used, "%s %s",
                     assay_human_count(&count, progress->done), progress->unit);
    if (seconds > 0 && progress->done > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, "  %s/s",
                         assay_human_rate(&rate, (double)progress->done / seconds));
    if (part > 0 && part < 1)
        used += snprintf(
            line + used, sizeof line - (size_t)used, "  %s left",
            assay_human_duration(&left, (uint64_t)((double)elapsed_ns * (1 - part) / part)));
    if (note && *note && (size_t)used < sizeof line)
        snprintf(line + used, sizeof line - (size_t)used, "  %s", note);
    if (progress->terminal)
        fprintf(stderr, "\r%.*s\033[K", (int)assay_terminal_columns(stderr) - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
    progress->drawn = true;
    progress->drawn_ns = now;
}

void assay_progress_part(struct assay_progress *progress, const char *what, const char *unit,
                         uint64_t total, bool quiet)
{
    assay_progress_begin(progress, what, unit, total, 0, quiet);
    if (!progress->silent)
        draw(progress, progress->start_ns, NULL);
}

void assay_progress_update(struct assay_progress *progress, uint64_t done, const char *note)
{
    progress->done = done;
    if (progress->silent)
        return;
    uint64_t now = assay_clock_ns(CLOCK_MONOTONIC_COARSE);
    uint64_t interval_ms = progress->terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
    if (now - progress->drawn_ns >= interval_ms * 1000000)
        draw(progress, now, note);
}

void assay_progress_end(struct assay_progress *progress)
{
    if (progress->drawn && progress->terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress->silent = true;
}
