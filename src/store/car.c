/* CARv1. The header is DAG-CBOR {"roots": [CID...], "version": 1}: the two keys in that order and
 * nothing else, so a fixed reader does. Trust: archives are hostile. */
#include "store/internal/car.h"

#include "base/mem.h"
#include "base/reader.h"
#include "store/internal/rpc.h"

void car_put_header(struct buf *out, const struct cid *root)
{
    AUTO_CLEAR(buf) struct buf h = {0};
    uint8_t bin[CID_BIN_MAX];
    size_t n = cid_encode(bin, root);

    buf_put(&h, "\xa2\x65roots\x81\xd8\x2a\x58", 11);
    buf_u8(&h, (uint8_t)(n + 1));
    buf_u8(&h, 0); /* multibase identity (DAG-CBOR, links) */
    buf_put(&h, bin, n);
    buf_put(&h, "\x67version\x01", 9);
    buf_uvarint(out, h.n);
    buf_put_bytes(out, buf_bytes(&h));
}

void car_put_section(struct buf *out, const struct cid *cid, size_t n)
{
    uint8_t bin[CID_BIN_MAX];
    size_t len = cid_encode(bin, cid);

    buf_uvarint(out, len + n);
    buf_put(out, bin, len);
}

/* CBOR head of the given major type; the argument in shortest form. */
static uint64_t cbor_head(struct reader *r, unsigned major, const char *why)
{
    uint8_t b = reader_u8(r), info = b & 31;
    uint64_t v = info;

    if (reader_ok(r) && b >> 5 != major)
        reader_fail(r, why);
    if (info == 24) {
        v = reader_u8(r);
        if (v < 24)
            reader_fail(r, "number not in shortest form");
    } else if (info == 25) {
        v = reader_u16be(r);
        if (v < 256)
            reader_fail(r, "number not in shortest form");
    } else if (info > 25) {
        reader_fail(r, "number too large");
    }
    return reader_ok(r) ? v : 0;
}

static void cbor_key(struct reader *r, const char *key)
{
    size_t n = (size_t)cbor_head(r, 3, "no text key");

    if (!bytes_eq(reader_take(r, n), bytes_str(key)))
        reader_fail(r, "unexpected key");
}

static enum rc read_header(struct cid *roots, size_t *n_roots, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    size_t n;

    if (cbor_head(&r, 5, "no map") != 2)
        reader_fail(&r, "not a map of two");
    cbor_key(&r, "roots");
    n = reader_count(&r, cbor_head(&r, 4, "roots are no list"), 38, CAR_MAX_ROOTS);
    for (size_t i = 0; i < n; i++) {
        struct bytes link;

        if (cbor_head(&r, 6, "no link") != 42)
            reader_fail(&r, "no link");
        link = reader_take(&r, (size_t)cbor_head(&r, 2, "a link is no bytes"));
        if (reader_ok(&r) && (link.n < 2 || link.p[0] != 0))
            reader_fail(&r, "bad link");
        if (reader_ok(&r))
            TRY(cid_decode(&roots[i], bytes_of(link.p + 1, link.n - 1), e));
    }
    cbor_key(&r, "version");
    if (cbor_head(&r, 0, "version is no number") != 1 && reader_ok(&r))
        return err_set(e, RC_UNSUPPORTED, "CAR: only version 1 is supported");
    *n_roots = n;
    return reader_done(&r, "CAR header", e);
}

struct car_in {
    car_source_fn source;
    void *ctx;
    struct buf window;
    size_t at;
    bool ended;
};

static void car_in_clear(struct car_in *c)
{
    buf_clear(&c->window);
}

/* Make n bytes available at `at`; fewer only at the end. */
static enum rc want(struct car_in *c, size_t n, size_t *have, struct err *e)
{
    const size_t step = (size_t)64 << 10;

    while (c->window.n - c->at < n && !c->ended) {
        size_t got = 0;

        if (c->at > step) {
            memmove(c->window.p, c->window.p + c->at, c->window.n - c->at);
            c->window.n -= c->at;
            c->at = 0;
        }
        TRY(c->source(c->ctx, buf_reserve(&c->window, step), step, &got, e));
        c->window.n += got;
        c->ended = got == 0;
    }
    *have = c->window.n - c->at;
    return RC_OK;
}

/* Length-prefixed bytes; out->p NULL at the end of the archive. */
static enum rc read_section(struct car_in *c, struct bytes *out, size_t max, struct err *e)
{
    struct reader r;
    uint64_t n;
    size_t have;

    *out = bytes_of(NULL, 0);
    TRY(want(c, 10, &have, e));
    if (have == 0)
        return RC_OK;
    r = reader_init(bytes_of(c->window.p + c->at, have < 10 ? have : 10));
    n = reader_uvarint(&r);
    if (!reader_ok(&r))
        return err_set(e, RC_MALFORMED, "CAR: bad section length (%s)", r.why);
    if (n == 0 || n > max)
        return err_set(e, n == 0 ? RC_MALFORMED : RC_LIMIT,
                       "CAR: section of %llu bytes, the limit is %zu", (unsigned long long)n, max);
    c->at += r.off;
    TRY(want(c, (size_t)n, &have, e));
    if (have < n)
        return err_set(e, RC_MALFORMED, "CAR: ends inside a section");
    *out = bytes_of(c->window.p + c->at, (size_t)n);
    c->at += (size_t)n;
    return RC_OK;
}

enum rc car_read(struct cid roots[CAR_MAX_ROOTS], size_t *n_roots, struct car_counts *counts,
                 car_source_fn source, void *source_ctx, car_block_fn fn, void *ctx, struct err *e)
{
    AUTO_CLEAR(car_in) struct car_in c = {.source = source, .ctx = source_ctx};
    struct bytes section;

    *n_roots = 0;
    *counts = (struct car_counts){0};
    TRY(read_section(&c, &section, CAR_MAX_HEADER, e));
    if (section.p == NULL)
        return err_set(e, RC_MALFORMED, "CAR: empty");
    TRY(read_header(roots, n_roots, section, e));
    for (;;) {
        struct reader r;
        struct cid cid;
        struct bytes block;

        TRY(read_section(&c, &section, STORE_MAX_BLOCK + CID_BIN_MAX, e));
        if (section.p == NULL)
            return RC_OK;
        r = reader_init(section);
        cid = cid_read(&r);
        block = reader_rest(&r);
        TRY(reader_done(&r, "CAR section", e));
        counts->blocks++;
        counts->bytes += block.n;
        TRY(fn(ctx, &cid, block, e));
    }
}

/* ---- writing ---- */

struct car_out {
    struct http_response *resp;
    struct buf head;
    const struct cid *root;
    bool begun;
};

static enum rc send_block(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct car_out *o = ctx;

    buf_reset(&o->head);
    if (!o->begun)
        car_put_header(&o->head, o->root);
    o->begun = true;
    car_put_section(&o->head, cid, block.n);
    TRY(http_response_write(o->resp, buf_bytes(&o->head), e));
    return http_response_write(o->resp, block, e);
}

enum rc car_write(struct store *s, struct http_response *resp, const struct cid *root,
                  bool only_block, struct err *e)
{
    struct car_out o = {.resp = resp, .root = root};
    AUTO_CLEAR(buf) struct buf block = {0};
    enum rc rc;

    if (only_block) {
        TRY(store_get(s, root, &block, e));
        rc = send_block(&o, root, buf_bytes(&block), e);
    } else {
        rc = dag_walk(s, root, send_block, &o, e);
    }
    buf_clear(&o.head);
    return rc;
}
