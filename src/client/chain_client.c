#include "client/chain_client.h"

#include "base/hex.h"
#include "chain/address.h"
#include "chain/tx.h"
#include "client/internal/answer.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "net/http_client.h"
#include "os/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define CALL_TIMEOUT_MS 30000
#define RETRY_FIRST_MS 50
#define RETRY_MOST_MS 1000
#define NODE_WAIT_MS 5000 /* of one call for a receipt */
/* Our ledger includes a transaction in about a millisecond; others take seconds. */
#define POLL_FIRST_US 250
#define POLL_MOST_US 250000
#define INCLUSION_WAIT_MS 2000
#define INCLUSION_TRIES 30
#define NONCES_MAX 64 /* keys one client sends with */
#define IDLE_MAX 8    /* connections kept open between calls */
/* Above this many wei a gas we take the node's offer for a mistake: 10,000 gwei. */
#define PRICE_MAX_WEI 10000000000000U

struct nonce_entry {
    struct address who;
    uint64_t next;
    bool known;
};

/* A connection and the memory its answers are read into; used by one call at a time. */
struct connection {
    struct http_client *http;
    struct http_reply reply;
};

struct chain_client {
    char *url;
    pthread_mutex_t conn_lock; /* idle, n_idle, next_id */
    struct connection idle[IDLE_MAX];
    size_t n_idle;
    uint64_t next_id;
    unsigned patience_ms;
    pthread_mutex_t send_lock; /* nonces, chain: one signature at a time keeps nonces dense */
    struct nonce_entry nonces[NONCES_MAX];
    size_t n_nonces;
    uint64_t chain;
    bool chain_known;
    _Atomic bool polls;   /* the node knows no cloister_waitReceipt */
    _Atomic bool no_sync; /* nor eth_sendRawTransactionSync */
};

struct chain_client *chain_client_new(const char *url)
{
    struct chain_client *c = xcalloc(1, sizeof(*c));

    c->url = xstrdup(url);
    c->patience_ms = 10000;
    CHECK(pthread_mutex_init(&c->conn_lock, NULL) == 0);
    CHECK(pthread_mutex_init(&c->send_lock, NULL) == 0);
    return c;
}

static void connection_clear(struct connection *k)
{
    http_client_free(k->http);
    http_reply_clear(&k->reply);
}

/* A call that waits at the node must not hold up others: each has a connection of its own. */
static struct connection connection_take(struct chain_client *c)
{
    struct connection k = {0};

    (void)pthread_mutex_lock(&c->conn_lock);
    if (c->n_idle != 0)
        k = c->idle[--c->n_idle];
    (void)pthread_mutex_unlock(&c->conn_lock);
    if (k.http == NULL)
        k.http = http_client_new();
    return k;
}

static void connection_give_back(struct chain_client *c, struct connection *k)
{
    bool kept;

    (void)pthread_mutex_lock(&c->conn_lock);
    kept = c->n_idle < IDLE_MAX;
    if (kept)
        c->idle[c->n_idle++] = *k;
    (void)pthread_mutex_unlock(&c->conn_lock);
    if (!kept)
        connection_clear(k);
}

void chain_client_free(struct chain_client *c)
{
    if (c == NULL)
        return;
    while (c->n_idle != 0)
        connection_clear(&c->idle[--c->n_idle]);
    (void)pthread_mutex_destroy(&c->conn_lock);
    (void)pthread_mutex_destroy(&c->send_lock);
    free(c->url);
    free(c);
}

const char *chain_client_url(const struct chain_client *c)
{
    return c->url;
}

void chain_client_patience(struct chain_client *c, unsigned ms)
{
    c->patience_ms = ms;
}

/* ---- one call ---- */

static bool is_transport(enum rc rc)
{
    return rc == RC_IO || rc == RC_CLOSED || rc == RC_AGAIN || rc == RC_TIMEOUT;
}

/* POST the text until an answer arrives or patience ends; the answer is parsed. Every method we use
 * may be repeated: reads have no effect, and a raw transaction is known by its hash. */
static enum rc post(struct chain_client *c, struct bytes text, json_t **answer, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + c->patience_ms;
    uint64_t pause = RETRY_FIRST_MS;
    const struct http_call call = {.url = c->url,
                                   .content_type = "application/json",
                                   .body = text,
                                   .body_max = CHAIN_ANSWER_MAX,
                                   .timeout_ms = CALL_TIMEOUT_MS};
    struct connection k = connection_take(c);
    enum rc rc;

    for (;;) {
        rc = http_client_do(k.http, &k.reply, &call, e);
        if (rc == RC_OK)
            rc = json_parse(answer, buf_bytes(&k.reply.body), CHAIN_ANSWER_MAX, e);
        if (!is_transport(rc) || clock_mono_ms() + pause > give_up)
            break;
        clock_sleep_ms(pause);
        pause = pause * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : pause * 2;
    }
    connection_give_back(c, &k);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "chain node %s", c->url);
}

static json_t *request_of(const char *method, json_t *params, uint64_t id)
{
    json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id,
                                "method", method, "params", params);

    CHECK(request != NULL);
    return request;
}

/* The first of n numbers for requests. */
static uint64_t take_ids(struct chain_client *c, size_t n)
{
    uint64_t first;

    (void)pthread_mutex_lock(&c->conn_lock);
    first = c->next_id + 1;
    c->next_id += n;
    (void)pthread_mutex_unlock(&c->conn_lock);
    return first;
}

enum rc chain_rpc(struct chain_client *c, json_t **result, const char *method, json_t *params,
                  struct buf *error_data, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *answer = NULL;
    json_auto_t *request = request_of(method, params, take_ids(c, 1));

    *result = NULL;
    json_put(&text, request);
    TRY(post(c, buf_bytes(&text), &answer, e));
    return answer_result(result, answer, c->url, method, error_data, e);
}

/* ---- several calls ---- */

void chain_request_clear(struct chain_request *r)
{
    json_decref(r->params);
    json_decref(r->result);
    r->params = r->result = NULL;
}

/* A node that knows no batches: one after the other. */
static enum rc one_by_one(struct chain_client *c, struct chain_request *list, size_t n,
                          struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        list[i].rc = chain_rpc(c, &list[i].result, list[i].method, json_incref(list[i].params),
                               NULL, &list[i].err);
        if (is_transport(list[i].rc)) {
            if (e != NULL)
                *e = list[i].err;
            return list[i].rc;
        }
    }
    return RC_OK;
}

enum rc chain_rpc_batch(struct chain_client *c, struct chain_request *list, size_t n, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    uint64_t first = take_ids(c, n);
    json_auto_t *requests = json_array();
    json_auto_t *answers = NULL;
    enum rc rc;

    CHECK(requests != NULL);
    for (size_t i = 0; i < n; i++)
        CHECK(json_array_append_new(
                  requests, request_of(list[i].method, json_incref(list[i].params), first + i)) ==
              0);
    json_put(&text, requests);
    rc = post(c, buf_bytes(&text), &answers, e);
    if (is_transport(rc))
        return rc;
    if (rc != RC_OK || !json_is_array(answers))
        return one_by_one(c, list, n, e);
    answer_batch(list, n, answers, first, c->url);
    return RC_OK;
}

/* ---- small values ---- */

static json_t *json_address(const struct address *a)
{
    return json_hex_new(BYTES_OF(a));
}

static json_t *height_tag(uint64_t height)
{
    return height == CHAIN_LATEST ? json_string("latest") : json_quantity_new(height);
}

/* A method whose result is a quantity below 2^64. */
static enum rc rpc_u64(struct chain_client *c, uint64_t *out, const char *method, json_t *params,
                       struct err *e)
{
    json_auto_t *r = NULL;

    *out = 0;
    TRY(chain_rpc(c, &r, method, params, NULL, e));
    return json_value_u64(out, r, method, UINT64_MAX, e);
}

static enum rc rpc_u256(struct chain_client *c, struct u256 *out, const char *method,
                        json_t *params, struct err *e)
{
    json_auto_t *r = NULL;

    *out = U256_ZERO;
    TRY(chain_rpc(c, &r, method, params, NULL, e));
    return json_value_u256(out, r, method, e);
}

/* A method whose result is hexadecimal data, appended to out. */
static enum rc rpc_data(struct chain_client *c, struct buf *out, const char *method, json_t *params,
                        struct err *e)
{
    json_auto_t *r = NULL;

    TRY(chain_rpc(c, &r, method, params, NULL, e));
    if (!json_is_string(r))
        return err_set(e, RC_MALFORMED, "%s: result is not a string", method);
    return hex_decode(out, bytes_str(json_string_value(r)), CHAIN_ANSWER_MAX, e);
}

enum rc chain_id(struct chain_client *c, uint64_t *out, struct err *e)
{
    (void)pthread_mutex_lock(&c->send_lock);
    *out = c->chain;
    if (c->chain_known) {
        (void)pthread_mutex_unlock(&c->send_lock);
        return RC_OK;
    }
    (void)pthread_mutex_unlock(&c->send_lock);
    TRY(rpc_u64(c, out, "eth_chainId", json_array(), e));
    (void)pthread_mutex_lock(&c->send_lock);
    c->chain = *out;
    c->chain_known = true;
    (void)pthread_mutex_unlock(&c->send_lock);
    return RC_OK;
}

enum rc chain_height(struct chain_client *c, uint64_t *out, struct err *e)
{
    return rpc_u64(c, out, "eth_blockNumber", json_array(), e);
}

enum rc chain_time(struct chain_client *c, uint64_t *out, struct err *e)
{
    json_auto_t *r = NULL;

    *out = 0;
    TRY(chain_rpc(c, &r, "eth_getBlockByNumber", json_pack("[s, b]", "latest", 0), NULL, e));
    return json_u64(out, r, "timestamp", UINT64_MAX, e);
}

enum rc chain_balance(struct chain_client *c, struct u256 *out, const struct address *who,
                      struct err *e)
{
    return rpc_u256(c, out, "eth_getBalance", json_pack("[o, s]", json_address(who), "latest"), e);
}

enum rc chain_pending_nonce(struct chain_client *c, uint64_t *out, const struct address *who,
                            struct err *e)
{
    return rpc_u64(c, out, "eth_getTransactionCount",
                   json_pack("[o, s]", json_address(who), "pending"), e);
}

enum rc chain_code(struct chain_client *c, struct buf *out, const struct address *who,
                   struct err *e)
{
    return rpc_data(c, out, "eth_getCode", json_pack("[o, s]", json_address(who), "latest"), e);
}

/* The call object of eth_call and eth_estimateGas. */
static json_t *call_object(const struct address *from, const struct address *to,
                           const struct u256 *value, struct bytes data)
{
    json_t *o = json_object();

    CHECK(o != NULL);
    if (from != NULL)
        CHECK(json_object_set_new(o, "from", json_address(from)) == 0);
    if (to != NULL)
        CHECK(json_object_set_new(o, "to", json_address(to)) == 0);
    if (value != NULL && !u256_is_zero(value))
        CHECK(json_object_set_new(o, "value", json_quantity256_new(value)) == 0);
    CHECK(json_object_set_new(o, "data", json_hex_new(data)) == 0);
    return o;
}

struct chain_request chain_call_request(const struct address *from, const struct address *to,
                                        struct bytes calldata, uint64_t height)
{
    return (struct chain_request){
        .method = "eth_call",
        .params = json_pack("[o, o]", call_object(from, to, NULL, calldata), height_tag(height))};
}

/* How one call of a batch ended. */
static enum rc request_rc(const struct chain_request *r, struct err *e)
{
    if (r->rc != RC_OK && e != NULL)
        *e = r->err;
    return r->rc;
}

enum rc chain_request_data(struct buf *out, const struct chain_request *r, struct err *e)
{
    TRY(request_rc(r, e));
    if (!json_is_string(r->result))
        return err_set(e, RC_MALFORMED, "%s: result is not a string", r->method);
    return hex_decode(out, bytes_str(json_string_value(r->result)), CHAIN_ANSWER_MAX, e);
}

enum rc chain_call(struct chain_client *c, struct buf *out, const struct address *from,
                   const struct address *to, struct bytes calldata, uint64_t height, struct err *e)
{
    return rpc_data(c, out, "eth_call",
                    json_pack("[o, o]", call_object(from, to, NULL, calldata), height_tag(height)),
                    e);
}

/* ---- receipts and logs ---- */

/* RC_NOTFOUND: null. */
static enum rc receipt_of(struct chain_receipt *out, struct arena *a, const struct hash32 *tx_hash,
                          const json_t *r, struct err *e)
{
    char text[65];

    *out = (struct chain_receipt){.tx_hash = *tx_hash};
    if (!json_is_null(r))
        return answer_receipt(out, a, r, e);
    hex_encode(text, BYTES_OF(tx_hash));
    return err_set(e, RC_NOTFOUND, "transaction 0x%s is not in a block", text);
}

enum rc chain_receipt_get(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                          const struct hash32 *tx_hash, struct err *e)
{
    json_auto_t *r = NULL;

    *out = (struct chain_receipt){.tx_hash = *tx_hash};
    TRY(chain_rpc(c, &r, "eth_getTransactionReceipt",
                  json_pack("[o]", json_hex_new(BYTES_OF(tx_hash))), NULL, e));
    return receipt_of(out, a, tx_hash, r, e);
}

/* The same, but a node that knows how lets us wait for it there. */
static enum rc receipt_await(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                             const struct hash32 *tx_hash, uint64_t ms, struct err *e)
{
    json_auto_t *r = NULL;
    enum rc rc;

    if (c->polls)
        return chain_receipt_get(c, out, a, tx_hash, e);
    rc = chain_rpc(c, &r, "cloister_waitReceipt",
                   json_pack("[o, I]", json_hex_new(BYTES_OF(tx_hash)),
                             (json_int_t)(ms < NODE_WAIT_MS ? ms : NODE_WAIT_MS)),
                   NULL, e);
    if (is_transport(rc))
        return rc;
    /* No such method there; or whatever it minds about it. */
    if (rc != RC_OK) {
        c->polls = true;
        return chain_receipt_get(c, out, a, tx_hash, e);
    }
    return receipt_of(out, a, tx_hash, r, e);
}

enum rc chain_receipt_wait(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                           const struct hash32 *tx_hash, unsigned timeout_ms, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + timeout_ms;
    uint64_t pause = POLL_FIRST_US;

    for (;;) {
        uint64_t now = clock_mono_ms();
        enum rc rc = receipt_await(c, out, a, tx_hash, give_up > now ? give_up - now : 0, e);

        if (rc != RC_NOTFOUND)
            return rc;
        if (clock_mono_ms() + pause / 1000 > give_up)
            return err_wrap(e, RC_TIMEOUT, "waited %u ms", timeout_ms);
        clock_sleep_us(pause);
        pause += pause / 2;
        if (pause > POLL_MOST_US)
            pause = POLL_MOST_US;
    }
}

enum rc chain_logs(struct chain_client *c, struct chain_log **out, size_t *n, struct arena *a,
                   const struct address *contract, const struct hash32 *topic0,
                   const struct hash32 *topic1, uint64_t from, uint64_t to, struct err *e)
{
    json_t *topics = json_pack("[o]", json_hex_new(BYTES_OF(topic0)));
    json_auto_t *r = NULL;

    CHECK(topics != NULL);
    if (topic1 != NULL)
        CHECK(json_array_append_new(topics, json_hex_new(BYTES_OF(topic1))) == 0);
    *out = NULL;
    *n = 0;
    TRY(chain_rpc(c, &r, "eth_getLogs",
                  json_pack("[{s:o, s:o, s:o, s:o}]", "address", json_address(contract), "topics",
                            topics, "fromBlock", json_quantity_new(from), "toBlock",
                            height_tag(to)),
                  NULL, e));
    return answer_logs(out, n, a, r, e);
}

/* ---- sending ---- */

/* The entry of an account; the caller holds send_lock. */
static struct nonce_entry *nonce_of(struct chain_client *c, const struct address *who)
{
    for (size_t i = 0; i < c->n_nonces; i++)
        if (address_eq(&c->nonces[i].who, who))
            return &c->nonces[i];
    /* When full, forget one: it is asked of the node again. */
    if (c->n_nonces == NONCES_MAX)
        c->n_nonces--;
    c->nonces[c->n_nonces] = (struct nonce_entry){.who = *who};
    return &c->nonces[c->n_nonces++];
}

void chain_nonce_reset(struct chain_client *c, const struct address *who)
{
    (void)pthread_mutex_lock(&c->send_lock);
    nonce_of(c, who)->known = false;
    (void)pthread_mutex_unlock(&c->send_lock);
}

/* What to offer: twice the base fee and the node's tip, as wallets do, so that some full blocks in
 * a row do not strand the transaction. */
static enum rc fees(const struct chain_client *c, struct chain_price *p,
                    const struct chain_request *block, const struct chain_request *tip,
                    const struct chain_request *price, struct err *e)
{
    const struct u256 most = u256_from_u64(PRICE_MAX_WEI);
    struct u256 base;

    TRY(request_rc(block, e));
    if (json_object_get(block->result, "baseFeePerGas") == NULL) {
        TRY(request_rc(price, e));
        TRY(json_value_u256(&p->max_fee_wei, price->result, price->method, e));
        p->max_priority_wei = p->max_fee_wei;
        p->legacy = true;
    } else {
        TRY(json_u256(&base, block->result, "baseFeePerGas", e));
        TRY(request_rc(tip, e));
        TRY(json_value_u256(&p->max_priority_wei, tip->result, tip->method, e));
        if (!u256_add(&p->max_fee_wei, &base, &base) ||
            !u256_add(&p->max_fee_wei, &p->max_fee_wei, &p->max_priority_wei))
            return err_set(e, RC_RANGE, "chain node %s: fees overflow", c->url);
    }
    if (u256_cmp(&p->max_fee_wei, &most) > 0)
        return err_set(e, RC_RANGE,
                       "chain node %s asks for more than %lu gwei a gas: not paying that", c->url,
                       PRICE_MAX_WEI / 1000000000UL);
    return RC_OK;
}

enum rc chain_ask_price(struct chain_client *c, struct chain_price *out, const struct address *from,
                        const struct chain_send *s, struct err *e)
{
    enum { BLOCK, TIP, PRICE, GAS, N };
    struct chain_request r[N] = {
        [BLOCK] = {.method = "eth_getBlockByNumber", .params = json_pack("[s, b]", "latest", 0)},
        [TIP] = {.method = "eth_maxPriorityFeePerGas", .params = json_array()},
        [PRICE] = {.method = "eth_gasPrice", .params = json_array()},
        [GAS] = {.method = "eth_estimateGas",
                 .params = json_pack("[o]", call_object(from, s->to, &s->value, s->data))}};
    enum rc rc = chain_rpc_batch(c, r, s->gas == 0 ? N : N - 1, e);

    *out = (struct chain_price){.gas = s->gas};
    if (rc == RC_OK && s->gas == 0)
        rc = request_rc(&r[GAS], e);
    if (rc == RC_OK && s->gas == 0)
        rc = json_value_u64(&out->gas, r[GAS].result, r[GAS].method, UINT64_MAX / 2, e);
    if (rc == RC_OK && s->gas == 0)
        out->gas += out->gas / 4;
    if (rc == RC_OK)
        rc = fees(c, out, &r[BLOCK], &r[TIP], &r[PRICE], e);
    for (size_t i = 0; i < N; i++)
        chain_request_clear(&r[i]);
    return rc;
}

enum rc chain_sign(struct chain_client *c, struct buf *raw, struct hash32 *tx_hash_out,
                   const struct secp_key *key, const struct chain_send *s, struct err *e)
{
    struct tx tx = {
        .has_chain_id = true, .value_wei = s->value, .data = s->data, .is_create = s->to == NULL};
    size_t start = raw->n;
    struct chain_price price;
    struct nonce_entry *entry;
    struct address from;
    enum rc rc = RC_OK;

    secp_key_address(&from, key);
    if (s->to != NULL)
        tx.to = *s->to;
    TRY(chain_id(c, &tx.chain_id, e));
    if (s->price != NULL)
        price = *s->price;
    else
        TRY(chain_ask_price(c, &price, &from, s, e));
    tx.type = price.legacy ? TX_LEGACY : TX_DYNAMIC_FEE;
    tx.gas_limit = price.gas;
    tx.gas_price_wei = tx.max_fee_wei = price.max_fee_wei;
    tx.max_priority_wei = price.max_priority_wei;
    (void)pthread_mutex_lock(&c->send_lock);
    entry = nonce_of(c, &from);
    if (!entry->known) {
        rc = chain_pending_nonce(c, &entry->next, &from, e);
        entry->known = rc == RC_OK;
    }
    tx.nonce = entry->next;
    if (rc == RC_OK)
        rc = tx_sign(&tx, key, e);
    if (rc == RC_OK) {
        entry->next++;
        tx_encode(raw, &tx);
    }
    (void)pthread_mutex_unlock(&c->send_lock);
    if (rc == RC_OK)
        tx_hash(tx_hash_out, bytes_of(raw->p + start, raw->n - start));
    return rc;
}

enum rc chain_send_raw(struct chain_client *c, struct bytes raw, struct err *e)
{
    struct arena a = {0};
    struct chain_receipt receipt;
    json_auto_t *r = NULL;
    struct hash32 hash;
    struct err lookup;
    enum rc rc =
        chain_rpc(c, &r, "eth_sendRawTransaction", json_pack("[o]", json_hex_new(raw)), NULL, e);

    if (rc == RC_OK || rc == RC_IO || rc == RC_TIMEOUT || rc == RC_CLOSED || rc == RC_AGAIN)
        return rc;
    /* Sent before, and in the pool or in a block by now: that is what was wanted. */
    if (e != NULL && strstr(e->msg, "already known") != NULL)
        return RC_OK;
    tx_hash(&hash, raw);
    if (chain_receipt_get(c, &receipt, &a, &hash, &lookup) == RC_OK)
        rc = RC_OK;
    arena_clear(&a);
    return rc;
}

/* Refusals too are left to chain_send_raw: it knows those that are none. */
static bool send_sync(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                      struct bytes raw, const struct hash32 *hash, unsigned timeout_ms, enum rc *rc,
                      struct err *e)
{
    json_auto_t *r = NULL;

    if (c->no_sync)
        return false;
    *rc = chain_rpc(c, &r, "eth_sendRawTransactionSync",
                    json_pack("[o, I]", json_hex_new(raw),
                              (json_int_t)(timeout_ms < NODE_WAIT_MS ? timeout_ms : NODE_WAIT_MS)),
                    NULL, e);
    if (*rc == RC_UNSUPPORTED)
        c->no_sync = true;
    if (*rc == RC_OK)
        *rc = receipt_of(out, a, hash, r, e);
    return *rc == RC_OK || *rc == RC_IO || *rc == RC_CLOSED || *rc == RC_AGAIN;
}

enum rc chain_send_wait(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                        struct bytes raw, unsigned timeout_ms, bool *sent, struct err *e)
{
    uint64_t begun = clock_mono_ms(), spent;
    struct hash32 hash;
    enum rc rc;

    tx_hash(&hash, raw);
    *out = (struct chain_receipt){.tx_hash = hash};
    *sent = false;
    if (send_sync(c, out, a, raw, &hash, timeout_ms, &rc, e)) {
        *sent = rc == RC_OK;
        return rc;
    }
    TRY(chain_send_raw(c, raw, e));
    *sent = true;
    spent = clock_mono_ms() - begun;
    return chain_receipt_wait(c, out, a, &hash,
                              spent < timeout_ms ? timeout_ms - (unsigned)spent : 0, e);
}

/* Why did it fail? Nodes keep no reason: run it again on the state before and see. */
static enum rc revert_reason(struct chain_client *c, const struct chain_receipt *r,
                             const struct secp_key *key, const struct chain_send *s, struct err *e)
{
    struct address from;

    secp_key_address(&from, key);
    if (s->to != NULL && r->height > 0) {
        json_auto_t *result = NULL;
        enum rc rc = chain_rpc(c, &result, "eth_call",
                               json_pack("[o, o]", call_object(&from, s->to, &s->value, s->data),
                                         height_tag(r->height - 1)),
                               NULL, e);

        if (rc == RC_DENIED)
            return rc;
    }
    return err_set(e, RC_DENIED, "transaction failed in block %llu after %llu gas",
                   (unsigned long long)r->height, (unsigned long long)r->gas_used);
}

/* Go on waiting for the receipt, handing the bytes to the node again from time to time: a node that
 * was restarted has forgotten what was in its pool. */
static enum rc wait_included(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                             const struct hash32 *hash, struct bytes raw, struct err *e)
{
    enum rc rc = RC_TIMEOUT;

    for (int i = 1; i < INCLUSION_TRIES && rc == RC_TIMEOUT; i++) {
        TRY(chain_send_raw(c, raw, e));
        rc = chain_receipt_wait(c, out, a, hash, INCLUSION_WAIT_MS, e);
    }
    return rc == RC_TIMEOUT ? err_set(e, rc, "transaction is not in a block after %d s",
                                      INCLUSION_TRIES * INCLUSION_WAIT_MS / 1000)
                            : rc;
}

/* The node's words for too little money, with the figures. */
static enum rc explain_funds(struct chain_client *c, const struct address *from,
                             const struct chain_send *s, enum rc rc, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    char who[ADDRESS_TEXT_SIZE];
    struct u256 have;

    if (e == NULL || strstr(e->msg, "insufficient funds") == NULL ||
        chain_balance(c, &have, from, NULL) != RC_OK)
        return rc;
    address_format(who, from);
    buf_printf(&text, "insufficient funds: %s has ", who);
    u256_put_units(&text, &have, 18);
    buf_put_str(&text, " coins and is to pay ");
    u256_put_units(&text, &s->value, 18);
    buf_put_str(&text, " and the gas");
    return err_set(e, rc, "%s", buf_cstr(&text));
}

enum rc chain_transact(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                       const struct secp_key *key, const struct chain_send *s, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct address from;
    struct hash32 hash;
    bool sent;
    enum rc rc;

    *out = (struct chain_receipt){0};
    secp_key_address(&from, key);
    rc = chain_sign(c, &raw, &hash, key, s, e);
    if (rc != RC_OK)
        return explain_funds(c, &from, s, rc, e);
    rc = chain_send_wait(c, out, a, buf_bytes(&raw), INCLUSION_WAIT_MS, &sent, e);
    if (rc != RC_OK && !sent) {
        chain_nonce_reset(c, &from);
        return explain_funds(c, &from, s, rc, e);
    }
    if (rc == RC_TIMEOUT)
        rc = wait_included(c, out, a, &hash, buf_bytes(&raw), e);
    TRY(rc);
    return out->ok ? RC_OK : revert_reason(c, out, key, s, e);
}
