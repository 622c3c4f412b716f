/* Percent encoding (RFC 3986 §2.1). */
#include "base/hex.h"
#include "net/http_client.h"

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void http_url_escape(struct buf *out, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if (is_unreserved(text.p[i]))
            buf_u8(out, text.p[i]);
        else
            buf_printf(out, "%%%02X", text.p[i]);
}

enum rc http_url_unescape(struct buf *out, struct bytes text, bool plus, struct err *e)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (c == '%') {
            int hi = text.n - i > 2 ? hex_digit(text.p[i + 1]) : -1;
            int lo = text.n - i > 2 ? hex_digit(text.p[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return err_set(e, RC_MALFORMED, "bad percent escape at byte %zu", i);
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        buf_u8(out, c);
    }
    return RC_OK;
}
