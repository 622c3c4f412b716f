/* Writing: SKESK v4, SEIPD v1, literal; the bytes openpgp.js writes for a password. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: see hash.c */
#include "crypto/internal/pgp.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

enum {
    AES_256 = 9,
    S2K_ITERATED = 3,
    HASH_SHA256 = 8,
    S2K_COUNT = 0xe0, /* 16 MiB, as openpgp.js */
    LITERAL_HEAD = 6, /* 'b', no name, no date */
    PART = 0xe0 | 16, /* partial length of 64 KiB = PGP_CHUNK */
};

struct writer {
    const struct openpgp_sink *sink;
    EVP_CIPHER_CTX *cfb;
    SHA_CTX mdc;
    bool exact; /* lengths are written up front */
    size_t n;   /* ciphertext waiting in out */
    uint8_t plain[PGP_CHUNK];
    uint8_t out[2 * PGP_CHUNK];
};

static enum rc emit(struct writer *w, const void *p, size_t n, struct err *e)
{
    return n == 0 ? RC_OK : w->sink->write(w->sink->data, bytes_of(p, n), e);
}

static void buf_length(struct buf *out, uint64_t n)
{
    if (n < 192) {
        buf_u8(out, (uint8_t)n);
    } else if (n < 8384) {
        buf_u16be(out, (uint16_t)(n - 192 + (192 << 8)));
    } else {
        buf_u8(out, 255);
        buf_u32be(out, (uint32_t)n);
    }
}

/* Encrypt in CFB with a zero IV, whole. */
static EVP_CIPHER_CTX *cfb_new(const uint8_t *key)
{
    static const uint8_t zero_iv[PGP_BLOCK];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    CHECK(c != NULL && EVP_EncryptInit_ex(c, EVP_aes_256_cfb128(), NULL, key, zero_iv) == 1);
    return c;
}

static void cfb_put(EVP_CIPHER_CTX *c, uint8_t *out, const void *in, size_t n)
{
    int got = 0;

    if (n != 0)
        CHECK(EVP_EncryptUpdate(c, out, &got, in, (int)n) == 1 && (size_t)got == n);
}

/* §5.3 */
static enum rc put_skesk(struct writer *w, const struct secret32 *session, struct bytes password,
                         const struct rng *rng, struct err *e)
{
    struct pgp_s2k s2k = {.type = S2K_ITERATED, .hash = HASH_SHA256, .count = S2K_COUNT};
    AUTO_CLEAR(secret32) struct secret32 key;
    uint8_t plain[33] = {AES_256},
            packet[48] = {0xc0 | PGP_SKESK, 46, 4, AES_256, S2K_ITERATED, HASH_SHA256};
    EVP_CIPHER_CTX *c;

    rng_fill(rng, s2k.salt, sizeof(s2k.salt));
    memcpy(packet + 6, s2k.salt, sizeof(s2k.salt));
    packet[14] = S2K_COUNT;
    pgp_s2k_derive(key.b, sizeof(key.b), &s2k, password);
    memcpy(plain + 1, session->b, sizeof(session->b));
    c = cfb_new(key.b);
    cfb_put(c, packet + 15, plain, sizeof(plain));
    EVP_CIPHER_CTX_free(c);
    wipe(plain, sizeof(plain));
    return emit(w, packet, sizeof(packet), e);
}

/* Give out what waits: all of it, or only full parts while more may come. */
static enum rc flush(struct writer *w, bool last, struct err *e)
{
    size_t at = 0;

    while (!w->exact && w->n - at >= PGP_CHUNK) {
        static const uint8_t head = PART;

        TRY(emit(w, &head, 1, e));
        TRY(emit(w, w->out + at, PGP_CHUNK, e));
        at += PGP_CHUNK;
    }
    if (!w->exact && last) {
        struct buf head = {0};
        enum rc rc;

        buf_length(&head, w->n - at);
        rc = emit(w, head.p, head.n, e);
        buf_clear(&head);
        TRY(rc);
    }
    if (w->exact || last) {
        TRY(emit(w, w->out + at, w->n - at, e));
        at = w->n;
    }
    memmove(w->out, w->out + at, w->n - at);
    w->n -= at;
    return RC_OK;
}

/* At most PGP_CHUNK bytes of the encrypted packet's content. */
static enum rc put(struct writer *w, const void *p, size_t n, struct err *e)
{
    CHECK(n <= PGP_CHUNK && w->n <= PGP_CHUNK);
    (void)SHA1_Update(&w->mdc, p, n);
    cfb_put(w->cfb, w->out + w->n, p, n);
    w->n += n;
    return w->n >= PGP_CHUNK ? flush(w, false, e) : RC_OK;
}

/* §5.9, with exact or partial lengths. */
static enum rc put_literal(struct writer *w, const struct openpgp_source *in, uint64_t size,
                           struct err *e)
{
    static const uint8_t head[LITERAL_HEAD] = {'b'};
    uint64_t total = 0;
    size_t n, have = LITERAL_HEAD;

    memcpy(w->plain, head, LITERAL_HEAD);
    do {
        TRY(pgp_read_full(in, w->plain + have, PGP_CHUNK - have, &n, e));
        total += n;
        have += n;
        if (w->exact && total > size)
            break;
        if (!w->exact) {
            AUTO_CLEAR(buf) struct buf length = {0};

            if (have == PGP_CHUNK)
                buf_u8(&length, PART);
            else
                buf_length(&length, have);
            TRY(put(w, length.p, length.n, e));
        }
        TRY(put(w, w->plain, have, e));
        n = have;
        have = 0;
    } while (n == PGP_CHUNK);
    if (w->exact && total != size)
        return err_set(e, RC_RANGE, "openpgp: input is not the %llu bytes it was said to be",
                       (unsigned long long)size);
    return RC_OK;
}

static enum rc put_message(struct writer *w, const struct openpgp_source *in, uint64_t size,
                           const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(buf) struct buf inner = {0}, outer = {0};
    uint8_t prefix[PGP_PREFIX], mdc[PGP_MDC_SIZE] = {0xc0 | PGP_MDC, 20};
    static const uint8_t version = 1;

    buf_u8(&inner, 0xc0 | PGP_LITERAL);
    buf_u8(&outer, 0xc0 | PGP_SEIPD);
    if (w->exact) {
        buf_length(&inner, LITERAL_HEAD + size);
        buf_length(&outer, 1 + PGP_PREFIX + inner.n + LITERAL_HEAD + size + PGP_MDC_SIZE);
    }
    TRY(emit(w, outer.p, outer.n, e));
    w->out[w->n++] = version;
    (void)SHA1_Init(&w->mdc);
    rng_fill(rng, prefix, PGP_BLOCK);
    memcpy(prefix + PGP_BLOCK, prefix + PGP_BLOCK - 2, 2);
    TRY(put(w, prefix, sizeof(prefix), e));
    TRY(put(w, inner.p, inner.n, e));
    TRY(put_literal(w, in, size, e));
    /* The hash covers its own header, and is encrypted like the rest. */
    (void)SHA1_Update(&w->mdc, mdc, 2);
    (void)SHA1_Final(mdc + 2, &w->mdc);
    cfb_put(w->cfb, w->out + w->n, mdc, sizeof(mdc));
    w->n += sizeof(mdc);
    return flush(w, true, e);
}

enum rc openpgp_encrypt(const struct openpgp_source *in, const struct openpgp_sink *out,
                        uint64_t size, struct bytes password, const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 session;
    struct writer *w;
    enum rc rc;

    if (password.n > PGP_MAX_PASSWORD) {
        wipe(&session, sizeof(session));
        return err_set(e, RC_LIMIT, "openpgp: password of %zu bytes, limit %d", password.n,
                       PGP_MAX_PASSWORD);
    }
    w = xcalloc(1, sizeof(*w));
    w->sink = out;
    w->exact = size < UINT32_MAX - 100; /* longer ones cannot be said in one length */
    rng_fill(rng, session.b, sizeof(session.b));
    w->cfb = cfb_new(session.b);
    rc = put_skesk(w, &session, password, rng, e);
    if (rc == RC_OK)
        rc = put_message(w, in, size, rng, e);
    EVP_CIPHER_CTX_free(w->cfb);
    wipe(w, sizeof(*w));
    free(w);
    return rc;
}
