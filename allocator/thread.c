#include "thread.h"

__thread struct bw_thread bw_thread_state;
