#include "worker/internal/keys.h"

#include "base/hex.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"
#include "os/file.h"

#define KEY_FILE_MAX 4096

/* Names of the keys in the file; also, with the prefix, the labels under which they are derived
 * from a sender's key. */
static const char label_prefix[] = "cloister/worker/";
static const char *const names[4] = {"sender", "proof_signer", "receive_x25519",
                                     "receive_secp256k1"};

static enum rc derive_commit(struct secp_key *out, const uint8_t sender[32], struct err *e)
{
    uint8_t raw[32];
    enum rc rc;

    hkdf_sha256(raw, 32, bytes_of(sender, 32), bytes_of(NULL, 0),
                bytes_str("cloister/worker/commit/v1"));
    rc = secp_key_from_bytes(out, raw, e);
    wipe(raw, sizeof(raw));
    return rc;
}

static enum rc fill(struct worker_keys *k, const uint8_t raw[4][32], struct err *e)
{
    TRY(secp_key_from_bytes(&k->sender, raw[0], e));
    TRY(secp_key_from_bytes(&k->proof_signer, raw[1], e));
    memcpy(k->receive.b, raw[2], 32);
    TRY(secp_key_from_bytes(&k->receive_secp, raw[3], e));
    TRY(derive_commit(&k->commit, raw[0], e));
    secp_key_address(&k->sender_address, &k->sender);
    secp_key_address(&k->commit_address, &k->commit);
    secp_key_address(&k->signer_address, &k->proof_signer);
    x25519_pub(k->receive_pub, &k->receive);
    secp_key_pub(&k->receive_secp_pub, &k->receive_secp);
    return RC_OK;
}

static enum rc save(const char *path, const uint8_t raw[4][32], struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc;

    /* Room at once, so that growth leaves no copies behind. */
    (void)buf_reserve(&text, KEY_FILE_MAX);
    for (int i = 0; i < 4; i++) {
        buf_printf(&text, "%s\"%s\": \"", i == 0 ? "{" : ",\n ", names[i]);
        hex_put_0x(&text, bytes_of(raw[i], 32));
        buf_u8(&text, '"');
    }
    buf_put_str(&text, "}\n");
    rc = file_write_new(path, buf_bytes(&text), 0600, e);
    wipe(text.p, text.n);
    return rc;
}

static void generate(uint8_t raw[4][32])
{
    struct secret32 x;
    uint8_t pub[32];

    for (int i = 0; i < 4; i++) {
        struct secp_key k;

        secp_key_generate(&k, NULL);
        memcpy(raw[i], k.k.b, 32);
        secp_key_clear(&k);
    }
    x25519_generate(&x, pub, NULL);
    memcpy(raw[2], x.b, 32);
    secret32_clear(&x);
}

static void derive(uint8_t raw[4][32])
{
    for (int i = 1; i < 4; i++) {
        AUTO_FREE char *label = xasprintf("%s%s/v1", label_prefix, names[i]);

        hkdf_sha256(raw[i], 32, bytes_of(raw[0], 32), bytes_of(NULL, 0), bytes_str(label));
    }
}

static enum rc read_json(uint8_t raw[4][32], struct bytes text, struct err *e)
{
    json_auto_t *o = NULL;

    TRY(json_parse(&o, text, KEY_FILE_MAX, e));
    for (int i = 0; i < 4; i++)
        TRY(json_hex_fixed(raw[i], 32, o, names[i], e));
    return RC_OK;
}

static enum rc parse(uint8_t raw[4][32], struct bytes text, struct err *e)
{
    while (text.n != 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == ' '))
        text.n--;
    if (text.n != 0 && text.p[0] == '{')
        return read_json(raw, text, e);
    TRY(hex_decode_fixed(raw[0], 32, text, e));
    derive(raw);
    return RC_OK;
}

enum rc worker_keys_load(struct worker_keys **out, const char *path, struct err *e)
{
    struct worker_keys *k = secret_alloc(sizeof(*k));
    AUTO_SECRET uint8_t *text = secret_alloc(KEY_FILE_MAX + 1);
    size_t n;
    uint8_t raw[4][32] = {{0}};
    enum rc rc;

    rc = file_read_secret(text, KEY_FILE_MAX, &n, path, e);
    if (rc == RC_NOTFOUND) {
        generate(raw);
        rc = save(path, raw, e);
    } else if (rc == RC_OK && parse(raw, bytes_of(text, n), NULL) != RC_OK) {
        rc =
            err_set(e, RC_CORRUPT,
                    "key file %s: neither our JSON with four keys nor 64 hexadecimal digits", path);
    }
    if (rc == RC_OK)
        rc = fill(k, (const uint8_t(*)[32])raw, e);
    wipe(raw, sizeof(raw));
    if (rc != RC_OK) {
        secret_free(k);
        k = NULL;
    }
    *out = k;
    return rc;
}
