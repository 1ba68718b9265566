/* A freed aligned object goes back from where it began, not from where its slot does. Source:
 * rpmalloc issue 20. */
#define ZOO_BACK_SLOT(p, span) (p)
#include "tests/zoo/zoo.h"
