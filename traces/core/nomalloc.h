/* The allocation ban, force-included (-include) into everything that runs beside a subject.
 *
 * A direct call of the malloc family, or of a C library function that allocates, does not compile
 * there. Members of struct assay_subject keep their names: only calls of the functions are errors.
 * The link-time half of the ban is tests/e2e/allocation_ban.cmake, the run-time half the counting
 * allocator. */
#ifndef ASSAY_CORE_NOMALLOC_H
#define ASSAY_CORE_NOMALLOC_H

#include <dirent.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__clang__)
#define ASSAY_BANNED __attribute__((unavailable("allocates: not allowed beside a subject")))
#else
#define ASSAY_BANNED __attribute__((error("allocates: not allowed beside a subject")))
#endif
void *malloc(size_t) ASSAY_BANNED;
void *calloc(size_t, size_t) ASSAY_BANNED;
void *realloc(void *, size_t) ASSAY_BANNED;
void *reallocarray(void *, size_t, size_t) ASSAY_BANNED;
void free(void *) ASSAY_BANNED;
void *aligned_alloc(size_t, size_t) ASSAY_BANNED;
int posix_memalign(void **, size_t, size_t) ASSAY_BANNED;
void *memalign(size_t, size_t) ASSAY_BANNED;
void *valloc(size_t) ASSAY_BANNED;
void *pvalloc(size_t) ASSAY_BANNED;
#undef ASSAY_BANNED

#pragma GCC poison printf fprintf dprintf vprintf vfprintf vdprintf asprintf vasprintf puts fputs
#pragma GCC poison fopen fdopen freopen fclose fflush fread fwrite fgets getline getdelim perror
#pragma GCC poison strdup strndup qsort qsort_r backtrace backtrace_symbols dlopen dlclose
#pragma GCC poison opendir readdir scandir localtime localtime_r strerror atexit setenv putenv

#endif
