/* Keys from passwords (RFC 4880 §3.7) and AES-CFB. */
#include "crypto/internal/pgp.h"

#include <openssl/evp.h>

static const EVP_MD *hash_of(uint8_t id)
{
    switch (id) {
    case 2:
        return EVP_sha1();
    case 8:
        return EVP_sha256();
    case 9:
        return EVP_sha384();
    case 10:
        return EVP_sha512();
    case 11:
        return EVP_sha224();
    default:
        return NULL;
    }
}

size_t pgp_key_size(uint8_t algorithm)
{
    return algorithm == 7 ? 16 : algorithm == 8 ? 24 : algorithm == 9 ? 32 : 0;
}

uint64_t pgp_s2k_bytes(uint8_t coded)
{
    return (uint64_t)(16 + (coded & 15)) << ((coded >> 4) + 6);
}

enum rc pgp_s2k_check(const struct pgp_s2k *s, struct err *e)
{
    if (s->type != 0 && s->type != 1 && s->type != 3)
        return err_set(e, RC_UNSUPPORTED, "openpgp: string-to-key type %u, not 0, 1 or 3", s->type);
    if (hash_of(s->hash) == NULL)
        return err_set(e, RC_UNSUPPORTED, "openpgp: string-to-key hash %u, not SHA-1 or SHA-2",
                       s->hash);
    return RC_OK;
}

/* Hash `total` bytes of `unit` repeated; `block` is many copies of unit end to end. */
static void hash_repeated(EVP_MD_CTX *c, struct bytes block, uint64_t total)
{
    while (total != 0) {
        size_t take = total < block.n ? (size_t)total : block.n;

        CHECK(EVP_DigestUpdate(c, block.p, take) == 1);
        total -= take;
    }
}

void pgp_s2k_derive(uint8_t *key, size_t n, const struct pgp_s2k *s, struct bytes password)
{
    AUTO_CLEAR(secbuf) struct secbuf block = {0};
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const EVP_MD *md = hash_of(s->hash);
    size_t salt_n = s->type == 0 ? 0 : sizeof(s->salt), unit = salt_n + password.n;
    uint64_t total = unit;
    uint8_t digest[EVP_MAX_MD_SIZE];

    CHECK(c != NULL && md != NULL && password.n <= PGP_MAX_PASSWORD);
    if (s->type == 3 && pgp_s2k_bytes(s->count) > total)
        total = pgp_s2k_bytes(s->count);
    if (unit != 0) {
        do {
            secbuf_put(&block, s->salt, salt_n);
            secbuf_put_bytes(&block, password);
        } while (block.n < PGP_CHUNK && block.n < total);
    }
    /* §3.7.1.1: a longer key takes more hashes, each preloaded with one more zero byte. */
    for (size_t done = 0, pass = 0; done < n; pass++) {
        size_t size = (size_t)EVP_MD_get_size(md), take = n - done < size ? n - done : size;

        CHECK(EVP_DigestInit_ex(c, md, NULL) == 1);
        for (size_t i = 0; i < pass; i++)
            CHECK(EVP_DigestUpdate(c, "", 1) == 1);
        hash_repeated(c, secbuf_bytes(&block), unit == 0 ? 0 : total);
        CHECK(EVP_DigestFinal_ex(c, digest, NULL) == 1);
        memcpy(key + done, digest, take);
        done += take;
    }
    EVP_MD_CTX_free(c);
    wipe(digest, sizeof(digest));
}

struct pgp_aes {
    EVP_CIPHER_CTX *c;
    uint8_t in[PGP_CHUNK + PGP_BLOCK];
    uint8_t stream[PGP_CHUNK + PGP_BLOCK]; /* key stream: as good as the plaintext */
};

struct pgp_aes *pgp_aes_new(const uint8_t *key, size_t key_size)
{
    const EVP_CIPHER *cipher = key_size == 16   ? EVP_aes_128_ecb()
                               : key_size == 24 ? EVP_aes_192_ecb()
                                                : EVP_aes_256_ecb();
    struct pgp_aes *a = xmalloc(sizeof(*a));

    a->c = EVP_CIPHER_CTX_new();
    CHECK(a->c != NULL);
    CHECK(EVP_EncryptInit_ex(a->c, cipher, NULL, key, NULL) == 1);
    CHECK(EVP_CIPHER_CTX_set_padding(a->c, 0) == 1);
    return a;
}

void pgp_aes_free(struct pgp_aes *a)
{
    if (a == NULL)
        return;
    EVP_CIPHER_CTX_free(a->c);
    wipe(a, sizeof(*a));
    free(a);
}

/* Eight bytes at a time: gcc -O2 does not do it for us. */
static void xor_into(uint8_t *out, const uint8_t *in, const uint8_t *stream, size_t n)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        uint64_t x, y;

        memcpy(&x, in + i, 8);
        memcpy(&y, stream + i, 8);
        x ^= y;
        memcpy(out + i, &x, 8);
    }
    for (; i < n; i++)
        out[i] = in[i] ^ stream[i];
}

void pgp_cfb_decrypt(struct pgp_aes *a, uint8_t *feedback, uint8_t *out, const uint8_t *in,
                     size_t n)
{
    size_t blocks = (n + PGP_BLOCK - 1) / PGP_BLOCK;
    int got = 0;

    CHECK(n <= PGP_CHUNK);
    if (n == 0)
        return;
    memcpy(a->in, feedback, PGP_BLOCK);
    memcpy(a->in + PGP_BLOCK, in, (blocks - 1) * PGP_BLOCK);
    CHECK(EVP_EncryptUpdate(a->c, a->stream, &got, a->in, (int)(blocks * PGP_BLOCK)) == 1);
    CHECK((size_t)got == blocks * PGP_BLOCK);
    xor_into(out, in, a->stream, n);
    if (n % PGP_BLOCK == 0)
        memcpy(feedback, in + n - PGP_BLOCK, PGP_BLOCK);
}
