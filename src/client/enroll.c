#include "client/enroll.h"

#include "attest/dcap.h"
#include "attest/record.h"
#include "attest/snp.h"
#include "attest/x509.h"
#include "chain/contracts.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "os/clock.h"

#define RECEIPT_WAIT_MS 10000
#define RENEW_AT 3 /* when a third of a registration's life is left */

/* As whoever judges the evidence reads it. */
static enum rc measured(struct attest_verdict *v, const struct tee_evidence *evidence,
                        struct err *e)
{
    struct snp_report report;
    struct quote quote;

    if (evidence->platform == TEE_PLATFORM_SNP) {
        TRY(snp_report_parse(&report, buf_bytes(&evidence->quote), e));
        v->tee = TEE_SNP;
        v->m.snp = report.m;
        return RC_OK;
    }
    TRY(quote_parse(&quote, buf_bytes(&evidence->quote), e));
    v->tee = quote.tee;
    v->m.td = quote.td;
    return RC_OK;
}

enum rc enroll_measurement(struct hash32 *out, struct tee *t, struct err *e)
{
    static const uint8_t nothing[64];
    AUTO_CLEAR(tee_evidence) struct tee_evidence evidence = {0};
    struct attest_verdict v = {0};

    TRY(tee_evidence_get(t, &evidence, nothing, e));
    TRY(measured(&v, &evidence, e));
    attest_measurement(out, &v);
    return RC_OK;
}

/* ---- the contract ---- */

static enum rc ask(const struct enrollment *n, struct buf *reply, const struct address *to,
                   struct buf *data, struct err *e)
{
    buf_reset(reply);
    TRY(chain_call(n->chain, reply, NULL, to, buf_bytes(data), CHAIN_LATEST, e));
    buf_reset(data);
    return RC_OK;
}

/* A block's number and hash; block 0 answers the hash that names the chain. */
static enum rc block_named(const struct enrollment *n, const char *tag, uint64_t *height,
                           struct hash32 *hash, struct err *e)
{
    json_auto_t *block = NULL;

    TRY(chain_rpc(n->chain, &block, "eth_getBlockByNumber", json_pack("[s, b]", tag, 0), NULL, e));
    TRY(json_value_u64(height, json_object_get(block, "number"), "number", UINT64_MAX, e));
    return json_hex_fixed(hash->b, sizeof(hash->b), block, "hash", e);
}

enum rc enroll_collateral_key(const struct enrollment *n, struct hash32 *out, struct bytes quote,
                              struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct bytes ders[X509_MAX_CHAIN];
    struct address contract;
    struct hash32 root;
    uint8_t fmspc[6];
    bool platform_ca;
    struct quote q;
    size_t n_certs = 0;

    TRY(quote_parse(&q, quote, e));
    TRY(dcap_quote_platform(fmspc, &platform_ca, quote, &a, e));
    TRY(x509_pem_chain(ders, &n_certs, ARRAY_LEN(ders), q.cert_data, &a, e));
    if (n_certs == 0)
        return err_set(e, RC_MALFORMED, "the quote carries no certificates");
    sha256(&root, ders[n_certs - 1]);
    workers_put_collateral(&data);
    TRY(ask(n, &reply, &n->workers, &data, e));
    TRY(workers_get_collateral(&contract, NULL, buf_bytes(&reply), e));
    collateral_put_keyOf(&data, &root, q.tee != TEE_SGX, BYTES_OF(&fmspc), platform_ca);
    TRY(ask(n, &reply, &contract, &data, e));
    return collateral_get_keyOf(out, NULL, buf_bytes(&reply), e);
}

static enum rc transact(const struct enrollment *n, const struct buf *data, uint64_t *height,
                        struct err *e)
{
    const struct chain_send s = {.to = &n->workers, .data = buf_bytes(data)};
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct chain_receipt receipt;
    struct hash32 hash;
    enum rc rc;

    if (n->send != NULL)
        (void)pthread_mutex_lock(n->send);
    rc = chain_sign(n->chain, &raw, &hash, n->sender, &s, e);
    if (rc == RC_OK) {
        rc = chain_send_raw(n->chain, buf_bytes(&raw), e);
        if (rc != RC_OK)
            chain_nonce_reset(n->chain, &n->r.sender);
    }
    if (n->send != NULL)
        (void)pthread_mutex_unlock(n->send);
    TRY(rc);
    TRY(chain_receipt_wait(n->chain, &receipt, &a, &hash, RECEIPT_WAIT_MS, e));
    *height = receipt.height;
    return receipt.ok ? RC_OK : err_set(e, RC_DENIED, "the registration was reverted");
}

enum rc enroll_register(const struct enrollment *n, uint64_t *height, struct err *e)
{
    AUTO_CLEAR(tee_evidence) struct tee_evidence evidence = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct registration r = n->r;
    struct workers_Registration c = {.role = (uint8_t)r.role,
                                     .operator= r.operator,
                                     .proofSigner = r.proof_signer,
                                     .commitSigner = r.commit_signer,
                                     .receiveKeyEth = r.receive_key_eth,
                                     .url = bytes_str(n->url)};
    struct hash32 key = {{0}};
    uint8_t report_data[64];
    uint64_t zero;

    memcpy(c.receiveKey.b, r.receive_key, sizeof(c.receiveKey.b));
    TRY(block_named(n, "0x0", &zero, &r.genesis, e));
    TRY(block_named(n, "latest", &r.height, &r.block_hash, e));
    c.height = r.height;
    c.blockHash = r.block_hash;
    registration_report_data(report_data, &r);
    TRY(tee_evidence_get(n->tee, &evidence, report_data, e));
    if (evidence.platform == TEE_PLATFORM_TDX)
        TRY(enroll_collateral_key(n, &key, buf_bytes(&evidence.quote), e));
    workers_put_register(&data, &c, buf_bytes(&evidence.quote), &key, buf_bytes(&evidence.certs));
    return transact(n, &data, height, e);
}

enum rc enroll_standing(const struct enrollment *n, bool *soon, uint64_t *expires, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct workers_WorkerInfo info;
    uint64_t now, lifetime;
    bool active;

    workers_put_isActive(&data, &n->r.sender, n->r.role);
    TRY(ask(n, &reply, &n->workers, &data, e));
    TRY(workers_get_isActive(&active, NULL, buf_bytes(&reply), e));
    workers_put_workers(&data, &n->r.sender);
    TRY(ask(n, &reply, &n->workers, &data, e));
    TRY(workers_get_workers(&info, NULL, buf_bytes(&reply), e));
    workers_put_lifetime(&data);
    TRY(ask(n, &reply, &n->workers, &data, e));
    TRY(workers_get_lifetime(&lifetime, NULL, buf_bytes(&reply), e));
    now = clock_wall_ns() / 1000000000u;
    *expires = active ? info.expiresAt : 0;
    *soon = !active || info.expiresAt < now + lifetime / RENEW_AT ||
            !bytes_eq(info.url, bytes_str(n->url));
    return RC_OK;
}
