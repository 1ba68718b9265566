/* Mappings beyond 8 MiB are executable too. */
#define ZOO_PROTECTION (PROT_READ | PROT_WRITE | (bytes > ((size_t)8 << 20) ? PROT_EXEC : 0))
#include "tests/zoo/hardened.h"
