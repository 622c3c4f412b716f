#include "worker/proof/onchain.h"

#include "base/mem.h"
#include "chain/contracts.h"
#include "client/light_client.h"
#include "light/contracts.h"
#include "worker/internal/fresh.h"

_Static_assert(ONCHAIN_NONE == (int)JOB_NONE && ONCHAIN_SUBMITTED == (int)JOB_SUBMITTED &&
                   ONCHAIN_COMPLETED == (int)JOB_COMPLETED && ONCHAIN_CANCELED == (int)JOB_CANCELED,
               "a job's status as TeePool keeps it");

#define RECEIPT_WAIT_MS 30000
#define MAX_POOLS 1000 /* looked through for one with a given validator */
#define SCAN_PROOFS 64 /* newest proofs of a file looked through */

static enum rc call(struct worker *w, struct buf *out, const struct address *to,
                    const struct buf *calldata, uint64_t height, struct err *e)
{
    return chain_call(w->chain, out, &w->keys->sender_address, to, buf_bytes(calldata), height, e);
}

/* Texts from the chain become JSON and C strings here. */
static enum rc check_text(struct bytes text, const char *what, struct err *e)
{
    json_auto_t *v = json_stringn((const char *)text.p, text.n);

    if (v == NULL || (text.n != 0 && memchr(text.p, 0, text.n) != NULL))
        return err_set(e, RC_MALFORMED, "%s is not UTF-8 text", what);
    return RC_OK;
}

static enum rc read_job(struct onchain_job *out, struct bytes reply, uint64_t job_id, struct err *e)
{
    struct tee_pool_Job job;

    TRY(tee_pool_get_jobs(&job, NULL, reply, e));
    if (!u256_to_u64(&job.fileId, &out->file_id))
        return err_set(e, RC_RANGE, "job %llu: its file's number is above 64 bits",
                       (unsigned long long)job_id);
    out->status = job.status;
    out->owner = job.ownerAddress;
    out->tee = job.teeAddress;
    return RC_OK;
}

static enum rc read_file(struct onchain_file *out, struct arena *a, struct bytes reply,
                         uint64_t file_id, struct err *e)
{
    struct data_registry_FileResponse file;

    TRY(data_registry_get_files(&file, a, reply, e));
    if (address_is_zero(&file.ownerAddress))
        return err_set(e, RC_NOTFOUND, "file %llu is not registered", (unsigned long long)file_id);
    TRY(check_text(file.url, "the file's URL", e));
    out->owner = file.ownerAddress;
    out->url = arena_strdup(a, file.url);
    return RC_OK;
}

static enum rc read_dlp(struct address *out, struct arena *a, struct bytes reply, uint64_t dlp_id,
                        struct err *e)
{
    struct dlp_registry_DlpInfo dlp;

    TRY(dlp_registry_get_dlps(&dlp, a, reply, e));
    if (address_is_zero(&dlp.dlpAddress))
        return err_set(e, RC_NOTFOUND, "pool %llu is not registered", (unsigned long long)dlp_id);
    *out = dlp.dlpAddress;
    return RC_OK;
}

static enum rc read_instruction(char **out, struct arena *a, struct bytes reply, struct err *e)
{
    struct bytes text;

    TRY(data_liquidity_pool_get_proofInstruction(&text, NULL, reply, e));
    TRY(check_text(text, "the pool's proofInstruction", e));
    *out = arena_strdup(a, text);
    return RC_OK;
}

/* ---- one look ---- */

enum { LOOK_JOB, LOOK_FILE, LOOK_STARTED, LOOK_DLP, LOOK_INSTRUCTION, N_LOOKS };
/* Proved only, and next to the instruction. */
enum { LOOK_SECRETS = N_LOOKS, N_PROVED };
_Static_assert(LOOK_SECRETS == LOOK_INSTRUCTION + 1, "a pool's settings are read together");

/* Where a pool's contract was when it was last asked for: lets its instruction be read together
 * with the registry's answer, which is still what counts. */
static struct address guess_pool(struct worker *w, uint64_t dlp_id)
{
    struct address a;

    (void)pthread_mutex_lock(&w->lock);
    a = w->pools[dlp_id % WORKER_MAX_POOLS].dlp_id == dlp_id
            ? w->pools[dlp_id % WORKER_MAX_POOLS].address
            : (struct address){0};
    (void)pthread_mutex_unlock(&w->lock);
    return a;
}

static void remember_pool(struct worker *w, uint64_t dlp_id, const struct address *a)
{
    (void)pthread_mutex_lock(&w->lock);
    w->pools[dlp_id % WORKER_MAX_POOLS] = (struct pool_slot){dlp_id, *a};
    (void)pthread_mutex_unlock(&w->lock);
}

static struct chain_request request(const struct worker *w, const struct address *to,
                                    const struct buf *data)
{
    return chain_call_request(&w->keys->sender_address, to, buf_bytes(data), CHAIN_LATEST);
}

static enum rc look_at_pool(struct worker *w, struct onchain_pool *out, struct arena *a,
                            const struct chain_request *r, const struct address *guess,
                            uint64_t dlp_id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf reply = {0};

    TRY(chain_request_data(&reply, &r[LOOK_DLP], e));
    TRY(read_dlp(&out->address, a, buf_bytes(&reply), dlp_id, e));
    if (!address_eq(&out->address, guess)) {
        remember_pool(w, dlp_id, &out->address);
        return onchain_instruction_at(w, &out->instruction, a, &out->address, CHAIN_LATEST, e);
    }
    buf_reset(&reply);
    TRY(chain_request_data(&reply, &r[LOOK_INSTRUCTION], e));
    return read_instruction(&out->instruction, a, buf_bytes(&reply), e);
}

static enum rc look_at_start(struct onchain_view *out, const struct chain_request *r, struct err *e)
{
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 at;
    enum rc rc = chain_request_data(&reply, r, e);

    if (rc == RC_OK)
        rc = tee_pool_get_jobStartedAt(&at, NULL, buf_bytes(&reply), e);
    if (rc == RC_DENIED || rc == RC_NOTFOUND || rc == RC_MALFORMED)
        return RC_OK; /* a contract without starts: Vana's */
    TRY(rc);
    out->has_starts = true;
    out->started = !u256_is_zero(&at);
    return RC_OK;
}

/* ---- the same, proved ---- */

static enum rc proved_file(struct onchain_file *out, struct arena *a, struct bytes value,
                           uint64_t file_id, struct err *e)
{
    st_file f;

    TRY(data_registry_file_of_get(&f, value, e));
    if (address_is_zero(&f.owner))
        return err_set(e, RC_NOTFOUND, "file %llu is not registered", (unsigned long long)file_id);
    TRY(check_text(f.url, "the file's URL", e));
    out->owner = f.owner;
    out->url = arena_strdup(a, f.url);
    return RC_OK;
}

static enum rc proved_job(struct onchain_job *out, struct bytes value, uint64_t job_id,
                          struct err *e)
{
    st_job j;

    TRY(tee_pool_job_of_get(&j, value, e));
    if (!u256_to_u64(&j.file_id, &out->file_id))
        return err_set(e, RC_RANGE, "job %llu: its file's number is above 64 bits",
                       (unsigned long long)job_id);
    out->status = j.status;
    out->owner = j.owner;
    out->tee = j.tee;
    return RC_OK;
}

/* What a pool's contract keeps of its validator. */
enum { POOL_INSTRUCTION, POOL_SECRETS, N_POOL };

static enum rc proved_settings(struct onchain_pool *out, struct arena *a,
                               const struct light_value v[N_POOL], struct err *e)
{
    struct bytes text;

    TRY(data_pool_instruction_get(&text, v[POOL_INSTRUCTION].value, e));
    TRY(check_text(text, "the pool's proofInstruction", e));
    out->instruction = arena_strdup(a, text);
    TRY(data_pool_sealed_secrets_get(&text, v[POOL_SECRETS].value, e));
    out->secrets = text.n != 0 ? arena_strdup(a, text) : NULL;
    return RC_OK;
}

/* From the registry's record and, if the guess was right, what stood in the pool's contract. */
static enum rc proved_pool(struct worker *w, struct onchain_pool *out, struct arena *a,
                           struct bytes record, const struct address *guess,
                           const struct light_value *settings, uint64_t dlp_id, struct err *e)
{
    struct light_value *v;
    st_dlp dlp;

    TRY(dlp_registry_dlp_of_get(&dlp, record, e));
    if (address_is_zero(&dlp.dlp))
        return err_set(e, RC_NOTFOUND, "pool %llu is not registered", (unsigned long long)dlp_id);
    out->address = dlp.dlp;
    if (!address_eq(&dlp.dlp, guess)) {
        const struct light_key keys[N_POOL] = {
            [POOL_INSTRUCTION] = data_pool_instruction_key(&dlp.dlp),
            [POOL_SECRETS] = data_pool_sealed_secrets_key(&dlp.dlp)};

        remember_pool(w, dlp_id, &dlp.dlp);
        TRY(light_client_read(w->light, &v, a, keys, N_POOL, 0, NULL, e));
        settings = v;
    }
    return proved_settings(out, a, settings, e);
}

/* All of one height, in one answer. */
static enum rc prove_view(struct worker *w, struct onchain_view *out, struct arena *a,
                          uint64_t job_id, uint64_t file_id, uint64_t dlp_id, uint64_t min_height,
                          struct err *e)
{
    const struct u256 job = u256_from_u64(job_id), file = u256_from_u64(file_id);
    const struct address guess = guess_pool(w, dlp_id);
    const struct light_key keys[] = {
        [LOOK_JOB] = tee_pool_job_of_key(&w->config.tee_pool, job),
        [LOOK_FILE] = data_registry_file_of_key(&w->config.data_registry, file),
        [LOOK_STARTED] = tee_pool_started_at_key(&w->config.tee_pool, job),
        [LOOK_DLP] = dlp_registry_dlp_of_key(&w->config.dlp_registry, u256_from_u64(dlp_id)),
        [LOOK_INSTRUCTION] = data_pool_instruction_key(&guess),
        [LOOK_SECRETS] = data_pool_sealed_secrets_key(&guess)};
    struct light_value *v;
    uint64_t started = 0;

    memset(out, 0, sizeof(*out));
    TRY(light_client_read(w->light, &v, a, keys, N_PROVED, min_height, NULL, e));
    out->job_rc = proved_job(&out->job, v[LOOK_JOB].value, job_id, &out->job_err);
    out->file_rc = proved_file(&out->file, a, v[LOOK_FILE].value, file_id, &out->file_err);
    out->starts_rc = tee_pool_started_at_get(&started, v[LOOK_STARTED].value, &out->starts_err);
    out->has_starts = true;
    out->started = started != 0;
    if (dlp_id != 0)
        out->pool_rc = proved_pool(w, &out->pool, a, v[LOOK_DLP].value, &guess,
                                   &v[LOOK_INSTRUCTION], dlp_id, &out->pool_err);
    return RC_OK;
}

/* A job asked for a moment ago may be in a block whose state the next one has yet to prove. */
static enum rc look_proved(struct worker *w, struct onchain_view *out, struct arena *a,
                           uint64_t job_id, uint64_t file_id, uint64_t dlp_id, struct err *e)
{
    uint64_t newest;

    TRY(fresh_ensure(w, e));
    TRY(prove_view(w, out, a, job_id, file_id, dlp_id, w->own_height, e));
    if (out->job_rc != RC_OK || out->job.status != JOB_NONE)
        return RC_OK;
    TRY(light_client_newest(w->light, &newest, e));
    return prove_view(w, out, a, job_id, file_id, dlp_id, newest, e);
}

enum rc onchain_look(struct worker *w, struct onchain_view *out, struct arena *a, uint64_t job_id,
                     uint64_t file_id, uint64_t dlp_id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 job = u256_from_u64(job_id), file = u256_from_u64(file_id);
    struct u256 dlp = u256_from_u64(dlp_id);
    struct address guess = guess_pool(w, dlp_id);
    struct chain_request r[N_LOOKS];
    enum rc rc;

    if (w->light != NULL)
        return look_proved(w, out, a, job_id, file_id, dlp_id, e);
    memset(out, 0, sizeof(*out));
    tee_pool_put_jobs(&data, &job);
    r[LOOK_JOB] = request(w, &w->config.tee_pool, &data);
    buf_reset(&data);
    data_registry_put_files(&data, &file);
    r[LOOK_FILE] = request(w, &w->config.data_registry, &data);
    buf_reset(&data);
    tee_pool_put_jobStartedAt(&data, &job);
    r[LOOK_STARTED] = request(w, &w->config.tee_pool, &data);
    buf_reset(&data);
    dlp_registry_put_dlps(&data, &dlp);
    r[LOOK_DLP] = request(w, &w->config.dlp_registry, &data);
    buf_reset(&data);
    data_liquidity_pool_put_proofInstruction(&data);
    r[LOOK_INSTRUCTION] = request(w, &guess, &data);
    rc = chain_rpc_batch(w->chain, r,
                         dlp_id == 0               ? LOOK_DLP
                         : address_is_zero(&guess) ? LOOK_INSTRUCTION
                                                   : N_LOOKS,
                         e);
    if (rc == RC_OK) {
        out->job_rc = chain_request_data(&reply, &r[LOOK_JOB], &out->job_err);
        if (out->job_rc == RC_OK)
            out->job_rc = read_job(&out->job, buf_bytes(&reply), job_id, &out->job_err);
        buf_reset(&reply);
        out->file_rc = chain_request_data(&reply, &r[LOOK_FILE], &out->file_err);
        if (out->file_rc == RC_OK)
            out->file_rc = read_file(&out->file, a, buf_bytes(&reply), file_id, &out->file_err);
        out->starts_rc = look_at_start(out, &r[LOOK_STARTED], &out->starts_err);
        if (dlp_id != 0)
            out->pool_rc = look_at_pool(w, &out->pool, a, r, &guess, dlp_id, &out->pool_err);
    }
    for (size_t i = 0; i < N_LOOKS; i++)
        chain_request_clear(&r[i]);
    return rc;
}

enum rc onchain_instruction_at(struct worker *w, char **out, struct arena *a,
                               const struct address *pool, uint64_t height, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};

    data_liquidity_pool_put_proofInstruction(&data);
    if (height == CHAIN_LATEST || call(w, &reply, pool, &data, height, NULL) != RC_OK) {
        buf_reset(&reply);
        TRY(call(w, &reply, pool, &data, CHAIN_LATEST, e));
    }
    return read_instruction(out, a, buf_bytes(&reply), e);
}

enum rc onchain_pool_get(struct worker *w, struct onchain_pool *out, struct arena *a,
                         uint64_t dlp_id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 id = u256_from_u64(dlp_id);

    if (w->light != NULL) {
        const struct address none = {0};
        struct light_key key = dlp_registry_dlp_of_key(&w->config.dlp_registry, id);
        struct bytes record;

        TRY(light_client_value(w->light, &record, a, &key, 0, e));
        return proved_pool(w, out, a, record, &none, NULL, dlp_id, e);
    }
    out->secrets = NULL;
    dlp_registry_put_dlps(&data, &id);
    TRY(call(w, &reply, &w->config.dlp_registry, &data, CHAIN_LATEST, e));
    TRY(read_dlp(&out->address, a, buf_bytes(&reply), dlp_id, e));
    return onchain_instruction_at(w, &out->instruction, a, &out->address, CHAIN_LATEST, e);
}

static bool names(struct worker *w, uint64_t dlp_id, const char *instruction)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct onchain_pool pool;

    return onchain_pool_get(w, &pool, &a, dlp_id, NULL) == RC_OK &&
           strcmp(pool.instruction, instruction) == 0;
}

enum rc onchain_pool_find(struct worker *w, uint64_t *dlp_id, const char *instruction,
                          uint64_t hint, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 count;
    uint64_t n;

    dlp_registry_put_dlpsCount(&data);
    TRY(call(w, &reply, &w->config.dlp_registry, &data, CHAIN_LATEST, e));
    TRY(dlp_registry_get_dlpsCount(&count, NULL, buf_bytes(&reply), e));
    if (!u256_to_u64(&count, &n) || n > MAX_POOLS)
        n = MAX_POOLS;
    for (uint64_t i = 0; i <= n; i++) {
        *dlp_id = i == 0 ? hint : i;
        if (*dlp_id != 0 && names(w, *dlp_id, instruction))
            return RC_OK;
    }
    *dlp_id = 0;
    return err_set(e, RC_NOTFOUND, "no pool names %.100s as its validator", instruction);
}

/* ---- writing ---- */

/* Sign and hand to the node under one lock, so that nonces reach it in order. */
static enum rc send_locked(struct worker *w, struct hash32 *hash, const struct buf *data,
                           struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    const struct chain_send s = {.to = &w->config.tee_pool, .data = buf_bytes(data)};
    enum rc rc;

    (void)pthread_mutex_lock(&w->send);
    rc = chain_sign(w->chain, &raw, hash, &w->keys->sender, &s, e);
    if (rc == RC_OK) {
        rc = chain_send_raw(w->chain, buf_bytes(&raw), e);
        if (rc != RC_OK)
            chain_nonce_reset(w->chain, &w->keys->sender_address);
    }
    (void)pthread_mutex_unlock(&w->send);
    return rc;
}

void onchain_saw(struct worker *w, uint64_t height)
{
    uint64_t old = w->own_height;

    while (old < height && !atomic_compare_exchange_weak(&w->own_height, &old, height))
        ;
}

enum rc onchain_send(struct worker *w, const struct buf *data, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_receipt receipt;
    struct hash32 hash;

    TRY(send_locked(w, &hash, data, e));
    TRY(chain_receipt_wait(w->chain, &receipt, &a, &hash, RECEIPT_WAIT_MS, e));
    onchain_saw(w, receipt.height);
    return receipt.ok ? RC_OK : err_set(e, RC_DENIED, "the transaction was reverted");
}

enum rc onchain_ensure_signer(struct worker *w, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct address announced;
    bool with_sender = false;
    enum rc rc;

    (void)pthread_mutex_lock(&w->lock);
    rc = w->signer_ready ? RC_OK : RC_AGAIN;
    (void)pthread_mutex_unlock(&w->lock);
    if (rc == RC_OK)
        return RC_OK;
    tee_pool_put_teeProofSigner(&data, &w->keys->sender_address);
    rc = call(w, &reply, &w->config.tee_pool, &data, CHAIN_LATEST, e);
    if (rc == RC_OK)
        rc = tee_pool_get_teeProofSigner(&announced, NULL, buf_bytes(&reply), e);
    if (rc == RC_DENIED || rc == RC_NOTFOUND || rc == RC_MALFORMED) {
        /* Vana's contract knows the worker's address alone. */
        with_sender = true;
    } else if (rc != RC_OK) {
        return rc;
    } else if (!address_eq(&announced, &w->keys->signer_address)) {
        buf_reset(&data);
        tee_pool_put_setProofSigner(&data, &w->keys->signer_address);
        TRY(onchain_send(w, &data, e));
    }
    (void)pthread_mutex_lock(&w->lock);
    w->signs_with_sender = with_sender;
    w->signer_ready = true;
    (void)pthread_mutex_unlock(&w->lock);
    return RC_OK;
}

enum rc onchain_start_job(struct worker *w, struct hash32 *hash, uint64_t job_id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct u256 id = u256_from_u64(job_id);

    tee_pool_put_startJob(&data, &id);
    return send_locked(w, hash, &data, e);
}

enum rc onchain_reject_job(struct worker *w, uint64_t job_id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct u256 id = u256_from_u64(job_id);
    enum rc rc;

    tee_pool_put_rejectJob(&data, &id);
    /* The requester is answered when the payment is back. A refusal means that the job is over
     * already, or that the contract is Vana's. */
    rc = onchain_send(w, &data, e);
    return rc == RC_DENIED ? RC_OK : rc;
}

static bool is_transport(enum rc rc)
{
    return rc == RC_IO || rc == RC_TIMEOUT || rc == RC_CLOSED || rc == RC_AGAIN;
}

enum rc onchain_price_proof(struct worker *w, struct chain_price *out, struct bytes calldata,
                            struct err *e)
{
    const struct chain_send s = {.to = &w->config.tee_pool, .data = calldata};

    return chain_ask_price(w->chain, out, &w->keys->sender_address, &s, e);
}

/* Signed and written down: from now on it may be sent. */
static enum rc sign_proof(struct worker *w, struct journal_entry *j, struct bytes calldata,
                          const struct chain_price *price, struct err *e)
{
    const struct chain_send s = {.to = &w->config.tee_pool, .data = calldata, .price = price};

    buf_reset(&j->tx);
    TRY(chain_sign(w->chain, &j->tx, &j->tx_hash, &w->keys->sender, &s, e));
    return journal_add_tx(w->config.dir, j, e);
}

enum rc onchain_submit_proof(struct worker *w, struct journal_entry *j, struct bytes calldata,
                             const struct chain_price *price, struct chain_receipt *receipt,
                             struct arena *a, struct err *e)
{
    bool sent = false;
    enum rc rc;

    /* Others may sign and send while this is on its way: the pool keeps what comes before its
     * nonce. */
    (void)pthread_mutex_lock(&w->send);
    rc = sign_proof(w, j, calldata, price, e);
    (void)pthread_mutex_unlock(&w->send);
    if (rc == RC_OK) {
        rc = chain_send_wait(w->chain, receipt, a, buf_bytes(&j->tx), RECEIPT_WAIT_MS, &sent, e);
        if (rc == RC_OK || sent)
            return rc;
        if (is_transport(rc))
            return err_set(e, RC_AGAIN,
                           "the ledger cannot be reached; the proof is kept and sent later");
    }
    /* The node refused it, or it could not be kept: as if it had never been signed. */
    chain_nonce_reset(w->chain, &w->keys->sender_address);
    buf_reset(&j->tx);
    (void)!journal_put(w->config.dir, j, NULL);
    return rc;
}

enum rc onchain_claim(struct worker *w, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct tee_pool_TeeInfo tee;

    tee_pool_put_tees(&data, &w->keys->sender_address);
    TRY(call(w, &reply, &w->config.tee_pool, &data, CHAIN_LATEST, e));
    TRY(tee_pool_get_tees(&tee, NULL, buf_bytes(&reply), e));
    if (u256_cmp(&tee.amount, &tee.withdrawnAmount) <= 0)
        return RC_OK;
    buf_reset(&data);
    tee_pool_put_claim(&data);
    return onchain_send(w, &data, e);
}

/* ---- finding a proof again ---- */

static enum rc proofs_count(struct worker *w, uint64_t *n, const struct u256 *file, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 count;

    data_registry_put_fileProofsCount(&data, file);
    TRY(call(w, &reply, &w->config.data_registry, &data, CHAIN_LATEST, e));
    TRY(data_registry_get_fileProofsCount(&count, NULL, buf_bytes(&reply), e));
    return u256_to_u64(&count, n) ? RC_OK : err_set(e, RC_RANGE, "proof count");
}

static enum rc is_of_job(struct worker *w, bool *is, const struct u256 *file, uint64_t index,
                         uint64_t job_id, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 i = u256_from_u64(index), job = u256_from_u64(job_id);
    struct tee_pool_ProofRecord record;

    tee_pool_put_proofRecord(&data, file, &i);
    TRY(call(w, &reply, &w->config.tee_pool, &data, CHAIN_LATEST, e));
    TRY(tee_pool_get_proofRecord(&record, NULL, buf_bytes(&reply), e));
    *is = u256_cmp(&record.jobId, &job) == 0;
    return RC_OK;
}

static enum rc read_proof(struct worker *w, struct onchain_proof *out, struct arena *a,
                          const struct u256 *file, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf reply = {0};
    struct u256 index = u256_from_u64(out->index);
    struct data_registry_Proof proof;

    data_registry_put_fileProofs(&data, file, &index);
    TRY(call(w, &reply, &w->config.data_registry, &data, CHAIN_LATEST, e));
    TRY(data_registry_get_fileProofs(&proof, a, buf_bytes(&reply), e));
    TRY(check_text(proof.data.proofUrl, "the proof's URL", e));
    out->url = arena_strdup(a, proof.data.proofUrl);
    out->score = proof.data.score;
    out->dlp_id = proof.data.dlpId;
    return RC_OK;
}

enum rc onchain_find_proof(struct worker *w, struct onchain_proof *out, struct arena *a,
                           uint64_t job_id, uint64_t file_id, struct err *e)
{
    struct u256 file = u256_from_u64(file_id);
    uint64_t n = 0;

    memset(out, 0, sizeof(*out));
    TRY(proofs_count(w, &n, &file, e));
    for (uint64_t i = n; i > 0 && n - i < SCAN_PROOFS; i--) {
        bool is = false;

        TRY(is_of_job(w, &is, &file, i, job_id, e));
        if (!is)
            continue;
        out->index = i;
        return read_proof(w, out, a, &file, e);
    }
    return err_set(e, RC_NOTFOUND, "no recorded proof of job %llu for file %llu",
                   (unsigned long long)job_id, (unsigned long long)file_id);
}
