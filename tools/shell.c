#include "tools/shell.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "traces/core/error.h"
#include "traces/core/printable.h"

static bool is_printable(const char *word)
{
    bool printable = true;
    while (*word && printable)
        word += assay_printable_next(word, &printable);
    return printable;
}

static void put_escaped(FILE *out, const char *word)
{
    fputs("$'", out);
    while (*word) {
        bool printable;
        size_t n = assay_printable_next(word, &printable);
        if (*word == '\'' || *word == '\\')
            fputc('\\', out);
        for (; n > 0; n--, word++)
            fprintf(out, printable ? "%c" : "\\%03o", (unsigned char)*word);
    }
    fputc('\'', out);
}

void assay_shell_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=+,%@";
    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, out);
        return;
    }
    if (!is_printable(word)) {
        put_escaped(out, word);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

char *assay_shell_line(const char *word, ...)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    va_list words;
    ASSAY_CHECK(out);
    va_start(words, word);
    for (const char *next = word; next; next = va_arg(words, const char *)) {
        if (next != word)
            fputc(' ', out);
        assay_shell_word(out, next);
    }
    va_end(words);
    ASSAY_CHECK(fclose(out) == 0);
    return text;
}
