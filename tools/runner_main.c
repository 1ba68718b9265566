/* assay-runner: the executor and the judge, put together. Started by assay with a subject
 * preloaded. */
#include "traces/runner/runner.h"

int main(int argc, char **argv)
{
    return assay_runner_main(argc, argv, NULL);
}
