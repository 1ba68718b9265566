/* What a span knows of its slots stands in the span, below the first of them: an index that is
 * negative reaches it. As the headers of jemalloc's chunks before 5.0, and of many others. */
#include "tests/zoo/zoo.h"
