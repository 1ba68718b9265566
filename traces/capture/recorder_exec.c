/* A program that is started with an environment of its own is still recorded: the recorder is put
 * back into LD_PRELOAD. Works on the stack: exec may stand between vfork and the end. */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/capture/recorder.h"

extern char **environ;

enum { MOST_VARIABLES = 16384, TEXT = 4096 };

static const char preload[] = "LD_PRELOAD=";
static const char directory[] = ASSAY_RECORDER_DIRECTORY "=";

static const char *variable(char *const *environment, const char *name)
{
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, strlen(name)) == 0)
            return *environment;
    return NULL;
}

static size_t count(char *const *environment)
{
    size_t n = 0;
    while (environment && environment[n])
        n++;
    return n;
}

/* True if environment lacks what the recorder needs; then text holds LD_PRELOAD=..., *ret_directory
 * the other variable. */
static bool lacks(char *const *environment, char text[TEXT], const char **ret_directory)
{
    Dl_info here;
    const char *theirs = variable(environment, preload);
    *ret_directory = recorder_directory_variable();
    if (recorder_off || !recorder_control || !dladdr((void *)(uintptr_t)&lacks, &here))
        return false;
    if (theirs && strstr(theirs, here.dli_fname) && variable(environment, directory))
        return false;
    const char *rest = theirs ? theirs + sizeof preload - 1 : "";
    if (strstr(rest, here.dli_fname))
        rest = "";
    if (sizeof preload + strlen(here.dli_fname) + 1 + strlen(rest) + 1 > TEXT ||
        count(environment) > MOST_VARIABLES)
        return false;
    strcpy(text, preload);
    strcat(text, here.dli_fname);
    if (*rest) {
        strcat(text, ":");
        strcat(text, rest);
    }
    return true;
}

static void replace(char *const *environment, char *text, const char *directory_variable,
                    char **ret_environment)
{
    size_t n = 0;
    for (; environment && *environment; environment++)
        if (strncmp(*environment, preload, sizeof preload - 1) != 0 &&
            strncmp(*environment, directory, sizeof directory - 1) != 0)
            ret_environment[n++] = *environment;
    ret_environment[n++] = text;
    ret_environment[n++] = (char *)(uintptr_t)directory_variable;
    ret_environment[n] = NULL;
}

/* Declares `to`: the environment given, or a corrected one on this stack. */
#define WITH_RECORDER(environment, to)                                                             \
    char text[TEXT];                                                                               \
    const char *directory_variable;                                                                \
    bool lacking = lacks(environment, text, &directory_variable);                                  \
    char *room[lacking ? count(environment) + 3 : 1];                                              \
    if (lacking)                                                                                   \
        replace(environment, text, directory_variable, room);                                      \
    char *const *to = lacking ? room : (environment)

#define NEXT(name)                                                                                 \
    static __typeof__(&name) next;                                                                 \
    if (!next)                                                                                     \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

RECORDER_EXPORT int execve(const char *path, char *const argv[], char *const environment[])
{
    NEXT(execve);
    WITH_RECORDER(environment, to);
    return next(path, argv, to);
}

RECORDER_EXPORT int execvpe(const char *file, char *const argv[], char *const environment[])
{
    NEXT(execvpe);
    WITH_RECORDER(environment, to);
    return next(file, argv, to);
}

RECORDER_EXPORT int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

RECORDER_EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

RECORDER_EXPORT int posix_spawn(pid_t *pid, const char *path,
                                const posix_spawn_file_actions_t *actions,
                                const posix_spawnattr_t *attributes, char *const argv[],
                                char *const environment[])
{
    NEXT(posix_spawn);
    WITH_RECORDER(environment, to);
    return next(pid, path, actions, attributes, argv, to);
}

RECORDER_EXPORT int posix_spawnp(pid_t *pid, const char *file,
                                 const posix_spawn_file_actions_t *actions,
                                 const posix_spawnattr_t *attributes, char *const argv[],
                                 char *const environment[])
{
    NEXT(posix_spawnp);
    WITH_RECORDER(environment, to);
    return next(pid, file, actions, attributes, argv, to);
}
