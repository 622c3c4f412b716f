/* As crypto/p256.c: the low-level calls take raw numbers, so nothing goes through DER again. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/p384.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

/* 1 <= v < n (the group order), big-endian. */
static bool is_scalar(const uint8_t v[48])
{
    static const uint8_t order[48] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37,
                                      0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a,
                                      0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};
    static const uint8_t zero[48];

    return memcmp(v, zero, 48) != 0 && memcmp(v, order, 48) < 0; /* not secret */
}

enum rc p384_verify(const uint8_t pub96[96], struct bytes digest, const uint8_t sig96[96],
                    struct err *e)
{
    uint8_t raw[97] = {4};
    EC_KEY *key;
    ECDSA_SIG *sig;
    BIGNUM *r, *s;
    int ok;

    CHECK(digest.n >= 32 && digest.n <= 64);
    if (!is_scalar(sig96) || !is_scalar(sig96 + 48))
        return err_set(e, RC_MALFORMED, "p384: r or s outside 1 .. n-1");
    key = EC_KEY_new_by_curve_name(NID_secp384r1);
    CHECK(key != NULL);
    memcpy(raw + 1, pub96, 96);
    if (EC_KEY_oct2key(key, raw, sizeof(raw), NULL) != 1) {
        EC_KEY_free(key);
        ERR_clear_error();
        return err_set(e, RC_MALFORMED, "p384: public key is not a point of the curve");
    }
    sig = ECDSA_SIG_new();
    r = BN_bin2bn(sig96, 48, NULL);
    s = BN_bin2bn(sig96 + 48, 48, NULL);
    CHECK(sig != NULL && r != NULL && s != NULL);
    CHECK(ECDSA_SIG_set0(sig, r, s) == 1);
    ok = ECDSA_do_verify(digest.p, (int)digest.n, sig, key);
    ECDSA_SIG_free(sig);
    EC_KEY_free(key);
    ERR_clear_error();
    return ok == 1 ? RC_OK : err_set(e, RC_DENIED, "p384: signature does not verify");
}
