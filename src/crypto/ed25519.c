#include "crypto/ed25519.h"

#include "base/mem.h"

#include <sodium.h>

void ed25519_key_clear(struct ed25519_key *k)
{
    wipe(k, sizeof(*k));
}

void ed25519_generate(struct ed25519_key *out, const struct rng *rng)
{
    AUTO_CLEAR(secret32) struct secret32 seed;

    rng_fill(rng, seed.b, sizeof(seed.b));
    ed25519_from_seed(out, seed.b);
}

void ed25519_from_seed(struct ed25519_key *out, const uint8_t seed32[32])
{
    uint8_t pub[32];

    CHECK(sodium_init() >= 0);
    CHECK(crypto_sign_seed_keypair(pub, out->b, seed32) == 0);
}

void ed25519_pub(uint8_t out32[32], const struct ed25519_key *k)
{
    memcpy(out32, k->b + 32, 32);
}

void ed25519_sign(uint8_t sig64[64], const struct ed25519_key *k, struct bytes msg)
{
    CHECK(crypto_sign_detached(sig64, NULL, msg.p, msg.n, k->b) == 0);
}

/* p = 8 p. False if p does not decode to a point. libsodium's addition decodes as ZIP-215 asks: y
 * is taken modulo the prime, and x = 0 with the sign bit set is let pass. Its result is canonical.
 */
static bool times_8_var(uint8_t p[32])
{
    for (int i = 0; i < 3; i++) {
        if (crypto_core_ed25519_add(p, p, p) != 0)
            return false;
    }
    return true;
}

/* ZIP-215's equation for what the strict check refused. libsodium multiplies only points of the
 * prime-order subgroup, which 8 A is: so [8s]B = [k](8A) + 8R is checked, the same equation. */
static bool cofactored_var(const uint8_t *pub, struct bytes msg, const uint8_t *sig)
{
    static const uint8_t eight[32] = {8}, identity[32] = {1};
    crypto_hash_sha512_state h;
    uint8_t wide[64], k[32], s8[32], left[32], right[32], r8[32], a8[32];

    memcpy(a8, pub, sizeof(a8));
    memcpy(r8, sig, sizeof(r8));
    if (!times_8_var(a8) || !times_8_var(r8))
        return false;
    (void)crypto_hash_sha512_init(&h);
    (void)crypto_hash_sha512_update(&h, sig, 32);
    (void)crypto_hash_sha512_update(&h, pub, 32);
    (void)crypto_hash_sha512_update(&h, msg.p, msg.n);
    (void)crypto_hash_sha512_final(&h, wide);
    crypto_core_ed25519_scalar_reduce(k, wide);
    crypto_core_ed25519_scalar_mul(s8, sig + 32, eight);
    /* Both multiplications refuse to yield (or start from) the identity, and fail for no other
     * reason here: the scalars are reduced and the points are ours. */
    if (crypto_scalarmult_ed25519_base_noclamp(left, s8) != 0)
        memcpy(left, identity, sizeof(left));
    if (crypto_scalarmult_ed25519_noclamp(right, k, a8) != 0)
        memcpy(right, identity, sizeof(right));
    if (crypto_core_ed25519_add(right, right, r8) != 0)
        return false;
    return ct_eq(left, right, sizeof(left));
}

/* s below the group order 2^252 + 27742317777372353535851937790883648493. */
static bool is_s_canonical(const uint8_t s[32])
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};

    for (size_t i = 32; i-- > 0;) {
        if (s[i] != order[i])
            return s[i] < order[i];
    }
    return false;
}

enum rc ed25519_verify(const uint8_t pub32[32], struct bytes msg, const uint8_t sig64[64],
                       struct err *e)
{
    /* Whatever passes libsodium's stricter and much faster check passes ZIP-215 too. */
    if (crypto_sign_verify_detached(sig64, msg.p, msg.n, pub32) == 0)
        return RC_OK;
    if (!is_s_canonical(sig64 + 32))
        return err_set(e, RC_DENIED, "ed25519: s is not below the group order");
    if (!cofactored_var(pub32, msg, sig64))
        return err_set(e, RC_DENIED, "ed25519: signature does not verify");
    return RC_OK;
}
