/* tests/gateway/rig.h - an engine in an empty folder with a gateway in front, asked over HTTP. */
#pragma once

#include "codec/json.h"
#include "engine/net.h"
#include "gateway/gateway.h"
#include "ledger/guest.h"
#include "net/http_client.h"

#define RIG_GAS 3000000u

struct rig {
    struct net n;
    struct engine *en;
    struct gateway *g;
    struct http_client *http;
    struct http_reply reply;
    json_t *last; /* the newest reply */
    uint64_t nonce[NET_ACCOUNTS];
    struct address guest;
};

/* All of gc but engine and listen is taken. */
static inline void rig_start(struct rig *r, struct gateway_config gc)
{
    struct err e;

    *r = (struct rig){0};
    net_init(&r->n, t_tmpdir());
    r->en = net_open(&r->n);
    gc.engine = r->en;
    gc.listen = "127.0.0.1:0";
    CHECK_OK(gateway_start(&r->g, &gc, &e), &e);
    r->http = http_client_new();
}

static inline void rig_init_with(struct rig *r, const char *const *origins, unsigned workers)
{
    rig_start(r, (struct gateway_config){.workers = workers, .origins = origins});
}

static inline void rig_init(struct rig *r)
{
    rig_init_with(r, NULL, 0);
}

static inline void rig_clear(struct rig *r)
{
    json_decref(r->last);
    http_reply_clear(&r->reply);
    http_client_free(r->http);
    gateway_stop(r->g);
    engine_close(r->en);
    net_clear(&r->n);
}

/* Send bytes as they are; the status. */
static inline unsigned rig_http(struct rig *r, const char *method, const char *path,
                                struct bytes body, const char *const *headers)
{
    AUTO_FREE char *url = xasprintf("%s%s", gateway_url(r->g), path);
    const struct http_call call = {.method = method,
                                   .url = url,
                                   .headers = headers,
                                   .content_type = "application/json",
                                   .body = body,
                                   .any_status = true,
                                   .body_max = 256u << 20,
                                   .timeout_ms = 120000};
    struct err e;

    buf_reset(&r->reply.body);
    CHECK_OK(http_client_do(r->http, &r->reply, &call, &e), &e);
    return r->reply.status;
}

/* A JSON-RPC body; the reply, borrowed until the next. */
static inline const json_t *rig_post(struct rig *r, struct bytes body)
{
    struct err e;

    CHECK_INT(rig_http(r, "POST", "/", body, NULL), 200);
    CHECK_TRUE(strncmp(r->reply.content_type, "application/json", 16) == 0);
    json_decref(r->last);
    r->last = NULL;
    CHECK_OK(json_parse(&r->last, buf_bytes(&r->reply.body), 256u << 20, &e), &e);
    return r->last;
}

static inline const json_t *rig_call(struct rig *r, const char *method, const char *params)
{
    AUTO_FREE char *body =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method, params);
    const json_t *reply = rig_post(r, bytes_str(body));

    CHECK_STR(json_string_value(json_object_get(reply, "jsonrpc")), "2.0");
    CHECK_INT(json_integer_value(json_object_get(reply, "id")), 7);
    return reply;
}

/* The result of a call that must succeed. */
static inline const json_t *rig_ask(struct rig *r, const char *method, const char *params)
{
    const json_t *result = json_object_get(rig_call(r, method, params), "result");

    if (result == NULL)
        t_fail(__FILE__, __LINE__, "%s %s: %s", method, params, buf_cstr(&r->reply.body));
    return result;
}

static inline const char *rig_text(struct rig *r, const char *method, const char *params)
{
    const char *text = json_string_value(rig_ask(r, method, params));

    if (text == NULL)
        t_fail(__FILE__, __LINE__, "%s %s: no string: %s", method, params,
               buf_cstr(&r->reply.body));
    return text;
}

/* The error object of a call that must fail with this code and a text that contains `piece`. */
static inline const json_t *rig_refused(struct rig *r, const char *method, const char *params,
                                        int code, const char *piece)
{
    const json_t *error = json_object_get(rig_call(r, method, params), "error");
    const char *text = json_string_value(json_object_get(error, "message"));

    if (text == NULL || json_integer_value(json_object_get(error, "code")) != code ||
        strstr(text, piece) == NULL)
        t_fail(__FILE__, __LINE__, "%s %.200s: expected %d %s, got %s", method, params, code, piece,
               buf_cstr(&r->reply.body));
    return error;
}

static inline const char *rig_str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    if (s == NULL)
        t_fail(__FILE__, __LINE__, "no string %s", key);
    return s;
}

/* ["0x…"<more>] around bytes; free it. */
static inline char *rig_hex_param(struct bytes data, const char *more)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    buf_put_str(&b, "[\"");
    hex_put_0x(&b, data);
    buf_printf(&b, "\"%s]", more);
    return xstrdup(buf_cstr(&b));
}

/* A signed transaction of account 0 with data; to NULL deploys. */
static inline void rig_sign(struct rig *r, struct buf *raw, const struct address *to,
                            struct bytes data)
{
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = NET_CHAIN_ID,
                    .nonce = r->nonce[0]++,
                    .gas_limit = RIG_GAS,
                    .is_create = to == NULL,
                    .data = data,
                    .max_fee_wei = u256_from_u64(100000000000ull)};
    struct err e;

    if (to != NULL)
        tx.to = *to;
    tx.gas_price_wei = tx.max_fee_wei;
    CHECK_OK(tx_sign(&tx, &r->n.keys[0], &e), &e);
    tx_encode(raw, &tx);
}

/* Send and wait: the receipt. */
static inline const json_t *rig_run(struct rig *r, const struct address *to, struct bytes data)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_FREE char *params = NULL;

    rig_sign(r, &raw, to, data);
    params = rig_hex_param(buf_bytes(&raw), "");
    return rig_ask(r, "eth_sendRawTransactionSync", params);
}

static inline void rig_deploy(struct rig *r)
{
    AUTO_CLEAR(buf) struct buf elf = {0};
    const json_t *receipt;
    struct err e;

    guest_elf(&elf, 0, NULL, 0);
    receipt = rig_run(r, NULL, buf_bytes(&elf));
    CHECK_STR(rig_str(receipt, "status"), "0x1");
    CHECK_OK(json_hex_fixed(r->guest.b, 20, receipt, "contractAddress", &e), &e);
}

/* Calldata of the guest: log `text` with n_topics topics whose bytes are all 0x11, 0x22, … */
static inline void guest_log(struct buf *out, unsigned n_topics, const char *text)
{
    AUTO_CLEAR(script) struct script s = script_new(2);
    uint8_t topics[4][32];
    uint64_t at, data;

    for (unsigned i = 0; i < 4; i++)
        memset(topics[i], (int)(0x11 * (i + 1)), 32);
    at = script_data(&s, bytes_of(topics, sizeof(topics)));
    data = script_data(&s, bytes_str(text));
    guest_step(&s.steps, HOST_LOG, at, n_topics, data, strlen(text), 0, 0, 0);
    script_done(&s, out);
}

static inline void guest_end(struct buf *out, uint64_t number, struct bytes data)
{
    AUTO_CLEAR(script) struct script s = script_new(2);
    uint64_t at = script_data(&s, data);

    guest_step(&s.steps, number, at, data.n, 0, 0, 0, 0, 0);
    script_done(&s, out);
}

static inline void guest_store(struct buf *out, struct bytes key, struct bytes value)
{
    AUTO_CLEAR(script) struct script s = script_new(2);
    uint64_t k = script_data(&s, key);
    uint64_t v = script_data(&s, value);

    guest_step(&s.steps, HOST_STORAGE_SET, k, key.n, v, value.n, 0, 0, 0);
    script_done(&s, out);
}
