#include "base/hex.h"

static const char DIGITS[] = "0123456789abcdef";

/* Texts of megabytes are read: a table is two to three times as fast as comparing. */
#define DECIMAL(c, v) [c] = (v) + 1
#define LETTER(c, v) [c] = (v) + 1, [(c) - 'a' + 'A'] = (v) + 1
static const int8_t VALUES[256] = {
    DECIMAL('0', 0), DECIMAL('1', 1), DECIMAL('2', 2), DECIMAL('3', 3),
    DECIMAL('4', 4), DECIMAL('5', 5), DECIMAL('6', 6), DECIMAL('7', 7),
    DECIMAL('8', 8), DECIMAL('9', 9), LETTER('a', 10), LETTER('b', 11),
    LETTER('c', 12), LETTER('d', 13), LETTER('e', 14), LETTER('f', 15),
};

int hex_digit(uint8_t c)
{
    return VALUES[c] - 1;
}

void hex_encode(char *dst, struct bytes src)
{
    for (size_t i = 0; i < src.n; i++) {
        dst[2 * i] = DIGITS[src.p[i] >> 4];
        dst[2 * i + 1] = DIGITS[src.p[i] & 15];
    }
    dst[2 * src.n] = 0;
}

void hex_put(struct buf *out, struct bytes src)
{
    CHECK(src.n <= SIZE_MAX / 4);
    hex_encode((char *)buf_reserve(out, 2 * src.n + 1), src);
    out->n += 2 * src.n;
}

void hex_put_0x(struct buf *out, struct bytes src)
{
    buf_put_str(out, "0x");
    hex_put(out, src);
}

static struct bytes strip_0x(struct bytes t)
{
    if (t.n >= 2 && t.p[0] == '0' && (t.p[1] == 'x' || t.p[1] == 'X'))
        return bytes_of(t.p + 2, t.n - 2);
    return t;
}

static enum rc decode(uint8_t *dst, struct bytes t, struct err *e)
{
    for (size_t i = 0; i < t.n / 2; i++) {
        int hi = hex_digit(t.p[2 * i]);
        int lo = hex_digit(t.p[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return err_set(e, RC_MALFORMED, "hex: character 0x%02x is not a hexadecimal digit",
                           hi < 0 ? t.p[2 * i] : t.p[2 * i + 1]);
        dst[i] = (uint8_t)(hi << 4 | lo);
    }
    return RC_OK;
}

enum rc hex_decode_fixed(uint8_t *dst, size_t n, struct bytes text, struct err *e)
{
    struct bytes t = strip_0x(text);
    enum rc rc;

    if (t.n != 2 * n) {
        memset(dst, 0, n);
        return err_set(e, RC_MALFORMED, "hex: %zu digits, expected %zu", t.n, 2 * n);
    }
    rc = decode(dst, t, e);
    if (rc != RC_OK)
        memset(dst, 0, n);
    return rc;
}

enum rc hex_decode(struct buf *out, struct bytes text, size_t max, struct err *e)
{
    struct bytes t = strip_0x(text);
    size_t before = out->n;
    enum rc rc;

    if (t.n % 2 != 0)
        return err_set(e, RC_MALFORMED, "hex: odd number of digits (%zu)", t.n);
    if (t.n / 2 > max)
        return err_set(e, RC_LIMIT, "hex: %zu bytes exceed the limit of %zu", t.n / 2, max);
    rc = decode(buf_extend(out, t.n / 2), t, e);
    if (rc != RC_OK)
        out->n = before;
    return rc;
}
