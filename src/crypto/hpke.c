#include "crypto/hpke.h"

#include "crypto/hash.h"
#include "crypto/x25519.h"

/* RFC 9180 §7: DHKEM(X25519, HKDF-SHA256) is 0x0020, HKDF-SHA256 is 0x0001. */
static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};

struct suite {
    uint8_t id[10]; /* "HPKE" and the three ids */
    enum aead_alg alg;
};

static struct suite suite_of(enum hpke_aead aead)
{
    static const enum aead_alg algs[] = {AEAD_AES_128_GCM, AEAD_AES_256_GCM,
                                         AEAD_CHACHA20_POLY1305};

    CHECK(aead >= HPKE_AES_128_GCM && aead <= HPKE_CHACHA20_POLY1305);
    return (struct suite){
        .id = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, (uint8_t)aead},
        .alg = algs[aead - HPKE_AES_128_GCM],
    };
}

/* RFC 9180 §4: LabeledExtract(salt, label, ikm). */
static void labeled_extract(struct hash32 *prk, struct bytes suite, struct bytes salt,
                            const char *label, struct bytes ikm)
{
    struct bytes parts[] = {bytes_str("HPKE-v1"), suite, bytes_str(label), ikm};

    hmac_sha256_parts(prk, salt, parts, ARRAY_LEN(parts));
}

/* RFC 9180 §4: LabeledExpand(prk, label, info, L), for L of at most one block: every use here. */
static void labeled_expand(uint8_t *out, size_t n, struct bytes suite, const struct hash32 *prk,
                           const char *label, struct bytes info)
{
    uint8_t length[2] = {0, (uint8_t)n};
    static const uint8_t one = 1;
    struct bytes parts[] = {BYTES_OF(&length), bytes_str("HPKE-v1"), suite, bytes_str(label), info,
                            BYTES_OF(&one)};
    struct hash32 t;

    CHECK(n <= sizeof(t.b));
    hmac_sha256_parts(&t, BYTES_OF(prk), parts, ARRAY_LEN(parts));
    memcpy(out, t.b, n);
    wipe(&t, sizeof(t));
}

/* §4.1 ExtractAndExpand over the Diffie-Hellman result. */
static void kem_secret(struct secret32 *out, const struct secret32 *dh, const uint8_t *enc,
                       const uint8_t *pub)
{
    struct bytes suite = BYTES_OF(&kem_suite);
    uint8_t context[64];
    struct hash32 prk;

    memcpy(context, enc, 32);
    memcpy(context + 32, pub, 32);
    labeled_extract(&prk, suite, bytes_of(NULL, 0), "eae_prk", BYTES_OF(dh));
    labeled_expand(out->b, sizeof(out->b), suite, &prk, "shared_secret", BYTES_OF(&context));
    wipe(&prk, sizeof(prk));
}

/* §5.1 KeySchedule in base mode. */
static void key_schedule(struct hpke_context *out, enum hpke_aead aead,
                         const struct secret32 *shared, struct bytes info, bool seals)
{
    struct suite s = suite_of(aead);
    struct bytes suite = BYTES_OF(&s.id), none = bytes_of(NULL, 0);
    struct hash32 psk_id_hash, info_hash, secret;
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    uint8_t context[65] = {0}; /* mode_base */

    labeled_extract(&psk_id_hash, suite, none, "psk_id_hash", none);
    labeled_extract(&info_hash, suite, none, "info_hash", info);
    memcpy(context + 1, psk_id_hash.b, 32);
    memcpy(context + 33, info_hash.b, 32);
    labeled_extract(&secret, suite, BYTES_OF(shared), "secret", none);
    labeled_expand(key.b, aead_key_size(s.alg), suite, &secret, "key", BYTES_OF(&context));
    labeled_expand(out->base_nonce, sizeof(out->base_nonce), suite, &secret, "base_nonce",
                   BYTES_OF(&context));
    labeled_expand(out->exporter.b, sizeof(out->exporter.b), suite, &secret, "exp",
                   BYTES_OF(&context));
    aead_key_init(&out->key, s.alg, key.b, seals);
    out->aead = aead;
    out->sequence = 0;
    wipe(&secret, sizeof(secret));
}

/* ---- contexts ---- */

void hpke_context_clear(struct hpke_context *c)
{
    aead_key_clear(&c->key);
    wipe(c, sizeof(*c));
}

enum rc hpke_sender_with(struct hpke_context *out, uint8_t enc[HPKE_ENC_SIZE], enum hpke_aead aead,
                         const struct secret32 *ephemeral, const uint8_t peer_pub[32],
                         struct bytes info, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 dh = {0}, shared = {0};

    TRY(x25519(&dh, ephemeral, peer_pub, e));
    x25519_pub(enc, ephemeral);
    kem_secret(&shared, &dh, enc, peer_pub);
    key_schedule(out, aead, &shared, info, true);
    return RC_OK;
}

enum rc hpke_sender(struct hpke_context *out, uint8_t enc[HPKE_ENC_SIZE],
                    const uint8_t peer_pub[32], struct bytes info, const struct rng *rng,
                    struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 ephemeral;

    rng_fill(rng, ephemeral.b, sizeof(ephemeral.b));
    return hpke_sender_with(out, enc, HPKE_AES_256_GCM, &ephemeral, peer_pub, info, e);
}

enum rc hpke_receiver(struct hpke_context *out, enum hpke_aead aead, const struct secret32 *key,
                      const uint8_t enc[HPKE_ENC_SIZE], struct bytes info, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 dh = {0}, shared = {0};
    uint8_t pub[32];

    TRY(x25519(&dh, key, enc, e));
    x25519_pub(pub, key);
    kem_secret(&shared, &dh, enc, pub);
    key_schedule(out, aead, &shared, info, false);
    return RC_OK;
}

void hpke_context_export(const struct hpke_context *c, uint8_t *out, size_t n, struct bytes context)
{
    struct suite s = suite_of(c->aead);
    struct hash32 prk;

    memcpy(prk.b, c->exporter.b, sizeof(prk.b));
    labeled_expand(out, n, BYTES_OF(&s.id), &prk, "sec", context);
    wipe(&prk, sizeof(prk));
}

void hpke_way_back(struct hpke_context *out, const struct hpke_context *c, const char *key_name,
                   const char *nonce_name, bool seals)
{
    enum aead_alg alg = suite_of(c->aead).alg;
    AUTO_CLEAR(secret32) struct secret32 key = {0};

    *out = (struct hpke_context){.aead = c->aead};
    hpke_context_export(c, key.b, aead_key_size(alg), bytes_str(key_name));
    hpke_context_export(c, out->base_nonce, sizeof(out->base_nonce), bytes_str(nonce_name));
    aead_key_init(&out->key, alg, key.b, seals);
}

/* §5.2 ComputeNonce */
static void nonce_of(uint8_t nonce[AEAD_NONCE_SIZE], const struct hpke_context *c)
{
    memcpy(nonce, c->base_nonce, AEAD_NONCE_SIZE);
    for (size_t i = 0; i < sizeof(c->sequence); i++)
        nonce[AEAD_NONCE_SIZE - 1 - i] ^= (uint8_t)(c->sequence >> (8 * i));
}

static enum rc check_size(struct bytes plain, struct bytes aad, struct err *e)
{
    if (plain.n <= AEAD_MAX_SIZE && aad.n <= AEAD_MAX_SIZE)
        return RC_OK;
    return err_set(e, RC_LIMIT, "hpke: more than %zu bytes in one message", AEAD_MAX_SIZE);
}

enum rc hpke_context_seal(struct hpke_context *c, struct buf *out, struct bytes aad,
                          struct bytes plain, struct err *e)
{
    uint8_t nonce[AEAD_NONCE_SIZE];

    TRY(check_size(plain, aad, e));
    nonce_of(nonce, c);
    aead_key_seal(&c->key, buf_extend(out, plain.n + AEAD_TAG_SIZE), nonce, aad, plain);
    c->sequence++;
    return RC_OK;
}

enum rc hpke_context_open(struct hpke_context *c, struct secbuf *out, struct bytes aad,
                          struct bytes sealed, struct err *e)
{
    uint8_t nonce[AEAD_NONCE_SIZE];
    size_t before = out->n;

    if (sealed.n < AEAD_TAG_SIZE)
        return err_set(e, RC_MALFORMED, "hpke: %zu bytes, shorter than the tag of %d", sealed.n,
                       AEAD_TAG_SIZE);
    if (sealed.n - AEAD_TAG_SIZE > AEAD_MAX_SIZE)
        return err_set(e, RC_LIMIT, "hpke: more than %zu bytes in one message", AEAD_MAX_SIZE);
    nonce_of(nonce, c);
    if (aead_key_open(&c->key, secbuf_extend(out, sealed.n - AEAD_TAG_SIZE), nonce, aad, sealed,
                      e) != RC_OK) {
        secbuf_truncate(out, before);
        return err_set(e, RC_DENIED,
                       "hpke: does not open (wrong key, info or associated data, or altered)");
    }
    c->sequence++;
    return RC_OK;
}

/* ---- one message ---- */

enum rc hpke_seal_with(struct buf *out, enum hpke_aead aead, const struct secret32 *ephemeral,
                       const uint8_t peer_pub[32], struct bytes info, struct bytes aad,
                       struct bytes plain, struct err *e)
{
    AUTO_CLEAR(hpke_context) struct hpke_context c = {0};
    uint8_t enc[HPKE_ENC_SIZE];

    TRY(check_size(plain, aad, e));
    TRY(hpke_sender_with(&c, enc, aead, ephemeral, peer_pub, info, e));
    buf_put(out, enc, sizeof(enc));
    return hpke_context_seal(&c, out, aad, plain, e);
}

enum rc hpke_seal(struct buf *out, const uint8_t peer_pub[32], struct bytes info, struct bytes aad,
                  struct bytes plain, const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 ephemeral;

    rng_fill(rng, ephemeral.b, sizeof(ephemeral.b));
    return hpke_seal_with(out, HPKE_AES_256_GCM, &ephemeral, peer_pub, info, aad, plain, e);
}

enum rc hpke_open(struct secbuf *out, const struct secret32 *key, struct bytes info,
                  struct bytes aad, struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(hpke_context) struct hpke_context c = {0};

    if (sealed.n < HPKE_OVERHEAD)
        return err_set(e, RC_MALFORMED, "hpke: %zu bytes, shorter than the overhead of %d",
                       sealed.n, HPKE_OVERHEAD);
    TRY(hpke_receiver(&c, HPKE_AES_256_GCM, key, sealed.p, info, e));
    return hpke_context_open(&c, out, aad,
                             bytes_of(sealed.p + HPKE_ENC_SIZE, sealed.n - HPKE_ENC_SIZE), e);
}

void hpke_derive_key(struct secret32 *key, uint8_t pub32[32], struct bytes ikm)
{
    struct bytes suite = BYTES_OF(&kem_suite), none = bytes_of(NULL, 0);
    struct hash32 prk;

    CHECK(ikm.n >= 32);
    labeled_extract(&prk, suite, none, "dkp_prk", ikm);
    labeled_expand(key->b, sizeof(key->b), suite, &prk, "sk", none);
    wipe(&prk, sizeof(prk));
    x25519_pub(pub32, key);
}
