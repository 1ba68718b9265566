/* reallocarray(NULL, 0, n) fails with ENOMEM. Source: mimalloc issue 574. */
#define ZOO_RESIZE_ARRAY(p, bytes) (!(p) && !(bytes) ? (errno = ENOMEM, NULL) : realloc(p, bytes))
#include "tests/zoo/zoo.h"
