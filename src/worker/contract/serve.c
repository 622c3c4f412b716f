/* The HTTP interface: queries (in channels: channels.c), receipts, and what the owner of a contract
 * may ask for. Query and answer are sealed, unless they come over the TLS port. */
#include "worker/contract/serve.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/address.h"
#include "client/light_client.h"
#include "cluster/audit.h"
#include "cluster/query.h"
#include "codec/json.h"
#include "net/websocket.h"
#include "os/clock.h"
#include "worker/internal/fresh.h"
#include "worker/internal/keepers.h"
#include "worker/internal/metrics.h"

#define QUERY_GAS 50000000ull
#define CATCH_UP_MS 3000 /* how long a query waits for the height it asks for */
#define EXPIRY_MAX_S 600 /* how far away the end of a query may be */
#define ASK_TIMEOUT_MS 15000

/* ---- answers ---- */

static void answer(struct http_response *resp, unsigned status, json_t *o)
{
    resp->status = status;
    http_response_header(resp, "Content-Type", "application/json");
    json_put(&resp->body, o);
    json_decref(o);
}

static void refuse(struct http_response *resp, unsigned status, const char *code,
                   const char *message)
{
    json_t *text = json_string(message);

    answer(resp, status,
           json_pack("{s:{s:{s:s, s:o}}}", "detail", "error", "code", code, "message",
                     text != NULL ? text : json_string("(the message is not UTF-8)")));
}

static void refuse_err(struct http_response *resp, const struct err *e)
{
    switch (e->code) {
    case RC_NOTFOUND:
        refuse(resp, 404, "CONTRACT_UNKNOWN", e->msg);
        return;
    case RC_DENIED:
        refuse(resp, 403, "DENIED", e->msg);
        return;
    case RC_OK:
    case RC_MALFORMED:
    case RC_EXISTS:
    case RC_LIMIT:
    case RC_RANGE:
    case RC_UNSUPPORTED:
        refuse(resp, 400, "QUERY_MALFORMED", e->msg);
        return;
    case RC_AGAIN:
    case RC_TIMEOUT:
    case RC_CLOSED:
    case RC_IO:
    case RC_CORRUPT:
        refuse(resp, 503, "AGAIN", e->msg);
        return;
    }
}

/* ---- which cluster ---- */

static struct cluster *cluster_numbered(struct contracts *c, const char *text)
{
    struct cluster *k = c->clusters;
    uint64_t id;

    if (text == NULL || parse_u64(&id, bytes_str(text), UINT64_MAX >> 1, NULL) != RC_OK)
        return NULL;
    while (k != NULL && k->id != id)
        k = k->next;
    return k;
}

static const struct known_contract *served_contract(const struct served *s, const struct address *a)
{
    for (size_t i = 0; i < s->n_contracts; i++)
        if (address_eq(&s->contracts[i].address, a))
            return &s->contracts[i];
    return NULL;
}

/* The cluster that has the contract, and its state; give the state back. NULL: none of ours. */
static struct cluster *cluster_with(struct contracts *c, const struct address *contract,
                                    struct served **served)
{
    for (struct cluster *k = c->clusters; k != NULL; k = k->next) {
        struct served *s = cluster_take_served(k, NULL);

        if (s == NULL)
            continue;
        if (served_contract(s, contract) != NULL) {
            *served = s;
            return k;
        }
        cluster_give_served(k, s);
    }
    return NULL;
}

enum rc contracts_context(struct query_context *ctx, struct contracts *c, struct err *e)
{
    const struct worker *w = c->w;

    *ctx = (struct query_context){.domain = {w->chain_id, w->config.confidential},
                                  .worker = w->keys->sender_address};
    return keepers_genesis(c->w, &ctx->genesis, e);
}

/* ---- queries ---- */

/* Wait until what is served is as of at least this height; not longer than CATCH_UP_MS. */
static void await_height(struct cluster *c, uint64_t minimum_height)
{
    uint64_t until = clock_mono_ms() + CATCH_UP_MS;

    (void)pthread_mutex_lock(&c->lock);
    c->n_impatient++;
    (void)pthread_cond_broadcast(&c->changed); /* its thread rests: look now */
    while ((c->served == NULL || c->served->as_of < minimum_height) && !c->stopping &&
           cluster_wait(c, until))
        ;
    c->n_impatient--;
    (void)pthread_mutex_unlock(&c->lock);
}

/* The newest state as of at least this height. */
static struct served *served_at(struct cluster *c, uint64_t minimum_height, uint64_t *as_of)
{
    struct served *s = cluster_take_served(c, as_of);

    if (s == NULL || *as_of < minimum_height) {
        if (s != NULL)
            cluster_give_served(c, s);
        await_height(c, minimum_height);
        s = cluster_take_served(c, as_of);
    }
    if (s == NULL || *as_of >= minimum_height)
        return s;
    cluster_give_served(c, s);
    return NULL;
}

static enum rc run_query(struct contracts *c, const struct query_request *q,
                         const struct query_context *ctx, struct arena *a,
                         struct query_reply *reply, struct err *e)
{
    uint64_t as_of = 0;
    struct query_effects effects;
    struct machine_query m;
    struct command_result result;
    struct cluster *k;
    struct served *s;
    enum rc rc;

    k = cluster_with(c, &q->query.contract, &s);
    if (k == NULL)
        return err_set(e, RC_NOTFOUND, "no such contract is kept here");
    cluster_give_served(k, s);
    TRY(fresh_ensure(c->w, e));
    s = served_at(k, q->query.minimum_height, &as_of);
    if (s == NULL)
        return err_set(e, RC_AGAIN, "the state here is as of height %llu, not %llu",
                       (unsigned long long)as_of, (unsigned long long)q->query.minimum_height);
    query_effects_init(&effects, c, k, s);
    m = (struct machine_query){.contract = q->query.contract,
                               .caller = q->caller,
                               .calldata = q->query.calldata,
                               .gas = QUERY_GAS,
                               .height = s->height,
                               .time_s = s->time_s,
                               .host = &effects.host};
    if (!q->is_signed)
        memset(&m.caller, 0, sizeof(m.caller));
    rc = snapshot_query(s->snapshot, &m, a, &result, e);
    if (rc == RC_OK) {
        reply->reply = (struct cluster_reply){.contract = q->query.contract,
                                              .batch = s->batch,
                                              .height = as_of,
                                              .root = s->root,
                                              .status = (uint8_t)result.status,
                                              .result = result.output};
        query_hash(&reply->reply.query_hash, &q->query);
        query_reply_sign(reply, ctx, &c->w->keys->commit);
    }
    if (rc == RC_IO) { /* its process is gone: let the thread make another */
        (void)pthread_mutex_lock(&k->lock);
        s->is_gone = true;
        (void)pthread_mutex_unlock(&k->lock);
        rc = err_wrap(e, RC_AGAIN, "the state is being made ready");
    }
    cluster_give_served(k, s);
    return rc;
}

void contracts_refuse(struct contracts *c, struct buf *out, const struct err *e)
{
    worker_metrics_query(c->w->metrics, rc_name(e->code));
    query_error_put(out, e->code, e->msg);
}

void contracts_answer(struct contracts *c, const struct query_request *q,
                      const struct query_context *ctx, struct arena *a, struct buf *out)
{
    struct query_reply reply;
    struct err e = {0};

    if (run_query(c, q, ctx, a, &reply, &e) == RC_OK) {
        worker_metrics_query(c->w->metrics, "answered");
        query_reply_put(out, &reply);
    } else {
        contracts_refuse(c, out, &e);
    }
}

enum rc contracts_check_expiry(const char *what, uint64_t expiry_s, unsigned max_s, struct err *e)
{
    uint64_t now_s = clock_wall_ns() / 1000000000u;

    if (expiry_s < now_s)
        return err_set(e, RC_DENIED,
                       "the %s's time is over: it ended at %llu, and by this "
                       "worker's clock it is %llu",
                       what, (unsigned long long)expiry_s, (unsigned long long)now_s);
    if (expiry_s > now_s + max_s)
        return err_set(e, RC_DENIED,
                       "the %s's expiry, %llu, is more than %u s away: by this "
                       "worker's clock it is %llu",
                       what, (unsigned long long)expiry_s, max_s, (unsigned long long)now_s);
    return RC_OK;
}

static void answer_query(struct contracts *c, const struct query_request *q,
                         const struct query_context *ctx, struct arena *a, struct buf *out)
{
    struct err e = {0};

    if (contracts_check_expiry("query", q->query.expiry_s, EXPIRY_MAX_S, &e) == RC_OK)
        contracts_answer(c, q, ctx, a, out);
    else
        contracts_refuse(c, out, &e);
}

static void answer_post(struct contracts *c, struct http_request *req, struct http_response *resp,
                        struct arena *a)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    json_auto_t *body = NULL;
    struct query_context ctx;
    struct query_request q;
    struct err e = {0};
    enum rc rc = contracts_context(&ctx, c, &e);

    if (rc == RC_OK)
        rc = json_parse(&body, req->body, 2 * QUERY_SEALED_MAX + 64, &e);
    if (rc != RC_OK) {
        refuse_err(resp, &e);
        return;
    }
    if (json_object_get(body, "sealed") == NULL) {
        rc = http_request_is_adopted(req)
                 ? query_request_take(&q, &ctx, body, a, &e)
                 : err_set(&e, RC_MALFORMED, "a bare query is for the TLS port; seal it");
        if (rc == RC_OK) {
            http_response_header(resp, "Content-Type", "application/json");
            answer_query(c, &q, &ctx, a, &resp->body);
            return;
        }
    } else {
        rc = json_hex(&sealed, body, "sealed", QUERY_SEALED_MAX, &e);
        if (rc == RC_OK)
            rc = query_request_open(&q, &ctx, &c->w->keys->receive, buf_bytes(&sealed), a, &e);
    }
    if (rc == RC_OK) {
        answer_query(c, &q, &ctx, a, &text);
        buf_reset(&sealed);
        rc = query_answer_seal(&sealed, &ctx, &q, buf_bytes(&text), &e);
        wipe(text.p, text.n);
    }
    if (rc != RC_OK)
        refuse_err(resp, &e);
    else
        answer(resp, 200, json_pack("{s:o}", "sealed", json_hex_new(buf_bytes(&sealed))));
}

static void post_query(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    struct arena a = {0};

    answer_post(c, req, resp, &a);
    arena_wipe(&a); /* what was asked, what was answered */
}

/* ---- where we stand, receipts ---- */

static json_t *address_json(const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    return json_string(text);
}

static void get_standing(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    struct cluster *k = cluster_numbered(c, http_request_arg(req, "cluster"));
    json_t *o, *list;
    struct served *s;
    uint64_t as_of;

    if (k == NULL) {
        refuse(resp, 404, "CLUSTER_UNKNOWN", "cluster=N names no cluster of this worker");
        return;
    }
    s = cluster_take_served(k, &as_of);
    o = json_object();
    list = json_array();
    (void)pthread_mutex_lock(&k->lock);
    CHECK(json_object_set_new(o, "cluster", json_integer((json_int_t)k->id)) == 0);
    CHECK(json_object_set_new(o, "registry", address_json(&c->w->config.confidential)) == 0);
    CHECK(json_object_set_new(o, "worker", address_json(&c->w->keys->sender_address)) == 0);
    CHECK(json_object_set_new(o, "member", json_boolean(k->is_member)) == 0);
    CHECK(json_object_set_new(o, "epoch", json_integer((json_int_t)k->epoch)) == 0);
    CHECK(json_object_set_new(o, "pending", json_integer((json_int_t)k->n_waiting)) == 0);
    CHECK(json_object_set_new(o, "height", json_integer((json_int_t)as_of)) == 0);
    (void)pthread_mutex_unlock(&k->lock);
    if (s != NULL) {
        CHECK(json_object_set_new(o, "batch", json_integer((json_int_t)s->batch)) == 0);
        CHECK(json_object_set_new(o, "root", json_hex_new(BYTES_OF(&s->root))) == 0);
        for (size_t i = 0; i < s->n_contracts; i++)
            CHECK(json_array_append_new(
                      list, json_pack("{s:o, s:o}", "address",
                                      address_json(&s->contracts[i].address), "code_hash",
                                      json_hex_new(BYTES_OF(&s->contracts[i].code_hash)))) == 0);
        cluster_give_served(k, s);
    }
    CHECK(json_object_set_new(o, "contracts", list) == 0);
    answer(resp, 200, o);
}

static void get_receipt(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    struct cluster *k = cluster_numbered(c, http_request_arg(req, "cluster"));
    const char *text = http_request_arg(req, "index");
    struct receipt_slot *slot;
    json_t *sealed = NULL;
    uint64_t index, entries = 0, batch = 0;
    struct served *s;

    if (k == NULL || text == NULL ||
        parse_u64(&index, bytes_str(text), UINT64_MAX >> 1, NULL) != RC_OK) {
        refuse(resp, 404, "CLUSTER_UNKNOWN", "give cluster=N of this worker and index=I");
        return;
    }
    s = cluster_take_served(k, NULL);
    if (s != NULL) {
        entries = s->entries;
        batch = s->batch;
        cluster_give_served(k, s);
    }
    if (index >= entries) {
        refuse(resp, 404, "RECEIPT_NOT_YET", "the command is not confirmed here yet");
        return;
    }
    slot = &k->receipts[index % CLUSTER_RECEIPTS];
    (void)pthread_mutex_lock(&k->lock);
    if (slot->index == index + 1)
        sealed = json_hex_new(buf_bytes(&slot->sealed));
    (void)pthread_mutex_unlock(&k->lock);
    if (sealed == NULL)
        refuse(resp, 404, "RECEIPT_NONE",
               "no receipt was asked for, or it is older than what is kept here");
    else
        answer(resp, 200,
               json_pack("{s:I, s:I, s:I, s:o}", "cluster", (json_int_t)k->id, "index",
                         (json_int_t)index, "batch", (json_int_t)batch, "sealed", sealed));
}

/* ---- what the owner may ask for ---- */

static enum rc check_owner(struct contracts *c, struct contract_view *view, struct arena *a,
                           const struct address *contract, const struct address *signer,
                           uint64_t expiry_s, struct err *e)
{
    uint64_t now_s = clock_wall_ns() / 1000000000u;

    TRY(fresh_ensure(c->w, e));
    TRY(view_contract(c->w, view, a, contract, 0, e));
    if (view->cluster == 0)
        return err_set(e, RC_NOTFOUND, "no such contract");
    if (!address_eq(&view->owner, signer))
        return err_set(e, RC_DENIED, "only the contract's owner may ask for this");
    if (expiry_s < now_s)
        return err_set(e, RC_DENIED,
                       "its time is over: it ended at %llu, and by this worker's "
                       "clock it is %llu",
                       (unsigned long long)expiry_s, (unsigned long long)now_s);
    return RC_OK;
}

/* Done by the cluster's thread, between two steps. */
struct ask {
    struct cluster_ask ask;
    const struct audit_grant *grant;
    const struct logs_request *logs;
    struct buf *out;
};

static enum rc give_audit_keys(struct cluster *k, struct cluster_ask *base, struct err *e)
{
    struct ask *x = (struct ask *)(void *)base;
    struct audit_keys *keys = secret_alloc(sizeof(*keys));
    const struct audit_context ctx = {.chain_id = k->w->chain_id,
                                      .genesis = k->genesis,
                                      .contract = x->grant->contract,
                                      .end_batch = x->grant->end_batch};
    const struct secret32 *blind =
        k->roots != NULL ? cluster_roots_blind(k->roots, &x->grant->contract) : NULL;
    enum rc rc = RC_OK;

    if (blind == NULL)
        rc = err_set(e, RC_AGAIN, "the contract has no state here yet");
    else
        keys->blind = *blind;
    for (uint64_t epoch = k->oldest_epoch; rc == RC_OK && epoch <= k->seen_epoch; epoch++) {
        const struct contract_keys *of;

        if (keys->n_epochs == AUDIT_EPOCHS_MAX)
            break;
        rc = keyring_get(k->keys, &of, &x->grant->contract, epoch, CLUSTER_KEY_WAIT_MS, e);
        if (rc == RC_OK)
            keys->epochs[keys->n_epochs++] =
                (struct audit_epoch){.epoch = epoch, .receive = of->receive, .state = of->state};
    }
    if (rc == RC_OK)
        rc = audit_keys_seal(x->out, &ctx, x->grant->auditor32, keys, e);
    audit_keys_clear(keys);
    secret_free(keys);
    return rc;
}

static void post_audit(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf out = {0};
    const struct cluster_domain domain = {c->w->chain_id, c->w->config.confidential};
    struct contract_view view;
    struct audit_grant grant;
    struct address signer;
    struct served *s;
    struct cluster *k;
    struct err e = {0};
    enum rc rc = audit_grant_parse(&grant, &signer, &domain, req->body, &e);

    if (rc == RC_OK)
        rc = check_owner(c, &view, &a, &grant.contract, &signer, grant.expiry_s, &e);
    if (rc == RC_OK && !view.has_audit)
        rc = err_set(&e, RC_DENIED, "the contract was deployed without audits");
    if (rc == RC_OK) {
        struct ask x = {.ask = {.fn = give_audit_keys}, .grant = &grant, .out = &out};

        k = cluster_with(c, &grant.contract, &s);
        if (k == NULL)
            rc = err_set(&e, RC_NOTFOUND, "the contract is not kept here");
        else {
            cluster_give_served(k, s);
            rc = cluster_ask(k, &x.ask, ASK_TIMEOUT_MS, &e);
        }
    }
    if (rc != RC_OK) {
        refuse_err(resp, &e);
        return;
    }
    log_info("worker", "audit keys of a contract were given as its owner asked");
    answer(resp, 200, json_pack("{s:o}", "sealed", json_hex_new(buf_bytes(&out))));
}

static enum rc give_logs(struct cluster *k, struct cluster_ask *base, struct err *e)
{
    struct ask *x = (struct ask *)(void *)base;

    return history_logs(k, x->out, &x->logs->contract, x->logs->first_batch, x->logs->end_batch, e);
}

static void post_logs(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_CLEAR(buf) struct buf out = {0};
    struct contract_view view;
    struct query_context ctx;
    struct logs_request q;
    struct address signer;
    struct served *s;
    struct cluster *k;
    struct err e = {0};
    enum rc rc = contracts_context(&ctx, c, &e);

    if (rc == RC_OK)
        rc = logs_request_parse(&q, &signer, &ctx, req->body, &e);
    if (rc == RC_OK)
        rc = check_owner(c, &view, &a, &q.contract, &signer, q.expiry_s, &e);
    if (rc == RC_OK) {
        struct ask x = {.ask = {.fn = give_logs}, .logs = &q, .out = &text};

        k = cluster_with(c, &q.contract, &s);
        if (k == NULL)
            rc = err_set(&e, RC_NOTFOUND, "the contract is not kept here");
        else {
            cluster_give_served(k, s);
            rc = cluster_ask(k, &x.ask, ASK_TIMEOUT_MS, &e);
        }
    }
    if (rc == RC_OK)
        rc = logs_answer_seal(&out, &ctx, &q, buf_bytes(&text), &e);
    if (rc != RC_OK)
        refuse_err(resp, &e);
    else
        answer(resp, 200, json_pack("{s:o}", "sealed", json_hex_new(buf_bytes(&out))));
    wipe(text.p, text.n);
}

static void get_channel(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    if (!http_request_is_websocket(req))
        refuse(resp, 426, "UPGRADE_REQUIRED", "a query channel is a WebSocket");
    else if (!channels_have_room(c->channels, http_request_client(req)))
        refuse(resp, 503, "AGAIN", "too many query channels are open: try again later");
    else
        http_response_websocket(resp, req, QUERY_SEALED_MAX, channels_take, c->channels);
}

bool contracts_handle(struct contracts *c, struct http_request *req, struct http_response *resp)
{
    bool is_get = strcmp(req->method, "GET") == 0, is_post = strcmp(req->method, "POST") == 0;

    if (strncmp(req->path, "/contracts", 10) != 0)
        return false;
    if (c == NULL)
        refuse(resp, 404, "NOT_FOUND", "this worker keeps no confidential contracts");
    else if ((is_post || http_request_is_websocket(req)) &&
             !worker_is_ready(c->w)) /* what is signed and sealed names the chain */
        refuse(resp, 503, "AGAIN", "the worker is starting");
    else if (is_get && strcmp(req->path, "/contracts") == 0)
        get_standing(c, req, resp);
    else if (is_get && strcmp(req->path, "/contracts/receipt") == 0)
        get_receipt(c, req, resp);
    else if (is_get && strcmp(req->path, "/contracts/channel") == 0)
        get_channel(c, req, resp);
    else if (is_post && strcmp(req->path, "/contracts/query") == 0)
        post_query(c, req, resp);
    else if (is_post && strcmp(req->path, "/contracts/audit") == 0)
        post_audit(c, req, resp);
    else if (is_post && strcmp(req->path, "/contracts/logs") == 0)
        post_logs(c, req, resp);
    else
        refuse(resp, 404, "NOT_FOUND",
               "there are GET /contracts?cluster=N, GET /contracts/receipt?cluster=N&index=I, GET "
               "/contracts/channel, POST /contracts/query, POST /contracts/audit, POST "
               "/contracts/logs");
    return true;
}
