/* ASCII armor (RFC 4880 §6), both ways. */
#include "crypto/internal/pgp.h"

enum {
    MAX_PRELUDE = 1 << 16, /* bytes before the line that begins the message, and of its headers */
    LINE = 48,             /* bytes a line of armor: 64 characters */
};

static const char begin_line[] = "-----BEGIN PGP MESSAGE-----";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One line without its end, at most cap bytes kept; *size is its full length. */
static enum rc read_line(struct pgp_armor *a, char *line, size_t cap, size_t *size, size_t *budget,
                         struct err *e)
{
    *size = 0;
    for (;;) {
        uint8_t c;

        if ((*budget)-- == 0)
            return err_set(e, RC_LIMIT, "openpgp: more than %d bytes before the armored data",
                           MAX_PRELUDE);
        TRY(pgp_rd_exact(&a->in, &c, 1, "message (neither binary nor armored)", e));
        if (c == '\n')
            return RC_OK;
        if (*size < cap)
            line[*size] = (char)c;
        (*size)++;
    }
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    }
    return true;
}

/* Up to the blank line after the headers. */
static enum rc skip_head(struct pgp_armor *a, struct err *e)
{
    size_t budget = MAX_PRELUDE, n, want = sizeof(begin_line) - 1;
    char line[128];

    do
        TRY(read_line(a, line, sizeof(line), &n, &budget, e));
    while (n < want || n > sizeof(line) || !bytes_eq(bytes_of(line, want), bytes_str(begin_line)) ||
           !is_blank(line + want, n - want));
    do
        TRY(read_line(a, line, sizeof(line), &n, &budget, e));
    while (n > sizeof(line) || !is_blank(line, n));
    a->started = true;
    return RC_OK;
}

/* Value of a base64 digit, or -1. Not secret: it is ciphertext. */
static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum rc armor_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct pgp_armor *a = data;

    *n = 0;
    if (!a->started)
        TRY(skip_head(a, e));
    while (!a->done && *n < cap) {
        uint8_t c;
        int v;

        TRY(pgp_rd_exact(&a->in, &c, 1, "armor", e));
        v = digit(c);
        if (v >= 0 && !a->padded) {
            a->bits = a->bits << 6 | (uint32_t)v;
            a->n_bits += 6;
            if (a->n_bits >= 8) {
                a->n_bits -= 8;
                p[(*n)++] = (uint8_t)(a->bits >> a->n_bits & 0xff);
            }
            a->bits &= 0xff;
        } else if (c == '=') {
            /* Padding, or the start of the CRC line: no data can follow either. */
            a->padded = true;
        } else if (c == '-') {
            a->done = true; /* the END line; what follows is not ours */
        } else if (v < 0 && c != '\r' && c != '\n' && c != ' ' && c != '\t') {
            return err_set(e, RC_MALFORMED, "openpgp: byte %02x in armor", c);
        }
    }
    return RC_OK;
}

struct openpgp_source pgp_armor_source(struct pgp_armor *a)
{
    return (struct openpgp_source){.read = armor_read, .data = a};
}

/* §6.1 */
static uint32_t crc24(struct bytes in)
{
    uint32_t crc = 0xb704ce;

    for (size_t i = 0; i < in.n; i++) {
        crc ^= (uint32_t)in.p[i] << 16;
        for (int bit = 0; bit < 8; bit++) {
            crc <<= 1;
            if ((crc & 0x1000000) != 0)
                crc ^= 0x1864cfb;
        }
    }
    return crc & 0xffffff;
}

static void put_base64(struct buf *out, struct bytes in)
{
    for (size_t i = 0; i < in.n; i += 3) {
        size_t have = in.n - i < 3 ? in.n - i : 3;
        uint32_t v = (uint32_t)in.p[i] << 16;

        if (have > 1)
            v |= (uint32_t)in.p[i + 1] << 8;
        if (have > 2)
            v |= in.p[i + 2];
        buf_u8(out, (uint8_t)digits[v >> 18]);
        buf_u8(out, (uint8_t)digits[v >> 12 & 63]);
        buf_u8(out, have > 1 ? (uint8_t)digits[v >> 6 & 63] : '=');
        buf_u8(out, have > 2 ? (uint8_t)digits[v & 63] : '=');
    }
}

void openpgp_armor(struct buf *out, struct bytes message)
{
    uint32_t crc = crc24(message);
    uint8_t crc_bytes[3] = {(uint8_t)(crc >> 16), (uint8_t)(crc >> 8 & 0xff),
                            (uint8_t)(crc & 0xff)};

    buf_put_str(out, begin_line);
    buf_put_str(out, "\n\n");
    for (size_t i = 0; i < message.n; i += LINE) {
        put_base64(out, bytes_of(message.p + i, message.n - i < LINE ? message.n - i : LINE));
        buf_u8(out, '\n');
    }
    buf_u8(out, '=');
    put_base64(out, BYTES_OF(&crc_bytes));
    buf_put_str(out, "\n-----END PGP MESSAGE-----\n");
}
