#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/core/hash.h"
#include "traces/trace_block.h"
#include "traces/trace_meta.h"
#include "traces/trace_spool.h"

struct assay_trace_reader {
    int fd;
    char *name;
    uint64_t file_bytes, first_block, at; /* offsets */
    bool closed;                          /* it has a footer */
    bool damaged;                         /* a chunk before the footer is */
    bool sites_lost;   /* what later blocks add to the tables of sites cannot be numbered */
    uint32_t sequence; /* of the chunk at `at` */
    unsigned tries;    /* left for wrong checksums when looking for the next chunk */
    struct trace_meta meta;
    struct assay_trace_totals footer, counted, totals; /* totals: what of these is true */
    uint64_t gaps, lost_events;

    uint8_t *payload;
    size_t payload_room;
    struct assay_event *events; /* the decoded block */
    size_t events_room, events_n, events_at;
    struct block_decoder *decoder;

    struct assay_trace_site *sites; /* sites[number - 1] */
    char **modules;                 /* modules[id - 1] */
    size_t sites_n, sites_room, modules_n;
    uint64_t last_site_address;
    struct assay_error broken; /* the error that ended reading */
};

struct chunk {
    uint32_t type, sequence, events, bytes, crc;
    uint8_t header[TRACE_CHUNK_HEADER_BYTES];
};

static int malformed(const struct assay_trace_reader *reader, struct assay_error *err,
                     const char *what)
{
    return assay_fail(err, ASSAY_E_FORMAT, "cannot read '%s': %s", reader->name, what);
}

static int no_memory(const struct assay_trace_reader *reader, struct assay_error *err)
{
    return assay_fail(err, ASSAY_E_MEMORY, "cannot read '%s': out of memory", reader->name);
}

/* Returns how many bytes were there (less than n at the end of the file), or ASSAY_E_*. */
static long read_at(const struct assay_trace_reader *reader, uint64_t offset, void *to, size_t n,
                    struct assay_error *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(reader->fd, (char *)to + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return assay_fail_errno(err, "cannot read '%s'", reader->name);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (long)done;
}

/* ---- opening ---- */

static int open_file(const char *path, const char *name, int *ret_fd, struct assay_error *err)
{
    struct stat status;
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return assay_fail_errno(err, "cannot open '%s'", path);
    int code = 0;
    if (S_ISDIR(status.st_mode)) {
        code = assay_fail(err, ASSAY_E_FORMAT, "cannot read '%s': it is a directory", path);
    } else if (!S_ISREG(status.st_mode)) {
        int copy = -1;
        code = trace_spool(fd, name, TRACE_PIPE_MAX, &copy, err);
        close(fd);
        fd = copy;
    }
    if (code && fd >= 0)
        close(fd);
    *ret_fd = fd;
    return code;
}

/* Returns 1 if a whole chunk is at the offset, 0 if the file ends before its end, ASSAY_E_*. */
static int peek_chunk(const struct assay_trace_reader *reader, uint64_t offset, struct chunk *chunk,
                      struct assay_error *err)
{
    long got = read_at(reader, offset, chunk->header, sizeof chunk->header, err);
    if (got < 0)
        return (int)got;
    if (got < (long)sizeof chunk->header)
        return 0;
    struct assay_bytes_in in = {chunk->header, chunk->header + sizeof chunk->header, false};
    chunk->type = assay_bytes_get_u32(&in);
    chunk->sequence = assay_bytes_get_u32(&in);
    chunk->events = assay_bytes_get_u32(&in);
    chunk->bytes = assay_bytes_get_u32(&in);
    chunk->crc = assay_bytes_get_u32(&in);
    return offset + sizeof chunk->header + chunk->bytes <= reader->file_bytes;
}

static uint64_t after_chunk(uint64_t offset, const struct chunk *chunk)
{
    return offset + sizeof chunk->header + chunk->bytes;
}

/* Reads the chunk's payload and tests it. Returns 0 or ASSAY_E_*. */
static int load_chunk(struct assay_trace_reader *reader, uint64_t offset, const struct chunk *chunk,
                      struct assay_error *err)
{
    if (chunk->bytes > TRACE_PAYLOAD_MAX)
        return assay_fail(err, ASSAY_E_CHECKSUM, "cannot read '%s': block %u is damaged",
                          reader->name, chunk->sequence);
    if (chunk->bytes >= reader->payload_room) {
        uint8_t *bigger = realloc(reader->payload, chunk->bytes + 1u);
        if (!bigger)
            return no_memory(reader, err);
        reader->payload = bigger;
        reader->payload_room = chunk->bytes + 1u;
    }
    long got = read_at(reader, offset + sizeof chunk->header, reader->payload, chunk->bytes, err);
    if (got < 0)
        return (int)got;
    uint32_t crc = assay_crc32c(assay_crc32c(0, chunk->header, 16), reader->payload, (size_t)got);
    if ((uint32_t)got != chunk->bytes || crc != chunk->crc)
        return assay_fail(err, ASSAY_E_CHECKSUM,
                          "cannot read '%s': block %u at byte %llu is corrupted", reader->name,
                          chunk->sequence, (unsigned long long)offset);
    if (chunk->events > TRACE_BLOCK_EVENTS_MAX)
        return malformed(reader, err, "a block declares an impossible size");
    return 0;
}

/* ---- damage ---- */

/* True if a whole chunk that comes after the sequence number is at the offset; it is loaded then.
 */
static bool try_chunk(struct assay_trace_reader *reader, uint64_t offset, uint32_t sequence,
                      struct chunk *chunk)
{
    if (peek_chunk(reader, offset, chunk, NULL) <= 0 || chunk->sequence < sequence ||
        chunk->sequence - sequence > reader->file_bytes / TRACE_CHUNK_HEADER_BYTES ||
        chunk->bytes > TRACE_PAYLOAD_MAX || reader->tries == 0)
        return false;
    if (load_chunk(reader, offset, chunk, NULL) == 0)
        return true;
    reader->tries--;
    return false;
}

/* Looks from the offset on for the next whole chunk. False: there is none. */
static bool find_chunk(struct assay_trace_reader *reader, uint64_t offset, uint32_t sequence,
                       struct chunk *chunk, uint64_t *ret_offset)
{
    enum { WINDOW = 65536, OVERLAP = 3 };
    static const char types[2][5] = {"BLCK", "FOOT"};
    char window[WINDOW];
    uint64_t end = offset + TRACE_RESYNC_MAX;
    for (uint64_t at = offset; at < end && reader->tries > 0; at += WINDOW - OVERLAP) {
        long got = read_at(reader, at, window, sizeof window, NULL);
        for (long i = 0; i + 4 <= got; i++)
            if ((memcmp(window + i, types[0], 4) == 0 || memcmp(window + i, types[1], 4) == 0) &&
                try_chunk(reader, at + (uint64_t)i, sequence, chunk)) {
                *ret_offset = at + (uint64_t)i;
                return true;
            }
        if (got < (long)sizeof window)
            return false;
    }
    return false;
}

/* The next whole chunk where `bad`, which stands at the offset, is none. *ret_events: what the lost
 * blocks held, 0 if that is not known. */
static bool after_damage(struct assay_trace_reader *reader, uint64_t offset, uint32_t sequence,
                         const struct chunk *bad, struct chunk *chunk, uint64_t *ret_offset,
                         uint64_t *ret_events)
{
    bool one = bad->sequence == sequence && bad->type == TRACE_CHUNK_BLOCK &&
               bad->events <= TRACE_BLOCK_EVENTS_MAX;
    *ret_events = one ? bad->events : 0;
    *ret_offset = after_chunk(offset, bad);
    if (one && try_chunk(reader, *ret_offset, sequence + 1, chunk) &&
        chunk->sequence == sequence + 1)
        return true;
    *ret_events = 0;
    return find_chunk(reader, offset, sequence, chunk, ret_offset);
}

static int read_start(struct assay_trace_reader *reader, struct assay_error *err)
{
    uint8_t start[TRACE_MAGIC_BYTES + 4];
    struct chunk chunk;
    long got = read_at(reader, 0, start, sizeof start, err);
    if (got < 0)
        return (int)got;
    if (got == 0)
        return assay_fail(err, ASSAY_E_TRUNCATED, "cannot read '%s': it is empty", reader->name);
    size_t n = got < TRACE_MAGIC_BYTES ? (size_t)got : TRACE_MAGIC_BYTES;
    if (memcmp(start, TRACE_MAGIC, n) != 0)
        return malformed(reader, err, "it is not an assay trace");
    unsigned major = start[8] | (unsigned)start[9] << 8;
    if (got == (long)sizeof start && major != TRACE_MAJOR)
        return assay_fail(err, ASSAY_E_VERSION,
                          "cannot read '%s': its format is version %u.%u, this assay reads %d.x",
                          reader->name, major, start[10] | (unsigned)start[11] << 8, TRACE_MAJOR);
    int whole = got == (long)sizeof start ? peek_chunk(reader, sizeof start, &chunk, err) : 0;
    if (whole < 0)
        return whole;
    if (!whole)
        return assay_fail(err, ASSAY_E_TRUNCATED, "cannot read '%s': its header is cut off",
                          reader->name);
    if (chunk.type != TRACE_CHUNK_META || chunk.bytes > TRACE_META_MAX || chunk.sequence != 0)
        return malformed(reader, err, "its header is malformed");
    int code = load_chunk(reader, sizeof start, &chunk, err);
    if (code)
        return code;
    code = trace_meta_decode(reader->payload, chunk.bytes, &reader->meta);
    reader->first_block = after_chunk(sizeof start, &chunk);
    return code ? malformed(reader, err, "its header is malformed") : 0;
}

/* Walks the chunks to the footer. A file without one was not closed: it is read to its last whole
 * block. */
static int find_footer(struct assay_trace_reader *reader, struct assay_error *err)
{
    struct chunk chunk = {0};
    uint64_t offset = reader->first_block, lost;
    uint32_t sequence = 1;
    for (;;) {
        int whole = peek_chunk(reader, offset, &chunk, err);
        if (whole < 0)
            return whole;
        if (!whole || chunk.sequence != sequence || chunk.bytes > TRACE_PAYLOAD_MAX) {
            struct chunk bad = chunk;
            reader->damaged = true;
            if (reader->file_bytes < offset + sizeof chunk.header ||
                !after_damage(reader, offset, sequence, &bad, &chunk, &offset, &lost))
                return 0; /* cut off, or zeros and garbage after a crash */
        }
        if (chunk.type == TRACE_CHUNK_FOOTER) {
            int code = load_chunk(reader, offset, &chunk, err);
            if (code == ASSAY_E_CHECKSUM)
                return 0; /* as if it were cut off */
            if (code)
                return code;
            if (after_chunk(offset, &chunk) != reader->file_bytes)
                return malformed(reader, err, "something follows its end");
            if (trace_totals_decode(reader->payload, chunk.bytes, &reader->footer))
                return malformed(reader, err, "its footer is malformed");
            reader->closed = true;
            return 0;
        }
        sequence = chunk.sequence + 1;
        offset = after_chunk(offset, &chunk);
    }
}

/* The totals: the footer's for a whole file, else what was counted and what is known to be lost. */
static void update_totals(struct assay_trace_reader *reader)
{
    const struct assay_trace_totals *counted = &reader->counted;
    uint64_t real = counted->events - reader->gaps;
    reader->totals = reader->footer;
    if (assay_trace_complete(reader))
        return;
    reader->totals.events = counted->events;
    if (!reader->closed || counted->objects > reader->footer.objects)
        reader->totals.objects = counted->objects;
    if (!reader->closed) {
        reader->totals.threads = counted->threads;
        reader->totals.processes = counted->processes;
    }
    reader->totals.fragment = 1;
    reader->totals.lost_blocks += counted->lost_blocks;
    reader->totals.dropped += reader->closed && reader->footer.events > real
                                  ? reader->footer.events - real
                                  : reader->lost_events;
}

int assay_trace_open(const char *path, struct assay_trace_reader **ret_reader,
                     struct assay_error *err)
{
    struct stat status;
    struct assay_trace_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return assay_fail(err, ASSAY_E_MEMORY, "cannot open '%s': out of memory", path);
    reader->fd = -1;
    reader->tries = TRACE_RESYNC_TRIES;
    reader->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    int code = reader->name ? open_file(path, reader->name, &reader->fd, err) : ASSAY_E_MEMORY;
    if (!code && fstat(reader->fd, &status) != 0)
        code = assay_fail_errno(err, "cannot open '%s'", path);
    if (!code) {
        reader->file_bytes = (uint64_t)status.st_size;
        code = read_start(reader, err);
    }
    if (!code)
        code = find_footer(reader, err);
    if (!code) {
        reader->decoder = block_decoder_create(reader->meta.time_unit_ns);
        code = reader->decoder ? assay_trace_rewind(reader, err) : no_memory(reader, err);
    }
    if (code)
        assay_trace_free(reader);
    else
        *ret_reader = reader;
    return code;
}

static void forget_sites(struct assay_trace_reader *reader)
{
    for (size_t i = 0; i < reader->modules_n; i++)
        free(reader->modules[i]);
    reader->modules_n = reader->sites_n = 0;
    reader->last_site_address = 0;
}

void assay_trace_free(struct assay_trace_reader *reader)
{
    if (!reader)
        return;
    if (reader->fd >= 0)
        close(reader->fd);
    forget_sites(reader);
    free(reader->modules);
    free(reader->sites);
    block_decoder_free(reader->decoder);
    trace_meta_clear(&reader->meta);
    free(reader->events);
    free(reader->payload);
    free(reader->name);
    free(reader);
}

int assay_trace_rewind(struct assay_trace_reader *reader, struct assay_error *err)
{
    (void)err;
    reader->at = reader->first_block;
    reader->sequence = 1;
    reader->events_n = reader->events_at = 0;
    reader->broken.code = 0;
    block_decoder_reset(reader->decoder);
    forget_sites(reader);
    reader->sites_lost = false;
    reader->tries = TRACE_RESYNC_TRIES;
    reader->gaps = reader->lost_events = 0;
    reader->counted = (struct assay_trace_totals){0};
    update_totals(reader);
    return 0;
}

/* ---- reading ---- */

static int take_module(struct assay_trace_reader *reader, struct assay_bytes_in *in)
{
    uint64_t length = assay_bytes_get_varint(in);
    if (in->bad || length > TRACE_STRING_MAX || reader->modules_n >= TRACE_MODULES_MAX)
        return ASSAY_E_FORMAT;
    const uint8_t *text = assay_bytes_take(in, (size_t)length);
    if (!text || memchr(text, '\0', (size_t)length))
        return ASSAY_E_FORMAT;
    char **modules = realloc(reader->modules, (reader->modules_n + 1) * sizeof *modules);
    if (!modules)
        return ASSAY_E_MEMORY;
    reader->modules = modules;
    modules[reader->modules_n] = strndup((const char *)text, (size_t)length);
    if (!modules[reader->modules_n])
        return ASSAY_E_MEMORY;
    reader->modules_n++;
    return 0;
}

static int take_sites(struct assay_trace_reader *reader, struct assay_bytes_in *in)
{
    while (in->at < in->end) {
        struct assay_trace_site site = {0};
        site.address = reader->last_site_address + assay_unzigzag(assay_bytes_get_varint(in));
        uint64_t module = assay_bytes_get_varint(in);
        if (in->bad || module > reader->modules_n + 1 || reader->sites_n >= TRACE_SITES_MAX)
            return ASSAY_E_FORMAT;
        if (module > reader->modules_n) {
            int code = take_module(reader, in);
            if (code)
                return code;
        }
        if (module) {
            site.module = reader->modules[module - 1];
            site.offset = assay_bytes_get_varint(in);
        }
        if (in->bad)
            return ASSAY_E_FORMAT;
        if (reader->sites_n == reader->sites_room) {
            size_t room = reader->sites_room ? reader->sites_room * 2 : 256;
            struct assay_trace_site *bigger = realloc(reader->sites, room * sizeof *bigger);
            if (!bigger)
                return ASSAY_E_MEMORY;
            reader->sites = bigger;
            reader->sites_room = room;
        }
        reader->sites[reader->sites_n++] = site;
        reader->last_site_address = site.address;
    }
    return 0;
}

static int reserve_events(struct assay_trace_reader *reader, size_t n, struct assay_error *err)
{
    if (n <= reader->events_room)
        return 0;
    free(reader->events);
    reader->events_room = 0;
    reader->events = malloc(n * sizeof *reader->events);
    if (!reader->events)
        return no_memory(reader, err);
    reader->events_room = n;
    return 0;
}

static void count_events(struct assay_trace_reader *reader)
{
    for (size_t i = 0; i < reader->events_n; i++)
        trace_totals_count(&reader->counted, &reader->events[i]);
    update_totals(reader);
}

static int decode_chunk(struct assay_trace_reader *reader, const struct chunk *chunk,
                        struct assay_error *err)
{
    struct assay_bytes_in sites;
    int code = reserve_events(reader, chunk->events, err);
    if (code)
        return code;
    code = block_decode(reader->decoder, reader->payload, chunk->bytes, reader->events,
                        chunk->events, &sites);
    if (!code && !reader->sites_lost)
        code = take_sites(reader, &sites);
    if (code == ASSAY_E_MEMORY)
        return no_memory(reader, err);
    if (code)
        return assay_fail(err, code, "cannot read '%s': block %u is malformed", reader->name,
                          chunk->sequence);
    reader->events_n = chunk->events;
    for (size_t i = 0; reader->sites_lost && i < reader->events_n; i++)
        if (reader->events[i].site > reader->sites_n)
            reader->events[i].site = 0;
    count_events(reader);
    return 0;
}

/* Passes over what is damaged at the current place: the events up to the next whole chunk become
 * one gap. Returns 1, or 0 when nothing whole follows, ASSAY_E_*. */
static int pass_over(struct assay_trace_reader *reader, const struct chunk *bad,
                     struct assay_error *err)
{
    struct chunk next;
    uint64_t offset, events;
    reader->damaged = true;
    if (!after_damage(reader, reader->at, reader->sequence, bad, &next, &offset, &events)) {
        reader->file_bytes = reader->at; /* the torn end of a file that was not closed */
        update_totals(reader);
        return 0;
    }
    int code = reserve_events(reader, 1, err);
    if (code)
        return code;
    uint32_t blocks = next.sequence - reader->sequence;
    reader->events[0] =
        (struct assay_event){.kind = ASSAY_OP_GAP, .arg = blocks ? blocks : 1, .size = events};
    reader->at = offset;
    reader->sequence = next.sequence;
    reader->sites_lost = true;
    reader->gaps++;
    reader->lost_events += events;
    reader->counted.lost_blocks += reader->events[0].arg;
    reader->events_n = 1;
    count_events(reader);
    return 1;
}

/* Makes the next block current. Returns 1, 0 at the end, ASSAY_E_*. */
static int next_block(struct assay_trace_reader *reader, struct assay_error *err)
{
    for (;;) {
        struct chunk chunk;
        reader->events_n = reader->events_at = 0;
        int whole = peek_chunk(reader, reader->at, &chunk, err);
        if (whole < 0 || reader->at + sizeof chunk.header > reader->file_bytes)
            return whole < 0 ? whole : 0;
        int code = whole ? load_chunk(reader, reader->at, &chunk, err) : ASSAY_E_CHECKSUM;
        if (code == ASSAY_E_CHECKSUM || (!code && chunk.sequence != reader->sequence))
            return pass_over(reader, &chunk, err);
        if (code)
            return code;
        if (chunk.type == TRACE_CHUNK_FOOTER)
            return 0;
        reader->at = after_chunk(reader->at, &chunk);
        reader->sequence++;
        if (chunk.type != TRACE_CHUNK_BLOCK)
            continue;
        code = decode_chunk(reader, &chunk, err);
        if (code)
            return code;
        if (chunk.events > 0)
            return 1;
    }
}

long assay_trace_read(struct assay_trace_reader *reader, struct assay_event *events, size_t n,
                      struct assay_error *err)
{
    size_t done = 0;
    while (done < n) {
        if (reader->events_at == reader->events_n) {
            struct assay_error now = reader->broken;
            int more = now.code ? now.code : next_block(reader, &now);
            if (more < 0)
                reader->broken = now;
            if (more < 0 && done == 0)
                return assay_fail(err, more, "%s", now.text);
            if (more <= 0)
                break;
        }
        size_t take = reader->events_n - reader->events_at;
        if (take > n - done)
            take = n - done;
        memcpy(events + done, reader->events + reader->events_at, take * sizeof *events);
        reader->events_at += take;
        done += take;
    }
    return (long)done;
}

/* ---- what is known ---- */

const struct assay_trace_meta *assay_trace_meta(const struct assay_trace_reader *reader)
{
    return &reader->meta.meta;
}

const struct assay_trace_totals *assay_trace_totals(const struct assay_trace_reader *reader)
{
    return &reader->totals;
}

bool assay_trace_complete(const struct assay_trace_reader *reader)
{
    return reader->closed && !reader->damaged;
}

int assay_trace_check_rest(const struct assay_trace_reader *reader, struct assay_error *err)
{
    if (assay_trace_complete(reader) || reader->counted.events > reader->gaps)
        return 0;
    return assay_fail(err, ASSAY_E_TRUNCATED,
                      "'%s' is incomplete: nothing of it is whole; capture it again", reader->name);
}

uint64_t assay_trace_file_bytes(const struct assay_trace_reader *reader)
{
    return reader->file_bytes;
}

uint32_t assay_trace_time_unit_ns(const struct assay_trace_reader *reader)
{
    return reader->meta.time_unit_ns;
}

uint64_t assay_trace_column_bytes(const struct assay_trace_reader *reader, unsigned column,
                                  const char **ret_name)
{
    static const char *const names[COLUMN_COUNT + 2] = {
        "head", "context", "object", "born",   "size",  "arg",      "time",  "address", "value",
        "site", "usable",  "error",  "signal", "facts", "wrong_at", "heads", "sites",
    };
    if (column >= COLUMN_COUNT + 2) {
        *ret_name = NULL;
        return 0;
    }
    *ret_name = names[column];
    return block_decoder_column_bytes(reader->decoder)[column];
}

const struct assay_trace_site *assay_trace_get_site(const struct assay_trace_reader *reader,
                                                    uint32_t site)
{
    return site > 0 && site <= reader->sites_n ? &reader->sites[site - 1] : NULL;
}
