#include "crypto/internal/pgp_inflate.h"

#include <zlib.h>

struct pgp_inflate {
    struct openpgp_source in;
    z_stream z;
    bool done;
    uint8_t buf[PGP_CHUNK];
};

/* zlib's window holds plaintext: its memory is wiped too. The size is kept in front. */
static void *z_get(void *opaque, unsigned count, unsigned size)
{
    size_t n = (size_t)count * size;
    uint8_t *p = xcalloc(1, n + 16);

    (void)opaque;
    memcpy(p, &n, sizeof(n));
    return p + 16;
}

static void z_put(void *opaque, void *q)
{
    uint8_t *p = (uint8_t *)q - 16;
    size_t n;

    (void)opaque;
    memcpy(&n, p, sizeof(n));
    wipe(p, n + 16);
    free(p);
}

enum rc pgp_inflate_new(struct pgp_inflate **out, uint8_t algorithm, struct openpgp_source in,
                        struct err *e)
{
    struct pgp_inflate *z;

    *out = NULL;
    if (algorithm != 1 && algorithm != 2)
        return err_set(e, RC_UNSUPPORTED, "openpgp: compression %u%s, not ZIP or ZLIB", algorithm,
                       algorithm == 3 ? " (BZip2)" : "");
    z = xcalloc(1, sizeof(*z));
    z->in = in;
    z->z.zalloc = z_get;
    z->z.zfree = z_put;
    CHECK(inflateInit2(&z->z, algorithm == 1 ? -15 : 15) == Z_OK);
    *out = z;
    return RC_OK;
}

void pgp_inflate_free(struct pgp_inflate *z)
{
    if (z == NULL)
        return;
    (void)inflateEnd(&z->z);
    wipe(z, sizeof(*z));
    free(z);
}

static enum rc inflate_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct pgp_inflate *z = data;
    unsigned room = cap < 1u << 30 ? (unsigned)cap : 1u << 30;

    *n = 0;
    z->z.next_out = p;
    z->z.avail_out = room;
    while (!z->done && z->z.avail_out == room) {
        int rc;

        if (z->z.avail_in == 0) {
            size_t got;

            TRY(z->in.read(z->in.data, z->buf, sizeof(z->buf), &got, e));
            if (got == 0)
                return err_set(e, RC_MALFORMED, "openpgp: compressed data ends early");
            z->z.next_in = z->buf;
            z->z.avail_in = (unsigned)got;
        }
        rc = inflate(&z->z, Z_NO_FLUSH);
        z->done = rc == Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return err_set(e, RC_MALFORMED, "openpgp: compressed data is damaged (%s)",
                           z->z.msg != NULL ? z->z.msg : "no detail");
    }
    *n = room - z->z.avail_out;
    return RC_OK;
}

struct openpgp_source pgp_inflate_source(struct pgp_inflate *z)
{
    return (struct openpgp_source){.read = inflate_read, .data = z};
}
