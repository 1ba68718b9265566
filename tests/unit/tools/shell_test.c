#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/shell.h"

static void quotes_where_needed(void **state)
{
    char *line = assay_shell_line("a/b.trace", "--x=1", "two words", "", "it's", "$HOME", NULL);
    (void)state;
    assert_string_equal(line, "a/b.trace --x=1 'two words' '' 'it'\\''s' '$HOME'");
    free(line);
}

/* What a shell makes of a pasted line is what went in. */
static void comes_back(void **state)
{
    static const char *const words[] = {
        "plain", "'", "a\nb\t'\\", "\x1b[2J \xc2\x9b\x9b;", "*?[x]", "\"q\" `id` ;&|<>"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char *line = assay_shell_line("printf", "%s", words[i], NULL), got[64] = "";
        char *quoted = assay_shell_line("bash", "-c", line, NULL);
        assert_null(strchr(line, '\n'));
        FILE *out = popen(quoted, "r");
        assert_non_null(out);
        size_t n = fread(got, 1, sizeof got - 1, out);
        got[n] = '\0';
        assert_int_equal(pclose(out), 0);
        assert_string_equal(got, words[i]);
        free(quoted);
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_where_needed),
        cmocka_unit_test(comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
