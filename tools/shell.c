#include "tools/shell.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "traces/core/error.h"

static bool has_control(const char *word)
{
    for (; *word; word++)
        if ((unsigned char)*word < 0x20 || *word == 0x7f)
            return true;
    return false;
}

static void put_escaped(FILE *out, const char *word)
{
    fputs("$'", out);
    for (; *word; word++) {
        unsigned char c = (unsigned char)*word;
        if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\%03o", c);
        else if (c == '\'' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
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
    if (has_control(word)) {
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
