/* secp256k1, Ed25519, P-256, X25519. Origins are named at each test. */
#include "base/hex.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/secp256k1.h"
#include "crypto/x25519.h"
#include "lib/t.h"

static void unhex(uint8_t *dst, size_t n, const char *text)
{
    struct err e;

    CHECK_OK(hex_decode_fixed(dst, n, bytes_str(text), &e), &e);
}

static struct secp_key key_of_byte(uint8_t v)
{
    struct secp_key k;
    struct err e;
    uint8_t raw[32];

    memset(raw, v, sizeof(raw));
    CHECK_OK(secp_key_from_bytes(&k, raw, &e), &e);
    return k;
}

/* Wallet 0x11..11: address by ethers 6; public key by Node's crypto. Its personal_sign over Vana's
 * default seed message: made with ethers 6 (RFC 6979). */
TEST(secp_wallet)
{
    struct secp_key k = key_of_byte(0x11);
    struct secp_pub p, back;
    struct secp_sig s;
    struct address a;
    struct hash32 d;
    uint8_t c[33], u[65];
    struct err e;

    secp_key_pub(&p, &k);
    CHECK_HEX(BYTES_OF(&p), "4f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
                            "385b6b1b8ead809ca67454d9683fcf2ba03456d6fe2c4abe2b07f0fbdbb2f1c1");
    secp_key_address(&a, &k);
    CHECK_HEX(BYTES_OF(&a), "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
    keccak256(&d, bytes_str("\x19"
                            "Ethereum Signed Message:\n43"
                            "Please sign to retrieve your encryption key"));
    secp_sign(&s, &k, &d);
    CHECK_HEX(BYTES_OF(&s), "8b35793b2b239829d5087e44ddadaa770edd7cfb4f9e5c1308ec8c5f329853a6"
                            "74d841e376b98098b38352ee5fe49b59f5f7e995b50136f636d8ff2197f517711c");
    CHECK_OK(secp_recover(&back, &d, s.b, SECP_S_LOW, &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&p));
    CHECK_OK(secp_verify(&p, &d, s.b, SECP_S_LOW, &e), &e);
    s.b[64] -= 27;
    CHECK_OK(secp_recover_address(&a, &d, s.b, SECP_S_LOW, &e), &e);
    CHECK_HEX(BYTES_OF(&a), "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
    secp_pub_compress(c, &p);
    secp_pub_uncompress(u, &p);
    CHECK_OK(secp_pub_parse(&back, BYTES_OF(&c), &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&p));
    CHECK_OK(secp_pub_parse(&back, BYTES_OF(&u), &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&p));
    CHECK_OK(secp_pub_parse(&back, BYTES_OF(&p), &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&p));
}

TEST(secp_refuses)
{
    struct secp_key k = key_of_byte(0x11), other = key_of_byte(0x12);
    struct secp_pub p, q;
    struct secp_sig s, high;
    struct address a;
    struct hash32 d = {{1, 2, 3}};
    uint8_t raw[32] = {0};
    struct err e;
    static const char *order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    uint8_t n[32];
    unsigned borrow = 0;

    CHECK_RC(secp_key_from_bytes(&k, raw, &e), RC_RANGE, &e, "private key");
    unhex(n, sizeof(n), order);
    CHECK_RC(secp_key_from_bytes(&k, n, &e), RC_RANGE, &e, "private key");
    k = key_of_byte(0x11);
    secp_sign(&s, &k, &d);
    secp_key_pub(&p, &k);
    secp_key_pub(&q, &other);
    CHECK_RC(secp_verify(&q, &d, s.b, SECP_S_LOW, &e), RC_DENIED, &e, "does not verify");
    /* the same signature with s replaced by n - s and the other v is as true, but not low */
    high = s;
    for (size_t i = 32; i-- > 0;) {
        unsigned v = (unsigned)n[i] - s.b[32 + i] - borrow;

        high.b[32 + i] = (uint8_t)(v & 0xff);
        borrow = v >> 8 & 1;
    }
    high.b[64] ^= 27 ^ 28;
    CHECK_RC(secp_recover_address(&a, &d, high.b, SECP_S_LOW, &e), RC_MALFORMED, &e, "EIP-2");
    CHECK_TRUE(address_is_zero(&a));
    CHECK_OK(secp_recover_address(&a, &d, high.b, SECP_S_ANY, &e), &e);
    CHECK_HEX(BYTES_OF(&a), "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
    CHECK_OK(secp_verify(&p, &d, high.b, SECP_S_ANY, &e), &e);
    CHECK_RC(secp_verify(&p, &d, high.b, SECP_S_LOW, &e), RC_MALFORMED, &e, "EIP-2");
    high = s;
    high.b[64] = 29;
    CHECK_RC(secp_recover_address(&a, &d, high.b, SECP_S_LOW, &e), RC_MALFORMED, &e, "v is 29");
    high = s;
    memset(high.b, 0, 32);
    CHECK_RC(secp_recover_address(&a, &d, high.b, SECP_S_LOW, &e), RC_MALFORMED, &e, "r or s");
    memcpy(high.b, n, 32);
    CHECK_RC(secp_recover_address(&a, &d, high.b, SECP_S_LOW, &e), RC_MALFORMED, &e, "r or s");
    CHECK_RC(secp_pub_parse(&q, bytes_of(s.b, 40), &e), RC_MALFORMED, &e, "40 bytes");
    p.b[63] ^= 1;
    CHECK_RC(secp_pub_parse(&q, BYTES_OF(&p), &e), RC_MALFORMED, &e, "not a point");
    CHECK_RC(secp_ecdh_x(&k.k, &other, &p, &e), RC_MALFORMED, &e, "not a point");
}

TEST(secp_random_round_trip)
{
    for (int i = 0; i < 50; i++) {
        struct secp_key k, l;
        struct secp_pub p, q;
        struct secp_sig s;
        struct address a, b;
        struct hash32 d;
        struct secret32 x, y;
        struct err e;

        secp_key_generate(&k, NULL);
        secp_key_generate(&l, NULL);
        t_rand_bytes(&d, sizeof(d));
        secp_sign(&s, &k, &d);
        secp_key_address(&a, &k);
        CHECK_OK(secp_recover_address(&b, &d, s.b, SECP_S_LOW, &e), &e);
        CHECK_MEM(BYTES_OF(&b), BYTES_OF(&a));
        secp_key_pub(&p, &k);
        secp_key_pub(&q, &l);
        CHECK_OK(secp_ecdh_x(&x, &k, &q, &e), &e);
        CHECK_OK(secp_ecdh_x(&y, &l, &p, &e), &e);
        CHECK_MEM(BYTES_OF(&x), BYTES_OF(&y));
    }
}

/* RFC 8032 §7.1 tests 1 to 3. */
TEST(ed25519_rfc8032)
{
    static const struct {
        const char *seed, *pub, *msg, *sig;
    } known[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct buf msg = {0};
        struct ed25519_key k;
        uint8_t seed[32], pub[32], sig[64];
        struct err e;

        unhex(seed, sizeof(seed), known[i].seed);
        CHECK_OK(hex_decode(&msg, bytes_str(known[i].msg), 100, &e), &e);
        ed25519_from_seed(&k, seed);
        ed25519_pub(pub, &k);
        CHECK_HEX(BYTES_OF(&pub), known[i].pub);
        ed25519_sign(sig, &k, buf_bytes(&msg));
        CHECK_HEX(BYTES_OF(&sig), known[i].sig);
        CHECK_OK(ed25519_verify(pub, buf_bytes(&msg), sig, &e), &e);
        sig[3] ^= 1;
        CHECK_RC(ed25519_verify(pub, buf_bytes(&msg), sig, &e), RC_DENIED, &e, "does not verify");
        sig[3] ^= 1;
        buf_u8(&msg, 0);
        CHECK_RC(ed25519_verify(pub, buf_bytes(&msg), sig, &e), RC_DENIED, &e, "does not verify");
        buf_clear(&msg);
    }
}

/* The 14 encodings of the eight torsion points (ZIP 215; ed25519-zebra's small_order tests): eight
 * canonical and six not (y >= p, or x = 0 with the sign bit). With s = 0, any pair of them as A and
 * R verifies under ZIP-215 for every message, and most are refused by RFC 8032's checks. */
static const char *const torsion[14] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

TEST(ed25519_zip215_small_order)
{
    for (size_t a = 0; a < 14; a++) {
        for (size_t r = 0; r < 14; r++) {
            uint8_t pub[32], sig[64] = {0};
            struct err e;

            unhex(pub, sizeof(pub), torsion[a]);
            unhex(sig, 32, torsion[r]);
            CHECK_OK(ed25519_verify(pub, bytes_str("Zcash"), sig, &e), &e);
            sig[32] = 1; /* s = 1: [8]B is not the identity */
            CHECK_RC(ed25519_verify(pub, bytes_str("Zcash"), sig, &e), RC_DENIED, &e, "verify");
            sig[32] = 0;
            sig[63] = 0x10; /* s = 2^252: below the order */
            CHECK_RC(ed25519_verify(pub, bytes_str("Zcash"), sig, &e), RC_DENIED, &e, "verify");
            /* s = the order itself, which is zero modulo the order */
            unhex(sig + 32, 32, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
            CHECK_RC(ed25519_verify(pub, bytes_str("Zcash"), sig, &e), RC_DENIED, &e, "order");
        }
    }
}

TEST(ed25519_not_a_point)
{
    uint8_t pub[32] = {2}, sig[64] = {1}; /* y = 2 is on no point */
    struct err e;

    CHECK_RC(ed25519_verify(pub, bytes_str("x"), sig, &e), RC_DENIED, &e, "verify");
    pub[0] = 1;
    CHECK_OK(ed25519_verify(pub, bytes_str("x"), sig, &e), &e);
    sig[0] = 2;
    CHECK_RC(ed25519_verify(pub, bytes_str("x"), sig, &e), RC_DENIED, &e, "verify");
}

/* RFC 6979 A.2.5, P-256, SHA-256, message "sample". */
TEST(p256_rfc6979)
{
    uint8_t pub[64], sig[64];
    struct hash32 d;
    struct err e;

    unhex(pub, 64,
          "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
          "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    unhex(sig, 64,
          "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
          "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    sha256(&d, bytes_str("sample"));
    CHECK_OK(p256_verify(pub, &d, sig, &e), &e);
    d.b[31] ^= 1;
    CHECK_RC(p256_verify(pub, &d, sig, &e), RC_DENIED, &e, "does not verify");
    d.b[31] ^= 1;
    pub[63] ^= 1;
    CHECK_RC(p256_verify(pub, &d, sig, &e), RC_MALFORMED, &e, "not a point");
    pub[63] ^= 1;
    memset(sig, 0, 32);
    CHECK_RC(p256_verify(pub, &d, sig, &e), RC_MALFORMED, &e, "r or s");
    memset(sig, 0xff, 32);
    CHECK_RC(p256_verify(pub, &d, sig, &e), RC_MALFORMED, &e, "r or s");
}

/* RFC 7748 §6.1. */
TEST(x25519_rfc7748)
{
    struct secret32 b, s;
    uint8_t pa[32], pb[32];
    struct err e;

    unhex(b.b, 32, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    x25519_pub(pb, &b);
    CHECK_HEX(BYTES_OF(&pb), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    unhex(pa, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    CHECK_OK(x25519(&s, &b, pa, &e), &e);
    CHECK_HEX(BYTES_OF(&s), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    memset(pa, 0, sizeof(pa));
    CHECK_RC(x25519(&s, &b, pa, &e), RC_MALFORMED, &e, "small order");
}
