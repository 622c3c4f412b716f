/* Keys and signatures. Job: GetKey, Sign, Verify and their older forms. Trust: paths and data are
 * the application's. Must not: log or keep what it derives. */
#include "agent/derive.h"
#include "agent/internal/agent.h"
#include "base/hex.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

enum algorithm { ALGORITHM_SECP256K1, ALGORITHM_SECP256K1_PREHASHED, ALGORITHM_ED25519 };

/* A derived key with its public half and what the application's key signed of it. */
struct derived {
    struct secret32 key;
    uint8_t pub[33];
    size_t pub_n;
    uint8_t chain[65];
};

static void derived_clear(struct derived *d)
{
    secret32_clear(&d->key);
}

static enum rc algorithm_of(enum algorithm *out, const char *name, bool prehashed_ok, struct err *e)
{
    if (name[0] == '\0' || strcmp(name, "secp256k1") == 0 || strcmp(name, "k256") == 0)
        *out = ALGORITHM_SECP256K1;
    else if (strcmp(name, "ed25519") == 0)
        *out = ALGORITHM_ED25519;
    else if (prehashed_ok && strcmp(name, "secp256k1_prehashed") == 0)
        *out = ALGORITHM_SECP256K1_PREHASHED;
    else
        return err_set(e, RC_UNSUPPORTED, "algorithm '%.40s': give secp256k1, ed25519%s", name,
                       prehashed_ok ? " or secp256k1_prehashed" : "");
    return RC_OK;
}

static enum rc set_public(struct derived *d, enum algorithm alg, struct err *e)
{
    AUTO_CLEAR(ed25519_key) struct ed25519_key ed = {0};
    AUTO_CLEAR(secp_key) struct secp_key k = {0};
    struct secp_pub pub;

    if (alg == ALGORITHM_ED25519) {
        ed25519_from_seed(&ed, d->key.b);
        ed25519_pub(d->pub, &ed);
        d->pub_n = 32;
        return RC_OK;
    }
    TRY(secp_key_from_bytes(&k, d->key.b, e));
    secp_key_pub(&pub, &k);
    secp_pub_compress(d->pub, &pub);
    d->pub_n = 33;
    return RC_OK;
}

static enum rc derive(struct derived *d, const struct agent *a, enum algorithm alg,
                      const char *path, const char *purpose, struct err *e)
{
    AUTO_CLEAR(buf) struct buf message = {0};
    AUTO_CLEAR(secp_key) struct secp_key app = {0};
    struct hash32 digest;

    derive_bytes(d->key.b, 32, BYTES_OF(&a->keys.k256.b), (struct bytes[]){bytes_str(path)}, 1);
    TRY(set_public(d, alg, e));
    TRY(secp_key_from_bytes(&app, a->keys.k256.b, e));
    buf_put_str(&message, purpose);
    buf_u8(&message, ':');
    hex_put(&message, bytes_of(d->pub, d->pub_n));
    keccak256(&digest, buf_bytes(&message));
    derive_sign(d->chain, &app, &digest);
    return RC_OK;
}

/* The answer holds a key, so it is written in place, once: no tree of values keeps a copy. */
static enum rc put_key(struct agent *a, struct buf *out, const struct agent_request *r,
                       const char *key_name, const char *chain_name, struct err *e)
{
    AUTO_CLEAR(derived) struct derived d = {0};
    enum algorithm alg;

    TRY(algorithm_of(&alg, r->algorithm, false, e));
    TRY(derive(&d, a, alg, r->path, r->purpose, e));
    (void)buf_reserve(out, 1024);
    buf_printf(out, "{\"%s\":", key_name);
    put_json_hex(out, BYTES_OF(&d.key.b));
    buf_printf(out, ",\"%s\":[", chain_name);
    put_json_hex(out, BYTES_OF(&d.chain));
    buf_u8(out, ',');
    put_json_hex(out, BYTES_OF(&a->keys.k256_signature));
    buf_put_str(out, "]}");
    return RC_OK;
}

enum rc method_get_key(struct agent *a, struct buf *out, const struct agent_request *r,
                       struct err *e)
{
    return put_key(a, out, r, "key", "signature_chain", e);
}

enum rc method_derive_k256_key(struct agent *a, struct buf *out, const struct agent_request *r,
                               struct err *e)
{
    return put_key(a, out, r, "k256_key", "k256_signature_chain", e);
}

/* ---- signatures ---- */

static enum rc digest_of(struct hash32 *out, enum algorithm alg, struct bytes data, struct err *e)
{
    if (alg == ALGORITHM_SECP256K1) {
        sha256(out, data);
        return RC_OK;
    }
    if (data.n != sizeof(out->b))
        return err_set(e, RC_RANGE, "data of %zu bytes: secp256k1_prehashed takes a digest of 32",
                       data.n);
    memcpy(out->b, data.p, sizeof(out->b));
    return RC_OK;
}

static enum rc sign(uint8_t out64[64], const struct derived *d, enum algorithm alg,
                    struct bytes data, struct err *e)
{
    AUTO_CLEAR(ed25519_key) struct ed25519_key ed = {0};
    AUTO_CLEAR(secp_key) struct secp_key k = {0};
    struct hash32 digest;
    struct secp_sig sig;

    if (alg == ALGORITHM_ED25519) {
        ed25519_from_seed(&ed, d->key.b);
        ed25519_sign(out64, &ed, data);
        return RC_OK;
    }
    TRY(digest_of(&digest, alg, data, e));
    TRY(secp_key_from_bytes(&k, d->key.b, e));
    secp_sign(&sig, &k, &digest);
    memcpy(out64, sig.b, 64);
    return RC_OK;
}

enum rc method_sign(struct agent *a, struct buf *out, const struct agent_request *r, struct err *e)
{
    AUTO_CLEAR(derived) struct derived d = {0};
    enum algorithm alg;
    uint8_t sig[64];

    TRY(algorithm_of(&alg, r->algorithm, true, e));
    TRY(derive(&d, a, alg, "vms", "signing", e));
    TRY(sign(sig, &d, alg, buf_bytes(&r->data), e));
    buf_put_str(out, "{\"signature\":");
    put_json_hex(out, BYTES_OF(&sig));
    buf_put_str(out, ",\"signature_chain\":[");
    put_json_hex(out, BYTES_OF(&sig));
    buf_u8(out, ',');
    put_json_hex(out, BYTES_OF(&d.chain));
    buf_u8(out, ',');
    put_json_hex(out, BYTES_OF(&a->keys.k256_signature));
    buf_put_str(out, "],\"public_key\":");
    put_json_hex(out, bytes_of(d.pub, d.pub_n));
    buf_u8(out, '}');
    return RC_OK;
}

enum rc method_verify(struct agent *a, struct buf *out, const struct agent_request *r,
                      struct err *e)
{
    struct bytes data = buf_bytes(&r->data);
    struct hash32 digest;
    struct secp_pub pub;
    enum algorithm alg;
    bool valid;

    (void)a;
    TRY(algorithm_of(&alg, r->algorithm, true, e));
    if (r->signature.n != 64)
        return err_set(e, RC_MALFORMED, "signature of %zu bytes, not 64", r->signature.n);
    if (alg == ALGORITHM_ED25519) {
        if (r->public_key.n != 32)
            return err_set(e, RC_MALFORMED, "public_key of %zu bytes, not 32", r->public_key.n);
        valid = ed25519_verify(r->public_key.p, data, r->signature.p, NULL) == RC_OK;
    } else {
        TRY(digest_of(&digest, alg, data, e));
        if (secp_pub_parse(&pub, buf_bytes(&r->public_key), e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "public_key");
        valid = secp_verify(&pub, &digest, r->signature.p, SECP_S_LOW, NULL) == RC_OK;
    }
    buf_printf(out, "{\"valid\":%s}", valid ? "true" : "false");
    return RC_OK;
}
