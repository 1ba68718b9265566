/* See ebpf.h: load the programs, attach them at the best sites the best way the kernel has. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "traces/capture/ebpf.h"
#include "traces/event.h"
/* after ebpf_record.h: the skeleton names its structs */
#include "capture.skel.h"

enum { FUNCTIONS_MAX = 64, LINKS_MAX = 4 * 2 * FUNCTIONS_MAX };

/* From the kernel's uapi/linux/bpf.h, which is newer than the one of the build machine. */
enum {
    ATTACH_UPROBE_MULTI = 48,
    ATTACH_UPROBE_SESSION = 57,
    UPROBE_MULTI_RETURN = 1,
};

/* union bpf_attr's link_create.uprobe_multi */
struct link_create_uprobe_multi {
    uint32_t prog_fd, target_fd, attach_type, flags;
    uint64_t path, offsets, ref_ctr_offsets, cookies;
    uint32_t count, multi_flags, pid, pad;
};

struct assay_ebpf {
    struct capture_bpf *skeleton;
    struct ring_buffer *ring;
    enum assay_ebpf_mode mode;
    int fds[16]; /* multi links */
    size_t n_fds;
    struct bpf_link *links[LINKS_MAX]; /* perf links */
    size_t n_links;
    int (*take)(void *self, const struct assay_ebpf_record *record);
    void *self;
};

static const struct assay_ebpf_function functions[] = {
#define ROW(symbol, op, fam, shp, often)                                                           \
    {                                                                                              \
        symbol, ASSAY_OP_##op, ASSAY_FAMILY_##fam, ASSAY_EBPF_##shp, often                         \
    }
    ROW("malloc", MALLOC, MALLOC, SIZE, true),
    ROW("free", FREE, MALLOC, FREE, true),
    ROW("calloc", CALLOC, MALLOC, COUNT_SIZE, true),
    ROW("realloc", REALLOC, MALLOC, RESIZE, true),
    ROW("reallocarray", REALLOCARRAY, MALLOC, RESIZE_COUNT, false),
    ROW("memalign", MEMALIGN, MALLOC, ALIGN_SIZE, false),
    ROW("aligned_alloc", ALIGNED_ALLOC, MALLOC, ALIGN_SIZE, false),
    ROW("posix_memalign", POSIX_MEMALIGN, MALLOC, OUT, false),
    ROW("valloc", VALLOC, MALLOC, SIZE, false),
    ROW("pvalloc", PVALLOC, MALLOC, SIZE, false),
    ROW("cfree", FREE, MALLOC, FREE, false),
    ROW("free_sized", FREE_SIZED, MALLOC, FREE_SIZE, true),
    ROW("free_aligned_sized", FREE_ALIGNED_SIZED, MALLOC, FREE_ALIGN_SIZE, false),
    ROW("malloc_usable_size", USABLE_SIZE, MALLOC, QUERY, false),
    ROW("malloc_object_size", OBJECT_SIZE, MALLOC, QUERY, false),
    ROW("malloc_trim", TRIM, MALLOC, SIZE, false),
    /* An allocator that brings operator new and delete of its own; libstdc++'s call malloc. */
    ROW("_Znwm", MALLOC, NEW, SIZE, true),
    ROW("_Znam", MALLOC, NEW_ARRAY, SIZE, true),
    ROW("_ZnwmRKSt9nothrow_t", MALLOC, NEW, SIZE, false),
    ROW("_ZnamRKSt9nothrow_t", MALLOC, NEW_ARRAY, SIZE, false),
    ROW("_ZnwmSt11align_val_t", MEMALIGN, ALIGNED, SIZE_ALIGN, false),
    ROW("_ZnamSt11align_val_t", MEMALIGN, ALIGNED, SIZE_ALIGN, false),
    ROW("_ZnwmSt11align_val_tRKSt9nothrow_t", MEMALIGN, ALIGNED, SIZE_ALIGN, false),
    ROW("_ZnamSt11align_val_tRKSt9nothrow_t", MEMALIGN, ALIGNED, SIZE_ALIGN, false),
    ROW("_ZdlPv", FREE, NEW, FREE, true),
    ROW("_ZdaPv", FREE, NEW_ARRAY, FREE, true),
    ROW("_ZdlPvRKSt9nothrow_t", FREE, NEW, FREE, false),
    ROW("_ZdaPvRKSt9nothrow_t", FREE, NEW_ARRAY, FREE, false),
    ROW("_ZdlPvm", FREE_SIZED, SIZED, FREE_SIZE, true),
    ROW("_ZdaPvm", FREE_SIZED, SIZED, FREE_SIZE, false),
    ROW("_ZdlPvSt11align_val_t", FREE, ALIGNED, FREE, false),
    ROW("_ZdaPvSt11align_val_t", FREE, ALIGNED, FREE, false),
    ROW("_ZdlPvmSt11align_val_t", FREE_ALIGNED_SIZED, ALIGNED, FREE_SIZE_ALIGN, false),
    ROW("_ZdaPvmSt11align_val_t", FREE_ALIGNED_SIZED, ALIGNED, FREE_SIZE_ALIGN, false),
#undef ROW
};
_Static_assert(sizeof functions / sizeof *functions <= FUNCTIONS_MAX, "room for every function");

const struct assay_ebpf_function *assay_ebpf_functions(size_t *ret_n)
{
    *ret_n = sizeof functions / sizeof *functions;
    return functions;
}

const char *assay_ebpf_mode_name(enum assay_ebpf_mode mode)
{
    switch (mode) {
    case ASSAY_EBPF_MODE_AUTO: return "auto";
    case ASSAY_EBPF_MODE_SESSION: return "uprobe session";
    case ASSAY_EBPF_MODE_MULTI: return "uprobe multi";
    case ASSAY_EBPF_MODE_PERF: return "perf events";
    }
    return "unknown";
}

/* ---- sites ---- */

struct probes {
    const char *path;
    uint64_t allocate_offset[FUNCTIONS_MAX], allocate_cookie[FUNCTIONS_MAX];
    uint64_t release_offset[FUNCTIONS_MAX], release_cookie[FUNCTIONS_MAX];
    uint32_t n_allocate, n_release;
};

void assay_ebpf_note(char *notes, size_t bytes, const char *format, ...)
{
    size_t used = strlen(notes);
    va_list arguments;
    if (used + 2 >= bytes)
        return;
    if (used > 0)
        notes[used++] = '\n';
    va_start(arguments, format);
    vsnprintf(notes + used, bytes - used, format, arguments);
    va_end(arguments);
}

/* Finds the sites of every function that the library has. Names of one address are one function:
 * the first row of the table names it. */
static int find_sites(const char *path, struct probes *ret_probes, char *notes, size_t notes_bytes,
                      struct assay_error *err)
{
    struct assay_probe_file *file;
    int rc = assay_probe_file_open(path, &file, err);
    if (rc < 0)
        return rc;
    uint64_t seen[FUNCTIONS_MAX];
    size_t n_seen = 0;
    char slow[120] = "";
    *ret_probes = (struct probes){.path = path};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct assay_probe_site site;
        bool known = false;
        if (assay_probe_site_find(file, functions[i].name, &site, NULL) < 0)
            continue;
        for (size_t j = 0; j < n_seen && !known; j++)
            known = seen[j] == site.function;
        if (known)
            continue;
        seen[n_seen++] = site.function;
        size_t used = strlen(slow);
        if (site.kind == ASSAY_SITE_STEPPED && functions[i].frequent)
            snprintf(slow + used, sizeof slow - used, "%s%s", used ? ", " : "", functions[i].name);
        uint64_t cookie = ASSAY_EBPF_COOKIE(i, functions[i].shape);
        if (functions[i].shape >= ASSAY_EBPF_FREE) {
            ret_probes->release_offset[ret_probes->n_release] = site.offset;
            ret_probes->release_cookie[ret_probes->n_release++] = cookie;
        } else {
            ret_probes->allocate_offset[ret_probes->n_allocate] = site.offset;
            ret_probes->allocate_cookie[ret_probes->n_allocate++] = cookie;
        }
    }
    assay_probe_file_close(file);
    if (slow[0] && notes)
        assay_ebpf_note(notes, notes_bytes,
                        "%s in '%s' cannot be probed cheaply: each call costs about 10 us", slow,
                        path);
    if (n_seen == 0)
        return assay_fail(err, ASSAY_E_UNSUPPORTED, "'%s' has no allocator function to probe",
                          path);
    return 0;
}

/* ---- links ---- */

static int link_multi(struct assay_ebpf *ebpf, const struct bpf_program *program, uint32_t type,
                      uint32_t multi_flags, const char *path, const uint64_t *offsets,
                      const uint64_t *cookies, uint32_t n)
{
    if (n == 0)
        return 0;
    if (ebpf->n_fds >= sizeof ebpf->fds / sizeof *ebpf->fds)
        return -E2BIG;
    struct link_create_uprobe_multi attr = {.prog_fd = (uint32_t)bpf_program__fd(program),
                                            .attach_type = type,
                                            .path = (uintptr_t)path,
                                            .offsets = (uintptr_t)offsets,
                                            .cookies = (uintptr_t)cookies,
                                            .count = n,
                                            .multi_flags = multi_flags};
    long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof attr);
    if (fd < 0)
        return -errno;
    ebpf->fds[ebpf->n_fds++] = (int)fd;
    return 0;
}

static int link_perf(struct assay_ebpf *ebpf, const struct bpf_program *program, bool at_return,
                     const char *path, const uint64_t *offsets, const uint64_t *cookies, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = cookies[i], .retprobe = at_return);
        if (ebpf->n_links >= LINKS_MAX)
            return -E2BIG;
        struct bpf_link *link =
            bpf_program__attach_uprobe_opts(program, -1, path, offsets[i], &options);
        if (!link)
            return -errno;
        ebpf->links[ebpf->n_links++] = link;
    }
    return 0;
}

static int attach_library(struct assay_ebpf *ebpf, const struct probes *p)
{
    const struct capture_bpf *skeleton = ebpf->skeleton;
    const struct bpf_program *enter = skeleton->progs.assay_enter,
                             *leave = skeleton->progs.assay_leave,
                             *release = skeleton->progs.assay_release;
    int rc = 0;
    switch (ebpf->mode) {
    case ASSAY_EBPF_MODE_SESSION:
        rc = link_multi(ebpf, skeleton->progs.assay_session, ATTACH_UPROBE_SESSION, 0, p->path,
                        p->allocate_offset, p->allocate_cookie, p->n_allocate);
        break;
    case ASSAY_EBPF_MODE_MULTI:
        /* returns first: a call that is entered between the two would never be closed */
        rc = link_multi(ebpf, leave, ATTACH_UPROBE_MULTI, UPROBE_MULTI_RETURN, p->path,
                        p->allocate_offset, p->allocate_cookie, p->n_allocate);
        if (rc == 0)
            rc = link_multi(ebpf, enter, ATTACH_UPROBE_MULTI, 0, p->path, p->allocate_offset,
                            p->allocate_cookie, p->n_allocate);
        break;
    default:
        rc = link_perf(ebpf, leave, true, p->path, p->allocate_offset, p->allocate_cookie,
                       p->n_allocate);
        if (rc == 0)
            rc = link_perf(ebpf, enter, false, p->path, p->allocate_offset, p->allocate_cookie,
                           p->n_allocate);
        if (rc == 0)
            rc = link_perf(ebpf, release, false, p->path, p->release_offset, p->release_cookie,
                           p->n_release);
        return rc;
    }
    if (rc == 0)
        rc = link_multi(ebpf, release, ATTACH_UPROBE_MULTI, 0, p->path, p->release_offset,
                        p->release_cookie, p->n_release);
    return rc;
}

/* ---- load ---- */

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0;
}

static int take_one(void *context, void *data, size_t bytes)
{
    struct assay_ebpf *ebpf = context;
    return bytes == sizeof(struct assay_ebpf_record) ? ebpf->take(ebpf->self, data) : 0;
}

static void choose_programs(struct capture_bpf *skeleton, enum assay_ebpf_mode mode)
{
    bool session = mode == ASSAY_EBPF_MODE_SESSION;
    enum bpf_attach_type multi = mode == ASSAY_EBPF_MODE_PERF
                                     ? (enum bpf_attach_type)0
                                     : (enum bpf_attach_type)ATTACH_UPROBE_MULTI;
    bpf_program__set_autoload(skeleton->progs.assay_session, session);
    bpf_program__set_autoload(skeleton->progs.assay_enter, !session);
    bpf_program__set_autoload(skeleton->progs.assay_leave, !session);
    bpf_program__set_expected_attach_type(skeleton->progs.assay_session,
                                          (enum bpf_attach_type)ATTACH_UPROBE_SESSION);
    bpf_program__set_expected_attach_type(skeleton->progs.assay_enter, multi);
    bpf_program__set_expected_attach_type(skeleton->progs.assay_leave, multi);
    bpf_program__set_expected_attach_type(skeleton->progs.assay_release, multi);
}

/* Returns 0 or a negative errno; *ret_step says what failed. */
static int start_mode(struct assay_ebpf *ebpf, const struct assay_ebpf_tuning *tuning,
                      const struct probes *probes, size_t n, const char **ret_step)
{
    int rc;
    size_t ring_bytes = tuning->ring_bytes ? tuning->ring_bytes : (size_t)64 << 20;
    *ret_step = "open the programs";
    ebpf->skeleton = capture_bpf__open();
    if (!ebpf->skeleton)
        return -errno;
    choose_programs(ebpf->skeleton, ebpf->mode);
    bpf_map__set_max_entries(ebpf->skeleton->maps.ring, (uint32_t)ring_bytes);
    if (ring_bytes < 4 << 20)
        ebpf->skeleton->rodata->wake_bytes = ring_bytes / 4;
    *ret_step = "load the programs";
    if ((rc = capture_bpf__load(ebpf->skeleton)) < 0)
        return rc;
    *ret_step = "open the ring";
    ebpf->ring = ring_buffer__new(bpf_map__fd(ebpf->skeleton->maps.ring), take_one, ebpf, NULL);
    if (!ebpf->ring)
        return -errno;
    *ret_step = "follow fork, exec and exit";
    struct bpf_program *const traced[] = {ebpf->skeleton->progs.assay_fork,
                                          ebpf->skeleton->progs.assay_exec,
                                          ebpf->skeleton->progs.assay_exit};
    for (size_t i = 0; i < sizeof traced / sizeof *traced; i++) {
        struct bpf_link *link = bpf_program__attach(traced[i]);
        if (!link)
            return -errno;
        ebpf->links[ebpf->n_links++] = link;
    }
    for (size_t i = 0; i < n; i++) {
        *ret_step = probes[i].path;
        if ((rc = attach_library(ebpf, &probes[i])) < 0)
            return rc;
    }
    return 0;
}

static void release_all(struct assay_ebpf *ebpf)
{
    for (size_t i = 0; i < ebpf->n_fds; i++)
        close(ebpf->fds[i]);
    for (size_t i = 0; i < ebpf->n_links; i++)
        bpf_link__destroy(ebpf->links[i]);
    if (ebpf->ring)
        ring_buffer__free(ebpf->ring);
    if (ebpf->skeleton)
        capture_bpf__destroy(ebpf->skeleton);
    *ebpf = (struct assay_ebpf){0};
}

int assay_ebpf_start(const struct assay_ebpf_tuning *tuning,
                     const struct assay_ebpf_library *libraries, size_t n, char *ret_notes,
                     size_t notes_bytes, struct assay_ebpf **ret_ebpf, struct assay_error *err)
{
    static const enum assay_ebpf_mode order[] = {ASSAY_EBPF_MODE_SESSION, ASSAY_EBPF_MODE_MULTI,
                                                 ASSAY_EBPF_MODE_PERF};
    struct probes probes[4];
    if (n > sizeof probes / sizeof *probes)
        return assay_fail(err, ASSAY_E_LIMIT, "too many libraries to probe");
    if (ret_notes && notes_bytes)
        ret_notes[0] = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = find_sites(libraries[i].path, &probes[i], ret_notes, notes_bytes, err);
        if (rc < 0)
            return rc;
    }
    struct assay_ebpf *ebpf = calloc(1, sizeof *ebpf);
    if (!ebpf)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    if (!getenv("ASSAY_EBPF_VERBOSE"))
        libbpf_set_print(quiet);
    const char *step = "";
    int rc = -EINVAL;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (tuning->mode != ASSAY_EBPF_MODE_AUTO && tuning->mode != order[i])
            continue;
        ebpf->mode = order[i];
        rc = start_mode(ebpf, tuning, probes, n, &step);
        if (rc == 0) {
            *ret_ebpf = ebpf;
            return 0;
        }
        release_all(ebpf);
        if (rc == -EPERM || rc == -ENOMEM)
            break; /* another way of attaching would be refused too */
    }
    free(ebpf);
    errno = -rc;
    return rc == -EPERM || rc == -ENOMEM
               ? assay_fail_errno(err, "ebpf: cannot %s%s", strchr(step, '/') ? "probe " : "", step)
               : assay_fail(err, ASSAY_E_UNSUPPORTED, "ebpf: this kernel cannot %s%s: %s",
                            strchr(step, '/') ? "probe " : "", step, assay_reason(-rc).text);
}

void assay_ebpf_stop(struct assay_ebpf *ebpf)
{
    if (!ebpf)
        return;
    release_all(ebpf);
    free(ebpf);
}

int assay_ebpf_follow(struct assay_ebpf *ebpf, pid_t pid, struct assay_error *err)
{
    char state[512] = {0};
    size_t bytes = bpf_map__value_size(ebpf->skeleton->maps.tasks);
    ASSAY_CHECK(bytes <= sizeof state);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return assay_fail_errno(err, "cannot open process %d", (int)pid);
    int rc = bpf_map_update_elem(bpf_map__fd(ebpf->skeleton->maps.tasks), &fd, state, BPF_ANY);
    if (rc < 0)
        assay_fail_errno(err, "ebpf: cannot follow process %d", (int)pid);
    close(fd);
    return rc < 0 ? ASSAY_E_SYSTEM : 0;
}

int assay_ebpf_consume(struct assay_ebpf *ebpf,
                       int (*take)(void *self, const struct assay_ebpf_record *record), void *self)
{
    ebpf->take = take;
    ebpf->self = self;
    int rc = ring_buffer__consume(ebpf->ring);
    return rc < 0 ? rc : 0;
}

int assay_ebpf_wake_fd(const struct assay_ebpf *ebpf)
{
    return ring_buffer__epoll_fd(ebpf->ring);
}

/* Tracepoint programs that the kernel skipped (one ran already on that processor) lose a record. */
static uint64_t missed(const struct bpf_program *program)
{
    struct bpf_prog_info info = {0};
    uint32_t bytes = sizeof info;
    return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) == 0
               ? info.recursion_misses
               : 0;
}

void assay_ebpf_counters(const struct assay_ebpf *ebpf, struct assay_ebpf_counters *ret_counters)
{
    const struct capture_bpf *skeleton = ebpf->skeleton;
    *ret_counters = *(const volatile struct assay_ebpf_counters *)&skeleton->bss->counters;
    ret_counters->dropped += missed(skeleton->progs.assay_fork) +
                             missed(skeleton->progs.assay_exec) +
                             missed(skeleton->progs.assay_exit);
}

enum assay_ebpf_mode assay_ebpf_mode_used(const struct assay_ebpf *ebpf)
{
    return ebpf->mode;
}
