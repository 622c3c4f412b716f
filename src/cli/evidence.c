/* A worker's evidence, from the chain, judged on this side. The chain has judged it already; who is
 * about to give a worker a key does not take a node's word for that. What is still the chain's:
 * which measurements are allowed, the policy, and whether the worker stands. */
#include "cli/internal/evidence.h"

#include "attest/record.h"
#include "attest/snp.h"
#include "chain/gen/collateral.h"
#include "chain/registration.h"
#include "cli/internal/commands.h"
#include "crypto/hash.h"

#include <stdio.h>

#define MAX_ROOTS 16
#define MAX_GRACE_S ((uint64_t)7 * 24 * 3600) /* contracts/system/Collateral.c */

const char *worker_role_name(uint64_t role)
{
    static const char *const names[] = {"none", "open", "contract", "analysis", "keeper"};

    return role < ARRAY_LEN(names) ? names[role] : "unknown";
}

const char *worker_standing(const struct worker_evidence *w)
{
    if (w->info.status == STANDING_NONE)
        return "unknown";
    if (w->info.status == STANDING_REMOVED)
        return "removed";
    if (w->active)
        return "active";
    if (w->now >= w->info.expiresAt)
        return "expired";
    if (w->banned)
        return "platform banned";
    return w->allowed ? "inactive" : "measurement not allowed";
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

/* ---- what the chain says ---- */

/* Block 0 answers the hash that names the chain. */
static enum rc genesis_hash(struct cli *cli, struct hash32 *out, struct err *e)
{
    json_auto_t *block = NULL;
    struct chain_client *c;

    TRY(cli_chain(cli, &c, e));
    TRY(chain_rpc(c, &block, "eth_getBlockByNumber", json_pack("[s, b]", "0x0", 0), NULL, e));
    return json_hex_fixed(out->b, sizeof(out->b), block, "hash", e);
}

static enum rc load_label(struct cli *cli, struct worker_evidence *w, const struct address *workers,
                          struct err *e)
{
    struct workers_MeasurementInfo_list list;
    struct buf b = {0};
    struct bytes answer;

    workers_put_measurements(&b);
    TRY(cli_ask(cli, &answer, workers, &b, w->height, e));
    TRY(workers_get_measurements(&list, &cli->mem, answer, e));
    for (size_t i = 0; i < list.n; i++)
        if (hash32_eq(&list.p[i].measurement, &w->info.measurement)) {
            w->label = arena_strdup(&cli->mem, list.p[i].label);
            w->allowed = (list.p[i].roles >> w->info.role & 1) != 0;
        }
    return RC_OK;
}

enum rc cli_evidence_standing(struct cli *cli, struct worker_evidence *w, const struct address *who,
                              uint64_t height, uint64_t now, struct err *e)
{
    struct address workers;
    struct bytes answer;
    struct buf b = {0};

    *w = (struct worker_evidence){.height = height, .now = now};
    TRY(cli_contract(cli, &workers, "Workers", e));
    workers_put_workers(&b, who);
    TRY(cli_ask(cli, &answer, &workers, &b, height, e));
    TRY(workers_get_workers(&w->info, NULL, answer, e));
    if (w->info.status == STANDING_NONE)
        return err_set(e, RC_NOTFOUND, "no worker %s was ever registered", cli_addr_text(cli, who));
    if (!address_eq(&w->info.worker, who) || w->info.role > WORKER_ROLE_LAST)
        return err_set(e, RC_MALFORMED, "Workers answers with another record than that of %s",
                       cli_addr_text(cli, who));
    workers_put_isActive(&b, who, w->info.role);
    TRY(cli_ask(cli, &answer, &workers, &b, height, e));
    TRY(workers_get_isActive(&w->active, NULL, answer, e));
    workers_put_isBanned(&b, &w->info.platform);
    TRY(cli_ask(cli, &answer, &workers, &b, height, e));
    TRY(workers_get_isBanned(&w->banned, NULL, answer, e));
    return load_label(cli, w, &workers, e);
}

/* The chain's collateral and the time the chain would judge at. An entry that is gone is told by
 * the verification. */
static enum rc load_collateral(struct cli *cli, struct worker_evidence *w,
                               const struct address *workers, struct err *e)
{
    struct collateral_evidence_result r;
    struct address contract;
    struct bytes answer;
    struct buf b = {0};

    w->at = w->now;
    workers_put_collateral(&b);
    TRY(cli_ask(cli, &answer, workers, &b, w->height, e));
    TRY(workers_get_collateral(&contract, NULL, answer, e));
    collateral_put_evidence(&b, &w->collateral_key);
    {
        enum rc rc = cli_ask(cli, &answer, &contract, &b, w->height, e);

        if (rc == RC_DENIED) /* reverted: no such entry */
            return RC_OK;
        TRY(rc);
    }
    TRY(collateral_get_evidence(&r, &cli->mem, answer, e));
    w->collateral = r.json;
    if (r.at > w->now || w->now - r.at > MAX_GRACE_S)
        return err_set(e, RC_DENIED, "Collateral would judge evidence as of %llu, now is %llu",
                       (unsigned long long)r.at, (unsigned long long)w->now);
    w->at = r.at;
    return RC_OK;
}

enum rc cli_evidence_load(struct cli *cli, struct worker_evidence *w, const struct address *who,
                          struct err *e)
{
    struct workers_evidenceOf_result r;
    struct address workers;
    struct bytes answer;
    struct buf b = {0};
    uint64_t height, now;

    *w = (struct worker_evidence){0};
    TRY(cli_contract(cli, &workers, "Workers", e));
    TRY(cli_newest(cli, &height, &now, e));
    TRY(cli_evidence_standing(cli, w, who, height, now, e));
    workers_put_evidenceOf(&b, who);
    TRY(cli_ask(cli, &answer, &workers, &b, w->height, e));
    TRY(workers_get_evidenceOf(&r, NULL, answer, e));
    w->evidence = r.evidence;
    w->endorsements = r.endorsements;
    w->collateral_key = r.collateralKey;
    TRY(load_collateral(cli, w, &workers, e));
    workers_put_policy(&b);
    TRY(cli_ask(cli, &answer, &workers, &b, w->height, e));
    TRY(workers_get_policy(&w->policy, NULL, answer, e));
    return genesis_hash(cli, &w->genesis, e);
}

/* ---- judged here ---- */

/* The network file's "attestation": {"roots": [hex], "vendors": bool, "insecure_simulator": bool}.
 * Without it only the vendors' roots are believed. */
static enum rc file_roots(struct cli *cli, struct attest_roots *out, bool *simulator, struct err *e)
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
    rc = x509_is_pem(w->endorsements) ? snp_certs_add(&certs, w->endorsements, &cli->mem, &e)
                                      : snp_certs_from_table(&certs, w->endorsements, &e);
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
    else if (w->info.status == STANDING_REMOVED)
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
    TRY(file_roots(cli, &roots, &may_simulate, e));
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
