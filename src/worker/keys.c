#include "worker/internal/keys.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"
#include "os/file.h"
#include "tee/seal.h"

#include <errno.h>
#include <stdio.h>

#define KEY_FILE_MAX 4096
#define PURPOSE "cloister/worker/keys/v1"
#define SEALED_MAGIC "CLSL"

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

/* ---- the file ---- */

struct key_file {
    const char *path;
    struct tee *tee;   /* NULL: keys lie plain */
    bool others;       /* others' keys were found and set aside */
    struct hash32 own; /* with tee: what sealed state is bound to here */
};

static enum rc open_file(struct key_file *f, struct err *e)
{
    struct tee_measurement m;
    uint64_t version;
    enum rc rc;

    if (f->tee == NULL)
        return RC_OK;
    rc = tee_platform_version(f->tee, &version, e);
    if (rc == RC_UNSUPPORTED) {
        log_warn("worker", "%s has no sealing keys: the worker's keys lie plain in %s",
                 tee_describe(f->tee), f->path);
        f->tee = NULL;
        return RC_OK;
    }
    TRY(rc);
    TRY(tee_measurement_get(f->tee, &m, e));
    tee_measurement_id(&f->own, &m);
    return RC_OK;
}

static enum rc save(const struct key_file *f, const uint8_t raw[4][32], struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    enum rc rc = RC_OK;

    /* Room at once, so that growth leaves no copies behind. */
    (void)buf_reserve(&text, KEY_FILE_MAX);
    for (int i = 0; i < 4; i++) {
        buf_printf(&text, "%s\"%s\": \"", i == 0 ? "{" : ",\n ", names[i]);
        hex_put_0x(&text, bytes_of(raw[i], 32));
        buf_u8(&text, '"');
    }
    buf_put_str(&text, "}\n");
    if (f->tee != NULL)
        rc = seal_put(f->tee, &sealed, PURPOSE, 1, buf_bytes(&text), e);
    if (rc == RC_OK)
        rc = file_write_atomic(f->path, f->tee != NULL ? buf_bytes(&sealed) : buf_bytes(&text),
                               0600, e);
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

static bool is_sealed(struct bytes in)
{
    return in.n > strlen(SEALED_MAGIC) && memcmp(in.p, SEALED_MAGIC, strlen(SEALED_MAGIC)) == 0;
}

/* Where the keys that another measurement sealed are kept. The caller frees it. */
static char *aside(const struct key_file *f, const struct hash32 *measurement)
{
    char hex[17];

    hex_encode(hex, bytes_of(measurement->b, 8));
    return xasprintf("%s.%s", f->path, hex);
}

static enum rc move(const char *from, const char *to, struct err *e)
{
    return rename(from, to) == 0 ? RC_OK : err_errno(e, errno, "%s to %s", from, to);
}

/* Another program, or this one with other settings: it may come back, with its keys. */
static enum rc set_aside(struct key_file *f, const struct seal_info *info, struct err *e)
{
    AUTO_FREE char *kept = aside(f, &info->measurement);

    TRY(move(f->path, kept, e));
    f->others = true;
    log_warn("worker",
             "the keys in %s were sealed by another program, or by this one with other settings: "
             "they cannot be opened here and are kept as %s",
             f->path, kept);
    return RC_OK;
}

static enum rc open_sealed(const struct key_file *f, uint8_t raw[4][32], struct bytes in,
                           struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct seal_info info;

    TRY(seal_get(f->tee, &plain, &info, PURPOSE, 0, in, e));
    TRY(read_json(raw, secbuf_bytes(&plain), e));
    /* The platform got newer firmware: what is left under the old one's key would end with it. */
    return info.is_old_platform ? save(f, (const uint8_t(*)[32])raw, e) : RC_OK;
}

/* RC_NOTFOUND: there are none, or none of ours any more. */
static enum rc read_keys(struct key_file *f, uint8_t raw[4][32], struct err *e)
{
    AUTO_SECRET uint8_t *text = secret_alloc(KEY_FILE_MAX + 1);
    struct seal_info info;
    struct bytes in;
    size_t n;

    TRY(file_read_secret(text, KEY_FILE_MAX, &n, f->path, e));
    in = bytes_of(text, n);
    if (!is_sealed(in)) {
        if (parse(raw, in, NULL) != RC_OK)
            return err_set(e, RC_CORRUPT,
                           "key file %s: neither sealed, nor our JSON with four keys, nor 64 "
                           "hexadecimal digits",
                           f->path);
        if (f->tee == NULL)
            return RC_OK;
        TRY(save(f, (const uint8_t(*)[32])raw, e));
        log_info("worker", "%s was plain and is sealed now", f->path);
        return RC_OK;
    }
    if (f->tee == NULL)
        return err_set(e, RC_DENIED,
                       "key file %s is sealed: give the --tee under which it was made", f->path);
    TRY(seal_peek(&info, in, e));
    if (hash32_eq(&info.measurement, &f->own))
        return open_sealed(f, raw, in, e);
    TRY(set_aside(f, &info, e));
    return err_set(e, RC_NOTFOUND, "no keys of this program's");
}

/* Those of an earlier time with this very program and settings. */
static enum rc bring_back(struct key_file *f, uint8_t raw[4][32], struct err *e)
{
    AUTO_FREE char *kept = aside(f, &f->own);

    if (f->tee == NULL || !file_exists(kept))
        return err_set(e, RC_NOTFOUND, "no keys of this program's");
    TRY(move(kept, f->path, e));
    log_info("worker", "%s is back from %s", f->path, kept);
    return read_keys(f, raw, e);
}

static enum rc load(struct worker_keys *k, struct key_file *f, uint8_t raw[4][32], struct err *e)
{
    enum rc rc;

    TRY(open_file(f, e));
    rc = read_keys(f, raw, e);
    if (rc == RC_NOTFOUND)
        rc = bring_back(f, raw, e);
    if (rc == RC_NOTFOUND) {
        generate(raw);
        rc = save(f, (const uint8_t(*)[32])raw, e);
        if (rc == RC_OK && f->others)
            log_warn("worker",
                     "new keys in %s: to the network this is a new worker; its account needs "
                     "coins, and it registers anew",
                     f->path);
    }
    TRY(rc);
    return fill(k, (const uint8_t(*)[32])raw, e);
}

enum rc worker_keys_load(struct worker_keys **out, const char *path, struct tee *tee, struct err *e)
{
    struct worker_keys *k = secret_alloc(sizeof(*k));
    struct key_file f = {.path = path, .tee = tee};
    uint8_t raw[4][32] = {{0}};
    enum rc rc = load(k, &f, raw, e);

    wipe(raw, sizeof(raw));
    if (rc != RC_OK) {
        secret_free(k);
        k = NULL;
    }
    *out = k;
    return rc;
}
