/* contribute: the whole of a contribution, from a file to a reward, one step after the other. What
 * is needed to go on after an interruption is written down (contributions/FILE_ID.json) before the
 * step that needs it. */
#include "base/hex.h"
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "chain/registration.h"
#include "cli/internal/commands.h"
#include "cli/internal/evidence.h"
#include "cli/internal/proved.h"
#include "cli/internal/sealing.h"
#include "cli/internal/secrets.h"
#include "client/chain_news.h"
#include "crypto/ecies.h"
#include "crypto/hash.h"
#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

#define RUN_TIMEOUT_MS 900000 /* a validator may take its time */
#define CONSENT_VALID_S 3600  /* how long the worker may use the authorization */
#define TRY_AGAIN_MS 60000    /* while the worker cannot be reached or is busy */
#define BEACON_WAIT_MS 60000  /* while keepers have not brought the beacon */
#define BEACON_LOOK_MS 100    /* when no news comes */
#define STORE_AGAIN_MS 10000  /* while the store cannot be reached */

static const char *pool_name, *resume;
static bool follow;
static struct cli_list env_list, secret_list;

static const struct cli_option OPTIONS[] = {
    {.name = "pool",
     .arg = "POOL",
     .help = "number or name of the pool (needed)",
     .value = &pool_name},
    {.name = "follow", .help = "wait for the proof and ask for the reward", .flag = &follow},
    {.name = "env",
     .arg = "NAME=VALUE",
     .help = "an environment variable for the validator; may be repeated",
     .values = &env_list},
    {.name = "secret",
     .arg = "NAME=VALUE",
     .help = "a variable that only the validator sees: sealed for this job and its worker; "
             "NAME=@FILE takes a file's content, NAME=secret1:... one that is sealed; may be "
             "repeated",
     .values = &secret_list},
    {.name = "resume",
     .arg = "FILE_ID",
     .help = "go on with a contribution that was interrupted: its number or CID (no FILE then)",
     .value = &resume},
    {0},
};

/* A contribution under way. */
struct contribution {
    uint64_t chain_id;
    struct secp_key *key;
    struct address owner;
    struct pool_info pool;
    const char *seed;
    const char *cid; /* text */
    const char *url; /* ipfs://… */
    uint64_t file_id, job_id;
    struct address tee_pool, registry;
};

/* ---- 1: encrypt and store ---- */

static enum rc seal_begin(struct sealing *s, struct cli *cli, struct contribution *x,
                          const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf seed = {0};

    seed_message_new(&seed, x->chain_id, NULL);
    x->seed = arena_strdup(&cli->mem, buf_bytes(&seed));
    return sealing_begin(s, path, x->key, bytes_str(x->seed), e);
}

static enum rc store_sealed(struct cli *cli, struct contribution *x, struct sealing *s,
                            const char *path, struct err *e)
{
    struct store_client *store;
    char text[CID_TEXT_SIZE];
    struct cid cid;
    char *url;

    TRY(cli_store(cli, &store, e));
    TRY(sealing_store(s, store, &cid, e));
    cid_format(text, &cid);
    x->cid = arena_strdup(&cli->mem, bytes_str(text));
    url = arena_alloc(&cli->mem, strlen(text) + 8);
    (void)snprintf(url, strlen(text) + 8, "ipfs://%s", text);
    x->url = url;
    cli_step(cli, "encrypted %s (%llu bytes) and stored it as %s", path,
             (unsigned long long)s->size, x->url);
    return RC_OK;
}

/* ---- what is written down ---- */

static enum rc record_path(struct cli *cli, const char **out, uint64_t chain_id, const char *cid,
                           struct err *e)
{
    const char *home;
    char *path;
    size_t n;

    TRY(cli_home(cli, &home, e));
    n = strlen(home) + strlen(cid) + 64;
    path = arena_alloc(&cli->mem, n);
    (void)snprintf(path, n, "%s/contributions", home);
    TRY(dir_make(path, 0700, e));
    (void)snprintf(path, n, "%s/contributions/%llu-%s.json", home, (unsigned long long)chain_id,
                   cid);
    *out = path;
    return RC_OK;
}

static enum rc record_write(struct cli *cli, const struct contribution *x, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *v = json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:I}", "chain_id",
                               (json_int_t)x->chain_id, "file_id", (json_int_t)x->file_id, "job_id",
                               (json_int_t)x->job_id, "owner", cli_addr_text(cli, &x->owner), "url",
                               x->url, "seed", x->seed, "pool", (json_int_t)x->pool.id);
    const char *path;

    CHECK(v != NULL);
    TRY(record_path(cli, &path, x->chain_id, x->cid, e));
    json_put(&text, v);
    buf_u8(&text, '\n');
    return file_write_atomic(path, buf_bytes(&text), 0600, e);
}

static enum rc record_read(struct cli *cli, json_t **out, uint64_t chain_id, const char *cid,
                           struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    const char *path;
    enum rc rc;

    *out = NULL;
    TRY(record_path(cli, &path, chain_id, cid, e));
    rc = file_read(&text, path, 65536, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "no record of this contribution was kept here");
    return json_parse(out, buf_bytes(&text), 65536, e);
}

/* ---- 2: register ---- */

/* The pool's own copy of the file key, when it has a key to wrap it to. */
static enum rc pool_permission(struct cli *cli, const struct contribution *x, const char **out,
                               struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf file_key = {0};
    AUTO_CLEAR(buf) struct buf wrapped = {0};
    AUTO_CLEAR(buf) struct buf arg = {0};
    const struct wrap_context ctx = {.chain_id = x->chain_id,
                                     .file_cid = x->cid,
                                     .owner = x->owner,
                                     .grantee = x->pool.dlp,
                                     .purpose = WRAP_POOL};
    struct receive_key to;

    *out = "[]";
    if (x->pool.public_key[0] == 0)
        return RC_OK;
    if (receive_key_parse(&to, bytes_str(x->pool.public_key), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "the pool's public key");
    if (to.kind != RECEIVE_X25519) {
        cli_step(cli, "the pool's key is of an older form: no key wrapped for it");
        return RC_OK;
    }
    file_key_derive(&file_key, x->key, bytes_str(x->seed));
    TRY(key_wrap(&wrapped, to.x25519, &ctx, secbuf_bytes(&file_key), NULL, e));
    buf_printf(&arg, "[(%s,%s)]", contract_arg_address(&cli->mem, &x->pool.dlp),
               contract_arg_str(&cli->mem, buf_bytes(&wrapped)));
    *out = arena_strdup(&cli->mem, buf_bytes(&arg));
    return RC_OK;
}

static enum rc register_file(struct cli *cli, struct contribution *x, struct err *e)
{
    struct hash32 topic = contract_topic("FileAddedV2(uint256,address,string,uint256)");
    const char *args[3];
    const struct chain_log *log;
    struct chain_receipt receipt;
    struct chain_client *c;
    struct u256 id;

    TRY(cli_chain(cli, &c, e));
    args[0] = x->url;
    args[1] = contract_arg_address(&cli->mem, &x->owner);
    TRY(pool_permission(cli, x, &args[2], e));
    TRY(contract_write(c, &receipt, &cli->mem, x->key, &x->registry,
                       "addFileWithPermissions(string,address,(address,string)[])", args, 3, NULL,
                       e));
    log = chain_receipt_find(&receipt, &x->registry, &topic);
    if (log == NULL || log->n_topics < 2)
        return err_set(e, RC_MALFORMED, "the registry made no FileAddedV2 event");
    id = u256_from_be(log->topics[1].b);
    if (!u256_to_u64(&id, &x->file_id))
        return err_set(e, RC_RANGE, "file number above 64 bits");
    cli_light_at_least(cli, receipt.height);
    cli_step(cli, "registered as file %llu, transaction %s, block %llu",
             (unsigned long long)x->file_id, cli_hash_text(cli, &receipt.tx_hash),
             (unsigned long long)receipt.height);
    return RC_OK;
}

/* ---- 3: ask for a proof ---- */

static enum rc request_job(struct cli *cli, struct contribution *x, struct err *e)
{
    struct hash32 topic = contract_topic("JobSubmitted(uint256,uint256,address,uint256)");
    const char *file_arg = contract_arg_u64(&cli->mem, x->file_id);
    const struct chain_log *log;
    struct chain_receipt receipt;
    struct chain_client *c;
    struct abi_value v;
    struct u256 fee, id;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->tee_pool, "teeFee()(uint256)", NULL, 0, e));
    fee = value_u256(&v, 0);
    TRY(contract_write(c, &receipt, &cli->mem, x->key, &x->tee_pool,
                       "requestContributionProof(uint256)", &file_arg, 1, &fee, e));
    log = chain_receipt_find(&receipt, &x->tee_pool, &topic);
    if (log == NULL || log->n_topics < 2)
        return err_set(e, RC_MALFORMED, "the TEE pool made no JobSubmitted event");
    id = u256_from_be(log->topics[1].b);
    if (!u256_to_u64(&id, &x->job_id))
        return err_set(e, RC_RANGE, "job number above 64 bits");
    cli_light_at_least(cli, receipt.height);
    cli_step(cli, "job %llu requested for %s coin, transaction %s, block %llu",
             (unsigned long long)x->job_id, cli_amount_text(cli, &fee),
             cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.height);
    return RC_OK;
}

static enum rc job_state(struct cli *cli, const struct contribution *x, uint64_t job_id,
                         uint64_t *status, struct address *asker, struct err *e)
{
    const char *arg = contract_arg_u64(&cli->mem, job_id);
    const struct abi_value *job;
    struct chain_client *c;
    struct abi_value v;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->tee_pool,
                      "jobs(uint256)((uint256,uint256,uint8,uint256,address,address))", &arg, 1,
                      e));
    job = value_item(&v, 0);
    *status = value_u64(job, 2);
    *asker = value_address(job, 4);
    return RC_OK;
}

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
    uint64_t give_up = clock_mono_ms() + BEACON_WAIT_MS, since, height;
    enum rc rc;

    for (;;) {
        rc = check_assigned(cli, x, job, &since, e);
        if (rc != RC_AGAIN)
            return rc;
        if (clock_mono_ms() > give_up)
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

/* ---- 4: send the key to the worker ---- */

static enum rc env_object(json_t **out, struct err *e)
{
    *out = json_object();
    for (size_t i = 0; i < env_list.n; i++) {
        const char *eq = strchr(env_list.items[i], '=');

        if (eq == NULL || eq == env_list.items[i])
            return err_set(e, RC_MALFORMED, "--env \"%s\" is not NAME=VALUE", env_list.items[i]);
        if (json_object_setn_new(*out, env_list.items[i], (size_t)(eq - env_list.items[i]),
                                 json_string(eq + 1)) != 0)
            return err_set(e, RC_MALFORMED, "--env \"%s\" is not UTF-8", env_list.items[i]);
    }
    return RC_OK;
}

/* P2: the owner's signature over exactly this run. */
static enum rc authorization(const struct contribution *x, const struct worker *w,
                             const json_t *env, uint64_t now, json_t **out)
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

    json_python_dumps(&canonical, env);
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
static enum rc sealed_secrets(struct cli *cli, const struct contribution *x, json_t *out,
                              struct err *e)
{
    const struct secret_scope scope = {.chain_id = x->chain_id,
                                       .tee_pool = x->tee_pool,
                                       .dlp_id = x->pool.id,
                                       .validator = bytes_str(x->pool.proof_instruction),
                                       .job_id = x->job_id};

    return cli_secrets_seal(cli, out, &secret_list, &scope, e);
}

static enum rc run_request(struct cli *cli, const struct contribution *x, const struct worker *w,
                           uint64_t now, struct buf *body, struct err *e)
{
    json_auto_t *secrets = json_object();
    AUTO_CLEAR(buf) struct buf wrapped = {0};
    json_auto_t *request = NULL;
    json_t *env = NULL;
    json_t *consent = NULL;
    char nonce[24];

    TRY(sealed_secrets(cli, x, secrets, e));
    TRY(env_object(&env, e));
    TRY(authorization(x, w, env, now, &consent));
    if (key_for_worker(x, w, &wrapped, e) != RC_OK) {
        json_decref(env);
        json_decref(consent);
        return RC_MALFORMED;
    }
    (void)snprintf(nonce, sizeof(nonce), "%llu", (unsigned long long)rng_u64(NULL));
    request = json_pack("{s:I, s:I, s:s, s:s, s:s, s:o, s:O, s:s, s:o}", "file_id",
                        (json_int_t)x->file_id, "job_id", (json_int_t)x->job_id,
                        "encrypted_encryption_key", buf_cstr(&wrapped), "encryption_seed", x->seed,
                        "proof_url", x->pool.proof_instruction, "env_vars", env, "secrets", secrets,
                        "nonce", nonce, "authorization", consent);
    CHECK(request != NULL);
    json_put(body, request);
    return RC_OK;
}

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

/* POST /RunProof; repeated while the worker cannot be reached (it may be restarting: the request is
 * idempotent for one authorization). */
static enum rc run_proof(struct cli *cli, const struct contribution *x, json_t **answer,
                         struct err *e)
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
    TRY(run_request(cli, x, &w, clock_wall_ns() / 1000000000U, &body, e));
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

/* ---- 5: the proof and the reward ---- */

/* The newest proof of the file that names this pool. */
static enum rc find_proof(struct cli *cli, const struct contribution *x, uint64_t *index,
                          struct chain_proof *proof, struct err *e)
{
    const struct u256 dlp = u256_from_u64(x->pool.id);
    const char *arg = contract_arg_u64(&cli->mem, x->file_id);
    struct chain_client *c;
    struct abi_value v;
    uint64_t n;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->registry, "fileProofsCount(uint256)(uint256)", &arg, 1,
                      e));
    n = value_u64(&v, 0);
    for (*index = n; *index > 0; (*index)--) {
        TRY(cli_proof(cli, proof, x->file_id, *index, e));
        if (u256_cmp(&proof->dlp_id, &dlp) == 0)
            return RC_OK;
    }
    return err_set(e, RC_NOTFOUND, "file %llu has no proof for pool %llu",
                   (unsigned long long)x->file_id, (unsigned long long)x->pool.id);
}

/* What the pool paid for this file; zero: nothing yet. */
static enum rc already_paid(struct cli *cli, const struct contribution *x, struct u256 *out,
                            struct err *e)
{
    const char *arg = contract_arg_u64(&cli->mem, x->file_id);
    struct chain_client *c;
    struct abi_value v;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->pool.dlp,
                      "files(uint256)((uint256,uint256,uint256,uint256))", &arg, 1, e));
    *out = value_u256(value_item(&v, 0), 3);
    return RC_OK;
}

static enum rc finish(struct cli *cli, const struct contribution *x, json_t *result, struct err *e)
{
    struct chain_proof proof;
    struct hash32 tx;
    struct u256 paid;
    uint64_t index;

    TRY(find_proof(cli, x, &index, &proof, e));
    cli_step(cli, "proof %llu with score %s, document %s", (unsigned long long)index,
             cli_amount_text(cli, &proof.score), proof.proof_url);
    TRY(already_paid(cli, x, &paid, e));
    if (!u256_is_zero(&paid)) {
        cli_step(cli, "the reward of %s %s was paid before", cli_amount_text(cli, &paid),
                 x->pool.token_symbol);
        CHECK(json_object_set_new(result, "reward", json_string(cli_amount_text(cli, &paid))) == 0);
        return RC_OK;
    }
    TRY(cli_reward(cli, x->key, &x->pool, x->file_id, index, &paid, &tx, e));
    cli_step(cli, "reward of %s %s, transaction %s", cli_amount_text(cli, &paid),
             x->pool.token_symbol, cli_hash_text(cli, &tx));
    CHECK(json_object_update_new(result,
                                 json_pack("{s:I, s:s, s:s, s:s, s:s}", "proof", (json_int_t)index,
                                           "score", cli_amount_text(cli, &proof.score), "proof_url",
                                           proof.proof_url, "reward", cli_amount_text(cli, &paid),
                                           "reward_transaction", cli_hash_text(cli, &tx))) == 0);
    return RC_OK;
}

/* The number the registry has for a URL; 0: none. */
static enum rc registered_as(struct cli *cli, const struct contribution *x, const char *url,
                             uint64_t *out, struct err *e)
{
    struct chain_client *c;
    struct abi_value v;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->registry, "fileIdByUrl(string)(uint256)", &url, 1, e));
    *out = value_u64(&v, 0);
    return RC_OK;
}

/* The CID that --resume names, itself or by a file's number. */
static enum rc resume_cid(struct cli *cli, const struct contribution *x, const char **out,
                          struct err *e)
{
    struct chain_client *c;
    struct abi_value v;
    uint64_t id;
    char *url;

    *out = resume;
    if (resume[0] < '0' || resume[0] > '9')
        return RC_OK;
    TRY(cli_number(&id, resume, "file", UINT64_MAX, e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->registry,
                      "files(uint256)((uint256,address,string,uint256,uint256))", &resume, 1, e));
    url = value_str(&cli->mem, value_item(&v, 0), 2);
    *out = strncmp(url, "ipfs://", 7) == 0 ? url + 7 : url;
    return RC_OK;
}

/* A job of ours for this file that is still open: asked for before the interruption. */
static enum rc open_job(struct cli *cli, struct contribution *x, struct err *e)
{
    const char *arg = contract_arg_u64(&cli->mem, x->file_id);
    const struct abi_value *jobs;
    struct chain_client *c;
    struct abi_value v;

    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &x->tee_pool, "fileJobIds(uint256)(uint256[])", &arg, 1,
                      e));
    jobs = value_item(&v, 0);
    for (size_t i = jobs->n_items; i-- > 0 && x->job_id == 0;) {
        uint64_t status;
        struct address asker;
        uint64_t id = value_u64(jobs, i);

        TRY(job_state(cli, x, id, &status, &asker, e));
        if ((status == JOB_SUBMITTED || status == JOB_COMPLETED) && address_eq(&asker, &x->owner))
            x->job_id = id;
    }
    return RC_OK;
}

/* A job that was called off runs no more: another is asked for. */
static enum rc forget_canceled(struct cli *cli, struct contribution *x, struct err *e)
{
    struct address asker;
    uint64_t status;

    if (x->job_id == 0)
        return RC_OK;
    TRY(job_state(cli, x, x->job_id, &status, &asker, e));
    if (status == JOB_CANCELED)
        x->job_id = 0;
    return RC_OK;
}

/* Take up where the record says. */
static enum rc take_up(struct cli *cli, struct contribution *x, struct err *e)
{
    json_auto_t *record = NULL;
    const char *text, *cid;
    uint64_t pool;

    TRY(resume_cid(cli, x, &cid, e));
    TRY(record_read(cli, &record, x->chain_id, cid, e));
    TRY(json_u64(&x->job_id, record, "job_id", UINT64_MAX, e));
    TRY(json_u64(&pool, record, "pool", UINT64_MAX, e));
    TRY(json_str(&text, record, "seed", 1024, e));
    x->seed = arena_strdup(&cli->mem, bytes_str(text));
    TRY(json_str(&text, record, "url", 1024, e));
    x->url = arena_strdup(&cli->mem, bytes_str(text));
    x->cid = strncmp(x->url, "ipfs://", 7) == 0 ? x->url + 7 : x->url;
    TRY(cli_pool(cli, &x->pool, contract_arg_u64(&cli->mem, pool), e));
    TRY(cli_check_pool(cli, &x->pool, contract_arg_u64(&cli->mem, pool), e));
    TRY(registered_as(cli, x, x->url, &x->file_id, e));
    if (x->file_id == 0)
        TRY(register_file(cli, x, e));
    TRY(forget_canceled(cli, x, e));
    if (x->job_id == 0)
        TRY(open_job(cli, x, e));
    return record_write(cli, x, e);
}

static enum rc begin(struct cli *cli, struct contribution *x, struct err *e)
{
    AUTO_CLEAR(sealing) struct sealing sealing = SEALING_NONE;

    if (resume != NULL)
        return take_up(cli, x, e);
    if (cli->n_args != 1 || pool_name == NULL)
        return err_set(e, RC_MALFORMED, "give a FILE and --pool POOL (cloister pool list)");
    TRY(seal_begin(&sealing, cli, x, cli->args[0], e));
    TRY(cli_pool(cli, &x->pool, pool_name, e));
    TRY(cli_check_pool(cli, &x->pool, pool_name, e));
    TRY(store_sealed(cli, x, &sealing, cli->args[0], e));
    /* Before anything is on chain: the seed is the only way to the file's key. The file's number
     * the chain tells by its URL. */
    TRY(record_write(cli, x, e));
    return register_file(cli, x, e);
}

/* Have the job run, unless its proof is on chain already. */
static enum rc have_proof(struct cli *cli, const struct contribution *x, struct err *e)
{
    json_auto_t *answer = NULL;
    struct address asker;
    uint64_t status;
    struct err why;
    enum rc rc;

    TRY(job_state(cli, x, x->job_id, &status, &asker, e));
    if (status == JOB_COMPLETED)
        return RC_OK;
    rc = run_proof(cli, x, &answer, &why);
    if (rc == RC_OK)
        return RC_OK;
    /* The worker may have finished although its answer did not arrive. */
    TRY(job_state(cli, x, x->job_id, &status, &asker, e));
    if (status == JOB_COMPLETED)
        return RC_OK;
    return err_set(e, rc, "file %llu, job %llu: %s", (unsigned long long)x->file_id,
                   (unsigned long long)x->job_id, why.msg);
}

static enum rc contribute(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct contribution x = {.key = &key};
    json_t *result;
    enum rc rc;

    TRY(cli_key(cli, &key, e));
    secp_key_address(&x.owner, &key);
    TRY(cli_contract(cli, &x.registry, "DataRegistry", e));
    TRY(cli_contract(cli, &x.tee_pool, "TeePool", e));
    TRY(cli_chain_id(cli, &x.chain_id, e));
    TRY(cli_secrets_check(cli, &secret_list, e));
    TRY(begin(cli, &x, e));
    if (x.job_id == 0) {
        TRY(request_job(cli, &x, e));
        TRY(record_write(cli, &x, e));
    }
    TRY(have_proof(cli, &x, e));
    result = json_pack("{s:I, s:I, s:I, s:s, s:s}", "file", (json_int_t)x.file_id, "job",
                       (json_int_t)x.job_id, "pool", (json_int_t)x.pool.id, "url", x.url, "owner",
                       cli_addr_text(cli, &x.owner));
    CHECK(result != NULL);
    if (follow) {
        rc = finish(cli, &x, result, e);
        if (rc != RC_OK) {
            json_decref(result);
            return rc;
        }
        cli_print(cli, "file %llu is proved and rewarded", (unsigned long long)x.file_id);
    } else {
        cli_print(cli, "file %llu is proved (job %llu)", (unsigned long long)x.file_id,
                  (unsigned long long)x.job_id);
        cli_hint(cli, "cloister reward %llu", (unsigned long long)x.file_id);
    }
    cli_json(cli, result);
    return RC_OK;
}

const struct cli_command CLI_CONTRIBUTE = {
    .name = "contribute",
    .args = "FILE",
    .summary = "encrypt a file, store and register it, have it validated",
    .details = "The file is encrypted with a key made by your signature over a message of its own, "
               "so that\n"
               "only you, and the worker you send the key to, can open it. The worker runs the "
               "validator of\n"
               "the pool and writes its proof on chain; with --follow the pool's reward is asked "
               "for too.\n"
               "An interrupted contribution goes on with --resume FILE_ID.",
    .fn = contribute,
    .options = OPTIONS,
    .min_args = 0,
    .max_args = 1,
};
