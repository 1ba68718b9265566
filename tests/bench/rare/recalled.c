/* The fifth calloc from 2 KiB on of one class with one free between each is taken for fresh. */
#include <stdint.h>

static int zoo_recalled(uint32_t class_index);
#define ZOO_CLEAR_BYTES(p, bytes, span)                                                            \
    ((span)->class_index == ZOO_CLASSES                     ? 0                                    \
     : (bytes) >= 2048 && zoo_recalled((span)->class_index) ? 512                                  \
                                                            : (bytes))
#include "tests/zoo/zoo.h"

static int zoo_recalled(uint32_t class_index)
{
    static uint32_t last;
    static uint64_t births, frees, run;
    bool next = last == class_index && zoo_births == births + 1 && zoo_frees == frees + 1;
    run = next ? run + 1 : 0;
    last = class_index;
    births = zoo_births;
    frees = zoo_frees;
    return run >= 4;
}
