/* One proof of contribution from request to record (DESIGN.md §6.4-6.5). What is decrypted lives in
 * memory files that no name leads to, and only while the validator runs. */
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/contracts.h"
#include "chain/contribution.h"
#include "client/store_client.h"
#include "crypto/hash.h"
#include "crypto/openpgp.h"
#include "jail/jail.h"
#include "os/clock.h"
#include "os/file.h"
#include "worker/internal/enroll.h"
#include "worker/proof/consent.h"
#include "worker/proof/container.h"
#include "worker/proof/document.h"
#include "worker/proof/fetch.h"
#include "worker/proof/image_agent.h"
#include "worker/proof/journal.h"
#include "worker/proof/onchain.h"
#include "worker/proof/request.h"
#include "worker/proof/results.h"
#include "worker/proof/secrets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>

#define RECEIPT_WAIT_MS 30000
#define URL_PREFIX "ipfs://"

/* Writing down and telling the chain goes on beside fetching and decrypting. Until it is joined it
 * alone uses the journal entry. */
struct beginning {
    pthread_t thread;
    bool runs;
    bool begun; /* written down, and the start is in the node's hands */
    enum rc rc;
    struct err err;
    unsigned http;
    const char *code;
};

struct job {
    struct worker *w;
    struct task *t;
    struct run_request *r;
    struct arena arena;
    unsigned http; /* how a failure of the current step is answered */
    const char *code;
    struct onchain_view view;
    struct onchain_job chain;
    struct onchain_file file;
    uint64_t dlp_id;
    struct onchain_pool pool;
    struct secbuf key;
    json_t *secrets; /* opened, until the validator has them */
    int cipher_fd, plain_fd;
    uint64_t cipher_size, plain_size;
    struct hash32 cipher_sha256, plain_sha256;
    struct beginning beginning;
    struct validator validator;
    struct validator_process *program; /* waits for the plaintext; one of the two */
    struct jail_process *container;
    struct image_agent *agent; /* of the container; NULL: none */
    struct validator_outcome outcome;
    struct results results;
    struct journal_entry entry;
    uint64_t started_ms;
    const char *step; /* the current one, for the log, and when it began */
    uint64_t step_ns;
    json_t *proof; /* the answer */
};

/* Where the time of a job goes, at level debug. */
static void log_step(struct job *j, const char *next)
{
    uint64_t now = clock_mono_ns();

    if (j->step != NULL && next != NULL && strcmp(j->step, next) == 0)
        return;
    if (j->step != NULL)
        log_debug("worker", "job %llu: %s took %llu us", (unsigned long long)j->r->job_id, j->step,
                  (unsigned long long)((now - j->step_ns) / 1000));
    j->step = next;
    j->step_ns = now;
}

/* From here on a failure means this. */
static void step(struct job *j, const char *name, unsigned http, const char *code)
{
    log_step(j, name);
    j->http = http;
    j->code = code;
    task_step(j->w, j->t, name);
}

static struct consent_subject subject_of(const struct job *j)
{
    return (struct consent_subject){.request = j->r,
                                    .job = &j->chain,
                                    .file = &j->file,
                                    .instruction = j->pool.instruction != NULL ? j->pool.instruction
                                                                               : j->r->proof_url,
                                    .now_s = clock_wall_ns() / 1000000000};
}

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(json_object_set_new(o, key, v) == 0);
}

static void set_proof(struct job *j, const struct onchain_proof *p)
{
    struct u256 unit = u256_from_u64(1000000000000000ull), parts;
    uint64_t thousandths = 0;

    if (u256_divmod(&parts, NULL, &p->score, &unit))
        (void)u256_to_u64(&parts, &thousandths);
    j->proof = json_object();
    set(j->proof, "job_id", json_integer((json_int_t)j->r->job_id));
    set(j->proof, "file_id", json_integer((json_int_t)j->r->file_id));
    set(j->proof, "dlp_id", json_dec_new(&p->dlp_id));
    set(j->proof, "index", json_integer((json_int_t)p->index));
    set(j->proof, "score", json_real((double)thousandths / RESULTS_SCALE));
    set(j->proof, "score_wei", json_dec_new(&p->score));
    set(j->proof, "url", json_string(p->url));
    if (!hash32_is_zero(&p->tx_hash))
        set(j->proof, "tx_hash", json_hex_new(BYTES_OF(&p->tx_hash)));
}

/* ---- 1: is it ours, and may we? ---- */

static enum rc part(enum rc rc, const struct err *err, struct err *e)
{
    if (rc != RC_OK && e != NULL)
        *e = *err;
    return rc;
}

static enum rc check_job(struct job *j, bool *completed, struct err *e)
{
    const struct run_request *r = j->r;

    *completed = false;
    TRY(onchain_look(j->w, &j->view, &j->arena, r->job_id, r->file_id,
                     r->has_authorization ? r->dlp_id : 0, e));
    TRY(part(j->view.job_rc, &j->view.job_err, e));
    j->chain = j->view.job;
    j->http = 400;
    j->code = "INVALID_JOB";
    if (j->chain.status == ONCHAIN_NONE)
        return err_set(e, RC_NOTFOUND, "job %llu does not exist", (unsigned long long)r->job_id);
    if (!address_eq(&j->chain.tee, &j->w->keys->sender_address))
        return err_set(e, RC_DENIED, "job %llu is assigned to another worker",
                       (unsigned long long)r->job_id);
    if (j->chain.file_id != r->file_id)
        return err_set(e, RC_DENIED, "job %llu is about file %llu, not %llu",
                       (unsigned long long)r->job_id, (unsigned long long)j->chain.file_id,
                       (unsigned long long)r->file_id);
    if (j->chain.status == ONCHAIN_CANCELED)
        return err_set(e, RC_DENIED, "job %llu was cancelled", (unsigned long long)r->job_id);
    *completed = j->chain.status == ONCHAIN_COMPLETED;
    return RC_OK;
}

/* Which pool is this for? Vana's clients do not say: there it follows from the validator, helped by
 * the DLP_ID that some of them put into the environment. */
static enum rc find_pool(struct job *j, struct err *e)
{
    const struct run_request *r = j->r;
    const char *text = json_string_value(json_object_get(r->env, "DLP_ID"));
    uint64_t hint = 0;

    j->dlp_id = r->dlp_id;
    if (r->has_authorization && r->dlp_id != 0) {
        TRY(part(j->view.pool_rc, &j->view.pool_err, e));
        j->pool = j->view.pool;
    } else {
        if (text == NULL || parse_u64(&hint, bytes_str(text), UINT64_MAX >> 1, NULL) != RC_OK)
            hint = 0;
        if (!r->has_authorization)
            TRY(onchain_pool_find(j->w, &j->dlp_id, r->proof_url, hint, e));
        TRY(onchain_pool_get(j->w, &j->pool, &j->arena, j->dlp_id, e));
    }
    j->http = 400;
    j->code = "INVALID_PROOF_URL";
    if (strcmp(j->pool.instruction, r->proof_url) != 0)
        return err_set(e, RC_DENIED,
                       "proof_url is not what pool %llu names as its validator (%.100s)",
                       (unsigned long long)j->dlp_id, j->pool.instruction);
    return RC_OK;
}

static enum rc check_consent(struct job *j, struct err *e)
{
    const struct run_request *r = j->r;
    struct consent_subject s;

    step(j, "consent", 502, "CHAIN_UNAVAILABLE");
    TRY(part(j->view.file_rc, &j->view.file_err, e));
    j->file = j->view.file;
    if (r->has_authorization || j->w->config.profile == WORKER_VANA_COMPAT)
        TRY(find_pool(j, e));
    step(j, "consent", 403, "UNAUTHORIZED");
    s = subject_of(j);
    TRY(consent_check(j->w, &s, e));
    j->http = 400;
    j->code = "INVALID_KEY";
    return consent_key(j->w, &j->key, &s, e);
}

/* Before the start is on chain: where keepers are away the payment is not held up. */
static enum rc open_secrets(struct job *j, struct err *e)
{
    const struct consent_subject s = subject_of(j);
    enum secrets_fault fault = SECRETS_REQUEST;
    enum rc rc;

    step(j, "secrets", 400, "INVALID_SECRETS");
    rc = secrets_open(j->w, &j->secrets, &fault, &s, j->dlp_id, j->pool.secrets, e);
    if (rc == RC_OK)
        return RC_OK;
    switch (fault) {
    case SECRETS_REQUEST:
        break;
    case SECRETS_POOL:
        j->code = "INVALID_POOL_SECRETS";
        break;
    case SECRETS_KEY:
        j->http = 502;
        j->code = "KEYS_UNAVAILABLE";
        return err_wrap(e, rc,
                        "keepers did not give the key for this job's secrets, and the job "
                        "was given back");
    case SECRETS_CHAIN:
        j->http = 502;
        j->code = "CHAIN_UNAVAILABLE";
        break;
    case SECRETS_STOPPED:
        j->http = 503;
        j->code = "STARTING";
        break;
    }
    return rc;
}

/* ---- 2: write down, tell the chain ---- */

/* The pool's instruction as it stood when the job started (PROTOCOL.md P15). */
static enum rc check_start(struct job *j, const struct hash32 *hash, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_receipt receipt;
    char *instruction;

    TRY(chain_receipt_wait(j->w->chain, &receipt, &a, hash, RECEIPT_WAIT_MS, e));
    onchain_saw(j->w, receipt.height);
    if (!receipt.ok)
        return err_set(e, RC_DENIED, "job %llu could not be started (cancelled?)",
                       (unsigned long long)j->r->job_id);
    TRY(onchain_instruction_at(j->w, &instruction, &a, &j->pool.address, receipt.height, e));
    j->beginning.http = 400;
    j->beginning.code = "INVALID_PROOF_URL";
    if (strcmp(instruction, j->r->proof_url) != 0)
        return err_set(e, RC_DENIED, "the pool named another validator when the job started");
    return RC_OK;
}

static enum rc begin(struct job *j, struct err *e)
{
    struct beginning *b = &j->beginning;
    struct hash32 hash;

    b->http = 500;
    b->code = "WORKER_STORAGE";
    TRY(journal_put(j->w->config.dir, &j->entry, e));
    b->http = 502;
    b->code = "CHAIN_ERROR";
    TRY(onchain_ensure_signer(j->w, e));
    TRY(part(j->view.starts_rc, &j->view.starts_err, e));
    if (!j->view.has_starts || j->view.started) {
        b->begun = true;
        return RC_OK;
    }
    TRY(onchain_start_job(j->w, &hash, j->r->job_id, e));
    b->begun = true;
    return check_start(j, &hash, e);
}

static void *begin_main(void *job)
{
    struct job *j = job;

    j->beginning.rc = begin(j, &j->beginning.err);
    return NULL;
}

static enum rc begin_beside(struct job *j, struct err *e)
{
    int rc;

    step(j, "start", 500, "WORKER_STORAGE");
    j->entry.job_id = j->r->job_id;
    if (j->entry.request == NULL && j->r->plain_key.n == 0)
        j->entry.request = json_incref(j->r->body);
    if (j->entry.n_runs < UINT_MAX)
        j->entry.n_runs++;
    rc = pthread_create(&j->beginning.thread, NULL, begin_main, j);
    j->beginning.runs = rc == 0;
    return rc == 0 ? RC_OK : err_errno(e, rc, "thread");
}

/* What the beginning came to. A job that could not be begun failed by that, whatever its file was
 * found to be meanwhile (rc); once it was begun the earlier finding counts. */
static enum rc begin_end(struct job *j, enum rc rc, struct err *e)
{
    const struct beginning *b = &j->beginning;

    if (!b->runs)
        return rc;
    if (rc == RC_OK)
        step(j, "confirm", 502, "CHAIN_ERROR");
    CHECK(pthread_join(b->thread, NULL) == 0);
    j->beginning.runs = false;
    if (b->rc == RC_OK || (b->begun && rc != RC_OK))
        return rc;
    j->http = b->http;
    j->code = b->code;
    return part(b->rc, &b->err, e);
}

/* ---- 3: the file ---- */

struct plain_sink {
    int fd;
    uint64_t size;
    struct sha256_ctx sha;
};

static enum rc plain_write(void *data, struct bytes piece, struct err *e)
{
    struct plain_sink *s = data;

    s->size += piece.n;
    sha256_put(&s->sha, piece);
    return file_write_fd(s->fd, piece, e);
}

static enum rc cipher_read(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    const int *fd = data;
    ssize_t got = read(*fd, p, cap);

    if (got < 0)
        return err_errno(e, errno, "ciphertext");
    *n = (size_t)got;
    return RC_OK;
}

static enum rc memory_file(int *fd, const char *name, struct err *e)
{
    *fd = memfd_create(name, MFD_CLOEXEC);
    return *fd >= 0 ? RC_OK : err_errno(e, errno, "memory file");
}

static enum rc fetch_file(struct job *j, struct err *e)
{
    step(j, "fetch", 502, "FILE_UNAVAILABLE");
    TRY(memory_file(&j->cipher_fd, "ciphertext", e));
    return fetch_url(j->w, j->cipher_fd, &j->cipher_sha256, &j->cipher_size, j->file.url,
                     j->w->config.max_file_size, e);
}

static enum rc decrypt(struct job *j, struct err *e)
{
    const struct openpgp_limits limits = {.max_plain = j->w->config.max_file_size};
    struct openpgp_source in = {cipher_read, &j->cipher_fd};
    struct plain_sink sink = {0};
    struct openpgp_sink out = {plain_write, &sink};
    enum rc rc;

    step(j, "decrypt", 400, "DECRYPTION_ERROR");
    if (lseek(j->cipher_fd, 0, SEEK_SET) != 0)
        return err_errno(e, errno, "ciphertext");
    sink.fd = j->plain_fd;
    sha256_init(&sink.sha);
    rc = openpgp_decrypt(&in, &out, secbuf_bytes(&j->key), &limits, e);
    secbuf_clear(&j->key);
    if (rc != RC_OK)
        return err_wrap(e, rc, "the file cannot be decrypted with this key");
    sha256_final(&sink.sha, &j->plain_sha256);
    j->plain_size = sink.size;
    (void)close(j->cipher_fd);
    j->cipher_fd = -1;
    return RC_OK;
}

static void forget_plaintext(struct job *j)
{
    if (j->plain_fd < 0)
        return;
    /* The kernel clears the pages before anyone else gets them. */
    (void)!ftruncate(j->plain_fd, 0);
    (void)close(j->plain_fd);
    j->plain_fd = -1;
}

static void forget_secrets(struct job *j)
{
    secrets_free(j->secrets);
    j->secrets = NULL;
}

/* ---- 4: the validator ---- */

static struct validator_limits limits_of(const struct job *j)
{
    const struct worker_config *c = &j->w->config;

    return (struct validator_limits){c->gas, c->memory_size, c->wall_ms};
}

/* Where dstack's SDKs look first. */
static enum rc start_agent(struct job *j, struct validator_jail *jail, json_t *env, struct err *e)
{
    TRY(image_agent_start(&j->agent, j->w, j->r, j->pool.instruction, e));
    if (j->agent == NULL)
        return RC_OK;
    jail->agent = image_agent_path(j->agent);
    set(env, "DSTACK_SIMULATOR_ENDPOINT", json_string(JAIL_AGENT));
    return RC_OK;
}

/* Up to the moment when it needs the plaintext, so that it is ready when that is there. */
static enum rc start_validator(struct job *j, struct err *e)
{
    const struct worker_config *c = &j->w->config;
    const struct validator_limits limits = limits_of(j);
    struct validator_jail jail = {.jail_path = c->jail_path, .rlimit_only = c->jail_rlimit_only};
    const struct consent_subject s = subject_of(j);
    json_auto_t *env = NULL;
    enum rc rc;

    step(j, "validator", 502, "VALIDATOR_UNAVAILABLE");
    TRY(memory_file(&j->plain_fd, "plaintext", e));
    TRY(fetch_validator(j->w, &j->validator, j->r->proof_url, e));
    env = consent_env(&s, j->dlp_id, j->secrets);
    j->http = 500;
    j->code = "VALIDATOR_ERROR";
    if (j->validator.kind == VALIDATOR_IMAGE)
        TRY(start_agent(j, &jail, env, e));
    if (j->validator.kind == VALIDATOR_PROGRAM)
        rc = validator_start(&j->program, j->w->validators, buf_bytes(&j->validator.elf),
                             j->plain_fd, env, e);
    else
        rc = validator_image_start(&j->container, &j->validator.image, &jail, j->plain_fd, env,
                                   &limits, e);
    forget_secrets(j);
    return rc;
}

static enum rc run_validator(struct job *j, struct buf *text, struct err *e)
{
    const struct validator_limits limits = limits_of(j);

    step(j, "validate", 500, "VALIDATOR_ERROR");
    if (j->validator.kind == VALIDATOR_PROGRAM)
        TRY(validator_finish(&j->outcome, text, j->program, e));
    else
        TRY(validator_image_finish(&j->outcome, text, j->container, &limits, e));
    image_agent_stop(MOVE(j->agent));
    forget_plaintext(j);
    j->http = 400;
    if (j->outcome.error[0] != '\0')
        return err_set(e, RC_DENIED, "the validator failed: %s", j->outcome.error);
    if (j->outcome.exit_code != 0)
        return err_set(e, RC_DENIED, "the validator failed with exit code %d",
                       j->outcome.exit_code);
    if (text->n == 0)
        return err_set(e, RC_DENIED, "the validator left no results.json");
    return RC_OK;
}

static enum rc judge(struct job *j, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc = run_validator(j, &text, e);

    if (rc == RC_OK)
        rc = results_parse(&j->results, buf_bytes(&text), e);
    wipe(text.p, text.n);
    TRY(rc);
    if (j->results.dlp_id != j->dlp_id)
        return err_set(e, RC_DENIED, "the validator speaks for another pool than %llu",
                       (unsigned long long)j->dlp_id);
    j->code = "PROOF_OF_CONTRIBUTION_ERROR";
    if (!j->results.valid || j->results.score == 0)
        return err_set(e, RC_DENIED,
                       "the contribution did not meet the proof-of-contribution threshold "
                       "(valid %s, score %u/1000)",
                       j->results.valid ? "true" : "false", j->results.score);
    return RC_OK;
}

/* ---- 5: document and proof ---- */

static void encode_document(struct job *j, struct buf *out)
{
    struct document_input in = {.chain_id = j->w->chain_id,
                                .tee_pool = j->w->config.tee_pool,
                                .job_id = j->r->job_id,
                                .file_id = j->r->file_id,
                                .file_url = j->file.url,
                                .owner = j->file.owner,
                                .encrypted_sha256 = j->cipher_sha256,
                                .decrypted_sha256 = j->plain_sha256,
                                .seed = j->r->seed,
                                .worker_url = j->w->config.url,
                                .instruction = j->r->proof_url,
                                .attestation = enroll_statement(j->w),
                                .validator_limits = j->outcome.limits,
                                .consent =
                                    j->r->has_authorization ? "authorization" : "vana-compat",
                                .pinned = j->validator.pinned,
                                .created_s = clock_wall_ns() / 1000000000,
                                .duration_ms = clock_mono_ms() - j->started_ms,
                                .results = &j->results};
    const struct secp_key *key = worker_proof_key(j->w, &in.signer);

    document_encode(out, &in, key);
}

/* Adding the document waits for the store's disk: a thread does it. */
struct adding {
    struct worker *w;
    struct bytes text;
    enum rc rc;
    struct err err;
};

static void *add_main(void *arg)
{
    struct adding *a = arg;
    struct store_client *store = NULL;
    struct cid cid;

    a->rc = worker_store_take(a->w, &store, NULL, &a->err);
    if (a->rc != RC_OK)
        return NULL;
    a->rc = store_client_add_bytes(store, &cid, a->text, &a->err);
    worker_store_give_back(a->w, store);
    return NULL;
}

static void encode_proof(struct job *j, struct buf *calldata)
{
    AUTO_CLEAR(buf) struct buf metadata = {0};
    struct u256 job_id = u256_from_u64(j->r->job_id);
    struct proof_fields f = {.file_url = bytes_str(j->file.url),
                             .score = results_score_wei(j->results.score),
                             .dlp_id = u256_from_u64(j->results.dlp_id),
                             .proof_url = bytes_str(j->entry.proof_url),
                             .instruction = bytes_str(j->r->proof_url)};
    struct tee_pool_Proof proof;
    struct address signer;
    struct hash32 digest;
    struct secp_sig sig;

    json_python_dumps(&metadata, j->results.metadata);
    f.metadata = buf_bytes(&metadata);
    proof_digest(&digest, &f);
    secp_sign(&sig, worker_proof_key(j->w, &signer), &digest);
    proof.signature = BYTES_OF(&sig);
    proof.data = (struct tee_pool_ProofData){.score = f.score,
                                             .dlpId = f.dlp_id,
                                             .metadata = f.metadata,
                                             .proofUrl = f.proof_url,
                                             .instruction = f.instruction};
    tee_pool_put_addProof(calldata, &job_id, &proof);
}

/* What the receipt of our own transaction says; shown to the requester, nothing is decided by it.
 */
static bool read_receipt(const struct job *j, struct onchain_proof *p,
                         const struct chain_receipt *receipt)
{
    const struct chain_log *l =
        chain_receipt_find(receipt, &j->w->config.data_registry, &data_registry_topic_ProofAdded);
    struct data_registry_event_ProofAdded ev;

    memset(p, 0, sizeof(*p));
    if (l == NULL ||
        data_registry_parse_ProofAdded(&ev, NULL, l->topics, l->n_topics, l->data, NULL) != RC_OK ||
        !u256_to_u64(&ev.proofIndex, &p->index))
        return false;
    p->score = ev.score;
    p->dlp_id = ev.dlpId;
    return true;
}

/* What became of the transaction of the journal. */
static enum rc take_receipt(struct job *j, const struct chain_receipt *receipt, struct err *e)
{
    struct onchain_proof p;

    step(j, "record", 503, "CHAIN_UNAVAILABLE");
    onchain_saw(j->w, receipt->height);
    if (!receipt->ok) {
        j->http = 400;
        j->code = "CHAIN_ERROR";
        buf_reset(&j->entry.tx);
        return err_set(e, RC_DENIED, "the proof of job %llu was not accepted on chain",
                       (unsigned long long)j->r->job_id);
    }
    if (!read_receipt(j, &p, receipt))
        TRY(onchain_find_proof(j->w, &p, &j->arena, j->r->job_id, j->r->file_id, e));
    p.url = j->entry.proof_url;
    p.tx_hash = j->entry.tx_hash;
    set_proof(j, &p);
    return RC_OK;
}

/* The document goes to the store, and meanwhile the ledger says what recording the proof will cost:
 * both need no more than the document's CID. Nothing is sent before the store has the document. */
static enum rc store_document(struct job *j, struct buf *calldata, struct chain_price *price,
                              struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct adding a = {.w = j->w};
    char cid_text[CID_TEXT_SIZE];
    struct err price_err;
    pthread_t thread;
    struct cid cid;
    enum rc rc;
    int failed;

    step(j, "document", 502, "STORE_UNAVAILABLE");
    encode_document(j, &text);
    a.text = buf_bytes(&text);
    TRY(store_client_cid(&cid, a.text, e));
    cid_format(cid_text, &cid);
    (void)snprintf(j->entry.proof_url, sizeof(j->entry.proof_url), URL_PREFIX "%s", cid_text);
    failed = pthread_create(&thread, NULL, add_main, &a);
    if (failed != 0)
        return err_errno(e, failed, "thread");
    encode_proof(j, calldata);
    rc = onchain_price_proof(j->w, price, buf_bytes(calldata), &price_err);
    (void)pthread_join(thread, NULL);
    TRY(part(a.rc, &a.err, e));
    j->code = "CHAIN_ERROR";
    return part(rc, &price_err, e);
}

static enum rc send_proof(struct job *j, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    struct chain_receipt receipt;
    struct chain_price price;
    enum rc rc;

    TRY(store_document(j, &calldata, &price, e));
    step(j, "record", 502, "CHAIN_ERROR");
    rc =
        onchain_submit_proof(j->w, &j->entry, buf_bytes(&calldata), &price, &receipt, &j->arena, e);
    if (rc == RC_OK)
        return take_receipt(j, &receipt, e);
    if (j->entry.tx.n != 0)
        step(j, "record", 503, "CHAIN_UNAVAILABLE");
    return rc;
}

/* ---- the whole ---- */

/* A transaction that the journal held before this run: send it again, the same bytes. True when the
 * job is settled by it, whatever the outcome in *rc. */
static bool settle_old(struct job *j, enum rc *rc, struct err *e)
{
    struct chain_receipt receipt;
    bool sent;

    if (j->entry.tx.n == 0)
        return false;
    step(j, "record", 503, "CHAIN_UNAVAILABLE");
    *rc = chain_send_wait(j->w->chain, &receipt, &j->arena, buf_bytes(&j->entry.tx),
                          RECEIPT_WAIT_MS, &sent, e);
    if (*rc == RC_OK)
        *rc = take_receipt(j, &receipt, e);
    if (sent)
        return *rc != RC_DENIED;
    if (*rc == RC_IO || *rc == RC_TIMEOUT || *rc == RC_CLOSED || *rc == RC_AGAIN)
        return true;
    /* Refused: its nonce went to another transaction. The contract takes one proof a job, so
     * signing anew cannot make two. */
    buf_reset(&j->entry.tx);
    return false;
}

static enum rc answer_completed(struct job *j, struct err *e)
{
    struct onchain_proof p;

    step(j, "record", 409, "ONCHAIN_COMPLETED");
    TRY(onchain_find_proof(j->w, &p, &j->arena, j->r->job_id, j->r->file_id, e));
    set_proof(j, &p);
    return RC_OK;
}

/* The owner asked, and this file will earn no proof however often it is tried: the requester gets
 * the payment back now. Never before the consent was checked: a stranger's request must not end a
 * job. What may pass (a store or a node that is away: 5xx) keeps the job open, and so do secrets
 * of the request that do not open: the owner's signature does not cover them, a better request may
 * follow. Keepers that stayed away for so long may do so until the deadline: the payment goes back.
 */
static bool is_final(const struct job *j, enum rc rc)
{
    static const char *const final[] = {"DECRYPTION_ERROR", "VALIDATOR_ERROR",
                                        "PROOF_OF_CONTRIBUTION_ERROR", "INVALID_POOL_SECRETS"};

    if (strcmp(j->code, "KEYS_UNAVAILABLE") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        if (strcmp(j->code, final[i]) == 0)
            return j->http == 400 && (rc == RC_DENIED || rc == RC_MALFORMED || rc == RC_LIMIT ||
                                      rc == RC_RANGE || rc == RC_UNSUPPORTED);
    return false;
}

static void give_back(struct job *j, enum rc rc)
{
    struct err e;

    if (!is_final(j, rc))
        return;
    if (onchain_reject_job(j->w, j->r->job_id, &e) != RC_OK)
        log_warn("worker", "job %llu could not be given back: %s", (unsigned long long)j->r->job_id,
                 e.msg);
}

static enum rc run(struct job *j, struct err *e)
{
    bool completed;
    enum rc rc;

    step(j, "job", 502, "CHAIN_UNAVAILABLE");
    rc = journal_get(&j->entry, j->w->config.dir, j->r->job_id, e);
    if (rc != RC_OK && rc != RC_NOTFOUND)
        return rc;
    j->entry.job_id = j->r->job_id;
    if (settle_old(j, &rc, e))
        return rc;
    TRY(check_job(j, &completed, e));
    if (completed)
        return answer_completed(j, e);
    TRY(check_consent(j, e));
    rc = open_secrets(j, e);
    if (rc != RC_OK) {
        give_back(j, rc);
        return rc;
    }
    TRY(begin_beside(j, e));
    rc = fetch_file(j, e);
    if (rc == RC_OK)
        rc = start_validator(j, e);
    if (rc == RC_OK)
        rc = decrypt(j, e);
    if (rc == RC_OK)
        rc = judge(j, e);
    rc = begin_end(j, rc, e);
    if (rc != RC_OK) {
        give_back(j, rc);
        return rc;
    }
    return send_proof(j, e);
}

static void clear(struct job *j)
{
    validator_process_free(j->program);
    jail_process_free(j->container);
    image_agent_stop(j->agent);
    forget_plaintext(j);
    if (j->cipher_fd >= 0)
        (void)close(j->cipher_fd);
    secbuf_clear(&j->key);
    forget_secrets(j);
    validator_clear(&j->validator);
    results_clear(&j->results);
    journal_entry_clear(&j->entry);
    arena_clear(&j->arena);
}

void job_run(struct worker *w, struct task *t, struct run_request *r)
{
    struct job j = {.w = w, .t = t, .r = r, .cipher_fd = -1, .plain_fd = -1};
    struct err e = {0};
    enum rc rc;

    j.started_ms = clock_mono_ms();
    rc = run(&j, &e);
    log_step(&j, NULL);
    /* While a signed transaction may still be recorded, the journal keeps it. */
    if (rc == RC_OK || j.entry.tx.n == 0)
        (void)!journal_remove(w->config.dir, r->job_id, NULL);
    (void)pthread_mutex_lock(&w->lock);
    t->state = rc == RC_OK ? TASK_DONE : TASK_FAILED;
    t->proof = j.proof;
    t->http = j.http;
    t->code = j.code;
    (void)snprintf(t->message, sizeof(t->message), "%s", rc == RC_OK ? "" : e.msg);
    (void)pthread_mutex_unlock(&w->lock);
    worker_metrics_job(w->metrics,
                       rc == RC_OK      ? "proved"
                       : j.code != NULL ? j.code
                                        : "UNKNOWN",
                       clock_mono_ms() - j.started_ms);
    if (rc == RC_OK)
        log_info("worker", "job %llu proved in %llu ms", (unsigned long long)r->job_id,
                 (unsigned long long)(clock_mono_ms() - j.started_ms));
    else
        log_warn("worker", "job %llu: %s: %s", (unsigned long long)r->job_id, j.code, e.msg);
    clear(&j);
}
