/* OpenSSL's low-level SHA-2 entry points are deprecated but are half the cost of EVP for the short
 * inputs of the state tree (measured with 3.0: EVP fetches and allocates on every call). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include "base/err.h"
#include "base/mem.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256_ctx), "sha256_ctx too small");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sha256_ctx), "sha256_ctx misaligned");

static SHA256_CTX *ctx_of(struct sha256_ctx *c)
{
    return (void *)c->opaque;
}

void sha256_init(struct sha256_ctx *c)
{
    (void)SHA256_Init(ctx_of(c));
}

void sha256_put(struct sha256_ctx *c, struct bytes in)
{
    if (in.n != 0)
        (void)SHA256_Update(ctx_of(c), in.p, in.n);
}

void sha256_final(struct sha256_ctx *c, struct hash32 *out)
{
    (void)SHA256_Final(out->b, ctx_of(c));
}

void sha256(struct hash32 *out, struct bytes in)
{
    SHA256_CTX c;

    (void)SHA256_Init(&c);
    if (in.n != 0)
        (void)SHA256_Update(&c, in.p, in.n);
    (void)SHA256_Final(out->b, &c);
}

void sha256_parts(struct hash32 *out, const struct bytes *parts, size_t n)
{
    struct sha256_ctx c;

    sha256_init(&c);
    for (size_t i = 0; i < n; i++)
        sha256_put(&c, parts[i]);
    sha256_final(&c, out);
}

void sha384(uint8_t out48[48], struct bytes in)
{
    SHA512_CTX c;

    (void)SHA384_Init(&c);
    if (in.n != 0)
        (void)SHA384_Update(&c, in.p, in.n);
    (void)SHA384_Final(out48, &c);
}

void sha512(uint8_t out64[64], struct bytes in)
{
    SHA512_CTX c;

    (void)SHA512_Init(&c);
    if (in.n != 0)
        (void)SHA512_Update(&c, in.p, in.n);
    (void)SHA512_Final(out64, &c);
    wipe(&c, sizeof(c)); /* ECIES keys come from here */
}

/* ---- HMAC and HKDF: on our own contexts, so that the hot ones never allocate -------------------
 */

void hmac_sha256_parts(struct hash32 *out, struct bytes key, const struct bytes *parts, size_t n)
{
    struct sha256_ctx c;
    struct hash32 inner;
    uint8_t pad[64] = {0};

    if (key.n > sizeof(pad)) {
        sha256(&inner, key);
        memcpy(pad, inner.b, sizeof(inner.b));
    } else if (key.n != 0) {
        memcpy(pad, key.p, key.n);
    }
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    sha256_init(&c);
    sha256_put(&c, BYTES_OF(&pad));
    for (size_t i = 0; i < n; i++)
        sha256_put(&c, parts[i]);
    sha256_final(&c, &inner);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_init(&c);
    sha256_put(&c, BYTES_OF(&pad));
    sha256_put(&c, BYTES_OF(&inner));
    sha256_final(&c, out);
    wipe(pad, sizeof(pad));
    wipe(&inner, sizeof(inner));
    wipe(&c, sizeof(c));
}

void hmac_sha256(struct hash32 *out, struct bytes key, struct bytes in)
{
    hmac_sha256_parts(out, key, &in, 1);
}

void hmac_sha512(uint8_t out64[64], struct bytes key, struct bytes in)
{
    SHA512_CTX c;
    uint8_t inner[64], pad[128] = {0};

    if (key.n > sizeof(pad))
        sha512(pad, key);
    else if (key.n != 0)
        memcpy(pad, key.p, key.n);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    (void)SHA512_Init(&c);
    (void)SHA512_Update(&c, pad, sizeof(pad));
    if (in.n != 0)
        (void)SHA512_Update(&c, in.p, in.n);
    (void)SHA512_Final(inner, &c);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    (void)SHA512_Init(&c);
    (void)SHA512_Update(&c, pad, sizeof(pad));
    (void)SHA512_Update(&c, inner, sizeof(inner));
    (void)SHA512_Final(out64, &c);
    wipe(pad, sizeof(pad));
    wipe(inner, sizeof(inner));
    wipe(&c, sizeof(c));
}

void hkdf_sha256_extract(struct hash32 *prk, struct bytes salt, struct bytes ikm)
{
    hmac_sha256(prk, salt, ikm);
}

void hkdf_sha256_expand(uint8_t *out, size_t n, struct bytes prk, struct bytes info)
{
    struct hash32 t = {0};
    size_t t_n = 0;

    CHECK(n <= 255 * sizeof(t.b));
    for (unsigned i = 1; n != 0; i++) {
        uint8_t counter = (uint8_t)i;
        struct bytes parts[] = {bytes_of(t.b, t_n), info, bytes_of(&counter, 1)};
        size_t take = n < sizeof(t.b) ? n : sizeof(t.b);

        hmac_sha256_parts(&t, prk, parts, ARRAY_LEN(parts));
        memcpy(out, t.b, take);
        t_n = sizeof(t.b);
        out += take;
        n -= take;
    }
    wipe(&t, sizeof(t));
}

void hkdf_sha256(uint8_t *out, size_t n, struct bytes ikm, struct bytes salt, struct bytes info)
{
    struct hash32 prk;

    hkdf_sha256_extract(&prk, salt, ikm);
    hkdf_sha256_expand(out, n, BYTES_OF(&prk), info);
    wipe(&prk, sizeof(prk));
}
