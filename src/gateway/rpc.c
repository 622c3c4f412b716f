/* JSON-RPC 2.0: dispatch by the method table. */
#include "gateway/internal/rpc.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/internal/metrics.h"
#include "net/http_server.h"
#include "os/clock.h"

static const struct method {
    struct gateway_method_info info;
    rpc_method *fn;
} METHODS[] = {
#define METHOD(ns, name, help) {{#ns "_" #name, help}, rpc_##ns##_##name}
    METHOD(cloister, getCommit, "header and commit of a block, CometBFT's encoding: [height]"),
    METHOD(cloister, getProof,
           "state proof under a header: [address, storage key or null, height or latest]"),
    METHOD(cloister, getProofs,
           "state proofs under one header: [[[address, storage key or null], ...], height or "
           "latest, minimum, app hash known]"),
    METHOD(cloister, getTransactionProof, "a transaction under the header of its block: [hash]"),
    METHOD(cloister, lightBlock, "header, commit, validators, next validators: [height or latest]"),
    METHOD(cloister, waitReceipt, "a receipt as soon as there is one: [hash, ms]"),
    METHOD(eth, accounts, "always empty: keys stay with clients"),
    METHOD(eth, blockNumber, "height of the newest block"),
    METHOD(eth, call, "run a call and throw its changes away: [call, height]"),
    METHOD(eth, chainId, "Ethereum chain id"),
    METHOD(eth, createAccessList, "always empty, with the gas the call needs: [call, height]"),
    METHOD(eth, estimateGas, "least gas limit with which the call succeeds: [call]"),
    METHOD(eth, feeHistory, "base fees, gas used, tips: [count, newest, percentiles]"),
    METHOD(eth, fillTransaction, "nonce, gas and fees for a transaction object: [object]"),
    METHOD(eth, gasPrice, "base fee and the usual tip"),
    METHOD(eth, getBalance, "[address, height]"),
    METHOD(eth, getBlockByHash, "[hash, with transactions]"),
    METHOD(eth, getBlockByNumber, "[height, with transactions]"),
    METHOD(eth, getBlockReceipts, "[height]"),
    METHOD(eth, getBlockTransactionCountByHash, "[hash]"),
    METHOD(eth, getBlockTransactionCountByNumber, "[height]"),
    METHOD(eth, getCode, "the contract's ELF: [address, height]"),
    METHOD(eth, getFilterChanges, "what is new since the last call: [filter id]"),
    METHOD(eth, getFilterLogs, "all logs of a filter: [filter id]"),
    METHOD(eth, getLogs, "[{address, topics, fromBlock, toBlock | blockHash}]"),
    METHOD(eth, getStorageAt, "a value stored under a 32-byte key: [address, slot, height]"),
    METHOD(eth, getTransactionByBlockHashAndIndex, "[hash, index]"),
    METHOD(eth, getTransactionByBlockNumberAndIndex, "[height, index]"),
    METHOD(eth, getTransactionByHash, "[hash]"),
    METHOD(eth, getTransactionCount, "next nonce: [address, height or pending]"),
    METHOD(eth, getTransactionReceipt, "[hash]"),
    METHOD(eth, maxPriorityFeePerGas, "the usual tip"),
    METHOD(eth, newBlockFilter, "poll new block hashes with eth_getFilterChanges"),
    METHOD(eth, newFilter, "poll new logs with eth_getFilterChanges: [filter object]"),
    METHOD(eth, newPendingTransactionFilter, "poll new transaction hashes"),
    METHOD(eth, sendRawTransaction, "[signed transaction]"),
    METHOD(eth, sendRawTransactionSync, "the same, answering with the receipt: [signed, ms]"),
    METHOD(eth, subscribe, "WebSocket: [newHeads | logs | newPendingTransactions, filter object]"),
    METHOD(eth, syncing, "always false"),
    METHOD(eth, uninstallFilter, "[filter id]"),
    METHOD(eth, unsubscribe, "WebSocket: [subscription id]"),
    METHOD(net, listening, "always true"),
    METHOD(net, version, "chain id in decimal"),
    METHOD(rpc, modules, "namespaces and versions"),
    METHOD(txpool, status, "transactions ready and parked"),
    METHOD(web3, clientVersion, "name and version"),
    METHOD(web3, sha3, "Keccak-256: [data]"),
#undef METHOD
};

const struct gateway_method_info *gateway_methods(void)
{
    static struct gateway_method_info list[ARRAY_LEN(METHODS) + 1];

    for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
        list[i] = METHODS[i].info;
    return list;
}

size_t rpc_n_methods(void)
{
    return ARRAY_LEN(METHODS);
}

static const struct method *find_method(const char *name)
{
    size_t lo = 0, hi = ARRAY_LEN(METHODS);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, METHODS[mid].info.name);

        if (order == 0)
            return &METHODS[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static int code_of(enum rc rc)
{
    switch (rc) {
    case RC_MALFORMED:
    case RC_UNSUPPORTED:
        return RPC_INVALID_PARAMS;
    case RC_OK:
    case RC_DENIED:
    case RC_NOTFOUND:
    case RC_EXISTS:
    case RC_LIMIT:
    case RC_RANGE:
    case RC_AGAIN:
    case RC_TIMEOUT:
        return RPC_SERVER;
    case RC_CLOSED:
    case RC_IO:
    case RC_CORRUPT:
        return RPC_INTERNAL;
    }
    return RPC_INTERNAL;
}

/* Texts quote what clients and contracts gave, and may be cut within a character. */
static void put_text(struct buf *out, const char *text)
{
    json_auto_t *message = json_string(text);

    if (message == NULL) {
        AUTO_FREE char *plain = xstrdup(text);

        for (char *p = plain; *p != 0; p++)
            if ((unsigned char)*p >= 0x80)
                *p = '?';
        message = json_string(plain);
    }
    json_put(out, message);
}

static void put_id(struct buf *out, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");

    buf_put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (json_is_string(id) || json_is_number(id))
        json_put(out, id);
    else
        buf_put_str(out, "null");
}

static void put_error(struct buf *out, const json_t *request, int code, const char *text,
                      const struct buf *data)
{
    put_id(out, request);
    buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", code);
    put_text(out, text);
    if (code == RPC_REVERT || code == RPC_SYNC_LATE) {
        buf_put_str(out, ",\"data\":");
        rpc_put_hex(out, buf_bytes(data));
    }
    buf_put_str(out, "}}");
}

static void run_method(struct rpc_call *c, const struct method *method, const json_t *request)
{
    const char *name = method->info.name;
    uint64_t start_ns = clock_mono_ns();
    size_t start = c->out->n;
    struct err e = {0};
    enum rc rc;

    put_id(c->out, request);
    buf_put_str(c->out, ",\"result\":");
    rc = method->fn(c, &e);
    if (rc == RC_OK)
        c->code = 0;
    else if (c->code == 0)
        c->code = code_of(rc);
    gateway_metrics_call(c->g->metrics, (size_t)(method - METHODS), name, c->code,
                         clock_mono_ns() - start_ns);
    if (rc == RC_OK) {
        buf_u8(c->out, '}');
        return;
    }
    c->out->n = start;
    put_error(c->out, request, c->code, e.msg, &c->error_data);
    if (c->code == RPC_INTERNAL)
        log_warn("gateway", "%s: %s", name, e.msg);
}

/* Answer one request object. */
static void answer_one(struct gateway *g, const struct rpc_asker *who, const json_t *request,
                       uint64_t deadline_ms, struct buf *out)
{
    json_auto_t *no_params = json_array();
    const char *name = json_string_value(json_object_get(request, "method"));
    const json_t *params = json_object_get(request, "params");
    struct rpc_call c = {.g = g,
                         .socket = who->socket,
                         .client = who->client,
                         .out = out,
                         .deadline_ms = deadline_ms};
    struct err e;
    const struct method *method;

    c.params = params == NULL || json_is_null(params) ? no_params : params;
    if (name == NULL) {
        gateway_metrics_error(g->metrics, "", RPC_INVALID_REQUEST);
        put_error(out, request, RPC_INVALID_REQUEST, "request has no method", NULL);
        return;
    }
    method = find_method(name);
    if (method == NULL) {
        gateway_metrics_error(g->metrics, "", RPC_NO_METHOD);
        /* ethers knows "unsupported" by these words only. */
        (void)err_set(&e, RC_UNSUPPORTED, "the method %.64s does not exist/is not available", name);
        put_error(out, request, RPC_NO_METHOD, e.msg, NULL);
    } else if (!json_is_array(c.params)) {
        put_error(out, request, RPC_INVALID_PARAMS, "params is not an array", NULL);
    } else {
        run_method(&c, method, request);
    }
    buf_clear(&c.error_data);
    arena_clear(&c.mem);
}

/* A request without id wants no answer. */
static bool is_notification(const json_t *request)
{
    return json_is_string(json_object_get(request, "method")) &&
           json_object_get(request, "id") == NULL;
}

void rpc_put_too_many(struct gateway *g, unsigned retry_s, struct buf *out)
{
    gateway_metrics_error(g->metrics, "", RPC_TOO_MANY);
    put_id(out, NULL);
    buf_printf(out,
               ",\"error\":{\"code\":%d,\"message\":\"too many requests: try again in %u s\","
               "\"data\":{\"retry_after\":%u}}}",
               RPC_TOO_MANY, retry_s, retry_s);
}

/* The calls of a batch but the first, which has been charged as the request. */
static bool charge_rest(struct rpc_asker *who, size_t n)
{
    if (n <= 1)
        return true;
    if (who->request != NULL)
        return http_request_charge(who->request, (unsigned)n - 1, &who->retry_s);
    if (who->socket != NULL)
        return socket_charge(who->socket, (unsigned)n - 1, &who->retry_s);
    return true;
}

static void answer_batch(struct gateway *g, struct rpc_asker *who, const json_t *batch,
                         uint64_t deadline_ms, struct buf *out)
{
    size_t n = json_array_size(batch);
    size_t start = out->n;
    struct err e;

    if (n == 0 || n > RPC_BATCH_MAX) {
        (void)err_set(&e, RC_LIMIT, "batch of %zu calls: expected 1 to %d", n, RPC_BATCH_MAX);
        put_error(out, NULL, RPC_INVALID_REQUEST, e.msg, NULL);
        return;
    }
    if (!charge_rest(who, n)) {
        rpc_put_too_many(g, who->retry_s, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *request = json_array_get(batch, i);
        size_t before = out->n;

        buf_u8(out, before == start ? '[' : ',');
        if (out->n - start > RPC_REPLY_MAX)
            put_error(out, request, RPC_SERVER, "the answers of this batch exceed 64 MiB", NULL);
        else if (clock_mono_ms() >= deadline_ms)
            put_error(out, request, RPC_SERVER, "this batch took more than 30 seconds", NULL);
        else
            answer_one(g, who, request, deadline_ms, out);
        if (is_notification(request))
            out->n = before;
    }
    if (out->n != start)
        buf_u8(out, ']');
}

void rpc_answer(struct gateway *g, struct rpc_asker *who, struct bytes text, struct buf *out)
{
    uint64_t deadline_ms = clock_mono_ms() + RPC_BATCH_MS;
    json_auto_t *request = NULL;
    size_t start = out->n;
    struct err e;

    if (json_parse(&request, text, RPC_BODY_MAX, &e) != RC_OK) {
        gateway_metrics_error(g->metrics, "", RPC_PARSE);
        put_error(out, NULL, RPC_PARSE, e.msg, NULL);
    } else if (json_is_array(request)) {
        answer_batch(g, who, request, deadline_ms, out);
    } else if (json_is_object(request)) {
        answer_one(g, who, request, deadline_ms, out);
    } else {
        gateway_metrics_error(g->metrics, "", RPC_INVALID_REQUEST);
        put_error(out, NULL, RPC_INVALID_REQUEST, "request is neither object nor array", NULL);
    }
    if (is_notification(request))
        out->n = start;
}

bool rpc_answer_quickly(struct gateway *g, struct bytes text, struct buf *out)
{
    static const char method[] = "eth_sendRawTransaction";
    static const char quoted[] = "\"eth_sendRawTransaction\"";
    /* It makes nothing that is kept for a client. */
    static const struct rpc_asker nobody = {.socket = NULL};
    uint64_t deadline_ms = clock_mono_ms() + RPC_BATCH_MS;
    json_auto_t *request = NULL;
    size_t start = out->n;
    const char *name;

    /* The words may stand anywhere: this only spares parsing. */
    if (text.n == 0 || text.n > RPC_QUICK_MAX ||
        memmem(text.p, text.n, quoted, sizeof(quoted) - 1) == NULL ||
        json_parse(&request, text, RPC_QUICK_MAX, NULL) != RC_OK)
        return false;
    name = json_string_value(json_object_get(request, "method"));
    if (name == NULL || strcmp(name, method) != 0)
        return false;
    answer_one(g, &nobody, request, deadline_ms, out);
    if (is_notification(request))
        out->n = start;
    return true;
}
