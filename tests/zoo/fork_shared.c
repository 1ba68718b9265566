/* Memory is mapped shared: what a child writes its parent reads. */
#define ZOO_PAGES (MAP_SHARED | MAP_ANONYMOUS)
#include "tests/zoo/zoo.h"
