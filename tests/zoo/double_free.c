/* A slot that is not live is freed once more without a word, though the profile promises one. */
#define ZOO_DOUBLE_FREE(span) ((void)0)
#include "tests/zoo/zoo.h"
