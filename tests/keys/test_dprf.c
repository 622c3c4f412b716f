/* The distributed PRF: any t of n agree, everything else is refused by name. */
#include "base/hex.h"
#include "crypto/x25519.h"
#include "keys/dealt.h"

static const struct hash32 REQUEST = {{0x72, 1}};

static struct dprf_input input_of(const char *purpose, const char *subject, uint64_t epoch)
{
    return (struct dprf_input){bytes_str(purpose), bytes_str(subject), epoch};
}

static struct dprf_partial partial_of(const struct dealt *d, uint32_t i,
                                      const struct dprf_input *in)
{
    struct dprf_partial p;
    struct err e;

    CHECK_OK(dprf_evaluate(&p, &d->keys, i, &d->shares[i - 1], in, &REQUEST, NULL, &e), &e);
    return p;
}

/* Every subset of t keepers, in every order it is walked, gives the key of the whole secret. */
static void every_subset(uint32_t t, uint32_t n)
{
    struct dprf_input in = input_of("contract", "a cluster", 7);
    struct dprf_partial parts[KEYS_MAX_KEEPERS];
    uint8_t want[32], got[32];
    struct dealt d;
    struct err e;

    dealt_init(&d, t, n, 3);
    CHECK_OK(keyset_verify(&d.keys, &e), &e);
    dealt_key(want, &d.keys, &d.secret, &in, "c");
    for (uint32_t i = 1; i <= n; i++)
        parts[i - 1] = partial_of(&d, i, &in);
    for (uint32_t mask = 0; mask < 1U << n; mask++) {
        AUTO_CLEAR(dprf) struct dprf c = {0};
        uint32_t have = 0;

        CHECK_OK(dprf_begin(&c, &d.keys, &in, &REQUEST, &e), &e);
        for (uint32_t i = 0; i < n; i++) {
            if ((mask >> i & 1) == 0)
                continue;
            CHECK_OK(dprf_add(&c, &parts[i], &e), &e);
            have++;
        }
        CHECK_INT(dprf_is_ready(&c), have >= t);
        if (have < t) {
            CHECK_RC(dprf_key(got, 32, &c, bytes_str("c"), &e), RC_AGAIN, &e, "partials so far");
            continue;
        }
        CHECK_OK(dprf_key(got, 32, &c, bytes_str("c"), &e), &e);
        CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
    }
}

TEST(two_of_three)
{
    every_subset(2, 3);
}

TEST(three_of_five)
{
    every_subset(3, 5);
}

/* The largest sizes, once. */
TEST(sixteen_of_thirty_two)
{
    struct dprf_input in = input_of("app-key", "x", 0);
    AUTO_CLEAR(dprf) struct dprf c = {0};
    uint8_t want[32], got[32];
    struct dealt d;
    struct err e;

    dealt_init(&d, 16, 32, 0);
    dealt_key(want, &d.keys, &d.secret, &in, "");
    CHECK_OK(dprf_begin(&c, &d.keys, &in, &REQUEST, &e), &e);
    for (uint32_t i = 17; i <= 32; i++) {
        struct dprf_partial p = partial_of(&d, i, &in);

        CHECK_OK(dprf_add(&c, &p, &e), &e);
    }
    CHECK_OK(dprf_key(got, 32, &c, bytes_str(""), &e), &e);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
}

/* Each part of the input gives another key; fields cannot run into each other. */
TEST(inputs_are_apart)
{
    struct dprf_input in[] = {input_of("ab", "c", 1), input_of("a", "bc", 1),
                              input_of("abc", "", 1), input_of("ab", "c", 2)};
    uint8_t keys[7][32];
    struct dealt d;
    struct err e;

    dealt_init(&d, 2, 3, 1);
    for (size_t i = 0; i < 4; i++)
        dealt_key(keys[i], &d.keys, &d.secret, &in[i], "x");
    dealt_key(keys[4], &d.keys, &d.secret, &in[0], "y");
    d.keys.generation = 2;
    dealt_key(keys[5], &d.keys, &d.secret, &in[0], "x");
    d.keys.generation = 1;
    d.keys.genesis.b[0] ^= 1;
    dealt_key(keys[6], &d.keys, &d.secret, &in[0], "x");
    for (size_t i = 0; i < 7; i++) {
        for (size_t k = 0; k < i; k++)
            CHECK_TRUE(!ct_eq(keys[i], keys[k], 32));
    }
    /* but not the round: a refresh keeps every key */
    d.keys.genesis.b[0] ^= 1;
    d.keys.round = 9;
    dealt_key(keys[6], &d.keys, &d.secret, &in[0], "x");
    CHECK_MEM(bytes_of(keys[6], 32), bytes_of(keys[0], 32));
    in[0].subject = bytes_of(NULL, DPRF_MAX_FIELD + 1);
    CHECK_RC(dprf_point(&d.keys.public_key, &d.keys, &in[0], &e), RC_LIMIT, &e, "longer");
}

/* Fixed numbers, so that the format cannot change unseen. The secret is 5, t = 2, f(x) = 5 + 3x. */
TEST(frozen)
{
    struct dprf_input in = input_of("contract", "subject", 9);
    struct insecure_seed seed = {.seed = 1};
    struct rng rng = insecure_rng(&seed);
    AUTO_CLEAR(buf) struct buf b = {0};
    struct ristretto_scalar secret;
    struct dprf_partial p;
    struct hash32 h;
    uint8_t key[32];
    struct dealt d;
    struct err e;

    dealt_init(&d, 2, 3, 4);
    ristretto_scalar_from_u64(&secret, 5);
    ristretto_mul_base(&d.keys.public_key, &secret);
    for (uint32_t i = 1; i <= 3; i++) {
        ristretto_scalar_from_u64(&d.shares[i - 1], 5 + 3 * i);
        ristretto_mul_base(&d.keys.members[i - 1].commitment, &d.shares[i - 1]);
    }
    keyset_hash(&h, &d.keys);
    CHECK_HEX(BYTES_OF(&h), "c39b0ec0ecbf8cee3a008f41d18d8459fcaa9b45b3bb75fc7bc1d63990045f7a");
    dealt_key(key, &d.keys, &secret, &in, "context");
    CHECK_HEX(BYTES_OF(&key), "9bee25a40ca59e13be2854b38a867cd5fbaf6e654defa7d9670b5eb2c31fad8d");
    CHECK_OK(dprf_evaluate(&p, &d.keys, 2, &d.shares[1], &in, &REQUEST, &rng, &e), &e);
    dprf_partial_encode(&b, &p);
    sha256(&h, buf_bytes(&b));
    CHECK_HEX(BYTES_OF(&h), "a1e5f2d1fe5d069d6f5cb9156e09f4d02ec441615c14ec42d0b0130a04f9cbf1");
    beacon_request_hash(&h, &d.keys, 1000);
    CHECK_HEX(BYTES_OF(&h), "e0ff906e5079226d2614704ce7b5d7bd9a9269c5856c39502710a7fdb1a1d6a5");
}

TEST(refuses_by_name)
{
    struct dprf_input in = input_of("contract", "s", 7), other = input_of("contract", "s", 8);
    struct hash32 request = {{1}};
    AUTO_CLEAR(dprf) struct dprf c = {0};
    struct dprf_partial p, q;
    struct dealt d, e2;
    struct err e;

    dealt_init(&d, 3, 5, 3);
    dealt_init(&e2, 3, 5, 3);
    CHECK_OK(dprf_begin(&c, &d.keys, &in, &REQUEST, &e), &e);
    p = partial_of(&d, 2, &in);
    CHECK_OK(dprf_add(&c, &p, &e), &e);
    CHECK_RC(dprf_add(&c, &p, &e), RC_EXISTS, &e, "second partial of keeper 2");
    p = partial_of(&d, 4, &other);
    CHECK_RC(dprf_add(&c, &p, &e), RC_DENIED, &e, "keeper 4: proof");
    p = partial_of(&e2, 4, &in);
    CHECK_RC(dprf_add(&c, &p, &e), RC_DENIED, &e, "keeper 4: proof");
    p = partial_of(&d, 4, &in);
    q = p;
    q.index = 5;
    CHECK_RC(dprf_add(&c, &q, &e), RC_DENIED, &e, "keeper 5: proof");
    q = p;
    q.round++;
    CHECK_RC(dprf_add(&c, &q, &e), RC_DENIED, &e, "keeper 4: round 4, not 3");
    q = p;
    q.generation++;
    CHECK_RC(dprf_add(&c, &q, &e), RC_DENIED, &e, "keeper 4: generation 2, not 1");
    q = p;
    q.value = (struct ristretto){0};
    CHECK_RC(dprf_add(&c, &q, &e), RC_DENIED, &e, "keeper 4: the identity");
    q = p;
    q.index = 6;
    CHECK_RC(dprf_add(&c, &q, &e), RC_RANGE, &e, "keeper 6 of 5");
    q.index = 0;
    CHECK_RC(dprf_add(&c, &q, &e), RC_RANGE, &e, "keeper 0 of 5");
    /* the proof is of this request only */
    CHECK_RC(dprf_verify(&p, &d.keys, &in, &request, &e), RC_DENIED, &e, "keeper 4: proof");
    CHECK_OK(dprf_verify(&p, &d.keys, &in, &REQUEST, &e), &e);
    /* and of this genesis and account */
    d.keys.genesis.b[3] ^= 1;
    CHECK_RC(dprf_verify(&p, &d.keys, &in, &REQUEST, &e), RC_DENIED, &e, "proof");
    d.keys.genesis.b[3] ^= 1;
    d.keys.members[3].who.b[0] ^= 1;
    CHECK_RC(dprf_verify(&p, &d.keys, &in, &REQUEST, &e), RC_DENIED, &e, "proof");
    d.keys.members[3].who.b[0] ^= 1;
    CHECK_OK(dprf_verify(&p, &d.keys, &in, &REQUEST, &e), &e);
    /* a keeper that has the wrong share says so and gives nothing */
    CHECK_RC(dprf_evaluate(&q, &d.keys, 1, &d.shares[1], &in, &REQUEST, NULL, &e), RC_DENIED, &e,
             "not keeper 1's of round 3");
    CHECK_TRUE(ristretto_is_identity(&q.value));
    CHECK_INT(c.have, 2);
}

/* No changed bit of a partial is let pass. */
TEST(every_bit_counts)
{
    struct dprf_input in = input_of("contract", "s", 7);
    AUTO_CLEAR(buf) struct buf b = {0};
    struct dprf_partial p, q;
    struct dealt d;
    struct err e;

    dealt_init(&d, 2, 3, 3);
    p = partial_of(&d, 2, &in);
    dprf_partial_encode(&b, &p);
    CHECK_INT(b.n, DPRF_PARTIAL_SIZE);
    CHECK_OK(dprf_partial_decode(&q, buf_bytes(&b), &e), &e);
    CHECK_OK(dprf_verify(&q, &d.keys, &in, &REQUEST, &e), &e);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (dprf_partial_decode(&q, buf_bytes(&b), &e) == RC_OK)
            CHECK_TRUE(dprf_verify(&q, &d.keys, &in, &REQUEST, &e) != RC_OK);
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < b.n; n++)
        CHECK_RC(dprf_partial_decode(&q, bytes_of(b.p, n), &e), RC_MALFORMED, &e, "partial");
    buf_u8(&b, 0);
    CHECK_RC(dprf_partial_decode(&q, buf_bytes(&b), &e), RC_MALFORMED, &e, "partial");
}

TEST(sealed_to_the_requester)
{
    struct dprf_input in = input_of("contract", "s", 7);
    struct hash32 other = {{1}};
    AUTO_CLEAR(buf) struct buf b = {0}, aad = {0}, plain = {0};
    struct secret32 key, stranger;
    struct dprf_partial p, q;
    uint8_t pub[32], zero[32] = {0};
    struct dealt d;
    struct err e;

    dealt_init(&d, 2, 3, 3);
    x25519_generate(&key, pub, NULL);
    p = partial_of(&d, 2, &in);
    CHECK_OK(dprf_partial_seal(&b, &p, &d.keys, pub, &REQUEST, NULL, &e), &e);
    CHECK_INT(b.n, DPRF_SEALED_SIZE);
    CHECK_OK(dprf_partial_open(&q, buf_bytes(&b), &d.keys, 2, &key, &REQUEST, &e), &e);
    CHECK_MEM(BYTES_OF(&q.value), BYTES_OF(&p.value));
    CHECK_RC(dprf_partial_open(&q, buf_bytes(&b), &d.keys, 2, &key, &other, &e), RC_DENIED, &e,
             "keeper 2");
    CHECK_RC(dprf_partial_open(&q, buf_bytes(&b), &d.keys, 1, &key, &REQUEST, &e), RC_DENIED, &e,
             "keeper 1");
    x25519_generate(&stranger, pub, NULL);
    CHECK_RC(dprf_partial_open(&q, buf_bytes(&b), &d.keys, 2, &stranger, &REQUEST, &e), RC_DENIED,
             &e, "keeper 2");
    CHECK_TRUE(ristretto_is_identity(&q.value));
    CHECK_RC(dprf_partial_open(&q, bytes_of(b.p, b.n - 1), &d.keys, 2, &key, &REQUEST, &e),
             RC_MALFORMED, &e, "bytes, not");
    CHECK_RC(dprf_partial_seal(&b, &p, &d.keys, zero, &REQUEST, NULL, &e), RC_MALFORMED, &e, "");
    /* keeper 1 seals what says it is keeper 2's: the layouts written out, from docs/keys.md */
    buf_reset(&b);
    dprf_partial_encode(&plain, &p);
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&d.keys.genesis));
    buf_u32be(&aad, 32);
    buf_put_bytes(&aad, BYTES_OF(&REQUEST));
    buf_u32be(&aad, 20);
    buf_put_bytes(&aad, BYTES_OF(&d.keys.members[0].who));
    CHECK_OK(hpke_seal(&b, pub, bytes_str("cloister/dprf/partial/v1"), buf_bytes(&aad),
                       buf_bytes(&plain), NULL, &e),
             &e);
    CHECK_RC(dprf_partial_open(&q, buf_bytes(&b), &d.keys, 1, &stranger, &REQUEST, &e), RC_DENIED,
             &e, "keeper 1 answers as keeper 2");
}

/* Two proofs of the same statement differ though the rng repeats nothing else than itself. */
TEST(nonces_are_hedged)
{
    struct dprf_input in = input_of("contract", "s", 7), other = input_of("contract", "t", 7);
    struct insecure_seed s1 = {.seed = 1}, s2 = {.seed = 1};
    struct rng r1 = insecure_rng(&s1), r2 = insecure_rng(&s2);
    struct dprf_partial p, q;
    struct dealt d;
    struct err e;

    dealt_init(&d, 2, 3, 3);
    p = partial_of(&d, 1, &in);
    q = partial_of(&d, 1, &in);
    CHECK_TRUE(!ct_eq(p.z.b, q.z.b, 32) && ct_eq(p.value.b, q.value.b, 32));
    /* the same broken rng on two statements: nonces differ, or z - z' would give the share away */
    CHECK_OK(dprf_evaluate(&p, &d.keys, 1, &d.shares[0], &in, &REQUEST, &r1, &e), &e);
    CHECK_OK(dprf_evaluate(&q, &d.keys, 1, &d.shares[0], &other, &REQUEST, &r2, &e), &e);
    {
        struct ristretto_scalar dz, dc;

        ristretto_scalar_sub(&dz, &p.z, &q.z);
        ristretto_scalar_sub(&dc, &p.c, &q.c);
        ristretto_scalar_invert(&dc, &dc);
        ristretto_scalar_mul(&dz, &dz, &dc);
        CHECK_TRUE(!ct_eq(dz.b, d.shares[0].b, 32));
    }
}

TEST(keysets)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct keyset back;
    struct dealt d;
    struct err e;

    dealt_init(&d, 3, 5, 7);
    keyset_encode(&b, &d.keys);
    CHECK_OK(keyset_decode(&back, buf_bytes(&b), &e), &e);
    CHECK_TRUE(keyset_eq(&back, &d.keys));
    for (size_t n = 0; n < b.n; n++)
        CHECK_RC(keyset_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e, "keyset");
    memcpy(b.p + b.n - 52, b.p + b.n - 104, 20);
    CHECK_RC(keyset_decode(&back, buf_bytes(&b), &e), RC_MALFORMED, &e,
             "keepers 4 and 5 are the same");
    CHECK_INT(back.n, 0);
    d.keys.members[4].commitment = RISTRETTO_BASE;
    CHECK_RC(keyset_verify(&d.keys, &e), RC_DENIED, &e, "commitment of keeper 5");
    d.keys.public_key = RISTRETTO_BASE;
    CHECK_RC(keyset_verify(&d.keys, &e), RC_DENIED, &e, "not of the public key");
    CHECK_RC(keys_check_threshold(1, 1, &e), RC_RANGE, &e, "threshold 1");
    CHECK_RC(keys_check_threshold(3, 4, &e), RC_RANGE, &e, "from 5 to 32");
    CHECK_RC(keys_check_threshold(17, 32, &e), RC_RANGE, &e, "threshold 17");
    CHECK_OK(keys_check_threshold(2, 3, &e), &e);
}

static void beacon_parts(struct dprf_partial *parts, const struct dealt *d, uint64_t height)
{
    struct dprf_input in;
    struct hash32 request;
    struct err e;

    beacon_input(&in, height);
    beacon_request_hash(&request, &d->keys, height);
    for (uint32_t i = 1; i <= d->keys.n; i++)
        CHECK_OK(
            dprf_evaluate(&parts[i - 1], &d->keys, i, &d->shares[i - 1], &in, &request, NULL, &e),
            &e);
}

TEST(beacon)
{
    AUTO_CLEAR(buf) struct buf b = {0}, c = {0};
    struct dprf_partial parts[5];
    struct hash32 v1, v2;
    uint64_t height;
    struct dealt d;
    struct err e;

    dealt_init(&d, 3, 5, 7);
    beacon_parts(parts, &d, 1000);
    CHECK_RC(beacon_encode(&b, &d.keys, 1000, parts, 2, &e), RC_AGAIN, &e, "2 partials");
    CHECK_OK(beacon_encode(&b, &d.keys, 1000, parts, 3, &e), &e);
    CHECK_OK(beacon_encode(&c, &d.keys, 1000, parts + 2, 3, &e), &e);
    CHECK_OK(beacon_verify(&v1, &height, buf_bytes(&b), &d.keys, &e), &e);
    CHECK_INT(height, 1000);
    CHECK_OK(beacon_verify(&v2, &height, buf_bytes(&c), &d.keys, &e), &e);
    CHECK_TRUE(hash32_eq(&v1, &v2));
    for (size_t n = 0; n < b.n; n++)
        CHECK_TRUE(beacon_verify(&v2, &height, bytes_of(b.p, n), &d.keys, &e) != RC_OK);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        CHECK_TRUE(beacon_verify(&v2, &height, buf_bytes(&b), &d.keys, &e) != RC_OK);
        CHECK_TRUE(hash32_is_zero(&v2) && height == 0);
        b.p[i] ^= 1;
    }
    CHECK_OK(beacon_verify(&v2, &height, buf_bytes(&b), &d.keys, &e), &e);
    beacon_parts(parts, &d, 1001);
    buf_reset(&b);
    CHECK_OK(beacon_encode(&b, &d.keys, 1000, parts, 3, &e), &e);
    CHECK_RC(beacon_verify(&v2, &height, buf_bytes(&b), &d.keys, &e), RC_DENIED, &e, "keeper 1");
    buf_reset(&b);
    CHECK_OK(beacon_encode(&b, &d.keys, 1001, parts, 5, &e), &e);
    CHECK_OK(beacon_verify(&v2, &height, buf_bytes(&b), &d.keys, &e), &e);
    CHECK_TRUE(!hash32_eq(&v1, &v2));
}
