/* See assay_ebpf_libraries in ebpf.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/capture/ebpf.h"

enum { SCRIPT_DEPTH_MAX = 4, LIST_BYTES_MAX = 1 << 16 };

/* Follows `#!` lines: buffer becomes the path of the binary that will run. */
static int through_scripts(char *path, size_t bytes, struct assay_error *err)
{
    for (int depth = 0; depth < SCRIPT_DEPTH_MAX; depth++) {
        char line[512] = {0};
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return assay_fail_errno(err, "cannot read '%s'", path);
        ssize_t got = read(fd, line, sizeof line - 1);
        close(fd);
        if (got < 2 || line[0] != '#' || line[1] != '!')
            return 0;
        char *save = NULL, *word = strtok_r(line + 2, " \t\r\n", &save);
        if (!word)
            return assay_fail(err, ASSAY_E_FORMAT, "'%s' names no interpreter", path);
        /* '#!/usr/bin/env NAME': what will run is NAME */
        const char *base = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;
        if (strcmp(base, "env") == 0) {
            word = strtok_r(NULL, " \t\r\n", &save);
            while (word && (word[0] == '-' || strchr(word, '=')))
                word = strtok_r(NULL, " \t\r\n", &save);
            if (!word)
                return assay_fail(err, ASSAY_E_FORMAT, "'%s' names no interpreter", path);
        }
        char name[512];
        snprintf(name, sizeof name, "%s", word);
        int rc = assay_capture_find(name, path, bytes, err);
        if (rc < 0)
            return rc;
    }
    return assay_fail(err, ASSAY_E_LIMIT, "'%s' is a script of a script of a script", path);
}

/* What the program's own dynamic loader says it will map, in its order of lookup: the loader runs,
 * the program does not. */
static int loader_lists(const char *interpreter, const char *path, char *text, size_t bytes,
                        struct assay_error *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return assay_fail_errno(err, "cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        close(pipe_fds[0]), close(pipe_fds[1]);
        return assay_fail_errno(err, "cannot fork");
    }
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(pipe_fds[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(interpreter, interpreter, "--list", path, (char *)NULL);
        _exit(127);
    }
    close(pipe_fds[1]);
    size_t used = 0;
    for (ssize_t got; used + 1 < bytes; used += (size_t)got) {
        got = read(pipe_fds[0], text + used, bytes - 1 - used);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got <= 0)
            break;
    }
    text[used] = 0;
    close(pipe_fds[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return assay_fail(err, ASSAY_E_UNSUPPORTED, "'%s' cannot load '%s'", interpreter, path);
    return 0;
}

bool assay_ebpf_serves(const char *path, bool *ret_is_libc)
{
    struct assay_probe_file *file;
    if (assay_probe_file_open(path, &file, NULL) < 0)
        return false;
    bool found = assay_probe_file_defines(file, "malloc") && assay_probe_file_defines(file, "free");
    /* the C library is the one that starts programs */
    *ret_is_libc = found && (assay_probe_file_defines(file, "__libc_start_main"));
    assay_probe_file_close(file);
    return found;
}

/* Takes the path out of one line of the loader's list: "\tname => /path (0x...)" or
 * "\t/path (0x...)". Returns NULL for the vdso and for what was not found. */
static char *path_in_line(char *line)
{
    char *arrow = strstr(line, "=> "), *end = strstr(line, " (0x");
    char *path = arrow ? arrow + 3 : line + strspn(line, " \t");
    if (!end || *path != '/')
        return NULL;
    *end = 0;
    return path;
}

/* The dynamic case: the first file in lookup order that defines malloc, then the C library. */
static int dynamic_libraries(const char *interpreter, const char *path,
                             struct assay_ebpf_library *libraries, size_t n,
                             struct assay_error *err)
{
    static const char musl[] = "ld-musl";
    char *text = malloc(LIST_BYTES_MAX), *save = NULL;
    if (!text)
        return assay_fail(err, ASSAY_E_MEMORY, "out of memory");
    int filled = 0;
    bool is_libc = false;
    int rc = loader_lists(interpreter, path, text, LIST_BYTES_MAX, err);
    if (rc < 0)
        goto out;
    if (assay_ebpf_serves(path, &is_libc))
        snprintf(libraries[filled++].path, sizeof libraries->path, "%s", path);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *candidate = path_in_line(line);
        /* the loader's own malloc serves only itself before the C library is there; musl's loader
         * is the C library */
        if (!candidate || (size_t)filled >= n ||
            (strcmp(candidate, interpreter) == 0 && !strstr(candidate, musl)))
            continue;
        if (assay_ebpf_serves(candidate, &is_libc) && (filled == 0 || is_libc))
            snprintf(libraries[filled++].path, sizeof libraries->path, "%s", candidate);
        if (is_libc)
            break;
    }
    rc = filled > 0 ? filled
                    : assay_fail(err, ASSAY_E_UNSUPPORTED,
                                 "no library that '%s' loads defines malloc", path);
out:
    free(text);
    return rc;
}

int assay_ebpf_libraries(const char *path, struct assay_ebpf_library *libraries, size_t n,
                         struct assay_error *err)
{
    char binary[PATH_MAX];
    struct assay_probe_file *file = NULL;
    snprintf(binary, sizeof binary, "%s", path);
    int rc = through_scripts(binary, sizeof binary, err);
    if (rc < 0)
        return rc;
    rc = assay_probe_file_open(binary, &file, err);
    if (rc < 0)
        return rc;
    const char *interpreter = assay_probe_file_interpreter(file);
    if (interpreter) {
        rc = dynamic_libraries(interpreter, binary, libraries, n, err);
    } else if (assay_probe_file_defines(file, "malloc")) {
        snprintf(libraries[0].path, sizeof libraries->path, "%s", binary);
        rc = 1;
    } else {
        rc = assay_fail(err, ASSAY_E_UNSUPPORTED,
                        "'%s' is statically linked and stripped: its malloc cannot be found",
                        binary);
    }
    assay_probe_file_close(file);
    return rc;
}
