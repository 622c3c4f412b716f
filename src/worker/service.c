/* The worker's HTTP API. Errors have the form of Vana's services: {"detail":{"error":{"code",
 * "message"}}}. Browsers call it directly, so any origin may. */
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/address.h"
#include "chain/contribution.h"
#include "chain/eip712.h"
#include "tee/ratls.h"
#include "tee/tee.h"
#include "worker/contract/contracts.h"
#include "worker/internal/state.h"
#include "worker/proof/request.h"

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(json_object_set_new(o, key, v) == 0);
}

static void answer(struct http_response *resp, unsigned status, json_t *o)
{
    resp->status = status;
    http_response_header(resp, "Content-Type", "application/json");
    json_put(&resp->body, o);
    json_decref(o);
}

static json_t *error_of(const char *code, const char *message)
{
    json_t *text = json_string(message);

    /* Parts of a message may come from outside. */
    if (text == NULL)
        text = json_string("(the message is not UTF-8)");
    return json_pack("{s:{s:{s:s, s:o}}}", "detail", "error", "code", code, "message", text);
}

static void refuse(struct http_response *resp, unsigned status, const char *code,
                   const char *message)
{
    answer(resp, status, error_of(code, message));
}

static json_t *address_text(const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    return json_string(text);
}

/* ---- GET /identity ---- */

static void put_public_key(const struct worker *w, struct buf *out)
{
    if (w->config.profile == WORKER_VANA_COMPAT)
        hex_put_0x(out, BYTES_OF(&w->keys->receive_secp_pub));
    else
        receive_key_put_x25519(out, w->keys->receive_pub);
}

static void sign_identity(const struct worker *w, struct secp_sig *sig, uint64_t chain_id,
                          struct bytes public_key)
{
    struct hash32 domain, hash, digest;
    struct eip712 h;

    eip712_domain(&domain, "Cloister", "1", chain_id, &w->config.tee_pool);
    eip712_begin(&h, "WorkerIdentity(address worker,address proofSigner,string publicKey,string "
                     "url)");
    eip712_address(&h, &w->keys->sender_address);
    eip712_address(&h, &w->keys->signer_address);
    eip712_string(&h, public_key);
    eip712_string(&h, bytes_str(w->config.url));
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    secp_sign(sig, &w->keys->sender, &digest);
}

/* What stands behind this worker; the proof of it is in the Workers contract. */
static void put_attestation(struct worker *w, json_t *o)
{
    uint64_t until;

    if (w->tee == NULL) {
        set(o, "attestation", json_null());
        set(o, "attestation_note",
            json_string("no evidence: whoever runs this machine can read what it decrypts"));
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    until = w->attested_until;
    (void)pthread_mutex_unlock(&w->lock);
    set(o, "attestation",
        json_pack("{s:s, s:b, s:I}", "source", tee_describe(w->tee), "insecure_simulator",
                  tee_is_simulator(w->tee), "registered_until", (json_int_t)until));
    if (tee_is_simulator(w->tee))
        set(o, "attestation_note",
            json_string("simulator: whoever runs this machine can read what it decrypts"));
}

static void get_identity(struct worker *w, struct http_response *resp)
{
    AUTO_CLEAR(buf) struct buf key = {0};
    json_t *o = json_object();
    struct secp_sig sig;
    uint64_t chain_id;
    bool ready;

    (void)pthread_mutex_lock(&w->lock);
    chain_id = w->chain_id;
    ready = w->chain_id != 0;
    (void)pthread_mutex_unlock(&w->lock);
    put_public_key(w, &key);
    set(o, "version", json_string(WORKER_VERSION));
    set(o, "role", json_string(w->config.role == WORKER_CONTRACT ? "contract" : "open"));
    set(o, "profile",
        json_string(w->config.profile == WORKER_VANA_COMPAT ? "vana-compat" : "devnet"));
    set(o, "address", address_text(&w->keys->sender_address));
    set(o, "proof_signer", address_text(&w->keys->signer_address));
    set(o, "public_key", json_stringn((const char *)key.p, key.n));
    set(o, "x25519", json_hex_new(BYTES_OF(&w->keys->receive_pub)));
    set(o, "secp256k1", json_hex_new(BYTES_OF(&w->keys->receive_secp_pub)));
    set(o, "url", json_string(w->config.url));
    set(o, "tee_pool", address_text(&w->config.tee_pool));
    put_attestation(w, o);
    set(o, "chain_id", ready ? json_integer((json_int_t)chain_id) : json_null());
    if (ready) {
        sign_identity(w, &sig, chain_id, buf_bytes(&key));
        set(o, "signature", json_hex_new(BYTES_OF(&sig)));
    }
    answer(resp, 200, o);
}

/* Fresh evidence over the caller's nonce and the key of the TLS port. */
static void get_attestation(struct worker *w, struct http_request *req, struct http_response *resp)
{
    struct err e = {0};
    enum rc rc;

    (void)pthread_mutex_lock(&w->attest);
    rc = w->ratls == NULL
             ? err_set(&e, RC_NOTFOUND, "this worker has no TLS port with evidence")
             : ratls_server_attestation(w->ratls, &resp->body, http_request_arg(req, "nonce"), &e);
    (void)pthread_mutex_unlock(&w->attest);
    if (rc == RC_OK) {
        resp->status = 200;
        http_response_header(resp, "Content-Type", "application/json");
        return;
    }
    buf_reset(&resp->body);
    if (rc == RC_NOTFOUND)
        refuse(resp, 404, "NO_EVIDENCE", e.msg);
    else if (rc == RC_MALFORMED || rc == RC_LIMIT)
        refuse(resp, 400, "INVALID_REQUEST", e.msg);
    else
        refuse(resp, 503, "NO_EVIDENCE", e.msg);
}

/* ---- GET /health, /metrics, /jobs/ID ---- */

static void get_health(struct worker *w, struct http_response *resp)
{
    json_t *o = json_object();
    unsigned running;
    bool ready;

    (void)pthread_mutex_lock(&w->lock);
    ready = w->ready;
    running = w->n_running;
    (void)pthread_mutex_unlock(&w->lock);
    set(o, "ready", json_boolean(ready));
    set(o, "running_jobs", json_integer((json_int_t)running));
    answer(resp, ready ? 200 : 503, o);
}

static void get_metrics(struct worker *w, struct http_response *resp)
{
    unsigned running;
    bool ready;

    (void)pthread_mutex_lock(&w->lock);
    ready = w->ready;
    running = w->n_running;
    (void)pthread_mutex_unlock(&w->lock);
    worker_metrics_answer(w->metrics, ready, running, w->config.n_jobs, w->http, resp);
}

static void get_job(struct worker *w, struct http_response *resp, const char *id_text)
{
    static const char *const states[] = {"running", "done", "failed"};
    struct task t;
    uint64_t id;
    json_t *o;

    if (parse_u64(&id, bytes_str(id_text), UINT64_MAX >> 1, NULL) != RC_OK) {
        refuse(resp, 400, "INVALID_REQUEST", "a job's number is decimal digits");
        return;
    }
    if (!worker_find_task(w, id, &t)) {
        refuse(resp, 404, "JOB_UNKNOWN", "this worker has not run this job since it started");
        return;
    }
    o = json_object();
    set(o, "job_id", json_integer((json_int_t)id));
    set(o, "state", json_string(states[t.state]));
    set(o, "step", json_string(t.step));
    if (t.state == TASK_DONE)
        set(o, "proof", json_incref(t.proof));
    if (t.state == TASK_FAILED) {
        json_auto_t *error = error_of(t.code, t.message);

        CHECK(json_object_update(o, json_object_get(error, "detail")) == 0);
    }
    json_decref(t.proof);
    answer(resp, 200, o);
}

/* ---- POST /RunProof ---- */

static void answer_task(struct worker *w, struct http_response *resp, const struct task *t,
                        const char *nonce)
{
    struct secp_sig sig;
    json_t *o;

    if (t->state != TASK_DONE) {
        refuse(resp, t->http, t->code, t->message);
        return;
    }
    o = json_object();
    set(o, "success", json_true());
    if (nonce[0] != '\0') {
        personal_sign(&sig, &w->keys->sender, bytes_str(nonce));
        set(o, "nonce", json_string(nonce));
        set(o, "signature", json_hex_new(BYTES_OF(&sig)));
    }
    set(o, "proof", json_incref(t->proof));
    answer(resp, 200, o);
}

static void run_proof(struct worker *w, struct http_request *req, struct http_response *resp)
{
    struct run_request r;
    struct task t = {0};
    struct err e = {0};

    if (run_request_parse(&r, req->body, &e) != RC_OK) {
        refuse(resp, 400, "INVALID_REQUEST", e.msg);
        return;
    }
    worker_run(w, &r, &t);
    answer_task(w, resp, &t, r.nonce);
    json_decref(t.proof);
    run_request_clear(&r);
}

/* Requests can come in before the bound address is known. */
static bool is_serving(struct worker *w)
{
    bool is;

    (void)pthread_mutex_lock(&w->lock);
    is = w->config.url != NULL;
    (void)pthread_mutex_unlock(&w->lock);
    return is;
}

void service_handle(struct http_request *req, struct http_response *resp, void *worker)
{
    static const char *const any[] = {"*", NULL};
    struct worker *w = worker;
    bool is_get = strcmp(req->method, "GET") == 0;

    if (http_response_cors(resp, req, any, "GET, POST", "Content-Type"))
        return;
    if (!is_serving(w))
        refuse(resp, 503, "STARTING", "the worker is starting");
    else if (contracts_handle(w->contracts, req, resp))
        return;
    else if (strcmp(req->path, "/RunProof") == 0 && w->config.role != WORKER_OPEN)
        refuse(resp, 404, "NOT_FOUND", "this worker keeps contracts and proves no contributions");
    else if (strcmp(req->path, "/RunProof") == 0 && strcmp(req->method, "POST") == 0)
        run_proof(w, req, resp);
    else if (is_get && strcmp(req->path, "/identity") == 0)
        get_identity(w, resp);
    else if (is_get && strcmp(req->path, "/attestation") == 0)
        get_attestation(w, req, resp);
    else if (is_get && strcmp(req->path, "/health") == 0)
        get_health(w, resp);
    else if (is_get && strcmp(req->path, "/metrics") == 0)
        get_metrics(w, resp);
    else if (is_get && strncmp(req->path, "/jobs/", 6) == 0)
        get_job(w, resp, req->path + 6);
    else
        refuse(
            resp, 404, "NOT_FOUND",
            "there are POST /RunProof, GET /identity, GET /attestation?nonce=HEX, GET /health, GET "
            "/metrics, GET /jobs/ID");
}
