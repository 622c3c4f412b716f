#include "cluster/audit.h"

#include "base/hex.h"
#include "cluster/internal/form.h"
#include "codec/json.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"

#define AUDIT_VERSION 1
#define AUDIT_HEAD 37u       /* version, blinding key, count */
#define AUDIT_EPOCH_SIZE 72u /* epoch, two keys */
#define AUDIT_INFO bytes_str("cloister/cluster/audit/v1")

void audit_keys_clear(struct audit_keys *k)
{
    wipe(k, sizeof(*k));
}

static void audit_aad(struct buf *out, const struct audit_context *c)
{
    put_lp_u64(out, c->chain_id);
    put_lp(out, BYTES_OF(&c->genesis));
    put_lp(out, BYTES_OF(&c->contract));
    put_lp_u64(out, c->end_batch);
}

enum rc audit_keys_seal(struct buf *out, const struct audit_context *c, const uint8_t auditor32[32],
                        const struct audit_keys *k, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    uint8_t be[8];

    CHECK(k->n_epochs <= AUDIT_EPOCHS_MAX);
    secbuf_u8(&plain, AUDIT_VERSION);
    secbuf_put_bytes(&plain, BYTES_OF(&k->blind));
    store_u32be(be, (uint32_t)k->n_epochs);
    secbuf_put(&plain, be, 4);
    for (size_t i = 0; i < k->n_epochs; i++) {
        store_u64be(be, k->epochs[i].epoch);
        secbuf_put(&plain, be, sizeof(be));
        secbuf_put_bytes(&plain, BYTES_OF(&k->epochs[i].receive));
        secbuf_put_bytes(&plain, BYTES_OF(&k->epochs[i].state));
    }
    audit_aad(&aad, c);
    return hpke_seal(out, auditor32, AUDIT_INFO, buf_bytes(&aad), secbuf_bytes(&plain), NULL, e);
}

static enum rc audit_read(struct audit_keys *out, struct bytes plain, struct err *e)
{
    struct reader r = reader_init(plain);
    uint8_t version = reader_u8(&r);

    if (reader_ok(&r) && version != AUDIT_VERSION)
        return err_set(e, RC_UNSUPPORTED, "audit keys: version %u, known is %u", version,
                       AUDIT_VERSION);
    reader_copy(&r, out->blind.b, sizeof(out->blind.b));
    out->n_epochs = reader_count(&r, reader_u32be(&r), AUDIT_EPOCH_SIZE, AUDIT_EPOCHS_MAX);
    for (size_t i = 0; i < out->n_epochs; i++) {
        struct audit_epoch *x = &out->epochs[i];

        x->epoch = reader_u64be(&r);
        reader_copy(&r, x->receive.b, sizeof(x->receive.b));
        reader_copy(&r, x->state.b, sizeof(x->state.b));
        if (i != 0 && x->epoch <= out->epochs[i - 1].epoch)
            reader_fail(&r, "epochs do not rise");
    }
    return reader_done(&r, "audit keys", e);
}

enum rc audit_keys_open(struct audit_keys *out, const struct audit_context *c,
                        const struct secret32 *auditor, struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    enum rc rc;

    audit_keys_clear(out);
    audit_aad(&aad, c);
    if (sealed.n > HPKE_OVERHEAD + AUDIT_HEAD + AUDIT_EPOCHS_MAX * AUDIT_EPOCH_SIZE)
        return err_set(e, RC_MALFORMED, "audit keys: %zu bytes, more than %d epochs", sealed.n,
                       AUDIT_EPOCHS_MAX);
    TRY(hpke_open(&plain, auditor, AUDIT_INFO, buf_bytes(&aad), sealed, e));
    rc = audit_read(out, secbuf_bytes(&plain), e);
    if (rc != RC_OK)
        audit_keys_clear(out);
    return rc;
}

enum rc audit_keys_of(struct contract_keys *out, const struct audit_context *c,
                      const struct audit_keys *k, uint64_t epoch, struct err *e)
{
    *out = (struct contract_keys){0};
    for (size_t i = 0; i < k->n_epochs; i++) {
        if (k->epochs[i].epoch != epoch)
            continue;
        *out = (struct contract_keys){.contract = c->contract,
                                      .epoch = epoch,
                                      .receive = k->epochs[i].receive,
                                      .state = k->epochs[i].state};
        x25519_pub(out->public32, &out->receive);
        return RC_OK;
    }
    return err_set(e, RC_NOTFOUND, "audit keys: none of epoch %llu was given",
                   (unsigned long long)epoch);
}

/* ---- the grant ---- */

static void grant_digest(struct hash32 *out, const struct audit_grant *g,
                         const struct cluster_domain *d)
{
    audit_grant_digest(out, d, &g->contract, g->auditor32, g->end_batch, g->expiry_s);
}

void audit_grant_sign(struct audit_grant *g, const struct cluster_domain *d,
                      const struct secp_key *owner)
{
    struct secp_sig sig;
    struct hash32 digest;

    grant_digest(&digest, g, d);
    secp_sign(&sig, owner, &digest);
    memcpy(g->signature65, sig.b, sizeof(g->signature65));
}

void audit_grant_put(struct buf *out, const struct audit_grant *g)
{
    buf_put_str(out, "{\"contract\":\"");
    hex_put_0x(out, BYTES_OF(&g->contract));
    buf_put_str(out, "\",\"auditor\":\"");
    hex_put_0x(out, BYTES_OF(&g->auditor32));
    buf_printf(out, "\",\"end_batch\":%llu,\"expiry\":%llu,\"signature\":\"",
               (unsigned long long)g->end_batch, (unsigned long long)g->expiry_s);
    hex_put_0x(out, BYTES_OF(&g->signature65));
    buf_put_str(out, "\"}");
}

static enum rc grant_read(struct audit_grant *out, struct bytes json, struct err *e)
{
    static const char *const keys[] = {"contract", "auditor", "end_batch", "expiry", "signature"};
    json_auto_t *v = NULL;

    TRY(json_parse(&v, json, 4096, e));
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "not an object");
    TRY(json_only_keys(v, keys, ARRAY_LEN(keys), e));
    TRY(json_hex_fixed(out->contract.b, sizeof(out->contract.b), v, "contract", e));
    TRY(json_hex_fixed(out->auditor32, sizeof(out->auditor32), v, "auditor", e));
    TRY(json_u64(&out->end_batch, v, "end_batch", INT64_MAX, e));
    TRY(json_u64(&out->expiry_s, v, "expiry", INT64_MAX, e));
    return json_hex_fixed(out->signature65, sizeof(out->signature65), v, "signature", e);
}

enum rc audit_grant_parse(struct audit_grant *out, struct address *signer,
                          const struct cluster_domain *d, struct bytes json, struct err *e)
{
    struct hash32 digest;
    enum rc rc;

    *out = (struct audit_grant){0};
    *signer = (struct address){0};
    rc = grant_read(out, json, e);
    if (rc != RC_OK) {
        rc = err_wrap(e, RC_MALFORMED, "audit grant");
    } else {
        grant_digest(&digest, out, d);
        rc = secp_recover_address(signer, &digest, out->signature65, SECP_S_LOW, e);
    }
    if (rc != RC_OK)
        *out = (struct audit_grant){0};
    return rc;
}
