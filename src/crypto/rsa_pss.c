#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/rsa_pss.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define SALT_SIZE 48

enum rc rsa_pss_sha384_verify(struct bytes modulus, struct bytes exponent,
                              const uint8_t digest48[48], struct bytes sig, struct err *e)
{
    static const uint8_t f4[3] = {1, 0, 1};
    uint8_t encoded[RSA_PSS_MAX_BITS / 8];
    RSA *rsa;
    BIGNUM *n, *d;
    int ok;

    if (modulus.n < RSA_PSS_MIN_BITS / 8 || modulus.n > RSA_PSS_MAX_BITS / 8 ||
        (modulus.p[0] & 0x80) == 0 || (modulus.p[modulus.n - 1] & 1) == 0)
        return err_set(e, RC_UNSUPPORTED, "rsa: modulus of %zu bytes, expected %d to %d", modulus.n,
                       RSA_PSS_MIN_BITS / 8, RSA_PSS_MAX_BITS / 8);
    if (!bytes_eq(exponent, bytes_of(f4, sizeof(f4))))
        return err_set(e, RC_UNSUPPORTED, "rsa: exponent is not 65537");
    if (sig.n != modulus.n)
        return err_set(e, RC_MALFORMED, "rsa: signature of %zu bytes for a modulus of %zu", sig.n,
                       modulus.n);
    rsa = RSA_new();
    n = BN_bin2bn(modulus.p, (int)modulus.n, NULL);
    d = BN_bin2bn(exponent.p, (int)exponent.n, NULL);
    CHECK(rsa != NULL && n != NULL && d != NULL);
    CHECK(RSA_set0_key(rsa, n, d, NULL) == 1);
    ok = RSA_public_decrypt((int)sig.n, sig.p, encoded, rsa, RSA_NO_PADDING) == (int)sig.n &&
         RSA_verify_PKCS1_PSS_mgf1(rsa, digest48, EVP_sha384(), EVP_sha384(), encoded, SALT_SIZE) ==
             1;
    RSA_free(rsa);
    ERR_clear_error();
    return ok ? RC_OK : err_set(e, RC_DENIED, "rsa: signature does not verify");
}
