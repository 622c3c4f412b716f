#include "crypto/kdf.h"

#include <openssl/err.h>
#include <openssl/evp.h>

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
    /* RFC 7914 §6: n < 2^(128 * r / 8). */
    if (r < 4 && n >= (uint64_t)1 << (16 * r))
        return err_set(e, RC_RANGE, "scrypt: n %llu is too large for r %llu", (unsigned long long)n,
                       (unsigned long long)r);
    /* OpenSSL counts some working memory beside 128 n r. */
    if (EVP_PBE_scrypt(chars(password), password.n, octets(salt), salt.n, n, r, p,
                       SCRYPT_MAX_MEMORY + ((uint64_t)1 << 26) + 128 * r * (p + 2), out,
                       out_n) != 1) {
        wipe(out, out_n);
        ERR_clear_error();
        return err_set(e, RC_RANGE, "scrypt: parameters refused by the library");
    }
    return RC_OK;
}
