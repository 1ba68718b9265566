#include "traces/capture/sites.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h> /* clang-analyzer does not follow its tables: NOLINT where it says so */

struct module {
    UT_hash_handle hh;
    uint32_t number;
    char path[];
};

struct site_key {
    uint64_t offset;
    uint64_t module; /* 64 bits: no padding in a hashed key */
};

struct site {
    UT_hash_handle hh;
    struct site_key key;
    uint32_t number;
};

struct assay_site_table {
    struct assay_trace_writer *writer;
    bool scrub;
    struct module *modules;
    const char **paths; /* by module number - 1 */
    uint32_t module_count;
    struct site *sites;
    uint32_t site_count;
};

struct assay_site_table *assay_site_table_create(struct assay_trace_writer *writer, bool scrub)
{
    struct assay_site_table *table = calloc(1, sizeof *table);
    if (table) {
        table->writer = writer;
        table->scrub = scrub;
    }
    return table;
}

void assay_site_table_free(struct assay_site_table *table)
{
    struct module *module, *next_module;
    struct site *site, *next_site;
    if (!table)
        return;
    HASH_ITER(hh, table->modules, module, next_module)
    {
        HASH_DEL(table->modules, module);
        free(module);
    }
    HASH_ITER(hh, table->sites, site, next_site)
    {
        HASH_DEL(table->sites, site);
        free(site);
    }
    free(table->paths);
    free(table);
}

/* Module numbers start at 1; 0: out of memory. */
static uint32_t module_number(struct assay_site_table *table, const char *path)
{
    struct module *module;
    size_t length = strlen(path);
    HASH_FIND_STR(table->modules, path, module);
    if (module)
        return module->number;
    const char **paths = realloc(table->paths, (table->module_count + 1) * sizeof(const char *));
    if (!paths)
        return 0;
    table->paths = paths;
    module = malloc(sizeof *module + length + 1);
    if (!module)
        return 0;
    memcpy(module->path, path, length + 1);
    module->number = ++table->module_count;
    paths[module->number - 1] = module->path;
    HASH_ADD_STR(table->modules, path, module);
    return module->number;
}

static size_t first_ending_after(const struct assay_site_view *view, uint64_t address)
{
    size_t low = 0, high = view->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (view->ranges[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool assay_site_view_add(struct assay_site_view *view, struct assay_site_table *table,
                         uint64_t start, uint64_t end, uint64_t offset, const char *path)
{
    uint32_t module = module_number(table, path);
    if (module == 0)
        return false;
    if (start >= end)
        return true;
    size_t at = first_ending_after(view, start), until = at;
    while (until < view->n && view->ranges[until].start < end)
        until++;
    if (until == at + 1 && view->ranges[at].start == start && view->ranges[at].end == end &&
        view->ranges[at].offset == offset && view->ranges[at].module == module)
        return true;
    if (until > at) /* what was known of these addresses no longer holds */
        assay_pointer_map_clear(&view->cache);
    if (view->n + 1 > view->capacity) {
        size_t capacity = view->capacity ? view->capacity * 2 : 32;
        struct assay_site_range *ranges = realloc(view->ranges, capacity * sizeof *ranges);
        if (!ranges)
            return false;
        view->ranges = ranges;
        view->capacity = capacity;
    }
    memmove(&view->ranges[at + 1], &view->ranges[until], (view->n - until) * sizeof *view->ranges);
    view->ranges[at] = (struct assay_site_range){start, end, offset, module};
    view->n = view->n + 1 - (until - at);
    return true;
}

bool assay_site_view_copy(const struct assay_site_view *view, struct assay_site_view *to)
{
    *to = (struct assay_site_view){0};
    if (view->n) {
        to->ranges = malloc(view->n * sizeof *to->ranges);
        if (!to->ranges)
            return false;
        memcpy(to->ranges, view->ranges, view->n * sizeof *to->ranges);
        to->n = to->capacity = view->n;
    }
    return assay_pointer_map_copy(&view->cache, &to->cache);
}

void assay_site_view_clear(struct assay_site_view *view)
{
    free(view->ranges);
    assay_pointer_map_clear(&view->cache);
    assay_pointer_map_clear(&view->asked);
    *view = (struct assay_site_view){0};
}

static const struct assay_site_range *range_of(const struct assay_site_view *view, uint64_t address)
{
    size_t at = first_ending_after(view, address);
    return at < view->n && view->ranges[at].start <= address ? &view->ranges[at] : NULL;
}

static uint32_t intern(struct assay_site_table *table, uint64_t address,
                       const struct assay_site_range *range)
{
    struct site_key key = {.offset = address};
    struct site *site;
    if (range)
        key = (struct site_key){address - range->start + range->offset, range->module};
    HASH_FIND(hh, table->sites, &key, sizeof key, site);
    if (site)
        return site->number;
    site = malloc(sizeof *site);
    if (!site)
        return 0;
    site->key = key;
    /* A scrubbed site keeps its offset as address: a layout of one run says nothing to anyone. */
    struct assay_trace_site row = {.address = address};
    if (range && table->scrub)
        row.address = key.offset;
    else if (range) {
        row.module = table->paths[range->module - 1];
        row.offset = key.offset;
    }
    site->number = table->writer ? assay_trace_site(table->writer, &row) : table->site_count + 1;
    table->site_count++;
    HASH_ADD(hh, table->sites, key, sizeof key, site);
    return site->number;
}

uint32_t assay_site_find(struct assay_site_table *table, struct assay_site_view *view,
                         uint64_t caller,
                         void (*need_maps)(void *self, uint32_t pid, uint64_t address), void *self,
                         uint32_t pid)
{
    if (caller == 0)
        return 0;
    const struct assay_pointer_entry *known = assay_pointer_map_find(&view->cache, caller);
    if (known)
        return known->object;
    const struct assay_site_range *range = range_of(view, caller);
    uint64_t page = (caller >> 12) + 1;
    if (!range && need_maps && !assay_pointer_map_find(&view->asked, page)) {
        if (!assay_pointer_map_put(&view->asked, page, 1))
            return 0;
        need_maps(self, pid, caller);
        range = range_of(view, caller);
    }
    uint32_t number = intern(table, caller, range);
    if (number != 0 && !assay_pointer_map_put(&view->cache, caller, number))
        return 0;
    return number;
}
