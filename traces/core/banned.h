/* Functions that nobody here calls: using one is a compile error. The build includes this file
 * before every source file (assay_flags); sources never include it themselves.
 *
 * Unbounded writers, hidden static buffers, and parsers that cannot report an error. Use snprintf,
 * memcpy with a length that was checked, strtok_r, strtoull (or tools/human.h), localtime_r,
 * mkstemp. The headers that declare them come first, because a poisoned word may not appear again.
 */
#ifndef ASSAY_CORE_BANNED_H
#define ASSAY_CORE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat stpcpy stpncpy
#pragma GCC poison sprintf vsprintf gets
#pragma GCC poison strtok asctime ctime gmtime localtime
#pragma GCC poison atoi atol atoll atof
#pragma GCC poison tmpnam tempnam mktemp

#endif
