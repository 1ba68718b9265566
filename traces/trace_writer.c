#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/core/hash.h"
#include "traces/trace_block.h"
#include "traces/trace_meta.h"

#define LEVEL_DEFAULT 3

struct site_slot {
    struct assay_trace_site site;
    uint32_t module, number; /* number 0 = free slot */
};

struct assay_trace_writer {
    int fd;
    char *path, *partial;
    struct block_encoder *encoder;
    struct assay_event *events; /* of the block being filled */
    size_t n;
    uint32_t sequence;
    struct assay_trace_totals counted;
    bool addresses, callers, failed;
    bool gaps;           /* there are ASSAY_OP_GAP events */
    uint64_t waiting_ns; /* the tick since which the block `ticked` is open */
    uint32_t ticked;

    struct site_slot *sites; /* hash table */
    size_t sites_mask;
    uint32_t sites_n, modules_n;
    char **modules; /* modules[id - 1] */
    uint32_t last_module;
    uint64_t last_site_address;
    uint8_t *new_sites; /* the sites stream of the next block */
    size_t new_sites_bytes, new_sites_room;
};

static int write_all(struct assay_trace_writer *writer, const void *bytes, size_t n,
                     struct assay_error *err)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t written = write(writer->fd, at, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            writer->failed = true;
            return assay_fail_errno(err, "cannot write '%s'", writer->path);
        }
        at += written;
        n -= (size_t)written;
    }
    return 0;
}

static int write_chunk(struct assay_trace_writer *writer, uint32_t type, size_t events,
                       const uint8_t *payload, size_t n, struct assay_error *err)
{
    uint8_t header[TRACE_CHUNK_HEADER_BYTES];
    struct assay_bytes_out out = {header, header + sizeof header, false};
    assay_bytes_put_u32(&out, type);
    assay_bytes_put_u32(&out, writer->sequence++);
    assay_bytes_put_u32(&out, (uint32_t)events);
    assay_bytes_put_u32(&out, (uint32_t)n);
    assay_bytes_put_u32(&out, assay_crc32c(assay_crc32c(0, header, 16), payload, n));
    int code = write_all(writer, header, sizeof header, err);
    return code ? code : write_all(writer, payload, n, err);
}

static int write_start(struct assay_trace_writer *writer, const struct assay_trace_meta *meta,
                       uint32_t time_unit_ns, struct assay_error *err)
{
    uint8_t start[TRACE_MAGIC_BYTES + 4] = TRACE_MAGIC;
    start[8] = TRACE_MAJOR;
    start[10] = TRACE_MINOR;
    uint8_t *payload = malloc(TRACE_META_MAX);
    if (!payload)
        return assay_fail(err, ASSAY_E_MEMORY, "cannot write '%s': out of memory", writer->path);
    size_t n = trace_meta_encode(meta, time_unit_ns, payload);
    int code = write_all(writer, start, sizeof start, err);
    if (!code)
        code = write_chunk(writer, TRACE_CHUNK_META, 0, payload, n, err);
    free(payload);
    return code;
}

static void free_writer(struct assay_trace_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    block_encoder_free(writer->encoder);
    for (uint32_t i = 0; i < writer->modules_n; i++)
        free(writer->modules[i]);
    free(writer->modules);
    free(writer->sites);
    free(writer->new_sites);
    free(writer->events);
    free(writer->path);
    free(writer->partial);
    free(writer);
}

/* Two writers of one name must not write into one file: the second is told. A name that was taken
 * away between opening and locking (the first has just finished) is opened again. */
static int open_partial(struct assay_trace_writer *writer, struct assay_error *err)
{
    struct stat ours, there;
    for (;;) {
        int fd = open(writer->partial, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return assay_fail_errno(err, "cannot create '%s'", writer->path);
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (!locked && errno == EWOULDBLOCK) {
            close(fd);
            return assay_fail(err, ASSAY_E_SYSTEM,
                              "cannot write '%s': another process is writing it", writer->path);
        }
        if (fstat(fd, &ours) != 0 || stat(writer->partial, &there) != 0 ||
            ours.st_ino != there.st_ino || ours.st_dev != there.st_dev) {
            close(fd);
            continue;
        }
        writer->fd = fd;
        if (ftruncate(fd, 0) == 0 || errno == EINVAL) /* EINVAL: not a regular file */
            return 0;
        return assay_fail_errno(err, "cannot empty '%s'", writer->path);
    }
}

/* Links to what a process has open: the file behind them would be replaced under its writers. */
static bool is_descriptor(const char *path)
{
    return strncmp(path, "/dev/std", 8) == 0 || strncmp(path, "/dev/fd/", 8) == 0 ||
           strncmp(path, "/proc/", 6) == 0;
}

int assay_trace_target(const char *path, char **ret_target, struct assay_error *err)
{
    struct stat status;
    bool link = lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
    bool exists = stat(path, &status) == 0;
    if (is_descriptor(path))
        return assay_fail(err, ASSAY_E_SYSTEM,
                          "cannot write '%s': it is an open file of a process, name one of its own",
                          path);
    if (link && !exists)
        return assay_fail(err, ASSAY_E_SYSTEM, "cannot write '%s': a symbolic link to nothing",
                          path);
    if (exists && !S_ISREG(status.st_mode))
        return assay_fail(err, ASSAY_E_SYSTEM, "cannot write '%s': it is %s, not a file", path,
                          S_ISDIR(status.st_mode)    ? "a directory"
                          : S_ISFIFO(status.st_mode) ? "a pipe"
                                                     : "a device or a socket");
    *ret_target = link ? realpath(path, NULL) : strdup(path);
    return *ret_target ? 0
                       : assay_fail(err, ASSAY_E_MEMORY, "cannot write '%s': out of memory", path);
}

int assay_trace_create(const char *path, const struct assay_trace_meta *meta,
                       const struct assay_trace_options *options,
                       struct assay_trace_writer **ret_writer, struct assay_error *err)
{
    static const struct assay_trace_options defaults;
    struct assay_trace_meta kept = *meta;
    char *target = NULL;
    if (!options)
        options = &defaults;
    int code = assay_trace_target(path, &target, err);
    if (code)
        return code;
    struct assay_trace_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        free(target);
        return assay_fail(err, ASSAY_E_MEMORY, "cannot write '%s': out of memory", path);
    }
    uint32_t time_unit_ns = options->time_unit_ns ? options->time_unit_ns : TRACE_TIME_UNIT_NS;
    writer->fd = -1;
    writer->addresses = !options->no_addresses;
    writer->callers = !options->no_callers;
    writer->path = target;
    if (asprintf(&writer->partial, "%s.partial", target) < 0)
        writer->partial = NULL;
    writer->events = malloc(TRACE_BLOCK_EVENTS * sizeof *writer->events);
    writer->encoder =
        block_encoder_create(time_unit_ns, options->level ? options->level : LEVEL_DEFAULT);
    if (!writer->path || !writer->partial || !writer->events || !writer->encoder) {
        code = assay_fail(err, ASSAY_E_MEMORY, "cannot write '%s': out of memory", path);
        goto out;
    }
    code = open_partial(writer, err);
    if (code)
        goto out;
    if (!writer->addresses)
        kept.has &= ~(uint64_t)ASSAY_HAS_ADDRESS;
    if (!writer->callers)
        kept.has &= ~(uint64_t)ASSAY_HAS_CALLER;
    code = write_start(writer, &kept, time_unit_ns, err);
    if (code)
        unlink(writer->partial);
out:
    if (code)
        free_writer(writer);
    else
        *ret_writer = writer;
    return code;
}

/* ---- sites ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int grow_sites(struct assay_trace_writer *writer)
{
    size_t slots = writer->sites ? (writer->sites_mask + 1) * 2 : 1024;
    struct site_slot *bigger = calloc(slots, sizeof *bigger);
    if (!bigger)
        return ASSAY_E_MEMORY;
    for (size_t i = 0; writer->sites && i <= writer->sites_mask; i++) {
        if (!writer->sites[i].number)
            continue;
        size_t at = assay_mix64(writer->sites[i].site.address) & (slots - 1);
        while (bigger[at].number)
            at = (at + 1) & (slots - 1);
        bigger[at] = writer->sites[i];
    }
    free(writer->sites);
    writer->sites = bigger;
    writer->sites_mask = slots - 1;
    return 0;
}

/* Number of the module, modules_n + 1 for a new one, 0 for none. */
static uint32_t find_module(const struct assay_trace_writer *writer, const char *module)
{
    if (!module)
        return 0;
    if (writer->last_module && strcmp(writer->modules[writer->last_module - 1], module) == 0)
        return writer->last_module;
    for (uint32_t i = 0; i < writer->modules_n; i++)
        if (strcmp(writer->modules[i], module) == 0)
            return i + 1;
    return writer->modules_n + 1;
}

static int add_module(struct assay_trace_writer *writer, const char *module)
{
    char **modules = realloc(writer->modules, (writer->modules_n + 1) * sizeof *modules);
    if (!modules)
        return ASSAY_E_MEMORY;
    writer->modules = modules;
    modules[writer->modules_n] = strndup(module, TRACE_STRING_MAX);
    if (!modules[writer->modules_n])
        return ASSAY_E_MEMORY;
    writer->modules_n++;
    return 0;
}

/* Appends the site's description to the sites stream of the next block. */
static int put_site(struct assay_trace_writer *writer, const struct assay_trace_site *site,
                    uint32_t module)
{
    bool fresh = module > writer->modules_n;
    ASSAY_CHECK(!fresh || site->module);
    size_t length = fresh ? strnlen(site->module, TRACE_STRING_MAX) : 0;
    size_t need = writer->new_sites_bytes + 4 * ASSAY_VARINT_MAX + length;
    if (fresh && (module > TRACE_MODULES_MAX || add_module(writer, site->module)))
        return ASSAY_E_LIMIT;
    if (need > writer->new_sites_room) {
        uint8_t *bigger = realloc(writer->new_sites, need * 2);
        if (!bigger)
            return ASSAY_E_MEMORY;
        writer->new_sites = bigger;
        writer->new_sites_room = need * 2;
    }
    struct assay_bytes_out out = {writer->new_sites + writer->new_sites_bytes,
                                  writer->new_sites + writer->new_sites_room, false};
    assay_bytes_put_varint(&out, assay_zigzag(site->address - writer->last_site_address));
    assay_bytes_put_varint(&out, module);
    if (fresh) {
        assay_bytes_put_varint(&out, length);
        assay_bytes_put(&out, site->module, length);
    }
    if (module)
        assay_bytes_put_varint(&out, site->offset);
    writer->new_sites_bytes = (size_t)(out.at - writer->new_sites);
    writer->last_site_address = site->address;
    writer->last_module = module;
    return 0;
}

uint32_t assay_trace_site(struct assay_trace_writer *writer, const struct assay_trace_site *site)
{
    if (!writer->callers)
        return 0;
    if ((!writer->sites || writer->sites_n * 2u > writer->sites_mask) && grow_sites(writer))
        return 0;
    uint64_t offset = site->module ? site->offset : 0;
    size_t i = assay_mix64(site->address) & writer->sites_mask;
    for (; writer->sites[i].number; i = (i + 1) & writer->sites_mask) {
        const struct assay_trace_site *known = &writer->sites[i].site;
        if (known->address == site->address && known->offset == offset &&
            same_text(known->module, site->module))
            return writer->sites[i].number;
    }
    if (writer->sites_n >= TRACE_SITES_MAX || writer->new_sites_bytes > TRACE_PAYLOAD_MAX / 2)
        return 0;
    uint32_t module = find_module(writer, site->module);
    if (put_site(writer, site, module))
        return 0;
    const char *kept = module ? writer->modules[module - 1] : NULL;
    writer->sites[i].site = (struct assay_trace_site){site->address, offset, kept};
    return writer->sites[i].number = ++writer->sites_n;
}

/* ---- events ---- */

static int flush_block(struct assay_trace_writer *writer, struct assay_error *err)
{
    const uint8_t *payload;
    long n = block_encode(writer->encoder, writer->events, writer->n, writer->new_sites,
                          writer->new_sites_bytes, &payload);
    if (n < 0) {
        writer->failed = true;
        return assay_fail(err, (int)n, "cannot write '%s': out of memory", writer->path);
    }
    int code = write_chunk(writer, TRACE_CHUNK_BLOCK, writer->n, payload, (size_t)n, err);
    writer->n = 0;
    writer->new_sites_bytes = 0;
    return code;
}

static void keep_event(struct assay_trace_writer *writer, const struct assay_event *event)
{
    struct assay_event *kept = &writer->events[writer->n++];
    trace_totals_count(&writer->counted, event);
    writer->gaps |= event->kind == ASSAY_OP_GAP;
    *kept = *event;
    if (!writer->callers)
        kept->site = 0;
    if (writer->addresses)
        return;
    switch (assay_op_info(event->kind)->op_class) {
    case ASSAY_CLASS_ALLOCATE:
    case ASSAY_CLASS_RELEASE:
    case ASSAY_CLASS_RESIZE: kept->address = 0; break;
    default: break;
    }
}

static int fail_again(const struct assay_trace_writer *writer, struct assay_error *err)
{
    return assay_fail(err, ASSAY_E_SYSTEM, "cannot write '%s': an earlier write failed",
                      writer->path);
}

int assay_trace_append(struct assay_trace_writer *writer, const struct assay_event *events,
                       size_t n, struct assay_error *err)
{
    if (writer->failed)
        return fail_again(writer, err);
    /* A full block goes out at once, so that sites named after it belong to the next. */
    for (size_t i = 0; i < n; i++) {
        keep_event(writer, &events[i]);
        int code = writer->n == TRACE_BLOCK_EVENTS ? flush_block(writer, err) : 0;
        if (code)
            return code;
    }
    return 0;
}

int assay_trace_tick(struct assay_trace_writer *writer, uint64_t now_ns, struct assay_error *err)
{
    if (writer->failed)
        return fail_again(writer, err);
    if (writer->n == 0 || writer->ticked != writer->sequence) {
        writer->ticked = writer->n ? writer->sequence : 0;
        writer->waiting_ns = now_ns;
        return 0;
    }
    uint64_t wait_ns = writer->n < TRACE_BLOCK_FEW ? TRACE_WAIT_FEW_NS : TRACE_WAIT_NS;
    return now_ns - writer->waiting_ns < wait_ns ? 0 : flush_block(writer, err);
}

/* ---- end ---- */

/* The version is the lowest that has what was written, and that is known at the end. */
static int raise_minor(const struct assay_trace_writer *writer, uint8_t minor,
                       struct assay_error *err)
{
    return pwrite(writer->fd, &minor, 1, TRACE_MAGIC_BYTES + 2) == 1
               ? 0
               : assay_fail_errno(err, "cannot write '%s'", writer->partial);
}

static int finish(struct assay_trace_writer *writer, const struct assay_trace_totals *totals,
                  struct assay_error *err)
{
    struct assay_trace_totals kept = totals ? *totals : writer->counted;
    uint8_t *payload;
    if (writer->failed)
        return fail_again(writer, err);
    int code = writer->n || writer->new_sites_bytes ? flush_block(writer, err) : 0;
    if (code)
        return code;
    kept.events = writer->counted.events;
    kept.threads = kept.threads ? kept.threads : writer->counted.threads;
    kept.processes = kept.processes ? kept.processes : writer->counted.processes;
    kept.objects = kept.objects ? kept.objects : writer->counted.objects;
    payload = malloc(TRACE_META_MAX);
    if (!payload)
        return assay_fail(err, ASSAY_E_MEMORY, "cannot write '%s': out of memory", writer->path);
    size_t n = trace_totals_encode(&kept, payload);
    code = write_chunk(writer, TRACE_CHUNK_FOOTER, 0, payload, n, err);
    free(payload);
    if (!code && (kept.fragment || kept.lost_blocks || writer->gaps))
        code = raise_minor(writer, TRACE_MINOR_GAPS, err);
    if (code)
        return code;
    if (fsync(writer->fd) != 0 && errno != EINVAL)
        return assay_fail_errno(err, "cannot write '%s'", writer->path);
    if (rename(writer->partial, writer->path) != 0)
        return assay_fail_errno(err, "cannot write '%s'", writer->path);
    return 0;
}

int assay_trace_close(struct assay_trace_writer *writer, const struct assay_trace_totals *totals,
                      struct assay_error *err)
{
    int code = finish(writer, totals, err);
    free_writer(writer);
    return code;
}

void assay_trace_abandon(struct assay_trace_writer *writer)
{
    if (!writer)
        return;
    unlink(writer->partial);
    free_writer(writer);
}

void assay_trace_discard(const char *path)
{
    char *partial, *target = NULL;
    if (assay_trace_target(path, &target, NULL))
        return;
    if (asprintf(&partial, "%s.partial", target) >= 0) {
        unlink(partial);
        free(partial);
    }
    free(target);
}
