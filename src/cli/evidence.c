/* A worker's evidence, from proved state, judged on this side. The chain has judged it already; who
 * is about to give a worker a key checks that again, and believes no node. What is still the
 * chain's: which measurements are allowed, the policy, and whether the worker stands. */
#include "cli/internal/evidence.h"

#include "attest/dcap.h"
#include "attest/quote.h"
#include "attest/record.h"
#include "attest/snp.h"
#include "attest/x509.h"
#include "base/hex.h"
#include "chain/gen/collateral.h"
#include "chain/registration.h"
#include "cli/internal/commands.h"
#include "cli/internal/proved.h"
#include "crypto/hash.h"

#include <stdio.h>

#define MAX_ROOTS 16
#define MAX_WORKERS 10000

const char *worker_role_name(uint64_t role)
{
    static const char *const names[] = {"none", "open", "contract", "analysis", "keeper"};

    return role < ARRAY_LEN(names) ? names[role] : "unknown";
}

const char *worker_standing(const struct worker_evidence *w)
{
    if (w->info.status == WORKER_NONE)
        return "unknown";
    if (w->evicted)
        return "evicted";
    if (w->info.status == WORKER_REMOVED)
        return "removed";
    if (w->active)
        return "active";
    if (w->now >= w->info.expiresAt)
        return "expired";
    if (w->banned)
        return "platform banned";
    return w->allowed ? "inactive" : "not allowed";
}

bool cli_has_workers(struct cli *cli)
{
    struct address a;

    return cli_contract(cli, &a, "Workers", NULL) == RC_OK;
}

enum rc cli_newest(struct cli *cli, uint64_t *height, uint64_t *time, struct err *e)
{
    json_auto_t *block = NULL;
    struct chain_client *c;

    TRY(cli_chain(cli, &c, e));
    TRY(chain_rpc(c, &block, "eth_getBlockByNumber", json_pack("[s, b]", "latest", 0), NULL, e));
    TRY(json_u64(height, block, "number", UINT64_MAX, e));
    return json_u64(time, block, "timestamp", UINT64_MAX, e);
}

enum rc cli_ask(struct cli *cli, struct bytes *out, const struct address *to, struct buf *calldata,
                uint64_t height, struct err *e)
{
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct chain_client *c;
    enum rc rc;

    *out = (struct bytes){0};
    rc = cli_chain(cli, &c, e);
    if (rc == RC_OK)
        rc = chain_call(c, &reply, NULL, to, buf_bytes(calldata), height, e);
    buf_clear(calldata);
    TRY(rc);
    if (reply.n == 0)
        return err_set(e, RC_NOTFOUND, "there is no contract at %s", cli_addr_text(cli, to));
    *out = arena_dup(&cli->mem, buf_bytes(&reply));
    return RC_OK;
}

/* ---- what the chain says, proved ---- */

/* Block 0 answers the hash that names the chain. The node's word: another chain's name would not be
 * in the evidence of a worker that the proved state of this one lists. */
enum rc cli_genesis_hash(struct cli *cli, struct hash32 *out, struct err *e)
{
    json_auto_t *block = NULL;
    struct chain_client *c;

    TRY(cli_chain(cli, &c, e));
    TRY(chain_rpc(c, &block, "eth_getBlockByNumber", json_pack("[s, b]", "0x0", 0), NULL, e));
    return json_hex_fixed(out->b, sizeof(out->b), block, "hash", e);
}

/* Time and number of the newest block that is trusted. */
static enum rc head(struct cli *cli, struct worker_evidence *w, struct err *e)
{
    struct light_client *lc;
    struct light_block block;

    TRY(cli_light(cli, &lc, e));
    light_client_head(lc, &block, &cli->mem);
    w->height = block.header.height;
    w->now = (uint64_t)block.header.time.s;
    return RC_OK;
}

/* As Workers.workers() says it. */
static uint64_t confidence(const st_worker *s)
{
    if (s->tcb_status <= TCB_UP_TO_DATE)
        return 1;
    if (s->tcb_status == TCB_SW_HARDENING_NEEDED)
        return 2;
    if (s->tcb_status <= TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED)
        return s->advisories.n == 0 ? 3 : 4;
    return 5;
}

static void set_info(struct workers_WorkerInfo *i, const struct address *who, const st_worker *s)
{
    *i = (struct workers_WorkerInfo){.worker = *who,
                                     .status = s->status,
                                     .role = s->role,
                                     .operator= s->operator,
                                     .proofSigner = s->proof_signer,
                                     .commitSigner = s->commit_signer,
                                     .receiveKey = s->receive_key,
                                     .receiveKeyEth = s->receive_key_eth,
                                     .url = s->url,
                                     .platform = s->platform,
                                     .measurement = s->measurement,
                                     .root = s->root,
                                     .tcbStatus = s->tcb_status,
                                     .confidence = confidence(s),
                                     .advisories = s->advisories,
                                     .evaluationNumber = s->evaluation_number,
                                     .attestedAt = s->attested_at,
                                     .expiresAt = s->expires_at,
                                     .registrations = s->registrations,
                                     .height = s->height,
                                     .blockHash = s->block_hash};
}

/* What decides whether it stands: Workers.isActive(), read from state. */
static enum rc load_standing(struct cli *cli, struct worker_evidence *w,
                             const struct address *workers, const struct address *collateral,
                             struct err *e)
{
    const struct light_key keys[] = {workers_measurement_of_key(workers, w->info.measurement),
                                     workers_banned_key(workers, w->info.platform),
                                     workers_evicted_key(workers, w->info.worker),
                                     collateral_root_of_key(collateral, w->info.root)};
    struct light_value *v;
    st_measurement m;
    st_root root;

    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(workers_measurement_of_get(&m, v[0].value, e));
    TRY(workers_banned_get(&w->banned, v[1].value, e));
    TRY(workers_evicted_get(&w->evicted, v[2].value, e));
    TRY(collateral_root_of_get(&root, v[3].value, e));
    TRY(head(cli, w, e));
    w->info.insecureSimulator = root.insecure_simulator;
    w->label = m.roles == 0 ? NULL : arena_strdup(&cli->mem, m.label);
    w->allowed = (m.roles >> w->info.role & 1) != 0;
    w->active =
        w->info.status == WORKER_ATTESTED && w->now < w->info.expiresAt && w->allowed && !w->banned;
    return RC_OK;
}

static enum rc contracts(struct cli *cli, struct address *workers, struct address *collateral,
                         struct err *e)
{
    struct light_value *v;
    struct light_key key;

    TRY(cli_contract(cli, workers, "Workers", e));
    key = workers_collateral_contract_key(workers);
    TRY(cli_read(cli, &v, &key, 1, e));
    return workers_collateral_contract_get(collateral, v[0].value, e);
}

static enum rc check_form(struct cli *cli, const struct worker_evidence *w, struct err *e)
{
    if (w->info.status == WORKER_NONE)
        return err_set(e, RC_NOTFOUND, "no worker %s was ever registered",
                       cli_addr_text(cli, &w->info.worker));
    if (w->info.role > WORKER_ROLE_LAST)
        return err_set(e, RC_UNSUPPORTED, "worker %s has role %llu, which is not known here",
                       cli_addr_text(cli, &w->info.worker), (unsigned long long)w->info.role);
    return RC_OK;
}

enum rc cli_evidence_standing(struct cli *cli, struct worker_evidence *w, const struct address *who,
                              struct err *e)
{
    struct address workers, collateral;
    struct light_value *v;
    struct light_key key;
    st_worker s;

    *w = (struct worker_evidence){0};
    TRY(contracts(cli, &workers, &collateral, e));
    key = workers_worker_of_key(&workers, *who);
    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(workers_worker_of_get(&s, v[0].value, e));
    set_info(&w->info, who, &s);
    TRY(check_form(cli, w, e));
    return load_standing(cli, w, &workers, &collateral, e);
}

/* The chain's collateral and the time the chain would judge at (Collateral.evidence()). */
static enum rc load_collateral(struct cli *cli, struct worker_evidence *w,
                               const struct address *collateral, const struct hash32 *key,
                               struct err *e)
{
    const struct light_key keys[] = {collateral_json_of_key(collateral, *key),
                                     collateral_entry_of_key(collateral, *key),
                                     collateral_grace_seconds_key(collateral)};
    struct light_value *v;
    st_entry entry;
    uint64_t grace;

    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(collateral_json_of_get(&w->collateral, v[0].value, e));
    TRY(collateral_entry_of_get(&entry, v[1].value, e));
    TRY(collateral_grace_seconds_get(&grace, v[2].value, e));
    w->at = w->now;
    if (entry.size != 0 && w->now > entry.valid_until && w->now - entry.valid_until <= grace)
        w->at = entry.valid_until;
    return RC_OK;
}

/* The node says under which key; what is there is proved, and judges no other platform's quote. */
enum rc cli_chain_collateral(struct cli *cli, struct bytes *json, struct bytes quote, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct address workers, collateral;
    struct bytes ders[X509_MAX_CHAIN], answer;
    struct light_value *v;
    struct light_key at;
    struct hash32 root, key;
    size_t n_certs = 0;
    uint8_t fmspc[6];
    bool platform_ca;
    struct quote q;
    char text[13];

    *json = (struct bytes){0};
    TRY(quote_parse(&q, quote, e));
    TRY(dcap_quote_platform(fmspc, &platform_ca, quote, &cli->mem, e));
    TRY(x509_pem_chain(ders, &n_certs, ARRAY_LEN(ders), q.cert_data, &cli->mem, e));
    if (n_certs == 0)
        return err_set(e, RC_MALFORMED, "the quote carries no certificates");
    sha256(&root, ders[n_certs - 1]);
    TRY(contracts(cli, &workers, &collateral, e));
    collateral_put_keyOf(&data, &root, q.tee != TEE_SGX, BYTES_OF(&fmspc), platform_ca);
    TRY(cli_ask(cli, &answer, &collateral, &data, 0, e));
    TRY(collateral_get_keyOf(&key, NULL, answer, e));
    at = collateral_json_of_key(&collateral, key);
    TRY(cli_read(cli, &v, &at, 1, e));
    TRY(collateral_json_of_get(json, v[0].value, e));
    hex_encode(text, BYTES_OF(&fmspc));
    return json->n != 0 ? RC_OK
                        : err_set(e, RC_NOTFOUND,
                                  "the chain has no collateral for FMSPC %s (%s CA) under the "
                                  "quote's root: cloister collateral list",
                                  text, platform_ca ? "platform" : "processor");
}

enum rc cli_evidence_load(struct cli *cli, struct worker_evidence *w, const struct address *who,
                          struct err *e)
{
    struct address workers, collateral;
    struct light_key keys[5];
    struct light_value *v;
    struct hash32 key;
    st_worker s;

    *w = (struct worker_evidence){0};
    TRY(contracts(cli, &workers, &collateral, e));
    keys[0] = workers_worker_of_key(&workers, *who);
    keys[1] = workers_evidence_bytes_key(&workers, *who);
    keys[2] = workers_evidence_key_key(&workers, *who);
    keys[3] = workers_evidence_endorsements_key(&workers, *who);
    keys[4] = workers_policy_json_key(&workers);
    /* One read: a renewal changes all of these together. */
    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(workers_worker_of_get(&s, v[0].value, e));
    TRY(workers_evidence_bytes_get(&w->evidence, v[1].value, e));
    TRY(workers_evidence_key_get(&key, v[2].value, e));
    TRY(workers_evidence_endorsements_get(&w->endorsements, v[3].value, e));
    TRY(workers_policy_json_get(&w->policy, v[4].value, e));
    set_info(&w->info, who, &s);
    TRY(check_form(cli, w, e));
    TRY(load_standing(cli, w, &workers, &collateral, e));
    TRY(load_collateral(cli, w, &collateral, &key, e));
    return cli_genesis_hash(cli, &w->genesis, e);
}

enum rc cli_evidence_workers(struct cli *cli, struct address **out, size_t *n, struct err *e)
{
    struct light_value *v;
    struct address workers;
    struct light_key key;
    uint64_t count;

    *n = 0;
    TRY(cli_contract(cli, &workers, "Workers", e));
    key = workers_all_workers_count_key(&workers);
    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(st_count(&count, v[0].value, e));
    if (count > MAX_WORKERS)
        return err_set(e, RC_LIMIT, "%llu workers, limit %d", (unsigned long long)count,
                       MAX_WORKERS);
    *out = arena_array(&cli->mem, (size_t)count + 1, sizeof(**out));
    for (; *n < count; ++*n) {
        key = workers_all_workers_at_key(&workers, *n);
        TRY(cli_read(cli, &v, &key, 1, e));
        TRY(workers_all_workers_get(&(*out)[*n], v[0].value, e));
    }
    return RC_OK;
}

/* ---- judged here ---- */

enum rc cli_network_roots(struct cli *cli, struct attest_roots *out, bool *simulator, struct err *e)
{
    const json_t *a;
    struct hash32 *given;
    struct network *net;
    json_t *list;

    *out = (struct attest_roots){.vendors = true};
    *simulator = false;
    TRY(cli_network(cli, &net, e));
    a = json_object_get(net->file, "attestation");
    if (a == NULL)
        return RC_OK;
    TRY(json_arr(&list, a, "roots", MAX_ROOTS, e));
    TRY(json_bool_opt(&out->vendors, a, "vendors", false, e));
    TRY(json_bool_opt(simulator, a, "insecure_simulator", false, e));
    given = arena_array(&cli->mem, json_array_size(list) + 1, sizeof(*given));
    for (size_t i = 0; i < json_array_size(list); i++)
        TRY(json_value_hex_fixed(given[i].b, sizeof(given[i].b), json_array_get(list, i),
                                 "attestation.roots", e));
    out->given = given;
    out->n_given = json_array_size(list);
    return RC_OK;
}

static void not_verified(struct verify_result *out, enum attest_stage stage, const char *why)
{
    out->v = (struct attest_verdict){.stage = stage};
    (void)snprintf(out->v.reason, sizeof(out->v.reason), "%s", why);
}

static void verify_snp(struct cli *cli, struct verify_result *out, const struct worker_evidence *w,
                       const struct attest_roots *roots)
{
    struct snp_certs certs = {0};
    struct err e = {0};
    enum rc rc;

    out->kind = "snp report";
    sha256(&out->evidence_hash, w->evidence);
    rc = snp_certs_from_any(&certs, w->endorsements, &cli->mem, &e);
    if (rc != RC_OK)
        not_verified(out, ATTEST_STAGE_COLLATERAL, e.msg);
    else if (snp_verify(&out->v, w->evidence, &certs, roots, w->at, &cli->mem, &e) != RC_OK)
        out->v.verified = false; /* stage and reason are there */
}

static void verify_quote(struct cli *cli, struct verify_result *out,
                         const struct worker_evidence *w, const struct attest_roots *roots)
{
    struct collateral c;
    struct err e = {0};
    struct quote q;

    out->kind = "quote";
    if (quote_parse(&q, w->evidence, &e) != RC_OK) {
        not_verified(out, ATTEST_STAGE_QUOTE, e.msg);
        return;
    }
    out->quote_version = q.version;
    sha256(&out->evidence_hash, bytes_of(w->evidence.p, q.size));
    if (w->collateral.n == 0)
        not_verified(out, ATTEST_STAGE_COLLATERAL, "the chain has no collateral for this platform");
    else if (collateral_parse(&c, w->collateral, &cli->mem, &e) != RC_OK)
        not_verified(out, ATTEST_STAGE_COLLATERAL, e.msg);
    else if (dcap_verify_cold(&out->v, w->evidence, &c, roots, w->at, &cli->mem, &e) != RC_OK)
        out->v.verified = false;
}

/* The keys, the role, the chain and the block that the evidence was made for are the record's. */
static bool binds(const struct worker_evidence *w, const uint8_t report_data[64])
{
    const struct workers_WorkerInfo *i = &w->info;
    struct registration r = {.sender = i->worker,
                             .proof_signer = i->proofSigner,
                             .commit_signer = i->commitSigner,
                             .receive_key_eth = i->receiveKeyEth,
                             .operator= i->operator,
                             .role =(enum worker_role) i->role,
                             .genesis = w->genesis,
                             .height = i->height,
                             .block_hash = i->blockHash};
    uint8_t want[64];

    memcpy(r.receive_key, i->receiveKey.b, sizeof(r.receive_key));
    registration_report_data(want, &r);
    return memcmp(want, report_data, sizeof(want)) == 0;
}

/* What follows from the evidence is what the chain recorded. */
static void check_record(struct verify_result *out, const struct worker_evidence *w)
{
    struct hash32 measurement;

    if (!binds(w, out->v.report_data)) {
        not_verified(out, ATTEST_STAGE_BINDING,
                     "the evidence does not bind the keys of this registration");
        return;
    }
    attest_measurement(&measurement, &out->v);
    if (!hash32_eq(&measurement, &w->info.measurement)) {
        not_verified(out, ATTEST_STAGE_BINDING,
                     "what the evidence measures is not the measurement on chain");
        return;
    }
    if (!out->v.has_platform_id || !hash32_eq(&out->v.platform_id, &w->info.platform)) {
        not_verified(out, ATTEST_STAGE_BINDING,
                     "the evidence's platform is not the platform on chain");
        return;
    }
    if (!hash32_eq(&out->v.root_fingerprint, &w->info.root))
        not_verified(out, ATTEST_STAGE_BINDING, "the evidence's root is not the root on chain");
}

static void refuse(struct verify_result *out, const char *why)
{
    out->allowed = false;
    (void)snprintf(out->refusal, sizeof(out->refusal), "%s", why);
}

static void judge(struct verify_result *out, const struct worker_evidence *w,
                  const struct attest_policy *policy, bool may_simulate)
{
    struct err why = {0};

    out->allowed = policy_check(policy, &out->v, w->at, &why) == RC_OK;
    if (!out->allowed)
        refuse(out, why.msg);
    else if (out->simulator && !may_simulate)
        refuse(out, "it is a simulator's, and the network file does not say insecure_simulator");
    else if (w->info.status == WORKER_REMOVED)
        refuse(out, "the worker was removed from Workers");
    else if (!w->active && w->now >= w->info.expiresAt)
        refuse(out, "the registration expired");
    else if (w->banned)
        refuse(out, "its platform is banned");
    else if (!w->allowed)
        refuse(out, "its measurement is not allowed for its role");
    else if (!w->active)
        refuse(out, "Workers does not count it as active");
}

enum rc cli_evidence_judge(struct cli *cli, struct verify_result *out,
                           const struct worker_evidence *w, struct err *e)
{
    struct attest_policy policy;
    struct attest_roots roots;
    bool may_simulate;

    *out = (struct verify_result){.kind = "unknown", .at = w->at, .policy_name = "the chain's"};
    TRY(cli_network_roots(cli, &roots, &may_simulate, e));
    if (policy_parse(&policy, w->policy, &cli->mem, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "the chain's policy");
    if (w->evidence.n == SNP_REPORT_SIZE)
        verify_snp(cli, out, w, &roots);
    else
        verify_quote(cli, out, w, &roots);
    if (out->v.verified)
        check_record(out, w);
    if (!out->v.verified)
        return RC_OK;
    out->simulator =
        out->v.root == ATTEST_ROOT_GIVEN && (may_simulate || w->info.insecureSimulator);
    out->bound_to = "the registration on chain: its keys, role and operator, this chain, and block";
    out->bound_height = w->info.height;
    judge(out, w, &policy, may_simulate);
    return RC_OK;
}

enum rc cli_evidence(struct cli *cli, struct worker_evidence *w, struct verify_result *out,
                     const struct address *who, struct err *e)
{
    TRY(cli_evidence_load(cli, w, who, e));
    return cli_evidence_judge(cli, out, w, e);
}

static bool is_bound_key(const struct workers_WorkerInfo *i, const struct receive_key *key)
{
    if (key->kind == RECEIVE_X25519)
        return memcmp(i->receiveKey.b, key->x25519, sizeof(key->x25519)) == 0;
    return bytes_eq(i->receiveKeyEth, BYTES_OF(&key->secp));
}

enum rc worker_evidence_accept(const struct worker_evidence *w, const struct verify_result *r,
                               uint64_t role, const struct receive_key *key, struct err *e)
{
    /* Reasons come last: a long one is cut. */
    if (!r->v.verified)
        return err_set(e, RC_DENIED, "the worker's evidence is not verified, at stage %s: %s",
                       attest_stage_name(r->v.stage), r->v.reason);
    if (!r->allowed)
        return err_set(e, RC_DENIED, "the worker is refused at stage %s: %s",
                       attest_stage_name(ATTEST_STAGE_POLICY), r->refusal);
    if (w->info.role != role)
        return err_set(e, RC_DENIED, "the worker is attested for role %s, not %s",
                       worker_role_name(w->info.role), worker_role_name(role));
    if (!is_bound_key(&w->info, key))
        return err_set(e, RC_DENIED,
                       "the worker is refused at stage %s: its evidence binds another receive key "
                       "than the TEE pool names",
                       attest_stage_name(ATTEST_STAGE_BINDING));
    return RC_OK;
}

enum rc cli_evidence_check(struct cli *cli, const struct address *who, uint64_t role,
                           const struct receive_key *key, struct err *e)
{
    struct verify_result *r = arena_alloc(&cli->mem, sizeof(*r));
    const char *name = cli_addr_text(cli, who);
    struct worker_evidence w;

    TRY(cli_evidence(cli, &w, r, who, e));
    TRY(worker_evidence_accept(&w, r, role, key, e));
    cli_step(cli, "worker %s is attested: %s, %s, %s, until %s", name, tee_kind_name(r->v.tee),
             w.label, r->v.tee == TEE_SNP ? "SEV-SNP" : tcb_status_name(r->v.tcb_status),
             cli_date_text(cli, w.info.expiresAt));
    if (r->simulator)
        cli_step(cli, VERIFY_SIMULATOR);
    return RC_OK;
}
