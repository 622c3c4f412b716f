/* The server: HTTP in, JSON-RPC 2.0 dispatch by the method table, HTTP out. */
#include "gateway/internal/rpc.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/gateway.h"
#include "net/http_server.h"

static const struct {
    struct gateway_method_info info;
    rpc_method *fn;
} METHODS[] = {
#define METHOD(ns, name, help) {{#ns "_" #name, help}, rpc_##ns##_##name}
    METHOD(cloister, getCommit, "header and commit of a block, CometBFT's encoding: [height]"),
    METHOD(cloister, getProof,
           "state proof under a header: [address, storage key or null, height or latest]"),
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
    METHOD(eth, syncing, "always false"),
    METHOD(eth, uninstallFilter, "[filter id]"),
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

static rpc_method *find_method(const char *name)
{
    size_t lo = 0, hi = ARRAY_LEN(METHODS);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, METHODS[mid].info.name);

        if (order == 0)
            return METHODS[mid].fn;
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

static void put_error(struct buf *out, const json_t *id, int code, const char *text,
                      struct bytes data)
{
    json_auto_t *message = json_stringn(text, strlen(text));

    /* A text cut in the middle of a character is no JSON string. */
    if (message == NULL)
        message = json_string("error text is not UTF-8");
    buf_put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    json_put(out, id);
    buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", code);
    json_put(out, message);
    if (code == RPC_REVERT) {
        buf_put_str(out, ",\"data\":");
        rpc_put_hex(out, data);
    }
    buf_put_str(out, "}}");
}

/* Answer one request object. */
static void answer_one(struct gateway *g, const json_t *request, struct buf *out)
{
    static json_t *null_id;
    json_auto_t *no_params = json_array();
    const char *name = json_string_value(json_object_get(request, "method"));
    const json_t *id = json_object_get(request, "id");
    const json_t *params = json_object_get(request, "params");
    struct rpc_call c = {.g = g, .out = out};
    struct err e = {0};
    size_t start = out->n;
    rpc_method *fn;
    enum rc rc;

    null_id = json_null(); /* a constant of jansson's */
    if (id == NULL || json_is_object(id) || json_is_array(id))
        id = null_id;
    if (params == NULL || json_is_null(params))
        params = no_params;
    if (name == NULL || !json_is_array(params)) {
        put_error(out, id, RPC_INVALID_REQUEST,
                  name == NULL ? "request has no method" : "params is not an array",
                  bytes_of(NULL, 0));
        return;
    }
    fn = find_method(name);
    if (fn == NULL) {
        /* ethers knows "unsupported" by these words only. */
        (void)err_set(&e, RC_UNSUPPORTED, "the method %.64s does not exist/is not available", name);
        put_error(out, id, RPC_NO_METHOD, e.msg, bytes_of(NULL, 0));
        return;
    }
    c.params = params;
    buf_put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    json_put(out, id);
    buf_put_str(out, ",\"result\":");
    rc = fn(&c, &e);
    if (rc == RC_OK) {
        buf_u8(out, '}');
    } else {
        out->n = start;
        put_error(out, id, c.code != 0 ? c.code : code_of(rc), e.msg, buf_bytes(&c.error_data));
        if (code_of(rc) == RPC_INTERNAL)
            log_warn("gateway", "%s: %s", name, e.msg);
    }
    buf_clear(&c.error_data);
    arena_clear(&c.mem);
}

static void answer_batch(struct gateway *g, const json_t *batch, struct buf *out)
{
    size_t n = json_array_size(batch);
    json_auto_t *none = json_null();

    if (n == 0 || n > RPC_BATCH_MAX) {
        struct err e;

        (void)err_set(&e, RC_LIMIT, "batch of %zu calls: expected 1 to %d", n, RPC_BATCH_MAX);
        put_error(out, none, RPC_INVALID_REQUEST, e.msg, bytes_of(NULL, 0));
        return;
    }
    buf_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        const json_t *request = json_array_get(batch, i);

        if (i != 0)
            buf_u8(out, ',');
        if (out->n > RPC_REPLY_MAX)
            put_error(out, json_is_object(request) ? json_object_get(request, "id") : none,
                      RPC_SERVER, "the answers of this batch exceed 64 MiB", bytes_of(NULL, 0));
        else
            answer_one(g, request, out);
    }
    buf_u8(out, ']');
}

static void health(struct gateway *g, struct http_response *resp)
{
    struct err e;

    if (engine_health(g->engine, &e) != RC_OK) {
        http_response_text(resp, 503, "%s\n", e.msg);
        return;
    }
    http_response_header(resp, "Content-Type", "application/json");
    buf_printf(&resp->body, "{\"status\":\"ok\",\"height\":%llu}\n",
               (unsigned long long)engine_height(g->engine));
}

static void handle(struct http_request *req, struct http_response *resp, void *data)
{
    struct gateway *g = data;
    json_auto_t *request = NULL;
    json_auto_t *none = json_null();
    struct err e;

    if (!http_request_host_is_loopback(req) && g->origins == NULL) {
        http_response_text(resp, 403, "Host is not this machine: refused\n");
        return;
    }
    if (!http_request_origin_ok(req, g->origins)) {
        http_response_text(resp, 403, "Origin is not allowed: start with --origin to allow it\n");
        return;
    }
    if (http_response_cors(resp, req, g->origins, "POST, GET", "Content-Type"))
        return;
    if (strcmp(req->method, "GET") == 0 && strcmp(req->path, "/health") == 0) {
        health(g, resp);
        return;
    }
    if (strcmp(req->method, "POST") != 0) {
        http_response_text(resp, 405, "JSON-RPC is asked by POST\n");
        return;
    }
    http_response_header(resp, "Content-Type", "application/json");
    if (json_parse(&request, req->body, RPC_BODY_MAX, &e) != RC_OK)
        put_error(&resp->body, none, RPC_PARSE, e.msg, bytes_of(NULL, 0));
    else if (json_is_array(request))
        answer_batch(g, request, &resp->body);
    else if (json_is_object(request))
        answer_one(g, request, &resp->body);
    else
        put_error(&resp->body, none, RPC_INVALID_REQUEST, "request is neither object nor array",
                  bytes_of(NULL, 0));
}

enum rc gateway_start(struct gateway **out, const struct gateway_config *config, struct err *e)
{
    const struct http_server_config http = {.name = "gateway",
                                            .listen = config->listen,
                                            .workers = config->workers,
                                            .max_connections = 12000,
                                            .queue_max = 12000,
                                            .body_max = RPC_BODY_MAX};
    struct gateway *g = xcalloc(1, sizeof(*g));
    enum rc rc;

    g->engine = config->engine;
    g->origins = config->origins;
    g->executors = executors_new();
    g->filters = filters_new(g->engine);
    rc = http_server_start(&g->http, &http, handle, NULL, g, e);
    if (rc != RC_OK) {
        gateway_stop(g);
        g = NULL;
    }
    *out = g;
    return rc;
}

void gateway_stop(struct gateway *g)
{
    if (g == NULL)
        return;
    http_server_stop(g->http, 2000);
    filters_free(g->filters);
    executors_free(g->executors);
    free(g);
}

const char *gateway_url(const struct gateway *g)
{
    return http_server_url(g->http);
}
