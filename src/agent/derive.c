/* dstack's derivations. Job: the same bytes as dstack for the same roots. Trust: ids and paths are
 * the caller's. Must not: keep what it derives. */
#include "agent/derive.h"

#include "agent/internal/cert.h"
#include "crypto/hash.h"

void derive_bytes(uint8_t *out, size_t n, struct bytes ikm, const struct bytes *contexts,
                  size_t contexts_n)
{
    AUTO_CLEAR(buf) struct buf info = {0};

    for (size_t i = 0; i < contexts_n; i++)
        buf_put_bytes(&info, contexts[i]);
    hkdf_sha256(out, n, ikm, bytes_str("RATLS"), buf_bytes(&info));
}

enum rc derive_p256(struct secret32 *out, struct bytes ikm, const struct bytes *contexts,
                    size_t contexts_n, struct err *e)
{
    derive_bytes(out->b, sizeof(out->b), ikm, contexts, contexts_n);
    if (p256_is_scalar(out))
        return RC_OK;
    secret32_clear(out);
    return err_set(e, RC_RANGE, "derived bytes are no P-256 key");
}

void derive_p256_pkcs8(uint8_t out[DERIVE_P256_PKCS8_SIZE], const struct secret32 *scalar)
{
    AUTO_PKEY EVP_PKEY *key = p256_key_of(scalar);
    AUTO_CLEAR(secbuf) struct secbuf der = {0};

    p256_pkcs8(&der, key);
    CHECK(der.n == DERIVE_P256_PKCS8_SIZE);
    memcpy(out, der.p, der.n);
}

enum rc derive_p256_secret(struct secret32 *out, struct bytes ikm, const struct bytes *contexts,
                           size_t contexts_n, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 scalar = {0};
    uint8_t der[DERIVE_P256_PKCS8_SIZE];
    struct hash32 h;

    *out = (struct secret32){0};
    TRY(derive_p256(&scalar, ikm, contexts, contexts_n, e));
    derive_p256_pkcs8(der, &scalar);
    sha256(&h, BYTES_OF(&der));
    memcpy(out->b, h.b, sizeof(out->b));
    wipe(der, sizeof(der));
    wipe(&h, sizeof(h));
    return RC_OK;
}

void derive_sign(uint8_t out65[65], const struct secp_key *k, const struct hash32 *digest)
{
    struct secp_sig sig;

    secp_sign(&sig, k, digest);
    memcpy(out65, sig.b, 65);
    out65[64] = (uint8_t)(out65[64] - 27);
}

static void keccak_parts(struct hash32 *out, const struct bytes *parts, size_t n)
{
    struct keccak256_ctx c;

    keccak256_init(&c);
    for (size_t i = 0; i < n; i++)
        keccak256_put(&c, parts[i]);
    keccak256_final(&c, out);
}

enum rc derive_app_key(struct secret32 *out, uint8_t signature65[65], const struct secp_key *root,
                       const struct agent_app *app, struct err *e)
{
    struct bytes id = BYTES_OF(&app->id);
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct secp_pub pub;
    struct hash32 digest;
    uint8_t pub33[33];
    enum rc rc;

    derive_bytes(out->b, 32, BYTES_OF(&root->k.b), (struct bytes[]){id, bytes_str("app-key")}, 2);
    rc = secp_key_from_bytes(&key, out->b, e);
    if (rc != RC_OK) {
        secret32_clear(out);
        memset(signature65, 0, 65);
        return rc;
    }
    secp_key_pub(&pub, &key);
    secp_pub_compress(pub33, &pub);
    keccak_parts(&digest, (struct bytes[]){bytes_str("dstack-kms-issued:"), id, BYTES_OF(&pub33)},
                 3);
    derive_sign(signature65, root, &digest);
    return RC_OK;
}

enum rc derive_env_key(struct secret32 *out, const struct secret32 *root,
                       const struct agent_app *app, struct err *e)
{
    struct bytes contexts[] = {BYTES_OF(&app->id), bytes_str("env-encrypt-key")};

    return derive_p256_secret(out, BYTES_OF(&root->b), contexts, ARRAY_LEN(contexts), e);
}

void derive_env_digest(struct hash32 *out, const struct agent_app *app, const uint64_t *timestamp_s,
                       const uint8_t pub32[32])
{
    uint8_t time_be[8] = {0};
    struct bytes parts[] = {bytes_str("dstack-env-encrypt-pubkey:"), BYTES_OF(&app->id),
                            bytes_of(time_be, timestamp_s != NULL ? sizeof(time_be) : 0),
                            bytes_of(pub32, 32)};

    if (timestamp_s != NULL)
        store_u64be(time_be, *timestamp_s);
    keccak_parts(out, parts, ARRAY_LEN(parts));
}
