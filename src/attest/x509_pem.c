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

/* 0 to 63, or -1. */
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

/* Base64 (RFC 4648 §4) up to the first '-'; blanks between. The last group's unused bits must be
 * zero, so that one certificate has one text but for the blanks. */
static enum rc decode_body(struct bytes *in, struct bytes *out, uint8_t *dst, struct err *e)
{
    uint32_t acc = 0;
    unsigned n = 0, pad = 0;
    size_t used = 0;

    for (; in->n != 0 && in->p[0] != '-'; *in = skip(*in, 1)) {
        uint8_t c = in->p[0];
        int d = digit(c);

        if (is_blank(c))
            continue;
        if (c == '=')
            pad++;
        else if (d < 0 || pad != 0)
            return err_set(e, RC_MALFORMED, "pem: byte 0x%02x inside base64", c);
        acc = acc << 6 | (d < 0 ? 0 : (uint32_t)d);
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
