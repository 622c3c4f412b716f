/* ristretto255. Known answers: RFC 9496 appendix A. */
#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/ristretto.h"
#include "lib/t.h"

static void unhex(uint8_t dst[32], const char *text)
{
    struct err e;

    CHECK_OK(hex_decode_fixed(dst, 32, bytes_str(text), &e), &e);
}

/* A.1 */
TEST(multiples_of_the_generator)
{
    static const char *multiples[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
        "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
        "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
        "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
    };
    struct ristretto sum = {0}, p, q, back;
    struct ristretto_scalar k;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(multiples); i++) {
        CHECK_HEX(BYTES_OF(&sum), multiples[i]);
        ristretto_scalar_from_u64(&k, i);
        ristretto_mul_base(&p, &k);
        CHECK_TRUE(ristretto_eq(&p, &sum));
        ristretto_mul(&q, &k, &RISTRETTO_BASE);
        CHECK_TRUE(ristretto_eq(&q, &sum));
        if (i > 0) {
            CHECK_OK(ristretto_parse(&back, p.b, &e), &e);
            CHECK_TRUE(ristretto_eq(&back, &p));
        }
        ristretto_sub(&q, &p, &sum);
        CHECK_TRUE(ristretto_is_identity(&q));
        ristretto_add(&sum, &sum, &RISTRETTO_BASE);
    }
}

/* A.2, and the identity, which is a canonical encoding but of no use to us. */
TEST(refuses_encodings)
{
    static const char *bad[] = {
        /* not canonical */
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        /* negative */
        "0100000000000000000000000000000000000000000000000000000000000000",
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
        /* x squared is not a square */
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    };
    struct ristretto p;
    struct err e;
    uint8_t raw[32];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        unhex(raw, bad[i]);
        memset(&p, 0xff, sizeof(p));
        CHECK_RC(ristretto_parse(&p, raw, &e), RC_MALFORMED, &e, "not a canonical element");
        CHECK_TRUE(ristretto_is_identity(&p));
    }
    memset(raw, 0, sizeof(raw));
    CHECK_RC(ristretto_parse(&p, raw, &e), RC_MALFORMED, &e, "identity");
}

/* A.3: the inputs are SHA-512 of these texts. */
TEST(from_hash)
{
    static const char *cases[][2] = {
        {"Ristretto is traditionally a short shot of espresso coffee",
         "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"},
        {"made with the normal amount of ground coffee but extracted with",
         "f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t h[64];
        struct ristretto p;

        sha512(h, bytes_str(cases[i][0]));
        ristretto_from_hash(&p, h);
        CHECK_HEX(BYTES_OF(&p), cases[i][1]);
    }
}

/* The order is 2^252 + 27742317777372353535851937790883648493: it and all above are refused. */
TEST(scalars_are_canonical)
{
    static const char *order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    struct ristretto_scalar s, one;
    struct err e;
    uint8_t raw[32];

    unhex(raw, order);
    CHECK_RC(ristretto_scalar_parse(&s, raw, &e), RC_MALFORMED, &e, "group order");
    CHECK_TRUE(ristretto_scalar_is_zero(&s));
    raw[0]--;
    CHECK_OK(ristretto_scalar_parse(&s, raw, &e), &e);
    ristretto_scalar_from_u64(&one, 1);
    ristretto_scalar_add(&s, &s, &one);
    CHECK_TRUE(ristretto_scalar_is_zero(&s));
    raw[31] |= 0x80;
    CHECK_RC(ristretto_scalar_parse(&s, raw, &e), RC_MALFORMED, &e, "group order");
    memset(raw, 0xff, sizeof(raw));
    CHECK_RC(ristretto_scalar_parse(&s, raw, &e), RC_MALFORMED, &e, "group order");
}

TEST(scalar_laws)
{
    struct ristretto_scalar a, b, c, d, one;
    struct ristretto p, q, r;

    ristretto_scalar_from_u64(&one, 1);
    for (int i = 0; i < 20; i++) {
        ristretto_scalar_random(&a, NULL);
        ristretto_scalar_random(&b, NULL);
        /* (a + b) G = a G + b G; a (b G) = (a b) G; a / a = 1; a - b + b = a */
        ristretto_scalar_add(&c, &a, &b);
        ristretto_mul_base(&p, &c);
        ristretto_mul_base(&q, &a);
        ristretto_mul_base(&r, &b);
        ristretto_add(&q, &q, &r);
        CHECK_TRUE(ristretto_eq(&p, &q));
        ristretto_mul(&q, &a, &r);
        ristretto_scalar_mul(&c, &a, &b);
        ristretto_mul_base(&p, &c);
        CHECK_TRUE(ristretto_eq(&p, &q));
        ristretto_scalar_invert(&d, &a);
        ristretto_scalar_mul(&d, &d, &a);
        CHECK_MEM(BYTES_OF(&d), BYTES_OF(&one));
        ristretto_scalar_sub(&d, &a, &b);
        ristretto_scalar_add(&d, &d, &b);
        CHECK_MEM(BYTES_OF(&d), BYTES_OF(&a));
    }
}
