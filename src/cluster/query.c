/* Queries. Job: their JSON, signatures and seals, for both sides. Trust: whatever comes in is a
 * stranger's, on the caller's side the worker's too. */
#include "cluster/query.h"

#include "cluster/internal/form.h"
#include "cluster/internal/text.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"

/* ---- seals ---- */

static void base_aad(struct buf *out, const struct query_context *c)
{
    put_lp_u64(out, c->domain.chain_id);
    put_lp(out, BYTES_OF(&c->genesis));
    put_lp(out, BYTES_OF(&c->worker));
}

static enum rc seal_text(struct buf *out, const char *info, struct bytes aad,
                         const uint8_t peer32[32], struct bytes text, size_t max, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    size_t n = class_of(text.n, TEXT_CLASS_MIN);

    if (n > max - HPKE_OVERHEAD)
        return err_set(e, RC_LIMIT, "query: a message of %zu bytes, sealed at most %zu", text.n,
                       max);
    secbuf_put_bytes(&plain, text);
    memset(secbuf_extend(&plain, n - text.n), ' ', n - text.n);
    return hpke_seal(out, peer32, bytes_str(info), aad, secbuf_bytes(&plain), NULL, e);
}

static enum rc open_text(struct secbuf *out, const char *info, struct bytes aad,
                         const struct secret32 *key, struct bytes sealed, size_t max, struct err *e)
{
    if (sealed.n > max)
        return err_set(e, RC_LIMIT, "query: a sealed message of %zu bytes, at most %zu", sealed.n,
                       max);
    return hpke_open(out, key, bytes_str(info), aad, sealed, e);
}

static void answer_aad(struct buf *out, const struct query_context *c,
                       const struct hash32 *query_hash)
{
    base_aad(out, c);
    put_lp(out, BYTES_OF(query_hash));
}

/* ---- a query ---- */

void query_request_sign(struct query_request *q, const struct query_context *c,
                        const struct secp_key *key)
{
    struct secp_sig sig;
    struct hash32 digest;

    query_digest(&digest, &c->domain, &q->query);
    secp_sign(&sig, key, &digest);
    memcpy(q->signature65, sig.b, sizeof(q->signature65));
    secp_key_address(&q->caller, key);
    q->is_signed = true;
}

void query_request_put(struct buf *out, const struct query_request *q)
{
    buf_put_str(out, "{");
    text_put_hex(out, "contract", BYTES_OF(&q->query.contract));
    if (q->is_signed) {
        buf_put_str(out, ",");
        text_put_hex(out, "caller", BYTES_OF(&q->caller));
        buf_put_str(out, ",");
        text_put_hex(out, "signature", BYTES_OF(&q->signature65));
    }
    buf_put_str(out, ",");
    text_put_hex(out, "data", q->query.calldata);
    buf_put_str(out, ",");
    text_put_hex(out, "nonce", BYTES_OF(&q->query.nonce));
    buf_put_str(out, ",");
    text_put_num(out, "minimum_height", q->query.minimum_height);
    buf_put_str(out, ",");
    text_put_num(out, "expiry", q->query.expiry_s);
    if (!all_zero(BYTES_OF(&q->reply32))) {
        buf_put_str(out, ",");
        text_put_hex(out, "reply_key", BYTES_OF(&q->reply32));
    }
    buf_put_str(out, "}");
}

static enum rc asked_members(struct cluster_query *q, const json_t *v, struct arena *a,
                             struct err *e)
{
    TRY(json_hex_fixed(q->contract.b, sizeof(q->contract.b), v, "contract", e));
    TRY(text_hex(&q->calldata, v, "data", QUERY_DATA_MAX, a, e));
    TRY(json_hex_fixed(q->nonce.b, sizeof(q->nonce.b), v, "nonce", e));
    return json_u64(&q->minimum_height, v, "minimum_height", INT64_MAX, e);
}

static enum rc request_members(struct query_request *out, const json_t *v, struct arena *a,
                               struct err *e)
{
    struct cluster_query *q = &out->query;
    bool caller = json_object_get(v, "caller") != NULL;

    TRY(asked_members(q, v, a, e));
    TRY(json_u64(&q->expiry_s, v, "expiry", INT64_MAX, e));
    if (json_object_get(v, "reply_key") != NULL)
        TRY(json_hex_fixed(out->reply32, sizeof(out->reply32), v, "reply_key", e));
    out->is_signed = caller || json_object_get(v, "signature") != NULL;
    if (!out->is_signed)
        return RC_OK;
    TRY(json_hex_fixed(out->caller.b, sizeof(out->caller.b), v, "caller", e));
    return json_hex_fixed(out->signature65, sizeof(out->signature65), v, "signature", e);
}

static enum rc request_read(struct query_request *out, const struct query_context *c,
                            const json_t *v, struct arena *a, struct err *e)
{
    static const char *const keys[] = {"contract", "caller",         "signature", "data",
                                       "nonce",    "minimum_height", "expiry",    "reply_key"};
    struct address signer;
    struct hash32 digest;

    TRY(text_check_keys(v, keys, ARRAY_LEN(keys), "query", e));
    TRY(text_malformed(request_members(out, v, a, e), "query", e));
    out->query.worker = c->worker;
    if (!out->is_signed)
        return RC_OK;
    query_digest(&digest, &c->domain, &out->query);
    if (secp_recover_address(&signer, &digest, out->signature65, SECP_S_LOW, e) != RC_OK ||
        !address_eq(&signer, &out->caller))
        return err_set(e, RC_DENIED,
                       "query: the signature is not the caller's over this contract, worker, data, "
                       "nonce, minimum height and expiry");
    return RC_OK;
}

enum rc query_request_take(struct query_request *out, const struct query_context *c,
                           const json_t *v, struct arena *a, struct err *e)
{
    enum rc rc;

    *out = (struct query_request){0};
    rc = request_read(out, c, v, a, e);
    if (rc != RC_OK)
        *out = (struct query_request){0};
    return rc;
}

enum rc query_request_parse(struct query_request *out, const struct query_context *c,
                            struct bytes json, struct arena *a, struct err *e)
{
    json_auto_t *v = NULL;
    enum rc rc = json_parse(&v, json, QUERY_SEALED_MAX, e);

    *out = (struct query_request){0};
    return rc == RC_OK ? query_request_take(out, c, v, a, e) : err_wrap(e, rc, "query");
}

enum rc query_request_seal(struct buf *out, const struct query_context *c,
                           const uint8_t worker32[32], const struct query_request *q, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0}, text = {0};
    enum rc rc;

    base_aad(&aad, c);
    query_request_put(&text, q);
    rc = seal_text(out, "cloister/cluster/query/v1", buf_bytes(&aad), worker32, buf_bytes(&text),
                   QUERY_SEALED_MAX, e);
    wipe(text.p, text.n);
    return rc;
}

enum rc query_request_open(struct query_request *out, const struct query_context *c,
                           const struct secret32 *receive, struct bytes sealed, struct arena *a,
                           struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    *out = (struct query_request){0};
    base_aad(&aad, c);
    TRY(open_text(&text, "cloister/cluster/query/v1", buf_bytes(&aad), receive, sealed,
                  QUERY_SEALED_MAX, e));
    TRY(query_request_parse(out, c, secbuf_bytes(&text), a, e));
    if (!all_zero(BYTES_OF(&out->reply32)))
        return RC_OK;
    *out = (struct query_request){0};
    return err_set(e, RC_MALFORMED, "query: sealed, and names no reply_key");
}

/* ---- what is asked in a channel, which has the rest ---- */

void cluster_query_put(struct buf *out, const struct cluster_query *q)
{
    buf_put_str(out, "{");
    text_put_hex(out, "contract", BYTES_OF(&q->contract));
    buf_put_str(out, ",");
    text_put_hex(out, "data", q->calldata);
    buf_put_str(out, ",");
    text_put_hex(out, "nonce", BYTES_OF(&q->nonce));
    buf_put_str(out, ",");
    text_put_num(out, "minimum_height", q->minimum_height);
    buf_put_str(out, "}");
}

enum rc cluster_query_parse(struct cluster_query *out, struct bytes json, struct arena *a,
                            struct err *e)
{
    static const char *const keys[] = {"contract", "data", "nonce", "minimum_height"};
    json_auto_t *v = NULL;
    enum rc rc;

    *out = (struct cluster_query){0};
    TRY(text_parse(&v, json, QUERY_SEALED_MAX, keys, ARRAY_LEN(keys), "query", e));
    rc = text_malformed(asked_members(out, v, a, e), "query", e);
    if (rc != RC_OK)
        *out = (struct cluster_query){0};
    return rc;
}

/* ---- its answer ---- */

void query_reply_sign(struct query_reply *r, const struct query_context *c,
                      const struct secp_key *commit_key)
{
    struct secp_sig sig;
    struct hash32 digest;

    reply_digest(&digest, &c->domain, &r->reply);
    secp_sign(&sig, commit_key, &digest);
    memcpy(r->signature65, sig.b, sizeof(r->signature65));
}

void query_reply_put(struct buf *out, const struct query_reply *r)
{
    buf_put_str(out, "{");
    text_put_num(out, "batch", r->reply.batch);
    buf_put_str(out, ",");
    text_put_num(out, "height", r->reply.height);
    buf_put_str(out, ",");
    text_put_hex(out, "root", BYTES_OF(&r->reply.root));
    buf_put_str(out, ",");
    text_put_num(out, "status", r->reply.status);
    buf_put_str(out, ",");
    text_put_hex(out, "result", r->reply.result);
    buf_put_str(out, ",");
    text_put_hex(out, "signature", BYTES_OF(&r->signature65));
    buf_put_str(out, "}");
}

void query_error_put(struct buf *out, enum rc code, const char *text)
{
    json_auto_t *v = json_pack("{s:{s:s,s:s}}", "error", "code", rc_name(code), "message", text);

    /* A text that is no UTF-8 is left out. */
    if (v == NULL)
        v = json_pack("{s:{s:s,s:s}}", "error", "code", rc_name(code), "message", "");
    CHECK(v != NULL);
    json_put(out, v);
}

static enum rc reply_members(struct query_reply *out, const json_t *v, struct arena *a,
                             struct err *e)
{
    uint64_t status = 0;

    TRY(json_u64(&out->reply.batch, v, "batch", UINT64_MAX, e));
    TRY(json_u64(&out->reply.height, v, "height", UINT64_MAX, e));
    TRY(json_hex_fixed(out->reply.root.b, sizeof(out->reply.root.b), v, "root", e));
    TRY(json_u64(&status, v, "status", UINT8_MAX, e));
    if (status < RECEIPT_DONE || status > RECEIPT_NO_CONTRACT)
        return err_set(e, RC_MALFORMED, "status %llu, known are %d to %d",
                       (unsigned long long)status, RECEIPT_DONE, RECEIPT_NO_CONTRACT);
    out->reply.status = (uint8_t)status;
    TRY(text_hex(&out->reply.result, v, "result", QUERY_RESULT_MAX, a, e));
    return json_hex_fixed(out->signature65, sizeof(out->signature65), v, "signature", e);
}

static enum rc reply_read(struct query_reply *out, const struct query_context *c,
                          const struct cluster_query *q, const struct address *commit_signer,
                          struct bytes json, struct arena *a, struct err *e)
{
    static const char *const keys[] = {"batch",  "height",    "root", "status",
                                       "result", "signature", "error"};
    json_auto_t *v = NULL;
    json_t *error;
    struct address signer;
    struct hash32 digest;

    TRY(text_parse(&v, json, REPLY_SEALED_MAX, keys, ARRAY_LEN(keys), "reply", e));
    error = json_object_get(v, "error");
    if (error != NULL)
        return text_worker_error(error, e);
    TRY(text_malformed(reply_members(out, v, a, e), "reply", e));
    out->reply.contract = q->contract;
    query_hash(&out->reply.query_hash, q);
    reply_digest(&digest, &c->domain, &out->reply);
    if (secp_recover_address(&signer, &digest, out->signature65, SECP_S_LOW, e) != RC_OK ||
        !address_eq(&signer, commit_signer))
        return err_set(e, RC_DENIED,
                       "reply: it is not signed by the worker's commit key over this query");
    return RC_OK;
}

enum rc query_reply_parse(struct query_reply *out, const struct query_context *c,
                          const struct cluster_query *q, const struct address *commit_signer,
                          struct bytes json, struct arena *a, struct err *e)
{
    enum rc rc;

    *out = (struct query_reply){0};
    rc = reply_read(out, c, q, commit_signer, json, a, e);
    if (rc != RC_OK)
        *out = (struct query_reply){0};
    return rc;
}

enum rc query_answer_seal(struct buf *out, const struct query_context *c,
                          const struct query_request *q, struct bytes answer, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0};
    struct hash32 h;

    query_hash(&h, &q->query);
    answer_aad(&aad, c, &h);
    return seal_text(out, "cloister/cluster/reply/v1", buf_bytes(&aad), q->reply32, answer,
                     REPLY_SEALED_MAX, e);
}

enum rc query_answer_open(struct secbuf *out, const struct query_context *c,
                          const struct cluster_query *q, const struct secret32 *reply,
                          struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0};
    struct hash32 h;

    query_hash(&h, q);
    answer_aad(&aad, c, &h);
    return open_text(out, "cloister/cluster/reply/v1", buf_bytes(&aad), reply, sealed,
                     REPLY_SEALED_MAX, e);
}

/* ---- events for the owner ---- */

static void logs_request_digest(struct hash32 *out, const struct query_context *c,
                                const struct logs_request *q)
{
    logs_digest(out, &c->domain, &q->contract, &c->worker, q->reply32, q->first_batch, q->end_batch,
                q->expiry_s);
}

void logs_request_sign(struct logs_request *q, const struct query_context *c,
                       const struct secp_key *owner)
{
    struct secp_sig sig;
    struct hash32 digest;

    logs_request_digest(&digest, c, q);
    secp_sign(&sig, owner, &digest);
    memcpy(q->signature65, sig.b, sizeof(q->signature65));
}

void logs_request_put(struct buf *out, const struct logs_request *q)
{
    buf_put_str(out, "{");
    text_put_hex(out, "contract", BYTES_OF(&q->contract));
    buf_put_str(out, ",");
    text_put_hex(out, "reply_key", BYTES_OF(&q->reply32));
    buf_put_str(out, ",");
    text_put_num(out, "first_batch", q->first_batch);
    buf_put_str(out, ",");
    text_put_num(out, "end_batch", q->end_batch);
    buf_put_str(out, ",");
    text_put_num(out, "expiry", q->expiry_s);
    buf_put_str(out, ",");
    text_put_hex(out, "signature", BYTES_OF(&q->signature65));
    buf_put_str(out, "}");
}

static enum rc logs_members(struct logs_request *out, const json_t *v, struct err *e)
{
    TRY(json_hex_fixed(out->contract.b, sizeof(out->contract.b), v, "contract", e));
    TRY(json_hex_fixed(out->reply32, sizeof(out->reply32), v, "reply_key", e));
    TRY(json_u64(&out->first_batch, v, "first_batch", INT64_MAX, e));
    TRY(json_u64(&out->end_batch, v, "end_batch", INT64_MAX, e));
    TRY(json_u64(&out->expiry_s, v, "expiry", INT64_MAX, e));
    return json_hex_fixed(out->signature65, sizeof(out->signature65), v, "signature", e);
}

enum rc logs_request_parse(struct logs_request *out, struct address *signer,
                           const struct query_context *c, struct bytes json, struct err *e)
{
    static const char *const keys[] = {"contract",  "reply_key", "first_batch",
                                       "end_batch", "expiry",    "signature"};
    json_auto_t *v = NULL;
    struct hash32 digest;
    enum rc rc;

    *out = (struct logs_request){0};
    *signer = (struct address){0};
    TRY(text_parse(&v, json, 4096, keys, ARRAY_LEN(keys), "logs request", e));
    rc = text_malformed(logs_members(out, v, e), "logs request", e);
    if (rc == RC_OK) {
        logs_request_digest(&digest, c, out);
        rc = secp_recover_address(signer, &digest, out->signature65, SECP_S_LOW, e);
    }
    if (rc != RC_OK)
        *out = (struct logs_request){0};
    return rc;
}

static void logs_aad(struct buf *out, const struct query_context *c, const struct logs_request *q)
{
    struct hash32 h;

    keccak256(&h, BYTES_OF(&q->signature65));
    answer_aad(out, c, &h);
}

enum rc logs_answer_seal(struct buf *out, const struct query_context *c,
                         const struct logs_request *q, struct bytes answer, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0};

    logs_aad(&aad, c, q);
    return seal_text(out, "cloister/cluster/logs/v1", buf_bytes(&aad), q->reply32, answer,
                     REPLY_SEALED_MAX, e);
}

enum rc logs_answer_open(struct secbuf *out, const struct query_context *c,
                         const struct logs_request *q, const struct secret32 *reply,
                         struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(buf) struct buf aad = {0};

    logs_aad(&aad, c, q);
    return open_text(out, "cloister/cluster/logs/v1", buf_bytes(&aad), reply, sealed,
                     REPLY_SEALED_MAX, e);
}
