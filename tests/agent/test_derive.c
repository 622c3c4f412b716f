/* Derivations against dstack's own values, and against values computed apart from this code. */
#include "agent/derive.h"
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/x25519.h"
#include "lib/t.h"

static struct bytes text(const json_t *obj, const char *key)
{
    return bytes_str(json_string_value(json_object_get(obj, key)));
}

static void hex_field(struct buf *out, const json_t *obj, const char *key)
{
    struct err e = {0};

    buf_reset(out);
    CHECK_OK(hex_decode(out, text(obj, key), 4096, &e), &e);
}

static json_t *vectors(void)
{
    json_t *v = NULL;
    struct err e = {0};

    CHECK_OK(json_parse(&v, t_vector("dstack/kdf_vectors.json"), JSON_MAX_SIZE, &e), &e);
    return v;
}

TEST(dstacks_p256_derivation)
{
    json_auto_t *all = vectors();
    const json_t *v = json_object_get(all, "derive_dh_secret");
    const json_t *names = json_object_get(v, "contexts");
    AUTO_CLEAR(buf) struct buf root = {0}, want = {0};
    uint8_t der[DERIVE_P256_PKCS8_SIZE];
    struct secret32 k, s;
    struct bytes contexts[] = {bytes_str(json_string_value(json_array_get(names, 0))),
                               bytes_str(json_string_value(json_array_get(names, 1)))};
    struct err e = {0};

    /* the scalar inside the root's PKCS#8 */
    hex_field(&root, v, "root_pkcs8_der");
    CHECK_INT(root.n, DERIVE_P256_PKCS8_SIZE);
    memcpy(k.b, root.p + 36, 32);
    derive_p256_pkcs8(der, &k);
    CHECK_MEM(BYTES_OF(&der), buf_bytes(&root));
    CHECK_OK(derive_p256(&s, BYTES_OF(&k.b), contexts, 2, &e), &e);
    hex_field(&want, v, "derived_p256_scalar");
    CHECK_MEM(BYTES_OF(&s.b), buf_bytes(&want));
    derive_p256_pkcs8(der, &s);
    hex_field(&want, v, "derived_pkcs8_der");
    CHECK_MEM(BYTES_OF(&der), buf_bytes(&want));
    CHECK_OK(derive_p256_secret(&s, BYTES_OF(&k.b), contexts, 2, &e), &e);
    hex_field(&want, v, "sha256_secret");
    CHECK_MEM(BYTES_OF(&s.b), buf_bytes(&want));
}

TEST(dstacks_generic_hkdf)
{
    json_auto_t *all = vectors();
    size_t i;
    json_t *v;

    json_array_foreach(json_object_get(all, "hkdf_generic"), i, v)
    {
        AUTO_CLEAR(buf) struct buf ikm = {0}, info = {0}, okm = {0}, got = {0};
        struct bytes whole[1], halves[2];

        hex_field(&ikm, v, "ikm");
        hex_field(&info, v, "info");
        hex_field(&okm, v, "okm");
        whole[0] = buf_bytes(&info);
        halves[0] = bytes_of(info.p, 3);
        halves[1] = bytes_of(info.p + 3, info.n - 3);
        derive_bytes(buf_extend(&got, okm.n), okm.n, buf_bytes(&ikm), whole, 1);
        CHECK_MEM(buf_bytes(&got), buf_bytes(&okm));
        derive_bytes(got.p, okm.n, buf_bytes(&ikm), halves, 2);
        CHECK_MEM(buf_bytes(&got), buf_bytes(&okm));
    }
}

TEST(dstacks_environment_signature)
{
    json_auto_t *all = vectors();
    const json_t *v = json_object_get(all, "env_encrypt_pubkey_legacy");
    AUTO_CLEAR(buf) struct buf pub = {0}, sig = {0}, app = {0}, want = {0};
    struct agent_app id;
    struct hash32 digest;
    struct secp_pub signer;
    uint8_t compressed[33];
    struct err e = {0};

    hex_field(&pub, v, "public_key");
    hex_field(&sig, v, "signature_rsv");
    hex_field(&app, v, "app_id");
    hex_field(&want, v, "expected_signer_compressed");
    CHECK_INT(app.n, sizeof(id.id));
    memcpy(id.id, app.p, app.n);
    derive_env_digest(&digest, &id, NULL, pub.p);
    CHECK_OK(secp_recover(&signer, &digest, sig.p, SECP_S_LOW, &e), &e);
    secp_pub_compress(compressed, &signer);
    CHECK_MEM(BYTES_OF(&compressed), buf_bytes(&want));
}

/* A chain that we make: each step is verified by its own public key. The value is of Python's hmac
 * and hashlib, computed outside this code. */
TEST(keys_of_an_application)
{
    struct agent_app app = {
        .id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}};
    struct secret32 p256, env, k;
    struct secp_key root;
    uint8_t seed[32], sig[65];
    struct err e = {0};

    memset(seed, 0x11, sizeof(seed));
    memcpy(p256.b, seed, 32);
    CHECK_OK(secp_key_from_bytes(&root, seed, &e), &e);
    CHECK_OK(derive_app_key(&k, sig, &root, &app, &e), &e);
    CHECK_HEX(BYTES_OF(&k.b), "01e989ca22c3205f00d3133dd3ecfa11e0e778551aaee925d6c2aa32df5603b2");
    CHECK_INT(sig[64] < 2, 1);
    CHECK_OK(derive_env_key(&env, &p256, &app, &e), &e);
    {
        uint64_t at_s = 1700000000;
        struct hash32 a, b;
        uint8_t pub[32];

        x25519_pub(pub, &env);
        derive_env_digest(&a, &app, NULL, pub);
        derive_env_digest(&b, &app, &at_s, pub);
        CHECK_TRUE(!hash32_eq(&a, &b));
    }
    app.id[19] ^= 1;
    CHECK_OK(derive_app_key(&p256, sig, &root, &app, &e), &e);
    CHECK_TRUE(memcmp(p256.b, k.b, 32) != 0);
}

TEST(images_have_names_of_their_own)
{
    struct hash32 image = {{7}};
    struct agent_app a;

    agent_app_of_image(&a, &image);
    CHECK_HEX(BYTES_OF(&a.id), "ab32cb0a3e86816dc3eb489dd79870e17caa7125");
}
