/* The whole-message forms. */
#include "crypto/openpgp.h"

static enum rc bytes_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct bytes *in = data;

    (void)e;
    *n = in->n < cap ? in->n : cap;
    if (*n != 0) {
        memcpy(p, in->p, *n);
        in->p += *n;
        in->n -= *n;
    }
    return RC_OK;
}

static enum rc buf_write(void *data, struct bytes piece, struct err *e)
{
    (void)e;
    buf_put_bytes(data, piece);
    return RC_OK;
}

static enum rc secbuf_write(void *data, struct bytes piece, struct err *e)
{
    (void)e;
    secbuf_put_bytes(data, piece);
    return RC_OK;
}

enum rc openpgp_encrypt_bytes(struct buf *out, struct bytes plain, struct bytes password,
                              const struct rng *rng, struct err *e)
{
    size_t before = out->n;
    struct openpgp_source source = {.read = bytes_read, .data = &plain};
    struct openpgp_sink sink = {.write = buf_write, .data = out};
    enum rc rc = openpgp_encrypt(&source, &sink, plain.n, password, rng, e);

    if (rc != RC_OK)
        out->n = before;
    return rc;
}

enum rc openpgp_decrypt_bytes(struct secbuf *out, struct bytes message, struct bytes password,
                              const struct openpgp_limits *limits, struct err *e)
{
    size_t before = out->n;
    struct openpgp_source source = {.read = bytes_read, .data = &message};
    struct openpgp_sink sink = {.write = secbuf_write, .data = out};
    enum rc rc = openpgp_decrypt(&source, &sink, password, limits, e);

    if (rc != RC_OK)
        secbuf_truncate(out, before);
    return rc;
}
