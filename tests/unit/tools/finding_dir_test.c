/* Finding folders: what is put in comes out, whole or not at all. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/finding_dir.h"

static char folder[] = "/tmp/assay-finding-dir-XXXXXX";
static _Atomic bool replaced;
static _Atomic unsigned missed;
static struct assay_subject_spec spec = {.name = "glibc"};
static const struct assay_event ops[] = {{.kind = ASSAY_OP_MALLOC, .born = 1, .size = 40},
                                         {.kind = ASSAY_OP_FREE, .object = 1}};

static struct assay_finding_record make_record(const char *profile)
{
    return (struct assay_finding_record){
        .violation = {.property = ASSAY_PROPERTY_C19,
                      .kind = ASSAY_OP_FREE,
                      .relation = ASSAY_RELATION_WRONG_ERRNO,
                      .object = 1,
                      .op_index = 1,
                      .event = {.kind = ASSAY_OP_FREE, .object = 1}},
        .ops = ops,
        .count = 2,
        .spec = &spec,
        .subject = "glibc",
        .profile_path = profile,
        .ops_found = 64,
        .hits = 10,
        .trials = 10,
        .said = "",
        .guidance = "none"};
}

static int entries(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

static long size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

static void *look(void *argument)
{
    const char *file = argument;
    while (!atomic_load(&replaced))
        if (access(file, R_OK) != 0)
            atomic_fetch_add(&missed, 1);
    return NULL;
}

/* Whoever is killed while a finding is written anew leaves the old one or the new one. */
static void a_finding_is_there_while_it_is_replaced(void **state)
{
    enum { TIMES = 200 };
    const struct assay_finding_record record = make_record(NULL);
    char path[PATH_MAX], file[PATH_MAX + 16], left[PATH_MAX];
    struct assay_error err;
    pthread_t thread;
    (void)state;
    assert_int_equal(assay_finding_dir_write(folder, &record, path, &err), 0);
    snprintf(file, sizeof file, "%s/finding.json", path);
    assert_int_equal(pthread_create(&thread, NULL, look, file), 0);
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(assay_finding_dir_write(folder, &record, path, &err), 0);
    atomic_store(&replaced, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&missed), 0);
    /* what a process that is gone had begun is cleared away, and what another is writing is not */
    snprintf(left, sizeof left, "%s/.%s.%d.partial", folder, strrchr(path, '/') + 1, 1 << 30);
    assert_int_equal(mkdir(left, 0700), 0);
    snprintf(file, sizeof file, "%s/.%s.%ld.partial", folder, strrchr(path, '/') + 1,
             (long)getppid());
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(assay_finding_dir_write(folder, &record, path, &err), 0);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(access(file, F_OK), 0);
    rmdir(file);
    assert_int_equal(entries(folder), 1);
    remove_all(path);
}

static void long_profile_is_kept_whole(void **state)
{
    char from[PATH_MAX], path[PATH_MAX], kept[PATH_MAX + 16];
    struct assay_finding_dir dir;
    struct assay_error err;
    (void)state;
    snprintf(from, sizeof from, "%s/long.ini", folder);
    FILE *out = fopen(from, "we");
    assert_non_null(out);
    for (int i = 0; i < 20000; i++)
        fprintf(out, "; line %d\n", i);
    fputs("[profile]\nmin_alignment = 16\n", out);
    assert_int_equal(fclose(out), 0);
    assert_true(size_of(from) > 3 * 65536);

    struct assay_finding_record record = make_record(from);
    assert_int_equal(assay_finding_dir_write(folder, &record, path, &err), 0);
    snprintf(kept, sizeof kept, "%s/profile.ini", path);
    assert_int_equal(size_of(kept), size_of(from));
    assert_int_equal(assay_finding_dir_read(path, &dir, &err), 0);
    assert_string_equal(dir.profile_path, kept);
    assert_string_equal(dir.property, "C19");
    assert_int_equal(dir.count, 2);
    assay_finding_dir_free(&dir);
    remove_all(path);
    unlink(from);
}

static void unreadable_profile_is_an_error(void **state)
{
    char path[PATH_MAX];
    struct assay_error err;
    (void)state;
    struct assay_finding_record record = make_record(folder); /* opens, cannot be read */
    assert_true(assay_finding_dir_write(folder, &record, path, &err) < 0);
    assert_non_null(strstr(err.text, "cannot read"));
    assert_int_equal(entries(folder), 0); /* nothing half-written is left */
}

/* What threads repeat is told as a pass, with who makes which call. */
static void a_race_is_told_as_its_pass(void **state)
{
    enum { PASSES = 128 };
    static struct assay_event race[2 * PASSES];
    char path[PATH_MAX], name[PATH_MAX + 16], text[8192];
    struct assay_error err;
    struct assay_circumstances circumstances = {.around = {.concerned_count = 1}};
    struct assay_finding_record record = make_record(NULL);
    (void)state;
    for (uint32_t i = 0; i < PASSES; i++) {
        race[2 * i] =
            (struct assay_event){.kind = ASSAY_OP_MALLOC, .thread = 2, .size = 305, .born = i + 1};
        race[2 * i + 1] = (struct assay_event){
            .kind = ASSAY_OP_FREE, .place = ASSAY_PLACE_OBJECT, .object = i + 1};
    }
    record.violation = (struct assay_violation){.property = ASSAY_PROPERTY_C05,
                                                .kind = ASSAY_OP_MALLOC,
                                                .relation = ASSAY_RELATION_OVERLAP_SAME_START,
                                                .races = true,
                                                .object = 50,
                                                .op_index = 95,
                                                .size_band = 9,
                                                .event = race[98]};
    /* made as op 95, which in the program is a free of another */
    circumstances.around.concerned[0] = (struct assay_neighbour){
        .object = 50, .requested = 305, .state = ASSAY_OBJECT_FREED, .birth = 95, .death = 96};
    record.ops = race;
    record.count = 2 * PASSES;
    record.ops_found = 3 * PASSES;
    record.repeats_found = PASSES;
    record.environment.preempted = true;
    record.circumstances = &circumstances;
    assert_int_equal(assay_finding_dir_write(folder, &record, path, &err), 0);
    snprintf(name, sizeof name, "%s/report.txt", path);
    FILE *in = fopen(name, "re");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    assert_non_null(strstr(text, "op 95: malloc(305) by thread 2\n"));
    assert_non_null(strstr(text, "allocated at op 95: malloc(305) by thread 2\n"));
    assert_non_null(strstr(text, "freed at op 96: free(object 50) by thread 0\n"));
    assert_non_null(strstr(text, "; 2 ops, 128 times left of 3 ops, 128 times"));
    assert_non_null(strstr(text, "\nmalloc thread=2 size=305 born=1\nfree thread=0 object=1\n(the "
                                 "same 128 times)\n"));
    remove_all(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_profile_is_kept_whole),
                                       cmocka_unit_test(a_finding_is_there_while_it_is_replaced),
                                       cmocka_unit_test(a_race_is_told_as_its_pass),
                                       cmocka_unit_test(unreadable_profile_is_an_error)};
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_all(folder);
    return failed;
}
