/* Property: whatever legal program the input decodes to, Bulwark answers each op as the model says,
 * and every oracle of the catalogue that applies is satisfied. Without --assay-out a violation
 * aborts; with it, it becomes a suspect file. */
#include "fuzzers/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzzers/engine.h"
#include "fuzzers/fuzz_model.h"
#include "fuzzers/linked.h"

#ifndef PROFILE /* of the variant that is linked */
#define PROFILE "bulwark"
#endif

static struct assay_linked *linked;
static struct assay_event ops[ASSAY_PROGRAM_MAX_OPS];
static struct assay_engine_state unshared_state;
static struct assay_engine_state *state = &unshared_state;
static const char *out_folder;
static bool misuse;
static struct assay_program *current;
static const uint8_t *current_data; /* NULL: encoded when needed */
static size_t current_size;
static uint8_t encoded[ASSAY_PROGRAM_MAX_OPS * 16];

static void open_state(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/engine.state", out_folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof *state) == 0)
        map = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "assay-engine: cannot map '%s'; 'assay fuzz' creates it\n", path);
        exit(3);
    }
    close(fd);
    state = map;
    state->limits = assay_fuzz_model_limits();
    state->magic = ASSAY_ENGINE_MAGIC;
    state->version = ASSAY_ENGINE_VERSION;
}

static void write_suspect(const struct assay_violation *v)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/suspects/%s-%s-%s-%u.bin", out_folder,
             assay_property_info(v->property)->id, assay_op_info(v->kind)->name,
             assay_relation_name(v->relation), v->size_band);
    if (access(path, F_OK) == 0)
        return; /* the class is known */
    if (!current_data) {
        struct assay_program_limits limits = assay_fuzz_model_limits();
        current_data = encoded;
        current_size = assay_program_encode(current, &limits, encoded, sizeof encoded);
    }
    int fd = current_size ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    if (fd < 0)
        return;
    if (write(fd, current_data, current_size) == (ssize_t)current_size)
        atomic_fetch_add_explicit(&state->classes, 1, memory_order_relaxed);
    close(fd);
}

static void report(void *self, const struct assay_violation *v)
{
    atomic_fetch_add_explicit(&state->suspects, 1, memory_order_relaxed);
    if (out_folder) {
        write_suspect(v);
        return;
    }
    fprintf(stderr, "fuzz_model: %s violated by %s at op %llu (%s): %s\n",
            assay_property_info(v->property)->id, assay_op_info(v->kind)->name,
            (unsigned long long)v->op_index, assay_relation_name(v->relation),
            assay_property_info(v->property)->statement);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp((*argv)[i], "--help") == 0 || strcmp((*argv)[i], "-h") == 0) {
            printf("%s: started by 'assay fuzz', whose --help lists the options; by hand it takes "
                   "libFuzzer's flags (-help=1) and corpus folders\n",
                   program_invocation_short_name);
            exit(0);
        }
        if (strncmp((*argv)[i], "--assay-out=", 12) == 0)
            out_folder = (*argv)[i] + 12;
        else if (strcmp((*argv)[i], "--assay-misuse") == 0)
            misuse = true;
    }
    struct assay_error err;
    struct assay_linked_config config = {
        .touch = ASSAY_TOUCH_FULL, .seed = 1, .max_objects = 65536, .report = report};
    if (assay_profile_find(PROFILE, &config.profile, &err) != 0 ||
        assay_linked_create(&config, &linked, &err) != 0) {
        fprintf(stderr, "assay-engine: %s\n", err.text);
        exit(3);
    }
    if (out_folder)
        open_state();
    return 0;
}

struct assay_program_limits assay_fuzz_model_limits(void)
{
    return (struct assay_program_limits){
        .missing_apis = assay_linked_missing(),
        .max_object_bytes = 4 << 20,
        .max_live_bytes = 64 << 20,
        .max_live_objects = 4096,
        .misuse = misuse,
    };
}

void assay_fuzz_model_run(struct assay_program *program, const uint8_t *data, size_t size)
{
    current = program;
    current_data = data;
    current_size = size;
    assay_linked_run(linked, program);
    const struct assay_judge *judge = assay_linked_judge(linked);
    atomic_fetch_add_explicit(&state->execs, 1, memory_order_relaxed);
    atomic_store_explicit(&state->calls, assay_judge_calls(judge), memory_order_relaxed);
    for (unsigned property = 1; property < ASSAY_PROPERTY_COUNT; property++)
        atomic_store_explicit(&state->evaluations[property],
                              assay_judge_evaluations(judge, property), memory_order_relaxed);
}

uint64_t assay_fuzz_model_calls(void)
{
    return assay_judge_calls(assay_linked_judge(linked));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_program_limits limits = assay_fuzz_model_limits();
    struct assay_program program = {.ops = ops, .capacity = ASSAY_PROGRAM_MAX_OPS};
    assay_program_decode(data, size, &limits, &program);
    assay_fuzz_model_run(&program, data, size);
    return 0;
}
