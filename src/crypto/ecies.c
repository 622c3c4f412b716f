#include "crypto/ecies.h"

#include "crypto/hash.h"

#include <openssl/err.h>
#include <openssl/evp.h>

enum {
    IV = 16,
    EPK = 65,
    MAC = 32,
    BLOCK = 16,
};

/* The two keys of one box. */
struct keys {
    uint8_t enc[32];
    uint8_t mac[32];
};

static void keys_clear(struct keys *k)
{
    wipe(k, sizeof(*k));
}

static enum rc derive(struct keys *out, const struct secp_key *key, const struct secp_pub *peer,
                      struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 x;
    uint8_t k[64];

    TRY(secp_ecdh_x(&x, key, peer, e));
    sha512(k, BYTES_OF(&x));
    memcpy(out->enc, k, 32);
    memcpy(out->mac, k + 32, 32);
    wipe(k, sizeof(k));
    return RC_OK;
}

/* AES-256-CBC with PKCS#7. Output size, or 0 if the padding is wrong (decryption only; the MAC was
 * right then, so this tells nothing to someone without the key). */
static size_t cbc(uint8_t *out, const uint8_t *key, const uint8_t *iv, struct bytes in,
                  bool encrypt, bool *ok)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    CHECK(c != NULL);
    CHECK(EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv, encrypt ? 1 : 0) == 1);
    if (in.n != 0)
        CHECK(EVP_CipherUpdate(c, out, &n, in.p, (int)in.n) == 1);
    *ok = EVP_CipherFinal_ex(c, out + n, &last) == 1;
    EVP_CIPHER_CTX_free(c);
    ERR_clear_error();
    return *ok ? (size_t)n + (size_t)last : 0;
}

enum rc ecies_seal_with(struct buf *out, const struct secp_pub *to, struct bytes plain,
                        const struct secp_key *ephemeral, const uint8_t iv16[16], struct err *e)
{
    AUTO_CLEAR(keys) struct keys k = {0};
    struct secp_pub epk;
    struct hash32 mac;
    size_t n = plain.n / BLOCK * BLOCK + BLOCK;
    uint8_t *at;
    bool ok;

    if (plain.n > ECIES_MAX_PLAIN)
        return err_set(e, RC_LIMIT, "ecies: %zu bytes, limit %zu", plain.n, ECIES_MAX_PLAIN);
    TRY(derive(&k, ephemeral, to, e));
    secp_key_pub(&epk, ephemeral);
    at = buf_extend(out, IV + EPK + n + MAC);
    memcpy(at, iv16, IV);
    secp_pub_uncompress(at + IV, &epk);
    CHECK(cbc(at + IV + EPK, k.enc, iv16, plain, true, &ok) == n && ok);
    hmac_sha256(&mac, BYTES_OF(&k.mac), bytes_of(at, IV + EPK + n));
    memcpy(at + IV + EPK + n, mac.b, MAC);
    return RC_OK;
}

enum rc ecies_seal(struct buf *out, const struct secp_pub *to, struct bytes plain,
                   const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key ephemeral;
    uint8_t iv[IV];

    secp_key_generate(&ephemeral, rng);
    rng_fill(rng, iv, sizeof(iv));
    return ecies_seal_with(out, to, plain, &ephemeral, iv, e);
}

enum rc ecies_open(struct secbuf *out, const struct secp_key *key, struct bytes box, struct err *e)
{
    AUTO_CLEAR(keys) struct keys k = {0};
    struct secp_pub epk;
    struct hash32 mac;
    size_t n, before = out->n, got;
    bool ok;

    if (box.n < ECIES_MIN_SIZE || (box.n - IV - EPK - MAC) % BLOCK != 0)
        return err_set(e, RC_MALFORMED, "ecies: %zu bytes, not 113 and a positive multiple of 16",
                       box.n);
    n = box.n - IV - EPK - MAC;
    if (n > ECIES_MAX_PLAIN + BLOCK)
        return err_set(e, RC_LIMIT, "ecies: %zu bytes, limit %zu", n, ECIES_MAX_PLAIN);
    TRY(secp_pub_parse(&epk, bytes_of(box.p + IV, EPK), e));
    TRY(derive(&k, key, &epk, e));
    hmac_sha256(&mac, BYTES_OF(&k.mac), bytes_of(box.p, box.n - MAC));
    if (!ct_eq(mac.b, box.p + box.n - MAC, MAC))
        return err_set(e, RC_DENIED, "ecies: mac does not match (wrong key, or altered)");
    got = cbc(secbuf_reserve(out, n + BLOCK), k.enc, box.p, bytes_of(box.p + IV + EPK, n), false,
              &ok);
    (void)secbuf_extend(out, n + BLOCK);
    secbuf_truncate(out, before + got);
    if (!ok)
        return err_set(e, RC_DENIED, "ecies: padding is wrong under a right mac");
    return RC_OK;
}
