/* Known answers: FIPS 180-4 and NIST example values (SHA-2), the Keccak team's and Ethereum's
 * (Keccak empty, "abc"), a direct transcription of the Keccak specification in Python that was
 * checked against hashlib's sha3_256 (Keccak long inputs), RFC 4231 (HMAC), RFC 5869 appendix A
 * (HKDF). */
#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "lib/t.h"

static struct bytes counting(uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)(i % 251);
    return bytes_of(dst, n);
}

TEST(sha2_known)
{
    struct hash32 h;
    uint8_t wide[64];

    sha256(&h, bytes_str(""));
    CHECK_HEX(BYTES_OF(&h), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(&h, bytes_str("abc"));
    CHECK_HEX(BYTES_OF(&h), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(&h, bytes_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    CHECK_HEX(BYTES_OF(&h), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    sha384(wide, bytes_str("abc"));
    CHECK_HEX(bytes_of(wide, 48), "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                                  "8086072ba1e7cc2358baeca134c825a7");
    sha512(wide, bytes_str("abc"));
    CHECK_HEX(bytes_of(wide, 64),
              "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(keccak_known)
{
    static const struct {
        size_t n;
        const char *hex;
    } known[] = {
        {0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
        {135, "cbdfd9dee5faad3818d6b06f95a219fd290b0e1706f6a82e5a595b9ce9faca62"},
        {136, "7ce759f1ab7f9ce437719970c26b0a66ff11fe3e38e17df89cf5d29c7d7f807e"},
        {137, "ac73d4fae68b8453f764007c1a20ce95994187861f0c3227a3a8e99a73a3b1db"},
        {272, "8e2476e65823b24d96ebe239f2c1534cdf763e689e2410c3b1cb0c74e6177bfc"},
        {1000, "af692982e84a5a9688359025660a7857cd28ee7c8d867cfa1677baf2e6d1f63b"},
    };
    uint8_t in[1000];
    struct hash32 h;

    keccak256(&h, bytes_str("abc"));
    CHECK_HEX(BYTES_OF(&h), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        keccak256(&h, counting(in, known[i].n));
        CHECK_HEX(BYTES_OF(&h), known[i].hex);
    }
}

TEST(incremental_equals_one_shot)
{
    uint8_t in[1000];
    struct bytes all = counting(in, sizeof(in));

    for (int round = 0; round < 300; round++) {
        size_t n = t_rand_below(sizeof(in)), at = 0;
        struct hash32 want_s, want_k, got;
        struct sha256_ctx s;
        struct keccak256_ctx k;

        sha256(&want_s, bytes_of(all.p, n));
        keccak256(&want_k, bytes_of(all.p, n));
        sha256_init(&s);
        keccak256_init(&k);
        while (at < n) {
            size_t take = 1 + t_rand_below(n - at);

            sha256_put(&s, bytes_of(all.p + at, take));
            keccak256_put(&k, bytes_of(all.p + at, take));
            at += take;
        }
        sha256_final(&s, &got);
        CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want_s));
        keccak256_final(&k, &got);
        CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want_k));
        sha256_parts(&got, (struct bytes[]){bytes_of(in, n / 3), bytes_of(in + n / 3, n - n / 3)},
                     2);
        CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want_s));
    }
}

/* RFC 4231 test cases 2 and 6. */
TEST(hmac_known)
{
    static uint8_t long_key[131];
    struct hash32 h;
    uint8_t wide[64];
    struct bytes jefe = bytes_str("what do ya want for nothing?");
    struct bytes larger = bytes_str("Test Using Larger Than Block-Size Key - Hash Key First");

    memset(long_key, 0xaa, sizeof(long_key));
    hmac_sha256(&h, bytes_str("Jefe"), jefe);
    CHECK_HEX(BYTES_OF(&h), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha512(wide, bytes_str("Jefe"), jefe);
    CHECK_HEX(BYTES_OF(&wide), "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    hmac_sha256(&h, BYTES_OF(&long_key), larger);
    CHECK_HEX(BYTES_OF(&h), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha512(wide, BYTES_OF(&long_key), larger);
    CHECK_HEX(BYTES_OF(&wide), "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
                               "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

/* RFC 5869 A.1 and A.3; then a Vana refinement key: info "query-engine", no salt, the seed
 * signature of the test wallet 0x11..11 (computed with Node's crypto). */
TEST(hkdf_known)
{
    uint8_t ikm[22], salt[13], info[10], out[64];
    struct hash32 prk;
    struct buf sig = {0};

    memset(ikm, 0x0b, sizeof(ikm));
    for (uint8_t i = 0; i < sizeof(salt); i++)
        salt[i] = i;
    for (uint8_t i = 0; i < sizeof(info); i++)
        info[i] = (uint8_t)(0xf0 + i);
    hkdf_sha256_extract(&prk, BYTES_OF(&salt), BYTES_OF(&ikm));
    CHECK_HEX(BYTES_OF(&prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    hkdf_sha256(out, 42, BYTES_OF(&ikm), BYTES_OF(&salt), BYTES_OF(&info));
    CHECK_HEX(bytes_of(out, 42), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                                 "34007208d5b887185865");
    hkdf_sha256(out, 42, BYTES_OF(&ikm), bytes_of(NULL, 0), bytes_of(NULL, 0));
    CHECK_HEX(bytes_of(out, 42), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                                 "9d201395faa4b61a96c8");
    CHECK_OK(hex_decode(&sig,
                        bytes_str("8b35793b2b239829d5087e44ddadaa770edd7cfb4f9e5c1308ec8c5f329853a6"
                                  "74d841e376b98098b38352ee5fe49b59f5f7e995b50136f636d8ff2197f51771"
                                  "1c"),
                        65, NULL),
             NULL);
    hkdf_sha256(out, 64, buf_bytes(&sig), bytes_of(NULL, 0), bytes_str("query-engine"));
    CHECK_HEX(BYTES_OF(&out), "ff2339fddd4139cfbb27b42e893f6431d134639d4c6821a493478fcb73adf305"
                              "2f98ca7e67c46d578469d9e1c79b7e6b5393cb6be3cefe22f9af1b9ec1f4f3ca");
    buf_clear(&sig);
}

TEST(secret_memory)
{
    AUTO_CLEAR(secbuf) struct secbuf b = {0};
    uint8_t *p = secret_alloc(40);
    uint8_t want[10000];

    for (size_t i = 0; i < 40; i++)
        CHECK_INT(p[i], 0);
    memset(p, 1, 40);
    secret_free(p);
    secret_free(NULL);
    t_rand_bytes(want, sizeof(want));
    for (size_t i = 0; i < sizeof(want); i += 100)
        secbuf_put(&b, want + i, 100);
    CHECK_MEM(secbuf_bytes(&b), BYTES_OF(&want));
    p = b.p;
    secbuf_truncate(&b, 5);
    CHECK_INT(p[5], 0);
    CHECK_INT(p[9999], 0);
    CHECK_INT(secbuf_cstr(&b)[5], 0);
    secbuf_reset(&b);
    CHECK_INT(p[0], 0);
    CHECK_TRUE(ct_eq("abc", "abc", 3) && !ct_eq("abc", "abd", 3) && ct_eq(NULL, NULL, 0));
}

TEST(random_sources)
{
    struct insecure_seed a = {.seed = 7}, b = {.seed = 7};
    struct rng ra = insecure_rng(&a), rb = insecure_rng(&b);
    uint8_t x[64] = {0}, y[64] = {0};
    uint64_t seen = 0;

    rng_fill(&ra, x, sizeof(x));
    rng_fill(&rb, y, sizeof(y));
    CHECK_MEM(BYTES_OF(&x), BYTES_OF(&y));
    rng_fill(&ra, x, sizeof(x));
    CHECK_TRUE(memcmp(x, y, sizeof(x)) != 0);
    rng_fill(NULL, x, sizeof(x));
    rng_fill(NULL, y, sizeof(y));
    CHECK_TRUE(memcmp(x, y, sizeof(x)) != 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_below(&ra, 5);

        CHECK_TRUE(v < 5);
        seen |= (uint64_t)1 << v;
    }
    CHECK_INT(seen, 31);
    CHECK_INT(rng_below(&ra, 1), 0);
}
