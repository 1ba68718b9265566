/* Memory is mapped executable, as for code that is made at run time. */
#define ZOO_PROTECTION (PROT_READ | PROT_WRITE | PROT_EXEC)
#include "tests/zoo/hardened.h"
