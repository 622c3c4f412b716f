/* PEM (RFC 7468): certificates only. */
#include "attest/x509.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool starts(struct bytes in, const char *text)
{
    return in.n >= strlen(text) && memcmp(in.p, text, strlen(text)) == 0;
}

static struct bytes skip(struct bytes in, size_t n)
{
    return bytes_of(in.p + n, in.n - n);
}

static struct bytes skip_blanks(struct bytes in)
{
    while (in.n != 0 && is_blank(in.p[0]))
        in = skip(in, 1);
    return in;
}

bool x509_is_pem(struct bytes in)
{
    return starts(skip_blanks(in), "-----BEGIN ");
}

/* Value of a digit and 1; 0: it is none. */
static const uint8_t DIGITS[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

/* Groups of four digits without anything between, the most of every certificate. */
static size_t decode_groups(struct bytes *in, uint8_t *dst)
{
    size_t used = 0;

    for (; in->n >= 4; *in = skip(*in, 4), used += 3) {
        uint32_t a = DIGITS[in->p[0]], b = DIGITS[in->p[1]], c = DIGITS[in->p[2]],
                 d = DIGITS[in->p[3]], all;

        if (a == 0 || b == 0 || c == 0 || d == 0)
            break;
        all = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        dst[used] = (uint8_t)(all >> 16);
        dst[used + 1] = (uint8_t)(all >> 8 & 0xff);
        dst[used + 2] = (uint8_t)(all & 0xff);
    }
    return used;
}

/* Base64 (RFC 4648 §4) up to the first '-'; blanks between. The last group's unused bits must be
 * zero, so that one certificate has one text but for the blanks. */
static enum rc decode_body(struct bytes *in, struct bytes *out, uint8_t *dst, struct err *e)
{
    uint32_t acc = 0;
    unsigned n = 0, pad = 0;
    size_t used = 0;

    for (; in->n != 0 && in->p[0] != '-'; *in = skip(*in, 1)) {
        uint8_t c;
        uint32_t d;

        if (n % 4 == 0 && pad == 0)
            used += decode_groups(in, dst + used);
        if (in->n == 0 || in->p[0] == '-')
            break;
        c = in->p[0];
        d = DIGITS[c];
        if (is_blank(c))
            continue;
        if (c == '=')
            pad++;
        else if (d == 0 || pad != 0)
            return err_set(e, RC_MALFORMED, "pem: byte 0x%02x inside base64", c);
        acc = acc << 6 | (d == 0 ? 0 : d - 1);
        if (++n % 4 != 0)
            continue;
        dst[used++] = (uint8_t)(acc >> 16 & 0xff);
        dst[used++] = (uint8_t)(acc >> 8 & 0xff);
        dst[used++] = (uint8_t)(acc & 0xff);
        if (pad > 2 || (pad == 1 && dst[used - 1] != 0) ||
            (pad == 2 && (dst[used - 1] != 0 || dst[used - 2] != 0)))
            return err_set(e, RC_MALFORMED, "pem: wrong padding of base64");
        used -= pad;
        acc = 0;
    }
    if (n % 4 != 0 || used == 0)
        return err_set(e, RC_MALFORMED, "pem: base64 is cut short");
    *out = bytes_of(dst, used);
    return RC_OK;
}

enum rc x509_pem_chain(struct bytes *ders, size_t *n, size_t max, struct bytes pem, struct arena *a,
                       struct err *e)
{
    *n = 0;
    if (pem.n > X509_MAX_CHAIN_SIZE)
        return err_set(e, RC_LIMIT, "pem: %zu bytes, at most %d", pem.n, X509_MAX_CHAIN_SIZE);
    while (pem.n != 0 && pem.p[pem.n - 1] == 0)
        pem.n--; /* C strings were copied whole */
    for (pem = skip_blanks(pem); pem.n != 0; pem = skip_blanks(pem)) {
        if (!starts(pem, BEGIN))
            return err_set(e, RC_MALFORMED, "pem: text that is no certificate");
        if (*n == max)
            return err_set(e, RC_LIMIT, "pem: more than %zu certificates", max);
        pem = skip(pem, strlen(BEGIN));
        TRY(decode_body(&pem, &ders[*n], arena_alloc(a, pem.n / 4 * 3 + 3), e));
        if (!starts(pem, END))
            return err_set(e, RC_MALFORMED, "pem: no END CERTIFICATE");
        pem = skip(pem, strlen(END));
        (*n)++;
    }
    return RC_OK;
}
