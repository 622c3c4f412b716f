/* The low-level calls are deprecated in OpenSSL 3 but take raw numbers: no DER on the way. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/p256.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <stdatomic.h>

/* 1 <= v < n (the group order), big-endian. */
static bool is_scalar(const uint8_t v[32])
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    static const uint8_t zero[32];

    return memcmp(v, zero, 32) != 0 && memcmp(v, order, 32) < 0; /* not secret */
}

/* The curve's tables, built once: building them by name for every key costs a sixth of a
 * verification. A constant from then on; two threads that race build it twice and keep one. */
static const EC_GROUP *curve(void)
{
    static _Atomic(EC_GROUP *) built;
    EC_GROUP *have = atomic_load(&built), *none = NULL;

    if (have != NULL)
        return have;
    have = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    CHECK(have != NULL);
    if (atomic_compare_exchange_strong(&built, &none, have))
        return have;
    EC_GROUP_free(have);
    return none;
}

static EC_KEY *pub_load(const uint8_t pub64[64])
{
    EC_KEY *key = EC_KEY_new();
    uint8_t raw[65] = {4};

    CHECK(key != NULL && EC_KEY_set_group(key, curve()) == 1);
    memcpy(raw + 1, pub64, 64);
    /* Checks that the coordinates are reduced and on the curve; the cofactor is 1. */
    if (EC_KEY_oct2key(key, raw, sizeof(raw), NULL) == 1)
        return key;
    EC_KEY_free(key);
    ERR_clear_error();
    return NULL;
}

static ECDSA_SIG *sig_load(const uint8_t sig64[64])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig64, 32, NULL), *s = BN_bin2bn(sig64 + 32, 32, NULL);

    CHECK(sig != NULL && r != NULL && s != NULL);
    CHECK(ECDSA_SIG_set0(sig, r, s) == 1);
    return sig;
}

enum rc p256_verify(const uint8_t pub64[64], const struct hash32 *digest, const uint8_t sig64[64],
                    struct err *e)
{
    EC_KEY *key;
    ECDSA_SIG *sig;
    int ok;

    if (!is_scalar(sig64) || !is_scalar(sig64 + 32))
        return err_set(e, RC_MALFORMED, "p256: r or s outside 1 .. n-1");
    key = pub_load(pub64);
    if (key == NULL)
        return err_set(e, RC_MALFORMED, "p256: public key is not a point of the curve");
    sig = sig_load(sig64);
    ok = ECDSA_do_verify(digest->b, sizeof(digest->b), sig, key);
    ECDSA_SIG_free(sig);
    EC_KEY_free(key);
    ERR_clear_error();
    return ok == 1 ? RC_OK : err_set(e, RC_DENIED, "p256: signature does not verify");
}
