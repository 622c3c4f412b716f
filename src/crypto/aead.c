#include "crypto/aead.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static const EVP_CIPHER *cipher_of(enum aead_alg alg)
{
    switch (alg) {
    case AEAD_AES_128_GCM:
        return EVP_aes_128_gcm();
    case AEAD_AES_256_GCM:
        return EVP_aes_256_gcm();
    case AEAD_CHACHA20_POLY1305:
        return EVP_chacha20_poly1305();
    }
    CHECK(alg <= AEAD_CHACHA20_POLY1305);
    return NULL;
}

static void ctx_clear(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c); /* wipes the key schedule */
}

size_t aead_key_size(enum aead_alg alg)
{
    return alg == AEAD_AES_128_GCM ? 16 : 32;
}

/* One update; a NULL out marks associated data. Sizes are bounded by AEAD_MAX_SIZE, so fit an int.
 */
static void update(EVP_CIPHER_CTX *c, uint8_t *out, struct bytes in)
{
    int n = 0;

    if (in.n == 0)
        return;
    CHECK(EVP_CipherUpdate(c, out, &n, in.p, (int)in.n) == 1);
    CHECK((size_t)n == in.n);
}

void aead_key_init(struct aead_key *k, enum aead_alg alg, const uint8_t *key, bool seals)
{
    k->ctx = EVP_CIPHER_CTX_new();
    CHECK(k->ctx != NULL);
    CHECK(EVP_CipherInit_ex(k->ctx, cipher_of(alg), NULL, key, NULL, seals) == 1);
}

void aead_key_clear(struct aead_key *k)
{
    EVP_CIPHER_CTX_free(k->ctx); /* wipes the key schedule */
    k->ctx = NULL;
}

void aead_key_seal(const struct aead_key *k, uint8_t *out, const uint8_t nonce[AEAD_NONCE_SIZE],
                   struct bytes aad, struct bytes plain)
{
    uint8_t none[16];
    int n = 0;

    CHECK(plain.n <= AEAD_MAX_SIZE && aad.n <= AEAD_MAX_SIZE);
    CHECK(EVP_CipherInit_ex(k->ctx, NULL, NULL, NULL, nonce, 1) == 1);
    update(k->ctx, NULL, aad);
    update(k->ctx, out, plain);
    CHECK(EVP_CipherFinal_ex(k->ctx, none, &n) == 1 && n == 0);
    CHECK(EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, out + plain.n) == 1);
}

enum rc aead_key_open(const struct aead_key *k, uint8_t *out, const uint8_t nonce[AEAD_NONCE_SIZE],
                      struct bytes aad, struct bytes cipher, struct err *e)
{
    uint8_t tag[AEAD_TAG_SIZE], none[16];
    struct bytes body;
    int n = 0;

    if (cipher.n < AEAD_TAG_SIZE)
        return err_set(e, RC_MALFORMED, "aead: %zu bytes, shorter than the tag of %d", cipher.n,
                       AEAD_TAG_SIZE);
    if (cipher.n - AEAD_TAG_SIZE > AEAD_MAX_SIZE || aad.n > AEAD_MAX_SIZE)
        return err_set(e, RC_LIMIT, "aead: more than %zu bytes in one message", AEAD_MAX_SIZE);
    body = bytes_of(cipher.p, cipher.n - AEAD_TAG_SIZE);
    memcpy(tag, cipher.p + body.n, sizeof(tag));
    CHECK(EVP_CipherInit_ex(k->ctx, NULL, NULL, NULL, nonce, 0) == 1);
    CHECK(EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, tag) == 1);
    update(k->ctx, NULL, aad);
    update(k->ctx, out, body);
    if (EVP_CipherFinal_ex(k->ctx, none, &n) == 1)
        return RC_OK;
    wipe(out, body.n);
    ERR_clear_error();
    return err_set(e, RC_DENIED, "aead: tag does not match (wrong key or context, or altered)");
}

void aead_seal(enum aead_alg alg, uint8_t *out, const uint8_t *key,
               const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes aad, struct bytes plain)
{
    AUTO_CLEAR(aead_key) struct aead_key k = {0};

    aead_key_init(&k, alg, key, true);
    aead_key_seal(&k, out, nonce, aad, plain);
}

enum rc aead_open(enum aead_alg alg, uint8_t *out, const uint8_t *key,
                  const uint8_t nonce[AEAD_NONCE_SIZE], struct bytes aad, struct bytes cipher,
                  struct err *e)
{
    AUTO_CLEAR(aead_key) struct aead_key k = {0};

    aead_key_init(&k, alg, key, false);
    return aead_key_open(&k, out, nonce, aad, cipher, e);
}

void aes128_ctr(uint8_t *out, const uint8_t key16[16], const uint8_t iv16[16], struct bytes in)
{
    __attribute__((cleanup(ctx_clear))) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    CHECK(c != NULL && in.n <= AEAD_MAX_SIZE);
    CHECK(EVP_CipherInit_ex(c, EVP_aes_128_ctr(), NULL, key16, iv16, 1) == 1);
    update(c, out, in);
}
