/* Web3 Secret Storage Definition, version 3 (Ethereum wiki). */
#include "chain/keystore.h"

#include "base/hex.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

enum {
    SALT_SIZE = 32,
    MAX_SALT = 1024,
    KEY_SIZE = 32, /* derived: 16 to encrypt, 16 for the mac */
    SCRYPT_R = 8,
    SCRYPT_P = 1,
};

/* keccak256(second half of the derived key | ciphertext) */
static void mac_of(struct hash32 *out, const struct secret32 *derived, const uint8_t cipher[32])
{
    struct keccak256_ctx c;

    keccak256_init(&c);
    keccak256_put(&c, bytes_of(derived->b + 16, 16));
    keccak256_put(&c, bytes_of(cipher, 32));
    keccak256_final(&c, out);
    wipe(&c, sizeof(c));
}

static void put_hex_member(struct buf *out, const char *key, struct bytes v, const char *after)
{
    buf_printf(out, "\"%s\":\"", key);
    hex_put(out, v);
    buf_printf(out, "\"%s", after);
}

/* RFC 4122 version 4. */
static void put_uuid(struct buf *out, const struct rng *rng)
{
    uint8_t u[16];

    rng_fill(rng, u, sizeof(u));
    u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(u); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buf_u8(out, '-');
        hex_put(out, bytes_of(u + i, 1));
    }
}

enum rc keystore_encrypt(struct buf *out, const struct secp_key *key, struct bytes password,
                         uint64_t scrypt_n, const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 derived = {0};
    uint8_t salt[SALT_SIZE], iv[16], cipher[32];
    struct address address;
    struct hash32 mac;

    if (scrypt_n == 0)
        scrypt_n = KEYSTORE_SCRYPT_N;
    rng_fill(rng, salt, sizeof(salt));
    rng_fill(rng, iv, sizeof(iv));
    TRY(scrypt(derived.b, KEY_SIZE, password, BYTES_OF(&salt), scrypt_n, SCRYPT_R, SCRYPT_P, e));
    aes128_ctr(cipher, derived.b, iv, BYTES_OF(&key->k));
    mac_of(&mac, &derived, cipher);
    secp_key_address(&address, key);
    buf_put_str(out, "{");
    put_hex_member(out, "address", BYTES_OF(&address), ",");
    buf_put_str(out, "\"crypto\":{\"cipher\":\"aes-128-ctr\",");
    put_hex_member(out, "ciphertext", BYTES_OF(&cipher), ",\"cipherparams\":{");
    put_hex_member(out, "iv", BYTES_OF(&iv), "},\"kdf\":\"scrypt\",\"kdfparams\":{");
    buf_printf(out, "\"dklen\":%d,\"n\":%llu,\"p\":%d,\"r\":%d,", KEY_SIZE,
               (unsigned long long)scrypt_n, SCRYPT_P, SCRYPT_R);
    put_hex_member(out, "salt", BYTES_OF(&salt), "},");
    put_hex_member(out, "mac", BYTES_OF(&mac), "},\"id\":\"");
    put_uuid(out, rng);
    buf_put_str(out, "\",\"version\":3}\n");
    return RC_OK;
}

/* RC_UNSUPPORTED unless obj[key] is the text `want`. */
static enum rc must_be(const json_t *obj, const char *key, const char *want, struct err *e)
{
    const char *got;

    TRY(json_str(&got, obj, key, 64, e));
    if (strcmp(got, want) != 0)
        return err_set(e, RC_UNSUPPORTED, "keystore: %s \"%s\", not \"%s\"", key, got, want);
    return RC_OK;
}

static enum rc derive(struct secret32 *out, const json_t *crypto, struct bytes password,
                      struct err *e)
{
    AUTO_CLEAR(buf) struct buf salt = {0};
    json_t *params;
    const char *kdf;
    uint64_t n, r, p, size;

    TRY(json_str(&kdf, crypto, "kdf", 64, e));
    TRY(json_obj(&params, crypto, "kdfparams", e));
    TRY(json_hex(&salt, params, "salt", MAX_SALT, e));
    TRY(json_u64(&size, params, "dklen", KDF_MAX_OUT, e));
    if (size != KEY_SIZE)
        return err_set(e, RC_UNSUPPORTED, "keystore: dklen %llu, not %d", (unsigned long long)size,
                       KEY_SIZE);
    if (strcmp(kdf, "pbkdf2") == 0) {
        TRY(must_be(params, "prf", "hmac-sha256", e));
        TRY(json_u64(&n, params, "c", UINT64_MAX, e));
        return pbkdf2_sha256(out->b, KEY_SIZE, password, buf_bytes(&salt), n, e);
    }
    if (strcmp(kdf, "scrypt") != 0)
        return err_set(e, RC_UNSUPPORTED, "keystore: kdf \"%s\", not scrypt or pbkdf2", kdf);
    TRY(json_u64(&n, params, "n", UINT64_MAX, e));
    TRY(json_u64(&r, params, "r", UINT64_MAX, e));
    TRY(json_u64(&p, params, "p", UINT64_MAX, e));
    return scrypt(out->b, KEY_SIZE, password, buf_bytes(&salt), n, r, p, e);
}

/* Some early writers spelled it "Crypto". */
static enum rc get_crypto(json_t **out, const json_t *root, struct err *e)
{
    uint64_t version;

    TRY(json_u64(&version, root, "version", UINT64_MAX, e));
    if (version != 3)
        return err_set(e, RC_UNSUPPORTED, "keystore: version %llu, not 3",
                       (unsigned long long)version);
    if (json_object_get(root, "crypto") == NULL && json_object_get(root, "Crypto") != NULL)
        return json_obj(out, root, "Crypto", e);
    return json_obj(out, root, "crypto", e);
}

static enum rc decrypt(struct secp_key *out, struct bytes json, struct bytes password,
                       struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 derived = {0}, key = {0};
    json_auto_t *root = NULL;
    json_t *crypto, *params;
    uint8_t iv[16], cipher[32];
    struct hash32 mac, want;

    TRY(json_parse(&root, json, KEYSTORE_MAX_SIZE, e));
    if (!json_is_object(root))
        return err_set(e, RC_MALFORMED, "not an object");
    TRY(get_crypto(&crypto, root, e));
    TRY(must_be(crypto, "cipher", "aes-128-ctr", e));
    TRY(json_obj(&params, crypto, "cipherparams", e));
    TRY(json_hex_fixed(iv, sizeof(iv), params, "iv", e));
    TRY(json_hex_fixed(cipher, sizeof(cipher), crypto, "ciphertext", e));
    TRY(json_hex_fixed(want.b, sizeof(want.b), crypto, "mac", e));
    TRY(derive(&derived, crypto, password, e));
    mac_of(&mac, &derived, cipher);
    if (!ct_eq(mac.b, want.b, sizeof(mac.b)))
        return err_set(e, RC_DENIED, "wrong password, or the file was altered");
    aes128_ctr(key.b, derived.b, iv, BYTES_OF(&cipher));
    return secp_key_from_bytes(out, key.b, e);
}

enum rc keystore_decrypt(struct secp_key *out, struct bytes json, struct bytes password,
                         struct err *e)
{
    enum rc rc;

    wipe(out, sizeof(*out));
    rc = decrypt(out, json, password, e);
    if (rc == RC_NOTFOUND) /* a missing member */
        rc = RC_MALFORMED;
    return rc == RC_OK ? rc : err_wrap(e, rc, "key file");
}

enum rc keystore_address(struct address *out, struct bytes json, struct err *e)
{
    json_auto_t *root = NULL;

    memset(out, 0, sizeof(*out));
    TRY(json_parse(&root, json, KEYSTORE_MAX_SIZE, e));
    return json_hex_fixed(out->b, sizeof(out->b), root, "address", e);
}
