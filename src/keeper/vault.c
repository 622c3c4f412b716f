#include "keeper/internal/vault.h"

#include "base/reader.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "crypto/x25519.h"
#include "os/file.h"
#include "tee/seal.h"

#define PURPOSE "cloister/keeper/state/v1"
#define FILE_MAX ((size_t)1 << 20)
#define VERSION 1

static void put_u64(struct secbuf *out, uint64_t v)
{
    uint8_t raw[8];

    store_u64be(raw, v);
    secbuf_put(out, raw, sizeof(raw));
}

void vault_encode(struct secbuf *out, const struct vault *v)
{
    uint8_t n = 0;

    for (size_t i = 0; i < VAULT_SHARES; i++)
        n = (uint8_t)(n + (v->shares[i].keys.n != 0));
    secbuf_u8(out, VERSION);
    put_u64(out, v->version);
    secbuf_put_bytes(out, BYTES_OF(&v->sender));
    secbuf_put_bytes(out, BYTES_OF(&v->receive));
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
    uint8_t version = reader_u8(&r), n, has;
    uint64_t removals;

    if (reader_ok(&r) && version != VERSION)
        return err_set(e, RC_UNSUPPORTED, "sealed state of version %u, not %d", version, VERSION);
    out->version = reader_u64be(&r);
    reader_copy(&r, out->sender.b, 32);
    reader_copy(&r, out->receive.b, 32);
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

enum rc vault_save(struct vault *v, struct tee *t, const char *path, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};

    v->version++;
    vault_encode(&plain, v);
    TRY(seal_put(t, &sealed, PURPOSE, v->version, secbuf_bytes(&plain), e));
    return file_write_atomic(path, buf_bytes(&sealed), 0600, e);
}

static enum rc load(struct vault *v, struct tee *t, const char *path, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    enum rc rc = file_read(&sealed, path, FILE_MAX, e);

    if (rc == RC_NOTFOUND) {
        fresh_keys(v);
        return vault_save(v, t, path, e);
    }
    TRY(rc);
    TRY(seal_get(t, &plain, NULL, PURPOSE, 0, buf_bytes(&sealed), e));
    return vault_decode(v, secbuf_bytes(&plain), e);
}

enum rc vault_open(struct vault **out, struct tee *t, const char *path, struct err *e)
{
    struct vault *v = secret_alloc(sizeof(*v));
    enum rc rc = load(v, t, path, e);

    if (rc != RC_OK) {
        (void)err_wrap(e, rc, "%s", path);
        secret_free(v);
        v = NULL;
    }
    *out = v;
    return rc;
}

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
