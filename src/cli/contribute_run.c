/* contribute, its fourth step: the file's key goes to the job's worker, wrapped for this job alone,
 * once proved state has said who that is and its evidence was judged here. */
#include "base/hex.h"
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "chain/registration.h"
#include "cli/internal/contribution.h"
#include "cli/internal/evidence.h"
#include "cli/internal/proved.h"
#include "cli/internal/secrets.h"
#include "client/chain_news.h"
#include "crypto/ecies.h"
#include "crypto/hash.h"
#include "net/http_client.h"
#include "os/clock.h"

#include <stdio.h>

#define RUN_TIMEOUT_MS 900000 /* a validator may take its time */
#define CONSENT_VALID_S 3600  /* how long the worker may use the authorization */
#define TRY_AGAIN_MS 60000    /* while the worker cannot be reached or is busy */
#define BEACON_WAIT_MS 60000  /* while keepers have not brought the beacon */
#define BEACON_SAY_MS 1000    /* before it is told what is waited for */
#define BEACON_LOOK_MS 100    /* when no news comes */

enum rc contribution_env(json_t **out, const struct cli_list *list, struct err *e)
{
    *out = json_object();
    for (size_t i = 0; i < list->n; i++) {
        const char *eq = strchr(list->items[i], '=');

        if (eq == NULL || eq == list->items[i])
            return err_set(e, RC_MALFORMED, "--env \"%s\" is not NAME=VALUE", list->items[i]);
        if (json_object_setn_new(*out, list->items[i], (size_t)(eq - list->items[i]),
                                 json_string(eq + 1)) != 0)
            return err_set(e, RC_MALFORMED, "--env \"%s\" is not UTF-8", list->items[i]);
    }
    return RC_OK;
}

/* ---- the worker ---- */

struct worker {
    struct address address;
    const char *url;
    struct receive_key key;
};

/* The node says which file and job are ours, but not what they are: that is proved. The file's
 * name is the hash of a ciphertext made just now, so no older state has it. */
static enum rc check_job(struct cli *cli, const struct contribution *x, st_job *job,
                         uint64_t *waits_since, struct err *e)
{
    const struct u256 file_id = u256_from_u64(x->file_id), job_id = u256_from_u64(x->job_id);
    const struct light_key keys[] = {data_registry_file_of_key(&x->registry, file_id),
                                     tee_pool_job_of_key(&x->tee_pool, job_id),
                                     tee_pool_waits_since_key(&x->tee_pool, job_id)};
    struct light_client *lc;
    struct light_value *v;
    st_file file;

    TRY(cli_light(cli, &lc, e));
    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(data_registry_file_of_get(&file, v[0].value, e));
    TRY(tee_pool_job_of_get(job, v[1].value, e));
    TRY(tee_pool_waits_since_get(waits_since, v[2].value, e));
    if (!bytes_eq(file.url, bytes_str(x->url)))
        return err_set(e, RC_DENIED, "ledger node %s: file %llu on chain is not %s",
                       light_client_url(lc), (unsigned long long)x->file_id, x->url);
    if (u256_cmp(&job->file_id, &file_id) != 0 || !address_eq(&job->owner, &x->owner))
        return err_set(e, RC_DENIED, "ledger node %s: job %llu on chain is not ours for file %llu",
                       light_client_url(lc), (unsigned long long)x->job_id,
                       (unsigned long long)x->file_id);
    return RC_OK;
}

/* RC_AGAIN: it waits for the beacon of block *since. */
static enum rc check_assigned(struct cli *cli, const struct contribution *x, st_job *job,
                              uint64_t *since, struct err *e)
{
    TRY(check_job(cli, x, job, since, e));
    if (!address_is_zero(&job->tee))
        return RC_OK;
    if (*since == 0)
        return err_set(e, RC_DENIED,
                       "no worker was there for job %llu: cancel with `cloister job cancel %llu`",
                       (unsigned long long)x->job_id, (unsigned long long)x->job_id);
    return err_set(e, RC_AGAIN, "job %llu waits", (unsigned long long)x->job_id);
}

static enum rc await_assigned(struct cli *cli, const struct contribution *x, st_job *job,
                              struct chain_news *assigned, struct err *e)
{
    uint64_t began = clock_mono_ms(), since, height;
    bool said = false;
    enum rc rc;

    for (;;) {
        rc = check_assigned(cli, x, job, &since, e);
        if (rc != RC_AGAIN)
            return rc;
        if (!said && clock_mono_ms() > began + BEACON_SAY_MS) {
            cli_step(cli, "job %llu waits for the keepers' beacon, which chooses its worker",
                     (unsigned long long)x->job_id);
            said = true;
        }
        if (clock_mono_ms() > began + BEACON_WAIT_MS)
            return err_set(e, RC_TIMEOUT,
                           "job %llu waits for the keepers' beacon of block %llu, which chooses "
                           "its worker: go on later with --resume %llu",
                           (unsigned long long)x->job_id, (unsigned long long)since,
                           (unsigned long long)x->file_id);
        if (chain_news_wait(assigned, BEACON_LOOK_MS, &height))
            cli_light_at_least(cli, height);
    }
}

/* Where keepers hold keys, a job waits a moment for the beacon that chooses its worker. */
static enum rc await_worker(struct cli *cli, const struct contribution *x, st_job *job,
                            struct err *e)
{
    const struct u256 id = u256_from_u64(x->job_id);
    struct hash32 topics[2] = {tee_pool_topic_JobAssigned};
    struct chain_client *c;
    struct chain_news *assigned;
    uint64_t since;
    enum rc rc = check_assigned(cli, x, job, &since, e);

    if (rc != RC_AGAIN)
        return rc;
    TRY(cli_chain(cli, &c, e));
    u256_to_be(topics[1].b, &id);
    assigned = chain_news_new(chain_client_url(c), &x->tee_pool, topics, ARRAY_LEN(topics));
    rc = await_assigned(cli, x, job, assigned, e);
    chain_news_free(assigned);
    return rc;
}

/* Who gets the key: read as proved state, for a node that could name itself as the worker would
 * be sent it. */
static enum rc job_worker(struct cli *cli, const struct contribution *x, struct worker *w,
                          struct err *e)
{
    st_job job;
    st_tee tee;

    TRY(await_worker(cli, x, &job, e));
    w->address = job.tee;
    TRY(cli_read_tee(cli, &tee, &w->address, e));
    TRY(cli_state_text(cli, &w->url, tee.url, e));
    if (tee.status != TEE_ACTIVE)
        return err_set(e, RC_DENIED,
                       "worker %s of job %llu is not active any more: cancel with `cloister job "
                       "cancel %llu`",
                       cli_addr_text(cli, &w->address), (unsigned long long)x->job_id,
                       (unsigned long long)x->job_id);
    if (receive_key_parse(&w->key, tee.public_key, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "key of worker %s", cli_addr_text(cli, &w->address));
    return RC_OK;
}

/* ---- what it is sent ---- */

/* P2: the owner's signature over exactly this run. */
static enum rc authorization(const struct contribution *x, const struct worker *w, uint64_t now,
                             json_t **out)
{
    AUTO_CLEAR(buf) struct buf canonical = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct run_authorization a = {.chain_id = x->chain_id,
                                  .tee_pool = x->tee_pool,
                                  .job_id = x->job_id,
                                  .file_id = x->file_id,
                                  .file_cid = bytes_str(x->cid),
                                  .dlp_id = x->pool.id,
                                  .validator = bytes_str(x->pool.proof_instruction),
                                  .worker = w->address,
                                  .expiry_s = now + CONSENT_VALID_S};
    struct hash32 digest;
    struct secp_sig sig;

    json_python_dumps(&canonical, x->env);
    keccak256(&a.env_hash, buf_bytes(&canonical));
    run_authorization_digest(&digest, &a);
    secp_sign(&sig, x->key, &digest);
    hex_put_0x(&text, BYTES_OF(&sig));
    *out = json_pack("{s:I, s:I, s:s}", "expiry", (json_int_t)a.expiry_s, "dlp_id",
                     (json_int_t)x->pool.id, "signature", buf_cstr(&text));
    return RC_OK;
}

/* The file key for this worker and this job only. */
static enum rc key_for_worker(const struct contribution *x, const struct worker *w, struct buf *out,
                              struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf file_key = {0};
    const struct wrap_context ctx = {.chain_id = x->chain_id,
                                     .file_cid = x->cid,
                                     .owner = x->owner,
                                     .grantee = w->address,
                                     .purpose = WRAP_RUN_PROOF,
                                     .epoch = x->job_id};

    file_key_derive(&file_key, x->key, bytes_str(x->seed));
    if (w->key.kind == RECEIVE_X25519)
        return key_wrap(out, w->key.x25519, &ctx, secbuf_bytes(&file_key), NULL, e);
    {
        AUTO_CLEAR(buf) struct buf sealed = {0};

        TRY(ecies_seal(&sealed, &w->key.secp, secbuf_bytes(&file_key), NULL, e));
        hex_put(out, buf_bytes(&sealed));
    }
    return RC_OK;
}

/* For this pool, its validator and this job alone. */
static enum rc sealed_secrets(struct cli *cli, const struct contribution *x,
                              const struct cli_list *list, json_t *out, struct err *e)
{
    const struct secret_scope scope = {.chain_id = x->chain_id,
                                       .tee_pool = x->tee_pool,
                                       .dlp_id = x->pool.id,
                                       .validator = bytes_str(x->pool.proof_instruction),
                                       .job_id = x->job_id};

    return cli_secrets_seal(cli, out, list, &scope, e);
}

static enum rc run_request(struct cli *cli, const struct contribution *x, const struct worker *w,
                           const struct cli_list *secret_list, struct buf *body, struct err *e)
{
    json_auto_t *secrets = json_object();
    AUTO_CLEAR(buf) struct buf wrapped = {0};
    json_auto_t *request = NULL;
    json_t *consent = NULL;
    char nonce[24];

    TRY(sealed_secrets(cli, x, secret_list, secrets, e));
    TRY(authorization(x, w, clock_wall_ns() / 1000000000U, &consent));
    if (key_for_worker(x, w, &wrapped, e) != RC_OK) {
        json_decref(consent);
        return RC_MALFORMED;
    }
    (void)snprintf(nonce, sizeof(nonce), "%llu", (unsigned long long)rng_u64(NULL));
    request = json_pack("{s:I, s:I, s:s, s:s, s:s, s:O, s:O, s:s, s:o}", "file_id",
                        (json_int_t)x->file_id, "job_id", (json_int_t)x->job_id,
                        "encrypted_encryption_key", buf_cstr(&wrapped), "encryption_seed", x->seed,
                        "proof_url", x->pool.proof_instruction, "env_vars", x->env, "secrets",
                        secrets, "nonce", nonce, "authorization", consent);
    CHECK(request != NULL);
    json_put(body, request);
    return RC_OK;
}

/* ---- sending ---- */

/* Nothing is wrapped to a key before evidence was judged here that it is an enclave's. */
static enum rc check_worker(struct cli *cli, const struct contribution *x, const struct worker *w,
                            struct err *e)
{
    enum rc rc;

    if (!cli_has_workers(cli)) {
        cli_step(cli, "WARNING: this network has no Workers contract: nothing attests worker %s",
                 cli_addr_text(cli, &w->address));
        return RC_OK;
    }
    rc = cli_evidence_check(cli, &w->address, WORKER_OPEN, &w->key, e);
    if (rc != RC_DENIED && rc != RC_NOTFOUND && rc != RC_MALFORMED)
        return rc;
    cli_step(cli,
             "cloister worker show %s says more; cloister job cancel %llu, then contribute "
             "--resume %llu asks for another worker",
             cli_addr_text(cli, &w->address), (unsigned long long)x->job_id,
             (unsigned long long)x->file_id);
    return err_wrap(e, RC_DENIED, "no key was sent");
}

/* What the worker said, as our error. */
static enum rc worker_error(const struct http_reply *reply, const struct worker *w, struct err *e)
{
    json_auto_t *v = NULL;
    const json_t *error;
    const char *code, *message;

    if (json_parse(&v, buf_bytes(&reply->body), JSON_MAX_SIZE, NULL) != RC_OK)
        return err_set(e, RC_IO, "worker %s answered with status %u", w->url, reply->status);
    error = json_object_get(json_object_get(v, "detail"), "error");
    code = json_string_value(json_object_get(error, "code"));
    message = json_string_value(json_object_get(error, "message"));
    if (message == NULL)
        message = json_string_value(json_object_get(v, "error"));
    return err_set(e, reply->status == 503 || reply->status == 429 ? RC_AGAIN : RC_DENIED,
                   "worker: %s%s%s", code != NULL ? code : "", code != NULL ? ": " : "",
                   message != NULL ? message : "no reason given");
}

static bool may_pass(enum rc rc)
{
    return rc == RC_IO || rc == RC_AGAIN || rc == RC_CLOSED || rc == RC_TIMEOUT;
}

enum rc contribution_run(struct cli *cli, const struct contribution *x,
                         const struct cli_list *secret_list, json_t **answer, struct err *e)
{
    AUTO_CLEAR(buf) struct buf body = {0};
    uint64_t give_up = clock_mono_ms() + TRY_AGAIN_MS;
    struct http_client *http;
    struct http_reply reply = {0};
    struct worker w;
    char *url;
    enum rc rc;

    TRY(job_worker(cli, x, &w, e));
    TRY(check_worker(cli, x, &w, e));
    TRY(run_request(cli, x, &w, secret_list, &body, e));
    url = arena_alloc(&cli->mem, strlen(w.url) + 16);
    (void)snprintf(url, strlen(w.url) + 16, "%s/RunProof", w.url);
    cli_step(cli, "worker %s at %s runs the pool's validator", cli_addr_text(cli, &w.address),
             w.url);
    http = http_client_new();
    for (;;) {
        const struct http_call call = {.url = url,
                                       .content_type = "application/json",
                                       .body = buf_bytes(&body),
                                       .timeout_ms = RUN_TIMEOUT_MS,
                                       .stall_timeout_ms = RUN_TIMEOUT_MS,
                                       .any_status = true};

        rc = http_client_do(http, &reply, &call, e);
        if (rc == RC_OK && reply.status != 200)
            rc = worker_error(&reply, &w, e);
        if (!may_pass(rc) || clock_mono_ms() > give_up)
            break;
        clock_sleep_ms(250);
    }
    if (rc == RC_OK)
        rc = json_parse(answer, buf_bytes(&reply.body), JSON_MAX_SIZE, e);
    http_client_free(http);
    http_reply_clear(&reply);
    return rc;
}
