#include "keeper/internal/vault.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/reader.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "crypto/x25519.h"
#include "os/file.h"
#include "tee/seal.h"

#define STATE_PURPOSE "cloister/keeper/state/v2"
#define KEYS_PURPOSE "cloister/keeper/account/v1"
#define ONE_KEY_PURPOSE "cloister/keeper/key/v1"
#define FILE_MAX ((size_t)1 << 20)
#define VERSION 2
#define KEYS_VERSION 1

static void put_u64(struct secbuf *out, uint64_t v)
{
    uint8_t raw[8];

    store_u64be(raw, v);
    secbuf_put(out, raw, sizeof(raw));
}

void vault_encode_keys(struct secbuf *out, const struct vault *v)
{
    secbuf_u8(out, KEYS_VERSION);
    secbuf_put_bytes(out, BYTES_OF(&v->sender));
    secbuf_put_bytes(out, BYTES_OF(&v->receive));
}

enum rc vault_decode_keys(struct vault *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    if (reader_u8(&r) != KEYS_VERSION)
        reader_fail(&r, "another version");
    reader_copy(&r, out->sender.b, 32);
    reader_copy(&r, out->receive.b, 32);
    return reader_done(&r, "sealed keys", e);
}

void vault_encode(struct secbuf *out, const struct vault *v)
{
    uint8_t n = 0;

    for (size_t i = 0; i < VAULT_SHARES; i++)
        n = (uint8_t)(n + (v->shares[i].keys.n != 0));
    secbuf_u8(out, VERSION);
    put_u64(out, v->version);
    secbuf_u8(out, n);
    for (size_t i = 0; i < VAULT_SHARES; i++) {
        AUTO_CLEAR(buf) struct buf keys = {0};

        if (v->shares[i].keys.n == 0)
            continue;
        keyset_encode(&keys, &v->shares[i].keys);
        put_u64(out, keys.n);
        secbuf_put_bytes(out, buf_bytes(&keys));
        secbuf_put_bytes(out, BYTES_OF(&v->shares[i].share));
    }
    secbuf_u8(out, v->has_member);
    if (v->has_member)
        dkg_member_encode(out, &v->member);
    put_u64(out, v->n_removals);
    for (size_t i = 0; i < v->n_removals; i++) {
        secbuf_put_bytes(out, BYTES_OF(&v->removals[i].measurement));
        put_u64(out, v->removals[i].id);
    }
    secbuf_u8(out, (uint8_t)v->end);
    if (v->end != VAULT_IN_USE) {
        secbuf_put_bytes(out, BYTES_OF(&v->to));
        secbuf_put_bytes(out, BYTES_OF(&v->to_key));
    }
}

static enum rc read_share(struct vault_share *out, struct reader *r, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 raw;
    uint64_t n = reader_u64be(r);
    struct bytes keys = reader_take(r, n <= KEYSET_MAX_SIZE ? (size_t)n : SIZE_MAX);

    reader_copy(r, raw.b, sizeof(raw.b));
    if (!reader_ok(r))
        return RC_OK; /* the caller's reader_done() says it */
    TRY(keyset_decode(&out->keys, keys, e));
    return ristretto_scalar_parse(&out->share, raw.b, e);
}

enum rc vault_decode(struct vault *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), n, has, end;
    uint64_t removals;

    if (reader_ok(&r) && version != VERSION)
        return err_set(e, RC_UNSUPPORTED, "sealed state of version %u, not %d", version, VERSION);
    out->version = reader_u64be(&r);
    n = reader_u8(&r);
    if (n > VAULT_SHARES)
        return err_set(e, RC_CORRUPT, "sealed state: %u shares, more than %d", n, VAULT_SHARES);
    for (size_t i = 0; i < n; i++)
        TRY(read_share(&out->shares[i], &r, e));
    has = reader_u8(&r);
    if (has > 1)
        reader_fail(&r, "a flag that is neither 0 nor 1");
    if (reader_ok(&r) && has == 1) {
        struct bytes member = reader_take(&r, DKG_MEMBER_SIZE);

        if (reader_ok(&r))
            TRY(dkg_member_decode(&out->member, member, e));
        out->has_member = true;
    }
    removals = reader_u64be(&r);
    if (removals > VAULT_REMOVALS)
        reader_fail(&r, "too many removals");
    for (size_t i = 0; reader_ok(&r) && i < removals; i++) {
        reader_copy(&r, out->removals[i].measurement.b, 32);
        out->removals[i].id = reader_u64be(&r);
        out->n_removals++;
    }
    end = reader_u8(&r);
    if (end > VAULT_GONE)
        reader_fail(&r, "an unknown end");
    if (reader_ok(&r) && end != VAULT_IN_USE) {
        out->end = end == VAULT_GONE ? VAULT_GONE : VAULT_HANDED;
        reader_copy(&r, out->to.b, 32);
        reader_copy(&r, out->to_key, 32);
    }
    return reader_done(&r, "sealed state", e);
}

static void fresh_keys(struct vault *v)
{
    struct secp_key sender;
    uint8_t pub[32];

    secp_key_generate(&sender, NULL);
    memcpy(v->sender.b, sender.k.b, 32);
    secp_key_clear(&sender);
    x25519_generate(&v->receive, pub, NULL);
}

/* ---- the files ---- */

static char *path_of(const char *dir, const char *name)
{
    return xasprintf("%s/%s.sealed", dir, name);
}

static enum rc put_file(struct tee *t, const char *dir, const char *name, const char *purpose,
                        uint64_t version, struct bytes plain, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, name);
    AUTO_CLEAR(buf) struct buf sealed = {0};

    TRY(seal_put(t, &sealed, purpose, version, plain, e));
    return file_write_atomic(path, buf_bytes(&sealed), 0600, e);
}

/* What was sealed under an older version of the platform is sealed again: who gets hold of that
 * version's key later finds nothing under it. */
static enum rc get_file(struct secbuf *plain, struct tee *t, const char *dir, const char *name,
                        const char *purpose, struct err *e)
{
    AUTO_FREE char *path = path_of(dir, name);
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct seal_info info;
    enum rc rc;

    TRY(file_read(&sealed, path, FILE_MAX, e));
    rc = seal_get(t, plain, &info, purpose, 0, buf_bytes(&sealed), e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "%s", path);
    if (info.is_old_platform) {
        TRY(put_file(t, dir, name, purpose, info.version, secbuf_bytes(plain), e));
        log_info("keeper", "%s: sealed again for the platform's new version", path);
    }
    return RC_OK;
}

bool vault_exists(const char *dir)
{
    AUTO_FREE char *path = path_of(dir, "account");

    return file_exists(path);
}

enum rc vault_save(struct vault *v, struct tee *t, const char *dir, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};

    v->version++;
    vault_encode(&plain, v);
    return put_file(t, dir, "keeper", STATE_PURPOSE, v->version, secbuf_bytes(&plain), e);
}

enum rc vault_save_keys(struct vault *v, struct tee *t, const char *dir, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};

    vault_encode_keys(&plain, v);
    return put_file(t, dir, "account", KEYS_PURPOSE, 1, secbuf_bytes(&plain), e);
}

enum rc vault_load_key(struct secret32 *out, struct tee *t, const char *dir, const char *name,
                       struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};

    TRY(get_file(&plain, t, dir, name, ONE_KEY_PURPOSE, e));
    if (plain.n != sizeof(out->b))
        return err_set(e, RC_CORRUPT, "%s/%s.sealed: %zu bytes, not 32", dir, name, plain.n);
    memcpy(out->b, plain.p, sizeof(out->b));
    return RC_OK;
}

enum rc vault_save_key(const struct secret32 *key, struct tee *t, const char *dir, const char *name,
                       struct err *e)
{
    return put_file(t, dir, name, ONE_KEY_PURPOSE, 1, BYTES_OF(key), e);
}

static enum rc load_state(struct vault *v, struct tee *t, const char *dir, bool fresh,
                          struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    enum rc rc = get_file(&plain, t, dir, "keeper", STATE_PURPOSE, e);

    if (rc == RC_NOTFOUND) {
        if (!fresh)
            log_warn("keeper",
                     "%s: the keys are there, keeper.sealed is not: shares have to come "
                     "from the other keepers",
                     dir);
        return vault_save(v, t, dir, e);
    }
    TRY(rc);
    return vault_decode(v, secbuf_bytes(&plain), e);
}

static enum rc load(struct vault *v, struct tee *t, const char *dir, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_FREE char *state = path_of(dir, "keeper");
    enum rc rc = get_file(&plain, t, dir, "account", KEYS_PURPOSE, e);

    if (rc == RC_NOTFOUND && file_exists(state))
        return err_set(e, rc,
                       "%s: keeper.sealed is there, account.sealed is not: put it back, or begin "
                       "as a new keeper in an empty folder",
                       dir);
    if (rc == RC_NOTFOUND) {
        fresh_keys(v);
        TRY(vault_save_keys(v, t, dir, e));
        return load_state(v, t, dir, true, e);
    }
    TRY(rc);
    TRY(vault_decode_keys(v, secbuf_bytes(&plain), e));
    return load_state(v, t, dir, false, e);
}

enum rc vault_open(struct vault **out, struct tee *t, const char *dir, struct err *e)
{
    struct vault *v = secret_alloc(sizeof(*v));
    enum rc rc = load(v, t, dir, e);

    if (rc != RC_OK) {
        secret_free(v);
        v = NULL;
    }
    *out = v;
    return rc;
}

void vault_wipe(struct vault *v)
{
    wipe(&v->sender, sizeof(v->sender));
    wipe(&v->receive, sizeof(v->receive));
    wipe(v->shares, sizeof(v->shares));
    dkg_member_clear(&v->member);
    v->has_member = false;
    v->end = VAULT_GONE;
}

/* ---- what is in it ---- */

struct vault_share *vault_find(struct vault *v, uint64_t round)
{
    for (size_t i = 0; i < VAULT_SHARES; i++)
        if (v->shares[i].keys.n != 0 && v->shares[i].keys.round == round)
            return &v->shares[i];
    return NULL;
}

void vault_put(struct vault *v, const struct keyset *keys, const struct ristretto_scalar *share)
{
    struct vault_share *to = vault_find(v, keys->round);

    for (size_t i = 0; to == NULL && i < VAULT_SHARES; i++)
        if (v->shares[i].keys.n == 0)
            to = &v->shares[i];
    /* All taken: rounds that never came into force lie between the one in force, which is the
     * lowest, and this one. */
    if (to == NULL) {
        to = &v->shares[0];
        for (size_t i = 1; i < VAULT_SHARES; i++)
            if (v->shares[i].keys.round > to->keys.round)
                to = &v->shares[i];
    }
    to->keys = *keys;
    to->share = *share;
}

bool vault_drop_before(struct vault *v, uint64_t round)
{
    bool any = false;

    for (size_t i = 0; i < VAULT_SHARES; i++) {
        if (v->shares[i].keys.n == 0 || v->shares[i].keys.round >= round)
            continue;
        wipe(&v->shares[i], sizeof(v->shares[i]));
        any = true;
    }
    return any;
}

uint64_t vault_removed_id(const struct vault *v, const struct hash32 *measurement)
{
    for (size_t i = 0; i < v->n_removals; i++)
        if (hash32_eq(&v->removals[i].measurement, measurement))
            return v->removals[i].id;
    return 0;
}

bool vault_note_removal(struct vault *v, const struct hash32 *measurement, uint64_t id)
{
    size_t oldest = 0, i;

    for (i = 0; i < v->n_removals; i++) {
        if (hash32_eq(&v->removals[i].measurement, measurement))
            break;
        if (v->removals[i].id < v->removals[oldest].id)
            oldest = i;
    }
    if (i < v->n_removals && v->removals[i].id >= id)
        return false;
    if (i == VAULT_REMOVALS)
        i = oldest;
    if (i == v->n_removals)
        v->n_removals++;
    v->removals[i] = (struct vault_removal){.measurement = *measurement, .id = id};
    return true;
}
