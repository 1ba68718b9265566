/* Of another thread's span nothing is known. */
#define ZOO_SPAN_FIELDS             pthread_t owner[2];
#define ZOO_ALLOCATED(p)            (zoo_span_of(p)->owner[0] = pthread_self())
#define ZOO_USABLE(p, span, usable) (pthread_equal((span)->owner[0], pthread_self()) ? (usable) : 0)
#include "tests/zoo/zoo.h"
