/* P-384 and RSASSA-PSS verification. Origins are named at each test. */
#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/p384.h"
#include "crypto/rsa_pss.h"
#include "lib/t.h"

static void from_hex(uint8_t *dst, size_t n, const char *hex)
{
    struct err e;

    CHECK_OK(hex_decode_fixed(dst, n, bytes_str(hex), &e), &e);
}

/* RFC 6979 §A.2.6, SHA-384, "sample". */
TEST(p384_rfc6979)
{
    uint8_t pub[96], sig[96], digest[48];
    struct err e;

    from_hex(pub, 96,
             "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
             "def8f0ea9055866064a254515480bc138015d9b72d7d57244ea8ef9ac0c62189"
             "6708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720");
    from_hex(sig, 96,
             "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
             "81a648152e44acf96e36dd1e80fabe4699ef4aeb15f178cea1fe40db2603138f"
             "130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8");
    sha384(digest, bytes_str("sample"));
    CHECK_OK(p384_verify(pub, BYTES_OF(&digest), sig, &e), &e);
    digest[47] ^= 1;
    CHECK_RC(p384_verify(pub, BYTES_OF(&digest), sig, &e), RC_DENIED, &e, "does not verify");
    digest[47] ^= 1;
    pub[0] ^= 1;
    CHECK_RC(p384_verify(pub, BYTES_OF(&digest), sig, &e), RC_MALFORMED, &e, "not a point");
    pub[0] ^= 1;
    memset(sig, 0, 48);
    CHECK_RC(p384_verify(pub, BYTES_OF(&digest), sig, &e), RC_MALFORMED, &e, "r or s");
    memset(sig, 0xff, 48);
    CHECK_RC(p384_verify(pub, BYTES_OF(&digest), sig, &e), RC_MALFORMED, &e, "r or s");
}

/* Made with `openssl dgst -sha384 -sigopt rsa_padding_mode:pss` (OpenSSL 3.0) over "abc". */
static const char MODULUS[] =
    "ddd0970cafb8669aa3b3f1a2f835f62cacb035abee5e82c6f62d4f6c633631017fe617d92d7cdbe5"
    "bbcfaa0e551fb7f9c6293302627d28c07dfe9703a5f4d40d97c00952a7ffb89e4de369c9d2ddc345"
    "3ffbba6b6c7afae48b601090a69aaa02812cf3b7b76373b17e74d6ec400636f3f9a8baceed919897"
    "2ce8848fc16fe012f65a1364f550b66a26d4419bb4a47bac2913c201b6862f09985b4c8c4f5f34ad"
    "134f2735cbc4c5bdb7c733e2a4e67ac756171ab7893915cfa6db8690491f7f08d7fca22a86d3323c"
    "88a1bee7c5c105fee8e53fc68b69896ae6f7cba925b3d8f6318587a75addb5388c38481e7a8a1aa2"
    "38741d78946c403b24aca4ab59f495ef";
static const char SALT_48[] =
    "cb786dd1843eef556d9baad60f846f436b3dfe006a179f33fe49da1e1270647b3c2da5646aac2c14"
    "bd47aac8d77d5d6a111ed8079c097f06e59d261ec379ce0507828be1c4dbf23a033c2596e91732b4"
    "41861f3e487afdae2c865b4292b6bb1522dd578094e90854293e2cb88246a051aca6d40901ce8be8"
    "6b5a3443a4c31d1dec8d304c38154a7f5aed45f9c7e8af3596b292d2de6d57a10c4bb9129c7c2d15"
    "eb033358e26c0cd16227513500f00be4fe8918296b4d79074929780c2993d13ee81f45f7c94c7bba"
    "91f7e7364ab38b4e554c8baed0f47ca9108796516dbefb9143db140aabff9dfc03171adf82fd6772"
    "cb553b6b4d987bc68f5bc8cb8e7e8d79";
static const char SALT_32[] =
    "8cc15bc62968419e73e4f6b86325e9a589608f9eeb0afed819bb306ca0fd961d3971285c159a25e3"
    "0aad8b38a08fb9a395d53ba01a69662433e0ab73367cf6fd6c3e72c6aa04986a9980308dc388a1ef"
    "2535aabdaeba54aa1e0693e7a56fb7658c313198e049d274d954dcfae97dd0339f3d08c83e5fbe64"
    "7e860223bdb5ed3a8ad1e2e2cc7a83082e53c940fb07ea6d10816899e8abc792b1a1561bb3230b7f"
    "ed4ee7e40f435079c2b684095b1edd61c3a71d882cfd6536515be79158cc1029a326441a7c24e3e4"
    "6f01968e8c3297b2b4ff1364146f49e529989ba632d245266234aeebeefe6b0ae80981491a0d4b1a"
    "3eb9557539375d7094aea156406ea801";

TEST(rsa_pss_openssl)
{
    static const uint8_t f4[] = {1, 0, 1}, three[] = {3};
    uint8_t n[256], sig[256], digest[48];
    struct err e;

    from_hex(n, 256, MODULUS);
    from_hex(sig, 256, SALT_48);
    sha384(digest, bytes_str("abc"));
    CHECK_OK(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&f4), digest, BYTES_OF(&sig), &e), &e);
    digest[0] ^= 1;
    CHECK_RC(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&f4), digest, BYTES_OF(&sig), &e),
             RC_DENIED, &e, "does not verify");
    digest[0] ^= 1;
    CHECK_RC(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&three), digest, BYTES_OF(&sig), &e),
             RC_UNSUPPORTED, &e, "exponent");
    CHECK_RC(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&f4), digest, bytes_of(sig, 255), &e),
             RC_MALFORMED, &e, "255 bytes");
    CHECK_RC(rsa_pss_sha384_verify(bytes_of(n, 255), BYTES_OF(&f4), digest, BYTES_OF(&sig), &e),
             RC_UNSUPPORTED, &e, "255 bytes");
    sig[7] ^= 1;
    CHECK_RC(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&f4), digest, BYTES_OF(&sig), &e),
             RC_DENIED, &e, "does not verify");
    memset(sig, 0xff, sizeof(sig)); /* above the modulus */
    CHECK_RC(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&f4), digest, BYTES_OF(&sig), &e),
             RC_DENIED, &e, "does not verify");
    from_hex(sig, 256, SALT_32); /* a right signature with another salt length */
    CHECK_RC(rsa_pss_sha384_verify(BYTES_OF(&n), BYTES_OF(&f4), digest, BYTES_OF(&sig), &e),
             RC_DENIED, &e, "does not verify");
}
