#include "traces/core/printable.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the character at text and its number; 0 if the bytes are not UTF-8. */
static size_t decode(const unsigned char *text, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : 3;
    if (text[0] >= 0xf0)
        length = text[0] < 0xf5 ? 4 : 0;
    uint32_t code = length > 1 ? text[0] & (0xffu >> (length + 1)) : text[0];
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (length > 1 &&
        (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)))
        return 0;
    *ret_code = code;
    return length;
}

static bool steers(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || /* C0, DEL, C1 */
           code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t assay_printable_next(const char *text, bool *ret_printable)
{
    uint32_t code;
    size_t length = decode((const unsigned char *)text, &code);
    *ret_printable = length > 0 && !steers(code);
    return length > 0 ? length : 1;
}

enum { PIECE = 20 }; /* four escaped bytes and a zero */

/* The character at text as it is shown; returns how many bytes of text that is. */
static size_t piece(const char *text, char out[PIECE])
{
    bool printable;
    size_t length = assay_printable_next(text, &printable), used = 0;
    if (printable) {
        memcpy(out, text, length);
        out[length] = '\0';
    } else if (*text == '\n' || *text == '\t' || *text == '\r') {
        snprintf(out, PIECE, "\\%c", *text == '\n' ? 'n' : *text == '\t' ? 't' : 'r');
    } else {
        for (size_t i = 0; i < length; i++)
            used += (size_t)snprintf(out + used, PIECE - used, "\\x%02x", (unsigned char)text[i]);
    }
    return length;
}

size_t assay_printable_text(char *out, size_t room, const char *text)
{
    size_t total = 0, used = 0;
    while (*text) {
        char shown[PIECE];
        text += piece(text, shown);
        size_t length = strlen(shown);
        if (used == total && total + length < room) {
            memcpy(out + used, shown, length);
            used += length;
        }
        total += length;
    }
    if (room > 0)
        out[used] = '\0';
    return total;
}

const char *assay_printable(struct assay_printable *buffer, const char *text)
{
    static const char dots[] = "...";
    size_t room = sizeof buffer->text - sizeof dots;
    if (assay_printable_text(buffer->text, room, text) >= room)
        memcpy(buffer->text + strlen(buffer->text), dots, sizeof dots);
    return buffer->text;
}
