#include "crypto/kdf.h"

#include <openssl/evp.h>
#include <sodium.h>

/* What both check of sizes that OpenSSL takes as int. */
static enum rc check_sizes(size_t out_n, struct bytes password, struct bytes salt, struct err *e)
{
    if (out_n == 0)
        return err_set(e, RC_RANGE, "kdf: no output asked for");
    if (out_n > KDF_MAX_OUT)
        return err_set(e, RC_LIMIT, "kdf: output of %zu bytes, limit %d", out_n, KDF_MAX_OUT);
    if (password.n > 1u << 20 || salt.n > 1u << 20)
        return err_set(e, RC_LIMIT, "kdf: password or salt above 1 MiB");
    return RC_OK;
}

static const char *chars(struct bytes s)
{
    return s.n == 0 ? "" : (const char *)s.p;
}

static const uint8_t *octets(struct bytes s)
{
    return s.n == 0 ? (const uint8_t *)"" : s.p;
}

enum rc pbkdf2_sha256(uint8_t *out, size_t out_n, struct bytes password, struct bytes salt,
                      uint64_t iterations, struct err *e)
{
    wipe(out, out_n);
    TRY(check_sizes(out_n, password, salt, e));
    if (iterations == 0)
        return err_set(e, RC_RANGE, "pbkdf2: no iterations");
    if (iterations > PBKDF2_MAX_ITERATIONS)
        return err_set(e, RC_LIMIT, "pbkdf2: %llu iterations, limit %u",
                       (unsigned long long)iterations, PBKDF2_MAX_ITERATIONS);
    CHECK(PKCS5_PBKDF2_HMAC(chars(password), (int)password.n, octets(salt), (int)salt.n,
                            (int)iterations, EVP_sha256(), (int)out_n, out) == 1);
    return RC_OK;
}

enum rc scrypt(uint8_t *out, size_t out_n, struct bytes password, struct bytes salt, uint64_t n,
               uint64_t r, uint64_t p, struct err *e)
{
    wipe(out, out_n);
    TRY(check_sizes(out_n, password, salt, e));
    if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0)
        return err_set(e, RC_RANGE,
                       "scrypt: n %llu is not a power of two above 1, or r %llu or p %llu is zero",
                       (unsigned long long)n, (unsigned long long)r, (unsigned long long)p);
    if (r > SCRYPT_MAX_MEMORY / 128 || n > SCRYPT_MAX_MEMORY / 128 / r || p > 16)
        return err_set(e, RC_LIMIT,
                       "scrypt: n %llu, r %llu, p %llu need more than %llu MiB or p 16",
                       (unsigned long long)n, (unsigned long long)r, (unsigned long long)p,
                       (unsigned long long)(SCRYPT_MAX_MEMORY >> 20));
    /* libsodium's and not OpenSSL's: the latter refuses n >= 2^(16 r), as the RFC does, but key
     * files with n 262144 and r 1 exist (the format's own example is one). */
    CHECK(crypto_pwhash_scryptsalsa208sha256_ll(octets(password), password.n, octets(salt), salt.n,
                                                n, (uint32_t)r, (uint32_t)p, out, out_n) == 0);
    return RC_OK;
}
