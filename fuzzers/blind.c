/* assay-engine-plain: the linked Bulwark without instrumentation, driven by the plain generator
 * instead of an engine. The blind baseline (`--guidance none`), and the measure of what linked
 * judging costs. Speaks fuzzers/engine.h as fuzz_model does, so `assay fuzz` cannot tell the two
 * apart. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzzers/fuzz.h"
#include "fuzzers/fuzz_model.h"
#include "fuzzers/generate.h"

static struct assay_generator generator;
static struct assay_event ops[ASSAY_GENERATE_MIX_OPS];
static volatile sig_atomic_t stop;

static void on_signal(int signal_number)
{
    stop = 1;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static unsigned long number_after(const char *arg, const char *name, unsigned long otherwise)
{
    size_t length = strlen(name);
    return strncmp(arg, name, length) == 0 ? strtoul(arg + length, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    unsigned long seed = 1, runs = 0, seconds = 0;
    bool limited = false;
    enum assay_generate_mode mode = ASSAY_GENERATE_SWARM;
    for (int i = 1; i < argc; i++) {
        seed = number_after(argv[i], "-seed=", seed);
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            limited = true; /* 0 as well: none */
            runs = strtoul(argv[i] + 6, NULL, 10);
        }
        seconds = number_after(argv[i], "-max_total_time=", seconds);
        if (strcmp(argv[i], "--assay-mix") == 0)
            mode = ASSAY_GENERATE_MIX;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    LLVMFuzzerInitialize(&argc, &argv);
    struct assay_program_limits limits = assay_fuzz_model_limits();
    assay_generate_init(&generator, mode, &limits);
    double start = now_s();
    for (unsigned long index = 0; !stop && (!limited || index < runs); index++) {
        struct assay_program program = {.ops = ops, .capacity = ASSAY_GENERATE_MIX_OPS};
        bool last = false;
        assay_generate_start(&generator, seed, index);
        while (!last && program.count < program.capacity)
            program.count += assay_generate_fill(&generator, ops + program.count,
                                                 program.capacity - program.count, &last);
        assay_fuzz_model_run(&program, NULL, 0);
        bool look = mode == ASSAY_GENERATE_MIX || (index & 63) == 0; /* its programs are long */
        if (seconds && look && now_s() - start >= (double)seconds)
            break;
    }
    double elapsed = now_s() - start;
    unsigned long long calls = assay_fuzz_model_calls();
    fprintf(stderr, "%llu judged calls in %.2f s: %.2f M/s\n", calls, elapsed,
            (double)calls / elapsed * 1e-6);
    return 0;
}
