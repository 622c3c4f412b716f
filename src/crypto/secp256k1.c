#include "crypto/secp256k1.h"

#include "base/mem.h"
#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>

/* Made once, randomised against side channels, only read afterwards (and so safe for threads). */
static secp256k1_context *the_ctx;
static CRYPTO_ONCE ctx_once = CRYPTO_ONCE_STATIC_INIT;

static void ctx_make(void)
{
    uint8_t seed[32];

    the_ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    CHECK(the_ctx != NULL);
    random_bytes(seed, sizeof(seed));
    CHECK(secp256k1_context_randomize(the_ctx, seed) == 1);
    wipe(seed, sizeof(seed));
}

static const secp256k1_context *ctx(void)
{
    CHECK(CRYPTO_THREAD_run_once(&ctx_once, ctx_make) == 1);
    return the_ctx;
}

void secp_key_clear(struct secp_key *k)
{
    wipe(k, sizeof(*k));
}

void secp_key_generate(struct secp_key *out, const struct rng *rng)
{
    int tries = 0;

    /* A draw outside 1 .. n-1 has probability 2^-128; more than a few mean a broken source. */
    do {
        CHECK(tries++ < 8);
        rng_fill(rng, out->k.b, sizeof(out->k.b));
    } while (secp256k1_ec_seckey_verify(ctx(), out->k.b) != 1);
}

enum rc secp_key_from_bytes(struct secp_key *out, const uint8_t in32[32], struct err *e)
{
    memcpy(out->k.b, in32, sizeof(out->k.b));
    if (secp256k1_ec_seckey_verify(ctx(), out->k.b) == 1)
        return RC_OK;
    wipe(out, sizeof(*out));
    return err_set(e, RC_RANGE, "secp256k1: private key is zero or not below the group order");
}

static void pub_store(struct secp_pub *out, const secp256k1_pubkey *pk)
{
    uint8_t raw[65];
    size_t n = sizeof(raw);

    CHECK(secp256k1_ec_pubkey_serialize(ctx(), raw, &n, pk, SECP256K1_EC_UNCOMPRESSED) == 1);
    memcpy(out->b, raw + 1, sizeof(out->b));
}

static bool pub_load(secp256k1_pubkey *pk, const struct secp_pub *p)
{
    uint8_t raw[65];

    secp_pub_uncompress(raw, p);
    return secp256k1_ec_pubkey_parse(ctx(), pk, raw, sizeof(raw)) == 1;
}

void secp_key_pub(struct secp_pub *out, const struct secp_key *k)
{
    secp256k1_pubkey pk;

    CHECK(secp256k1_ec_pubkey_create(ctx(), &pk, k->k.b) == 1);
    pub_store(out, &pk);
}

void secp_key_address(struct address *out, const struct secp_key *k)
{
    struct secp_pub p;

    secp_key_pub(&p, k);
    secp_pub_address(out, &p);
}

enum rc secp_pub_parse(struct secp_pub *out, struct bytes in, struct err *e)
{
    secp256k1_pubkey pk;
    uint8_t raw[65];

    memset(out, 0, sizeof(*out));
    if (in.n == 64) {
        raw[0] = 4;
        memcpy(raw + 1, in.p, 64);
        in = bytes_of(raw, sizeof(raw));
    }
    if (in.n != 33 && in.n != 65)
        return err_set(e, RC_MALFORMED, "secp256k1: public key of %zu bytes, not 33, 64 or 65",
                       in.n);
    /* The library also takes the "hybrid" forms 06 and 07, which nothing here writes. */
    if (in.n == 65 ? in.p[0] != 4 : in.p[0] != 2 && in.p[0] != 3)
        return err_set(e, RC_MALFORMED, "secp256k1: public key of %zu bytes starts with %02x", in.n,
                       in.p[0]);
    if (secp256k1_ec_pubkey_parse(ctx(), &pk, in.p, in.n) != 1)
        return err_set(e, RC_MALFORMED, "secp256k1: public key is not a point of the curve");
    pub_store(out, &pk);
    return RC_OK;
}

void secp_pub_compress(uint8_t out33[33], const struct secp_pub *p)
{
    out33[0] = (uint8_t)(2 + (p->b[63] & 1));
    memcpy(out33 + 1, p->b, 32);
}

void secp_pub_uncompress(uint8_t out65[65], const struct secp_pub *p)
{
    out65[0] = 4;
    memcpy(out65 + 1, p->b, 64);
}

void secp_pub_address(struct address *out, const struct secp_pub *p)
{
    struct hash32 h;

    keccak256(&h, BYTES_OF(p));
    memcpy(out->b, h.b + 12, sizeof(out->b));
}

void secp_sign(struct secp_sig *out, const struct secp_key *k, const struct hash32 *digest)
{
    secp256k1_ecdsa_recoverable_signature sig;
    int id = 0;

    CHECK(secp256k1_ecdsa_sign_recoverable(ctx(), &sig, digest->b, k->k.b,
                                           secp256k1_nonce_function_rfc6979, NULL) == 1);
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(ctx(), out->b, &id, &sig);
    /* ids 2 and 3 (r above the group order) have no v in Ethereum; probability 2^-127. */
    CHECK(id == 0 || id == 1);
    out->b[64] = (uint8_t)(27 + id);
}

/* r | s as the library's signature, with range and s rule checked. */
static enum rc sig_load(secp256k1_ecdsa_signature *out, const uint8_t *rs, enum secp_s_rule rule,
                        struct err *e)
{
    static const uint8_t zero[32];

    if (secp256k1_ecdsa_signature_parse_compact(ctx(), out, rs) != 1 ||
        ct_eq(rs, zero, sizeof(zero)) || ct_eq(rs + 32, zero, sizeof(zero)))
        return err_set(e, RC_MALFORMED, "secp256k1: r or s outside 1 .. n-1");
    if (secp256k1_ecdsa_signature_normalize(ctx(), out, out) == 1 && rule == SECP_S_LOW)
        return err_set(e, RC_MALFORMED, "secp256k1: s above half the group order (EIP-2)");
    return RC_OK;
}

enum rc secp_recover(struct secp_pub *out, const struct hash32 *digest, const uint8_t sig65[65],
                     enum secp_s_rule rule, struct err *e)
{
    secp256k1_ecdsa_recoverable_signature rsig;
    secp256k1_ecdsa_signature sig;
    secp256k1_pubkey pk;
    uint8_t v = sig65[64];
    int id = v >= 27 ? v - 27 : v;

    memset(out, 0, sizeof(*out));
    if (id > 1)
        return err_set(e, RC_MALFORMED, "secp256k1: signature v is %u, not 0, 1, 27 or 28", v);
    TRY(sig_load(&sig, sig65, rule, e));
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(ctx(), &rsig, sig65, id) != 1)
        return err_set(e, RC_MALFORMED, "secp256k1: r or s outside 1 .. n-1");
    if (secp256k1_ecdsa_recover(ctx(), &pk, &rsig, digest->b) != 1)
        return err_set(e, RC_DENIED, "secp256k1: no key fits the signature");
    pub_store(out, &pk);
    return RC_OK;
}

enum rc secp_recover_address(struct address *out, const struct hash32 *digest,
                             const uint8_t sig65[65], enum secp_s_rule rule, struct err *e)
{
    struct secp_pub p;

    memset(out, 0, sizeof(*out));
    TRY(secp_recover(&p, digest, sig65, rule, e));
    secp_pub_address(out, &p);
    return RC_OK;
}

enum rc secp_verify(const struct secp_pub *p, const struct hash32 *digest, const uint8_t sig64[64],
                    enum secp_s_rule rule, struct err *e)
{
    secp256k1_ecdsa_signature sig;
    secp256k1_pubkey pk;

    if (!pub_load(&pk, p))
        return err_set(e, RC_MALFORMED, "secp256k1: public key is not a point of the curve");
    TRY(sig_load(&sig, sig64, rule, e));
    if (secp256k1_ecdsa_verify(ctx(), &sig, digest->b, &pk) != 1)
        return err_set(e, RC_DENIED, "secp256k1: signature does not verify");
    return RC_OK;
}

static int copy_x(unsigned char *out, const unsigned char *x32, const unsigned char *y32,
                  void *data)
{
    (void)y32;
    (void)data;
    memcpy(out, x32, 32);
    return 1;
}

enum rc secp_ecdh_x(struct secret32 *out, const struct secp_key *k, const struct secp_pub *p,
                    struct err *e)
{
    secp256k1_pubkey pk;

    memset(out, 0, sizeof(*out));
    if (!pub_load(&pk, p))
        return err_set(e, RC_MALFORMED, "secp256k1: public key is not a point of the curve");
    CHECK(secp256k1_ecdh(ctx(), out->b, &pk, k->k.b, copy_x, NULL) == 1);
    return RC_OK;
}
