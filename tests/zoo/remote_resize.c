/* realloc takes another thread's object for one without content. */
#define ZOO_SPAN_FIELDS  pthread_t owner[2];
#define ZOO_ALLOCATED(p) (zoo_span_of(p)->owner[0] = pthread_self())
#define ZOO_COPY_FROM(p, span)                                                                     \
    ((span)->class_index == ZOO_CLASSES && !pthread_equal((span)->owner[0], pthread_self())        \
         ? (const void *)((span)->first + 64)                                                      \
         : (p))
#include "tests/zoo/zoo.h"
