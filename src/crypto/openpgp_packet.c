/* Buffered reading and packet framing (RFC 4880 §4.2). */
#include "crypto/internal/pgp.h"

void pgp_rd_init(struct pgp_rd *rd, struct openpgp_source src)
{
    rd->src = src;
    rd->pos = rd->n = 0;
    rd->at_end = false;
}

static enum rc rd_fill(struct pgp_rd *rd, struct err *e)
{
    if (rd->pos < rd->n || rd->at_end)
        return RC_OK;
    rd->pos = rd->n = 0;
    TRY(rd->src.read(rd->src.data, rd->buf, sizeof(rd->buf), &rd->n, e));
    CHECK(rd->n <= sizeof(rd->buf));
    rd->at_end = rd->n == 0;
    return RC_OK;
}

enum rc pgp_rd_read(struct pgp_rd *rd, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    *n = 0;
    /* Large reads go past the buffer. */
    if (rd->pos == rd->n && !rd->at_end && cap >= sizeof(rd->buf)) {
        TRY(rd->src.read(rd->src.data, p, cap, n, e));
        CHECK(*n <= cap);
        rd->at_end = *n == 0;
        return RC_OK;
    }
    TRY(rd_fill(rd, e));
    *n = rd->n - rd->pos < cap ? rd->n - rd->pos : cap;
    memcpy(p, rd->buf + rd->pos, *n);
    rd->pos += *n;
    return RC_OK;
}

enum rc pgp_rd_exact(struct pgp_rd *rd, uint8_t *p, size_t n, const char *what, struct err *e)
{
    while (n != 0) {
        size_t got;

        TRY(pgp_rd_read(rd, p, n, &got, e));
        if (got == 0)
            return err_set(e, RC_MALFORMED, "openpgp: %s ends early", what);
        p += got;
        n -= got;
    }
    return RC_OK;
}

enum rc pgp_rd_is_end(struct pgp_rd *rd, bool *end, struct err *e)
{
    TRY(rd_fill(rd, e));
    *end = rd->at_end;
    return RC_OK;
}

enum rc pgp_read_full(const struct openpgp_source *src, uint8_t *p, size_t cap, size_t *n,
                      struct err *e)
{
    *n = 0;
    while (*n < cap) {
        size_t got = 0;

        TRY(src->read(src->data, p + *n, cap - *n, &got, e));
        CHECK(got <= cap - *n);
        if (got == 0)
            break;
        *n += got;
    }
    return RC_OK;
}

/* A new-format length (§4.2.2) into b: fixed, or the first or next part of a partial body. */
static enum rc new_length(struct pgp_body *b, struct err *e)
{
    uint8_t v[5];

    TRY(pgp_rd_exact(b->rd, v, 1, "packet length", e));
    b->kind = PGP_FIXED;
    if (v[0] < 192) {
        b->left = v[0];
    } else if (v[0] < 224) {
        TRY(pgp_rd_exact(b->rd, v + 1, 1, "packet length", e));
        b->left = (uint64_t)(v[0] - 192) * 256 + v[1] + 192;
    } else if (v[0] == 255) {
        TRY(pgp_rd_exact(b->rd, v + 1, 4, "packet length", e));
        b->left = load_u32be(v + 1);
    } else {
        b->left = (uint64_t)1 << (v[0] & 31);
        b->kind = PGP_PARTIAL;
    }
    return RC_OK;
}

/* §4.2.1: type 0, 1, 2 are 1, 2, 4 bytes; 3 is "to the end of what holds it". */
static enum rc old_length(struct pgp_body *b, unsigned type, struct err *e)
{
    uint8_t v[4] = {0};
    size_t n = (size_t)1 << type;

    if (type == 3) {
        b->kind = PGP_OPEN;
        return RC_OK;
    }
    TRY(pgp_rd_exact(b->rd, v + 4 - n, n, "packet length", e));
    b->left = load_u32be(v);
    return RC_OK;
}

static bool is_data(unsigned tag)
{
    return tag == PGP_COMPRESSED || tag == PGP_SED || tag == PGP_LITERAL || tag == PGP_SEIPD ||
           tag == PGP_AEAD;
}

enum rc pgp_packet_next(struct pgp_rd *rd, unsigned *tag, struct pgp_body *body, struct err *e)
{
    uint8_t head;

    *body = (struct pgp_body){.rd = rd, .kind = PGP_FIXED};
    TRY(pgp_rd_exact(rd, &head, 1, "packet header", e));
    if ((head & 0x80) == 0)
        return err_set(e, RC_MALFORMED, "openpgp: byte %02x where a packet should start", head);
    if ((head & 0x40) != 0) {
        *tag = head & 63;
        TRY(new_length(body, e));
    } else {
        *tag = head >> 2 & 15;
        TRY(old_length(body, head & 3, e));
    }
    if (body->kind != PGP_FIXED && !is_data(*tag))
        return err_set(e, RC_MALFORMED, "openpgp: %s packet without an exact length",
                       pgp_tag_name(*tag));
    return RC_OK;
}

static enum rc body_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct pgp_body *b = data;

    *n = 0;
    if (b->kind == PGP_OPEN)
        return pgp_rd_read(b->rd, p, cap, n, e);
    while (b->left == 0) {
        if (b->kind == PGP_FIXED)
            return RC_OK;
        TRY(new_length(b, e));
    }
    if (cap > b->left)
        cap = (size_t)b->left;
    TRY(pgp_rd_read(b->rd, p, cap, n, e));
    if (*n == 0)
        return err_set(e, RC_MALFORMED, "openpgp: packet ends early, %llu bytes missing",
                       (unsigned long long)b->left);
    b->left -= *n;
    return RC_OK;
}

struct openpgp_source pgp_body_source(struct pgp_body *b)
{
    return (struct openpgp_source){.read = body_read, .data = b};
}

enum rc pgp_body_skip(struct pgp_body *b, struct err *e)
{
    uint8_t scratch[1024];
    size_t n;

    do {
        TRY(body_read(b, scratch, sizeof(scratch), &n, e));
        wipe(scratch, n);
    } while (n != 0);
    return RC_OK;
}

enum rc pgp_body_all(struct pgp_body *b, uint8_t *p, size_t cap, size_t *n, const char *what,
                     struct err *e)
{
    struct openpgp_source src = pgp_body_source(b);
    uint8_t one;
    size_t more = 0;

    TRY(pgp_read_full(&src, p, cap, n, e));
    if (*n == cap)
        TRY(body_read(b, &one, 1, &more, e));
    if (more != 0)
        return err_set(e, RC_LIMIT, "openpgp: %s of more than %zu bytes", what, cap);
    return RC_OK;
}

const char *pgp_tag_name(unsigned tag)
{
    static const char *const names[] = {
        [PGP_PKESK] = "public-key session key",
        [PGP_SIGNATURE] = "signature",
        [PGP_SKESK] = "password",
        [PGP_ONE_PASS] = "one-pass signature",
        [PGP_COMPRESSED] = "compressed",
        [PGP_SED] = "encrypted (without integrity protection)",
        [PGP_MARKER] = "marker",
        [PGP_LITERAL] = "literal",
        [PGP_SEIPD] = "encrypted",
        [PGP_MDC] = "modification detection",
        [PGP_AEAD] = "AEAD-encrypted",
    };

    return tag < ARRAY_LEN(names) && names[tag] != NULL ? names[tag] : "unknown";
}
