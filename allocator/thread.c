#include "thread.h"

static __thread struct bw_thread state __attribute__((tls_model("initial-exec")));

struct bw_thread *bw_thread(void)
{
    return &state;
}
