#include "crypto/p256_key.h"

#include "base/err.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

static const uint8_t ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

bool p256_is_scalar(const struct secret32 *k)
{
    unsigned borrow = 0, any = 0;

    /* k - n borrows exactly if k < n; no branch on k */
    for (size_t i = 32; i-- > 0;) {
        any |= k->b[i];
        borrow = ((unsigned)k->b[i] - ORDER[i] - borrow) >> 31;
    }
    return borrow != 0 && any != 0;
}

EVP_PKEY *p256_key_of(const struct secret32 *k)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *d = BN_secure_new();
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params;
    uint8_t pub[65];

    CHECK(group != NULL && point != NULL && d != NULL && b != NULL && c != NULL);
    CHECK(BN_bin2bn(k->b, 32, d) != NULL);
    BN_set_flags(d, BN_FLG_CONSTTIME);
    CHECK(EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1);
    CHECK(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, pub, sizeof(pub), NULL) ==
          sizeof(pub));
    CHECK(OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
    CHECK(OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub)) == 1);
    CHECK(OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1);
    params = OSSL_PARAM_BLD_to_param(b);
    CHECK(params != NULL && EVP_PKEY_fromdata_init(c) == 1);
    CHECK(EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) == 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(c);
    BN_clear_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return key;
}

EVP_PKEY *p256_key_new(void)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");

    CHECK(k != NULL);
    return k;
}

void p256_point(uint8_t out64[64], const EVP_PKEY *key)
{
    uint8_t point[65];
    size_t n = 0;

    CHECK(EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof(point), &n) == 1);
    CHECK(n == sizeof(point) && point[0] == 4);
    memcpy(out64, point + 1, 64);
}

void p256_sign(uint8_t out64[64], EVP_PKEY *key, struct bytes in)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t der[80];
    const uint8_t *p = der;
    size_t n = sizeof(der);
    ECDSA_SIG *sig;

    CHECK(c != NULL && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1);
    CHECK(EVP_DigestSign(c, der, &n, in.p, in.n) == 1);
    EVP_MD_CTX_free(c);
    sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    CHECK(sig != NULL);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out64, 32) == 32);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out64 + 32, 32) == 32);
    ECDSA_SIG_free(sig);
}

void p256_pkcs8(struct secbuf *out, const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    uint8_t *p = NULL;
    int n = i2d_PKCS8_PRIV_KEY_INFO(info, &p);

    CHECK(info != NULL && n > 0);
    secbuf_put(out, p, (size_t)n);
    OPENSSL_clear_free(p, (size_t)n);
    PKCS8_PRIV_KEY_INFO_free(info);
}

void p256_spki(struct buf *out, const EVP_PKEY *key)
{
    uint8_t *p = NULL;
    int n = i2d_PUBKEY(key, &p);

    CHECK(n > 0);
    buf_put(out, p, (size_t)n);
    OPENSSL_free(p);
}
