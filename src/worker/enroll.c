#include "worker/internal/enroll.h"

#include "attest/dcap.h"
#include "attest/record.h"
#include "attest/x509.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "chain/address.h"
#include "chain/contracts.h"
#include "chain/registration.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define PROGRAM_MAX ((size_t)256 << 20)
#define GENESIS_MAX ((size_t)4 << 20)
#define RECEIPT_WAIT_MS 10000
#define RENEW_AT 3 /* when a third of a registration's life is left */

/* ---- what is measured ---- */

static enum rc put_program(struct buf *image, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf program = {0};
    struct hash32 h;

    TRY(file_read(&program, path, PROGRAM_MAX, e));
    sha256(&h, buf_bytes(&program));
    buf_put_bytes(image, BYTES_OF(&h));
    return RC_OK;
}

/* The programs this one starts. */
static enum rc put_image(struct buf *image, const struct worker_config *c, struct err *e)
{
    TRY(put_program(image, c->jail_path, e));
    return put_program(image, c->validator_path, e);
}

static void set_address(json_t *o, const char *key, const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    CHECK(json_object_set_new(o, key, json_string(text)) == 0);
}

/* The settings that decide what this worker does with a contribution; not where it listens, nor
 * where its ledger is, which it need not believe. Sorted keys, no spaces. */
static enum rc put_settings(struct buf *out, const struct worker_config *c, struct err *e)
{
    AUTO_CLEAR(buf) struct buf genesis = {0};
    struct hash32 root_of_trust = {{0}};

    json_auto_t *o =
        json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "role", "open", "profile",
                  c->profile == WORKER_VANA_COMPAT ? "vana-compat" : "devnet", "no_containers",
                  c->no_containers, "rlimit_only", c->jail_rlimit_only, "gas", (json_int_t)c->gas,
                  "memory_size", (json_int_t)c->memory_size, "wall_ms", (json_int_t)c->wall_ms,
                  "max_file_size", (json_int_t)c->max_file_size, "max_validator_size",
                  (json_int_t)c->max_validator_size);

    CHECK(o != NULL);
    /* Without it the worker believes its node: a worker of another kind. */
    if (c->genesis_path != NULL) {
        TRY(file_read(&genesis, c->genesis_path, GENESIS_MAX, e));
        sha256(&root_of_trust, buf_bytes(&genesis));
    }
    CHECK(json_object_set_new(o, "genesis", json_hex_new(BYTES_OF(&root_of_trust))) == 0);
    set_address(o, "tee_pool", &c->tee_pool);
    set_address(o, "data_registry", &c->data_registry);
    set_address(o, "dlp_registry", &c->dlp_registry);
    set_address(o, "workers", &c->workers);
    json_put(out, o);
    return RC_OK;
}

enum rc enroll_open(struct worker *w, struct err *e)
{
    const struct worker_config *c = &w->config;
    AUTO_CLEAR(buf) struct buf image = {0};
    AUTO_CLEAR(buf) struct buf settings = {0};
    struct tee_sim_launch launch = {.dir = c->simulator, .machine = c->machine};
    struct tee_config t = {.source = TEE_SOURCE_AUTO};

    if (c->tee == WORKER_TEE_NONE)
        return RC_OK;
    if (c->tee == WORKER_TEE_SIMULATOR) {
        TRY(put_image(&image, c, e));
        TRY(put_settings(&settings, c, e));
        launch.image = buf_bytes(&image);
        launch.config = buf_bytes(&settings);
        t.source = TEE_SOURCE_SIMULATOR;
        t.launch = &launch;
    }
    TRY(tee_open(&w->tee, &t, e));
    log_info("worker", "evidence by %s", tee_describe(w->tee));
    return RC_OK;
}

enum rc enroll_measurement(struct hash32 *out, struct tee *t, struct err *e)
{
    struct attest_verdict v = {.tee = TEE_TDX};
    struct tee_measurement m;

    TRY(tee_measurement_get(t, &m, e));
    if (m.platform == TEE_PLATFORM_SNP) {
        v.tee = TEE_SNP;
        memcpy(v.m.snp.measurement, m.launch, sizeof(m.launch));
        memcpy(v.m.snp.host_data, m.host_data, sizeof(m.host_data));
    } else {
        memcpy(v.m.td.mr_td, m.launch, sizeof(m.launch));
        memcpy(v.m.td.rtmr, m.rtmr, sizeof(m.rtmr));
        memcpy(v.m.td.mr_config_id, m.mr_config_id, sizeof(m.mr_config_id));
    }
    attest_measurement(out, &v);
    return RC_OK;
}

const char *enroll_statement(const struct worker *w)
{
    if (w->tee == NULL)
        return "none: this worker has no evidence";
    if (tee_is_simulator(w->tee))
        return "simulator: no hardware stands behind this worker's evidence";
    return "hardware: see the worker's registration in the Workers contract";
}

/* ---- the contract ---- */

static enum rc ask(struct worker *w, struct buf *reply, const struct address *to, struct buf *data,
                   struct err *e)
{
    buf_reset(reply);
    TRY(chain_call(w->chain, reply, NULL, to, buf_bytes(data), CHAIN_LATEST, e));
    buf_reset(data);
    return RC_OK;
}

/* A block's number and hash; block 0 answers the hash that names the chain. */
static enum rc block_named(struct worker *w, const char *tag, uint64_t *height, struct hash32 *hash,
                           struct err *e)
{
    json_auto_t *block = NULL;

    TRY(chain_rpc(w->chain, &block, "eth_getBlockByNumber", json_pack("[s, b]", tag, 0), NULL, e));
    TRY(json_value_u64(height, json_object_get(block, "number"), "number", UINT64_MAX, e));
    return json_hex_fixed(hash->b, sizeof(hash->b), block, "hash", e);
}

/* Where the chain keeps the collateral that judges this quote. */
static enum rc collateral_key(struct worker *w, struct hash32 *out, struct bytes quote,
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
    size_t n = 0;

    TRY(quote_parse(&q, quote, e));
    TRY(dcap_quote_platform(fmspc, &platform_ca, quote, &a, e));
    TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), q.cert_data, &a, e));
    if (n == 0)
        return err_set(e, RC_MALFORMED, "the quote carries no certificates");
    sha256(&root, ders[n - 1]);
    workers_put_collateral(&data);
    TRY(ask(w, &reply, &w->config.workers, &data, e));
    TRY(workers_get_collateral(&contract, NULL, buf_bytes(&reply), e));
    collateral_put_keyOf(&data, &root, q.tee != TEE_SGX, BYTES_OF(&fmspc), platform_ca);
    TRY(ask(w, &reply, &contract, &data, e));
    return collateral_get_keyOf(out, NULL, buf_bytes(&reply), e);
}

static enum rc transact(struct worker *w, const struct buf *data, struct err *e)
{
    const struct chain_send s = {.to = &w->config.workers, .data = buf_bytes(data)};
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct chain_receipt receipt;
    struct hash32 hash;
    enum rc rc;

    (void)pthread_mutex_lock(&w->send);
    rc = chain_sign(w->chain, &raw, &hash, &w->keys->sender, &s, e);
    if (rc == RC_OK) {
        rc = chain_send_raw(w->chain, buf_bytes(&raw), e);
        if (rc != RC_OK)
            chain_nonce_reset(w->chain, &w->keys->sender_address);
    }
    (void)pthread_mutex_unlock(&w->send);
    TRY(rc);
    TRY(chain_receipt_wait(w->chain, &receipt, &a, &hash, RECEIPT_WAIT_MS, e));
    return receipt.ok ? RC_OK : err_set(e, RC_DENIED, "the registration was reverted");
}

static enum rc enroll(struct worker *w, struct err *e)
{
    const struct worker_keys *k = w->keys;
    AUTO_CLEAR(tee_evidence) struct tee_evidence evidence = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct registration r = {.sender = k->sender_address,
                             .proof_signer = k->signer_address,
                             .commit_signer = k->commit_address,
                             .receive_key_eth = BYTES_OF(&k->receive_secp_pub),
                             .operator= address_is_zero(&w->config.operator) ? k->sender_address
                                                                             : w->config.operator,
                             .role = WORKER_OPEN };
    struct workers_Registration c = {.role = WORKER_OPEN,
                                     .operator= r.operator,
                                     .proofSigner = r.proof_signer,
                                     .commitSigner = r.commit_signer,
                                     .receiveKeyEth = r.receive_key_eth,
                                     .url = bytes_str(w->config.url)};
    struct hash32 key = {{0}};
    uint8_t report_data[64];
    uint64_t zero;

    memcpy(r.receive_key, k->receive_pub, sizeof(r.receive_key));
    memcpy(c.receiveKey.b, k->receive_pub, sizeof(c.receiveKey.b));
    TRY(block_named(w, "0x0", &zero, &r.genesis, e));
    TRY(block_named(w, "latest", &r.height, &r.block_hash, e));
    c.height = r.height;
    c.blockHash = r.block_hash;
    registration_report_data(report_data, &r);
    TRY(tee_evidence_get(w->tee, &evidence, report_data, e));
    if (evidence.platform == TEE_PLATFORM_TDX)
        TRY(collateral_key(w, &key, buf_bytes(&evidence.quote), e));
    workers_put_register(&data, &c, buf_bytes(&evidence.quote), &key, buf_bytes(&evidence.certs));
    return transact(w, &data, e);
}

/* *soon: our registration ended, or a third of its life is left at most. */
static enum rc standing(struct worker *w, bool *soon, uint64_t *expires, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct workers_WorkerInfo info;
    uint64_t now, lifetime;
    bool active;

    workers_put_isActive(&data, &w->keys->sender_address, WORKER_OPEN);
    TRY(ask(w, &reply, &w->config.workers, &data, e));
    TRY(workers_get_isActive(&active, NULL, buf_bytes(&reply), e));
    workers_put_workers(&data, &w->keys->sender_address);
    TRY(ask(w, &reply, &w->config.workers, &data, e));
    TRY(workers_get_workers(&info, NULL, buf_bytes(&reply), e));
    workers_put_lifetime(&data);
    TRY(ask(w, &reply, &w->config.workers, &data, e));
    TRY(workers_get_lifetime(&lifetime, NULL, buf_bytes(&reply), e));
    now = clock_wall_ns() / 1000000000u;
    *expires = active ? info.expiresAt : 0;
    *soon = !active || info.expiresAt < now + lifetime / RENEW_AT ||
            !bytes_eq(info.url, bytes_str(w->config.url));
    return RC_OK;
}

void enroll_keep(struct worker *w)
{
    struct err e = {0};
    uint64_t expires = 0;
    bool soon = false;
    enum rc rc;

    if (w->tee == NULL || address_is_zero(&w->config.workers))
        return;
    rc = standing(w, &soon, &expires, &e);
    if (rc == RC_OK && soon) {
        rc = enroll(w, &e);
        if (rc == RC_OK)
            rc = standing(w, &soon, &expires, &e);
        if (rc == RC_OK)
            log_info("worker", "registered with evidence by %s", tee_describe(w->tee));
    }
    /* The same complaint every few seconds would hide everything else. */
    if (rc != RC_OK && strcmp(e.msg, w->enroll_failure) != 0)
        log_warn("worker", "registration: %s", e.msg);
    (void)pthread_mutex_lock(&w->lock);
    (void)snprintf(w->enroll_failure, sizeof(w->enroll_failure), "%s", rc == RC_OK ? "" : e.msg);
    w->attested_until = rc == RC_OK ? expires : w->attested_until;
    (void)pthread_mutex_unlock(&w->lock);
}
