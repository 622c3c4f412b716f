/* contribute: the whole of a contribution, from a file to a reward, one step after the other. What
 * is needed to go on after an interruption is written down (contributions/FILE_ID.json) before the
 * step that needs it. */
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "chain/registration.h"
#include "cli/internal/commands.h"
#include "cli/internal/contribution.h"
#include "cli/internal/proved.h"
#include "cli/internal/sealing.h"
#include "cli/internal/secrets.h"
#include "os/file.h"

#include <stdio.h>

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
    if (url[0] == '\0')
        return err_set(e, RC_NOTFOUND, "no file %s is registered", resume);
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
    rc = contribution_run(cli, x, &secret_list, &answer, &why);
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
    json_auto_t *env = NULL;
    json_t *result;
    enum rc rc;

    TRY(cli_key(cli, &key, e));
    secp_key_address(&x.owner, &key);
    TRY(cli_contract(cli, &x.registry, "DataRegistry", e));
    TRY(cli_contract(cli, &x.tee_pool, "TeePool", e));
    TRY(cli_chain_id(cli, &x.chain_id, e));
    TRY(cli_secrets_check(cli, &secret_list, e));
    TRY(contribution_env(&env, &env_list, e));
    x.env = env;
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
