/* Reading: finds the password packets, picks the key, decrypts, unpacks, checks the hash.
 * What fails inside the encrypted packet is reported only after the hash was checked: a message
 * that was altered is always RC_DENIED, whatever its alteration turned the inside into. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: see hash.c */
#include "crypto/internal/pgp.h"
#include "crypto/internal/pgp_inflate.h"

#include <openssl/sha.h>

enum {
    MAX_SKESK_BODY = 256, /* bytes; 46 as everyone writes it */
    MAX_SKESK = 16,       /* packets kept, whatever the caller allows */
    MAX_DEPTH = 4,        /* compressed inside compressed */
};

struct skesk {
    uint8_t algorithm;
    struct pgp_s2k s2k;
    uint8_t esk[33]; /* encrypted session key, if any */
    size_t esk_n;
};

/* The encrypted packet as a source of its plaintext, without prefix and MDC packet. */
struct decrypt {
    struct openpgp_source in;
    struct pgp_aes *aes;
    SHA_CTX sha;
    uint8_t feedback[PGP_BLOCK];
    size_t pos, n, hashed; /* in plain: given out; there; covered by sha */
    size_t head_n;         /* ciphertext read ahead to choose the key */
    bool at_end, ok;       /* ok: the hash was right */
    uint8_t cipher[PGP_CHUNK];
    uint8_t plain[PGP_CHUNK + PGP_MDC_SIZE];
};

struct message {
    const struct openpgp_source *source;
    const struct openpgp_sink *sink;
    struct bytes password;
    struct openpgp_limits limits;
    uint64_t n_plain;
    /* Set where a failure is not about the content inside: source, sink, limit, truncation. */
    enum rc hard;
    struct skesk skesk[MAX_SKESK];
    size_t n_skesk, n_public, n_skipped;
    bool binary_known, is_armored;
    uint8_t first;
    bool first_pending;
    struct pgp_armor armor;
    struct pgp_rd outer;
    struct decrypt dec;
    uint8_t copy[PGP_CHUNK];
};

/* ---- source ---- */

static enum rc user_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct message *m = data;
    enum rc rc;

    if (m->first_pending) {
        *p = m->first;
        *n = 1;
        m->first_pending = false;
        return RC_OK;
    }
    rc = m->source->read(m->source->data, p, cap, n, e);
    if (rc != RC_OK)
        m->hard = rc;
    return rc;
}

/* Look at the first byte: binary or text. */
static enum rc open_source(struct message *m, struct err *e)
{
    struct openpgp_source src = {.read = user_read, .data = m};
    size_t n;

    TRY(user_read(m, &m->first, 1, &n, e));
    if (n == 0)
        return err_set(e, RC_MALFORMED, "openpgp: empty input");
    m->first_pending = true;
    m->is_armored = pgp_is_text(m->first);
    if (m->is_armored) {
        pgp_rd_init(&m->armor.in, src);
        src = pgp_armor_source(&m->armor);
    }
    pgp_rd_init(&m->outer, src);
    return RC_OK;
}

/* ---- password packets ---- */

static enum rc parse_skesk(struct message *m, struct pgp_body *body, struct err *e)
{
    uint8_t raw[MAX_SKESK_BODY];
    struct skesk k = {0};
    struct reader r;
    size_t n;

    TRY(pgp_body_all(body, raw, sizeof(raw), &n, "password packet", e));
    r = reader_init(bytes_of(raw, n));
    if (reader_u8(&r) != 4) {
        m->n_skipped++; /* v5 and v6 go with AEAD packets */
        return RC_OK;
    }
    k.algorithm = reader_u8(&r);
    k.s2k.type = reader_u8(&r);
    k.s2k.hash = reader_u8(&r);
    if (k.s2k.type == 1 || k.s2k.type == 3)
        reader_copy(&r, k.s2k.salt, sizeof(k.s2k.salt));
    if (k.s2k.type == 3)
        k.s2k.count = reader_u8(&r);
    k.esk_n = r.left;
    if (k.esk_n > sizeof(k.esk)) {
        k.esk_n = 0;
        reader_fail(&r, "session key longer than any");
    }
    reader_copy(&r, k.esk, k.esk_n);
    TRY(reader_done(&r, "openpgp: password packet", e));
    if (m->n_skesk == m->limits.max_skesk)
        return err_set(e, RC_LIMIT, "openpgp: more than %u password packets", m->limits.max_skesk);
    TRY(pgp_s2k_check(&k.s2k, e));
    if (k.s2k.type == 3 && pgp_s2k_bytes(k.s2k.count) > m->limits.max_s2k)
        return err_set(e, RC_LIMIT, "openpgp: password packet asks to hash %llu bytes, limit %llu",
                       (unsigned long long)pgp_s2k_bytes(k.s2k.count),
                       (unsigned long long)m->limits.max_s2k);
    if (pgp_key_size(k.algorithm) == 0)
        return err_set(e, RC_UNSUPPORTED, "openpgp: cipher %u, not AES (7, 8, 9)", k.algorithm);
    m->skesk[m->n_skesk++] = k;
    return RC_OK;
}

/* Session key of one packet with our password; size 0 if it cannot be the right password. */
static size_t session_key(uint8_t key[32], const struct skesk *k, struct bytes password)
{
    size_t size = pgp_key_size(k->algorithm);
    uint8_t iv[PGP_BLOCK] = {0}, plain[sizeof(k->esk)];
    struct pgp_aes *aes;

    pgp_s2k_derive(key, size, &k->s2k, password);
    if (k->esk_n == 0)
        return size;
    aes = pgp_aes_new(key, size);
    pgp_cfb_decrypt(aes, iv, plain, k->esk, k->esk_n);
    pgp_aes_free(aes);
    size = pgp_key_size(plain[0]);
    if (size == 0 || size != k->esk_n - 1)
        size = 0;
    memcpy(key, plain + 1, size);
    wipe(plain, sizeof(plain));
    return size;
}

/* ---- the encrypted packet ---- */

/* §5.13's "quick check" picks among the passwords' keys: the prefix ends as it began. It proves
 * nothing (one in 65,536 passes by chance); the hash does. */
static bool prefix_fits(const uint8_t *key, size_t size, const uint8_t *cipher)
{
    struct pgp_aes *aes = pgp_aes_new(key, size);
    uint8_t iv[PGP_BLOCK] = {0}, plain[PGP_PREFIX];
    bool fits;

    pgp_cfb_decrypt(aes, iv, plain, cipher, PGP_PREFIX);
    fits = ct_eq(plain + PGP_BLOCK, plain + PGP_BLOCK - 2, 2);
    pgp_aes_free(aes);
    wipe(plain, sizeof(plain));
    return fits;
}

static enum rc choose_key(struct message *m, struct err *e)
{
    struct decrypt *d = &m->dec;

    TRY(pgp_read_full(&d->in, d->cipher, sizeof(d->cipher), &d->head_n, e));
    if (d->head_n < PGP_PREFIX + PGP_MDC_SIZE)
        return err_set(e, RC_MALFORMED, "openpgp: encrypted packet of %zu bytes, shorter than any",
                       d->head_n);
    for (size_t i = 0; i < m->n_skesk && d->aes == NULL; i++) {
        AUTO_CLEAR(secret32) struct secret32 key = {0};
        size_t size = session_key(key.b, &m->skesk[i], m->password);

        if (size != 0 && prefix_fits(key.b, size, d->cipher))
            d->aes = pgp_aes_new(key.b, size);
    }
    if (d->aes == NULL)
        return err_set(e, RC_DENIED, "openpgp: wrong password");
    return RC_OK;
}

/* Decrypt the next chunk behind what is left in plain (at most the MDC packet's size). */
static enum rc decrypt_fill(struct decrypt *d, struct err *e)
{
    size_t keep = d->n - d->pos, n = d->head_n;

    CHECK(keep <= PGP_MDC_SIZE && d->hashed <= d->pos);
    memmove(d->plain, d->plain + d->pos, keep);
    d->pos = d->hashed = 0;
    d->n = keep;
    if (n == 0)
        TRY(pgp_read_full(&d->in, d->cipher, sizeof(d->cipher), &n, e));
    d->head_n = 0;
    d->at_end = n < sizeof(d->cipher);
    pgp_cfb_decrypt(d->aes, d->feedback, d->plain + keep, d->cipher, n);
    d->n += n;
    if (d->n > PGP_MDC_SIZE) {
        d->hashed = d->n - PGP_MDC_SIZE;
        (void)SHA1_Update(&d->sha, d->plain, d->hashed);
    }
    return RC_OK;
}

/* §5.14: the last 22 bytes are d3 14 and the hash of everything before, d3 14 included. */
static void check_mdc(struct decrypt *d)
{
    static const uint8_t head[2] = {0xc0 | PGP_MDC, 20};
    uint8_t digest[20];

    if (d->n - d->pos != PGP_MDC_SIZE)
        return;
    (void)SHA1_Update(&d->sha, head, sizeof(head));
    (void)SHA1_Final(digest, &d->sha);
    d->ok = ct_eq(d->plain + d->pos, head, sizeof(head)) &&
            ct_eq(d->plain + d->pos + 2, digest, sizeof(digest));
}

static enum rc decrypt_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    struct message *m = data;
    struct decrypt *d = &m->dec;

    *n = 0;
    while (d->n - d->pos <= PGP_MDC_SIZE) {
        enum rc rc;

        if (d->at_end)
            return RC_OK;
        rc = decrypt_fill(d, e);
        if (rc != RC_OK) {
            m->hard = rc;
            return rc;
        }
        if (d->at_end && d->n - d->pos == PGP_MDC_SIZE)
            check_mdc(d);
    }
    *n = d->n - d->pos - PGP_MDC_SIZE;
    if (*n > cap)
        *n = cap;
    memcpy(p, d->plain + d->pos, *n);
    d->pos += *n;
    if (d->at_end && d->n - d->pos == PGP_MDC_SIZE)
        check_mdc(d);
    return RC_OK;
}

/* ---- what is inside ---- */

static enum rc copy_literal(struct message *m, struct pgp_body *body, struct err *e)
{
    struct openpgp_source src = pgp_body_source(body);
    size_t n, name_n;

    /* format, length of the name, the name, date: §5.9. None of it is used. */
    TRY(pgp_read_full(&src, m->copy, 2, &n, e));
    name_n = n == 2 ? (size_t)m->copy[1] + 4 : 0;
    TRY(pgp_read_full(&src, m->copy, name_n, &n, e));
    if (name_n == 0 || n != name_n)
        return err_set(e, RC_MALFORMED, "openpgp: literal packet ends early");
    for (;;) {
        TRY(src.read(src.data, m->copy, sizeof(m->copy), &n, e));
        if (n == 0)
            return RC_OK;
        if (n > m->limits.max_plain - m->n_plain) {
            m->hard = RC_LIMIT;
            return err_set(e, RC_LIMIT, "openpgp: more than %llu bytes of plaintext",
                           (unsigned long long)m->limits.max_plain);
        }
        m->n_plain += n;
        m->hard = m->sink->write(m->sink->data, bytes_of(m->copy, n), e);
        TRY(m->hard);
    }
}

static enum rc read_inside(struct message *m, struct openpgp_source src, unsigned depth,
                           struct err *e);

static enum rc read_compressed(struct message *m, struct pgp_body *body, unsigned depth,
                               struct err *e)
{
    struct openpgp_source src = pgp_body_source(body);
    __attribute__((cleanup(cleanup_pgp_inflate))) struct pgp_inflate *z = NULL;
    uint8_t algorithm;
    size_t n;

    if (depth == MAX_DEPTH)
        return err_set(e, RC_LIMIT, "openpgp: compressed more than %d times over", MAX_DEPTH);
    TRY(pgp_read_full(&src, &algorithm, 1, &n, e));
    if (n == 0)
        return err_set(e, RC_MALFORMED, "openpgp: empty compressed packet");
    if (algorithm == 0)
        return read_inside(m, src, depth + 1, e);
    TRY(pgp_inflate_new(&z, algorithm, src, e));
    TRY(read_inside(m, pgp_inflate_source(z), depth + 1, e));
    return pgp_body_skip(body, e); /* some writers leave a byte after the deflate stream */
}

/* One literal packet, maybe after markers, maybe compressed; then the end. */
static enum rc read_inside(struct message *m, struct openpgp_source src, unsigned depth,
                           struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf mem = {0};
    struct pgp_rd *rd = (void *)secbuf_extend(&mem, sizeof(*rd));
    struct pgp_body body;
    unsigned tag;
    bool end;

    pgp_rd_init(rd, src);
    TRY(pgp_packet_next(rd, &tag, &body, e));
    while (tag == PGP_MARKER) {
        TRY(pgp_body_skip(&body, e));
        TRY(pgp_packet_next(rd, &tag, &body, e));
    }
    if (tag == PGP_LITERAL)
        TRY(copy_literal(m, &body, e));
    else if (tag == PGP_COMPRESSED)
        TRY(read_compressed(m, &body, depth, e));
    else
        return err_set(e, RC_UNSUPPORTED, "openpgp: %s packet (tag %u) inside the encrypted one",
                       pgp_tag_name(tag), tag);
    TRY(pgp_rd_is_end(rd, &end, e));
    if (!end)
        return err_set(e, RC_UNSUPPORTED, "openpgp: more packets after the literal one");
    return RC_OK;
}

static enum rc read_encrypted(struct message *m, struct pgp_body *body, struct err *e)
{
    struct decrypt *d = &m->dec;
    struct openpgp_source plain = {.read = decrypt_read, .data = m};
    uint8_t version, prefix[PGP_PREFIX];
    enum rc inside;
    size_t n;

    d->in = pgp_body_source(body);
    TRY(pgp_read_full(&d->in, &version, 1, &n, e));
    if (n == 0 || version != 1)
        return err_set(e, n == 0 ? RC_MALFORMED : RC_UNSUPPORTED,
                       "openpgp: encrypted packet of version %u, not 1", n == 0 ? 0 : version);
    TRY(choose_key(m, e));
    (void)SHA1_Init(&d->sha);
    TRY(pgp_read_full(&plain, prefix, sizeof(prefix), &n, e));
    wipe(prefix, sizeof(prefix));
    inside = read_inside(m, plain, 0, e);
    TRY(m->hard);
    do {
        struct err drain;
        enum rc rc = plain.read(plain.data, m->copy, sizeof(m->copy), &n, &drain);

        if (rc != RC_OK)
            return err_set(e, rc, "%s", drain.msg);
    } while (n != 0);
    if (!d->ok)
        return err_set(e, RC_DENIED, "openpgp: wrong password, or the message was altered");
    return inside;
}

/* ---- the message ---- */

static enum rc no_key(const struct message *m, struct err *e)
{
    if (m->n_skipped != 0)
        return err_set(e, RC_UNSUPPORTED,
                       "openpgp: only password packets of another version than 4");
    if (m->n_public != 0)
        return err_set(e, RC_UNSUPPORTED, "openpgp: encrypted to a public key, not a password");
    return err_set(e, RC_UNSUPPORTED, "openpgp: no password packet before the encrypted one");
}

static enum rc read_message(struct message *m, struct err *e)
{
    struct pgp_body body;
    bool end;

    TRY(open_source(m, e));
    for (;;) {
        unsigned tag;

        TRY(pgp_packet_next(&m->outer, &tag, &body, e));
        if (tag == PGP_SEIPD)
            break;
        if (tag == PGP_SKESK) {
            TRY(parse_skesk(m, &body, e));
            continue;
        }
        if (tag != PGP_MARKER && tag != PGP_PKESK)
            return err_set(e, RC_UNSUPPORTED, "openpgp: %s packet (tag %u) in an encrypted message",
                           pgp_tag_name(tag), tag);
        m->n_public += tag == PGP_PKESK;
        TRY(pgp_body_skip(&body, e));
    }
    if (m->n_skesk == 0)
        return no_key(m, e);
    TRY(read_encrypted(m, &body, e));
    TRY(pgp_rd_is_end(&m->outer, &end, e));
    if (!end)
        return err_set(e, RC_MALFORMED, "openpgp: bytes after the encrypted packet");
    return RC_OK;
}

enum rc openpgp_decrypt(const struct openpgp_source *in, const struct openpgp_sink *out,
                        struct bytes password, const struct openpgp_limits *limits, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf mem = {0};
    struct message *m;
    enum rc rc;
    struct err own;

    if (password.n > PGP_MAX_PASSWORD)
        return err_set(e, RC_LIMIT, "openpgp: password of %zu bytes, limit %d", password.n,
                       PGP_MAX_PASSWORD);
    m = (void *)secbuf_extend(&mem, sizeof(*m)); /* it will hold plaintext */
    m->source = in;
    m->sink = out;
    m->password = password;
    if (limits != NULL)
        m->limits = *limits;
    if (m->limits.max_plain == 0)
        m->limits.max_plain = (uint64_t)16 << 30;
    if (m->limits.max_s2k == 0)
        m->limits.max_s2k = PGP_DEFAULT_S2K;
    if (m->limits.max_skesk == 0)
        m->limits.max_skesk = PGP_DEFAULT_SKESK;
    if (m->limits.max_skesk > MAX_SKESK)
        m->limits.max_skesk = MAX_SKESK;
    rc = read_message(m, e == NULL ? &own : e);
    pgp_aes_free(m->dec.aes);
    return rc;
}
