/* The client against a node of our own making that answers what a test tells it to: also nonsense.
 */
#include "lib/t.h"

#include "chain/tx.h"
#include "client/chain_client.h"
#include "client/contract.h"
#include "codec/json.h"
#include "net/http_server.h"

#include <pthread.h>

struct node {
    struct http_server *http;
    pthread_mutex_t lock;
    /* What is answered, by method: a JSON text, or "error:{…}". Unknown methods: -32601. */
    const char *methods[16], *answers[16];
    size_t n;
    unsigned status;    /* of HTTP; 0: 200 */
    const char *raw;    /* answer exactly this */
    unsigned fail_next; /* so many calls get 503 */
    unsigned calls, batches;
    bool no_batches;    /* answer them with one error */
    bool drop_one;      /* leave the first call of a batch out */
    struct buf sent[8]; /* raw transactions */
    size_t n_sent;
};

static const char *answer_for(struct node *n, const char *method)
{
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->methods[i], method) == 0)
            return n->answers[i];
    return "error:{\"code\":-32601,\"message\":\"the method does not exist\"}";
}

static void answer_one(struct node *n, struct buf *out, const json_t *request)
{
    const char *method = json_string_value(json_object_get(request, "method"));
    long long id = json_integer_value(json_object_get(request, "id"));
    const char *a = answer_for(n, method);

    if (strncmp(a, "error:", 6) == 0)
        buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":%s}", id, a + 6);
    else
        buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%s}", id, a);
    if (strcmp(method, "eth_sendRawTransaction") == 0 && n->n_sent < ARRAY_LEN(n->sent))
        buf_put_str(&n->sent[n->n_sent++],
                    json_string_value(json_array_get(json_object_get(request, "params"), 0)));
}

/* The last call first: a node may answer a batch in any order. */
static void answer_batch(struct node *n, struct buf *out, const json_t *batch)
{
    n->batches++;
    if (n->no_batches) {
        buf_put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                         "\"message\":\"invalid request\"}}");
        return;
    }
    for (size_t i = json_array_size(batch); i-- > (n->drop_one ? 1 : 0);) {
        buf_u8(out, out->n == 0 ? '[' : ',');
        answer_one(n, out, json_array_get(batch, i));
    }
    buf_u8(out, ']');
}

static void handle(struct http_request *req, struct http_response *resp, void *data)
{
    struct node *n = data;
    json_auto_t *request = NULL;
    struct err e;

    CHECK_OK(json_parse(&request, req->body, 1 << 22, &e), &e);
    (void)pthread_mutex_lock(&n->lock);
    n->calls++;
    if (n->fail_next > 0) {
        n->fail_next--;
        resp->status = 503;
    } else if (n->raw != NULL) {
        resp->status = n->status != 0 ? n->status : 200;
        buf_put_str(&resp->body, n->raw);
    } else if (json_is_array(request)) {
        answer_batch(n, &resp->body, request);
    } else {
        answer_one(n, &resp->body, request);
    }
    (void)pthread_mutex_unlock(&n->lock);
}

static void node_start(struct node *n)
{
    const struct http_server_config config = {.listen = "127.0.0.1:0"};
    struct err e;

    *n = (struct node){0};
    CHECK(pthread_mutex_init(&n->lock, NULL) == 0);
    CHECK_OK(http_server_start(&n->http, &config, handle, NULL, n, &e), &e);
}

static void node_stop(struct node *n)
{
    http_server_stop(n->http, 100);
    for (size_t i = 0; i < ARRAY_LEN(n->sent); i++)
        buf_clear(&n->sent[i]);
}

static void on(struct node *n, const char *method, const char *answer)
{
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->methods[i], method) == 0) {
            n->answers[i] = answer;
            return;
        }
    CHECK(n->n < ARRAY_LEN(n->methods));
    n->methods[n->n] = method;
    n->answers[n->n++] = answer;
}

static struct secp_key a_key(void)
{
    uint8_t raw[32];
    struct secp_key k;

    memset(raw, 0x11, sizeof(raw));
    CHECK_OK(secp_key_from_bytes(&k, raw, NULL), NULL);
    return k;
}

static void chain_basics(struct node *n)
{
    on(n, "eth_chainId", "\"0x7a69\"");
    on(n, "eth_getTransactionCount", "\"0x5\"");
    on(n, "eth_estimateGas", "\"0x5208\"");
    on(n, "eth_maxPriorityFeePerGas", "\"0x1\"");
    on(n, "eth_getBlockByNumber", "{\"baseFeePerGas\":\"0x3b9aca00\",\"timestamp\":\"0x10\"}");
}

TEST(several_calls_go_in_one_round_trip)
{
    for (int with_batches = 0; with_batches < 2; with_batches++) {
        struct chain_request r[] = {
            {.method = "eth_chainId", .params = json_array()},
            {.method = "eth_unknown", .params = json_array()},
            chain_call_request(NULL, &(struct address){{1}}, bytes_str("x"), CHAIN_LATEST)};
        AUTO_CLEAR(buf) struct buf data = {0};
        struct chain_client *c;
        struct node n;
        struct err e;

        node_start(&n);
        n.no_batches = with_batches == 0;
        chain_basics(&n);
        on(&n, "eth_call", "\"0xabcd\"");
        c = chain_client_new(http_server_url(n.http));
        CHECK_OK(chain_rpc_batch(c, r, 3, &e), &e);
        CHECK_INT(n.calls, with_batches == 1 ? 1 : 4);
        CHECK_STR(json_string_value(r[0].result), "0x7a69");
        CHECK_RC(r[1].rc, RC_UNSUPPORTED, &r[1].err, "does not exist");
        CHECK_OK(chain_request_data(&data, &r[2], &e), &e);
        CHECK_HEX(buf_bytes(&data), "abcd");
        CHECK_RC(chain_request_data(&data, &r[1], &e), RC_UNSUPPORTED, &e, "does not exist");
        for (size_t i = 0; i < 3; i++)
            json_decref(r[i].result), r[i].result = NULL;
        n.drop_one = true;
        CHECK_OK(chain_rpc_batch(c, r, 3, &e), &e);
        if (with_batches == 1)
            CHECK_RC(r[0].rc, RC_MALFORMED, &r[0].err, "no answer to eth_chainId");
        CHECK_INT(r[2].rc, RC_OK);
        for (size_t i = 0; i < 3; i++)
            chain_request_clear(&r[i]);
        chain_client_free(c);
        node_stop(&n);
    }
}

TEST(nonsense_is_refused_and_named)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "\"text\"",
                                      "{\"id\":1}",
                                      "{\"id\":1,\"result\":{}}",
                                      "{\"id\":1,\"result\":\"0x\"}",
                                      "{\"id\":1,\"result\":\"0xzz\"}",
                                      "{\"id\":1,\"result\":-1}",
                                      "{\"id\":1,\"result\":\"0x10000000000000000\"}",
                                      "{\"id\":1,\"error\":5}",
                                      "{\"id\":1,\"id\":2,\"result\":\"0x1\"}"};
    struct chain_client *c;
    struct node n;
    uint64_t v;
    struct err e;

    node_start(&n);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        enum rc rc;

        n.raw = bad[i];
        c = chain_client_new(http_server_url(n.http));
        rc = chain_height(c, &v, &e);
        if (rc != RC_MALFORMED && rc != RC_RANGE)
            t_fail(__FILE__, __LINE__, "answer '%s' gives %s", bad[i], rc_name(rc));
        CHECK_TRUE(e.msg[0] != 0);
        CHECK_INT(v, 0);
        chain_client_free(c);
    }
    node_stop(&n);
}

TEST(a_node_that_is_away_is_waited_for)
{
    struct chain_client *c;
    struct node n;
    uint64_t v;
    struct err e;

    node_start(&n);
    on(&n, "eth_blockNumber", "\"0x2a\"");
    c = chain_client_new(http_server_url(n.http));
    n.fail_next = 3;
    CHECK_OK(chain_height(c, &v, &e), &e);
    CHECK_INT(v, 42);
    CHECK_INT(n.calls, 4);
    chain_client_patience(c, 0);
    n.fail_next = 1;
    CHECK_RC(chain_height(c, &v, &e), RC_AGAIN, &e, "chain node http://127.0.0.1");
    chain_client_free(c);
    node_stop(&n);

    c = chain_client_new("http://127.0.0.1:1");
    chain_client_patience(c, 0);
    CHECK_RC(chain_height(c, &v, &e), RC_IO, &e, "127.0.0.1:1");
    chain_client_free(c);
}

TEST(reverts_have_their_reason)
{
    struct address to = {{1}};
    struct chain_client *c;
    struct arena a = {0};
    struct abi_value v;
    struct node n;
    struct err e;

    node_start(&n);
    c = chain_client_new(http_server_url(n.http));
    on(&n, "eth_call",
       "error:{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x86114455\"}");
    CHECK_RC(contract_read(c, &a, &v, &to, "x()(uint256)", NULL, 0, &e), RC_DENIED, &e,
             "FileUrlAlreadyUsed");
    on(&n, "eth_call", "error:{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x\"}");
    CHECK_RC(contract_read(c, &a, &v, &to, "x()(uint256)", NULL, 0, &e), RC_DENIED, &e,
             "without a reason");
    on(&n, "eth_call", "\"0x\"");
    CHECK_RC(contract_read(c, &a, &v, &to, "x()(uint256)", NULL, 0, &e), RC_NOTFOUND, &e,
             "no such contract");
    on(&n, "eth_call", "\"0x01\"");
    CHECK_RC(contract_read(c, &a, &v, &to, "x()(uint256)", NULL, 0, &e), RC_MALFORMED, &e, "");
    on(&n, "eth_call", "error:{\"code\":-32601,\"message\":\"the method does not exist\"}");
    CHECK_RC(contract_read(c, &a, &v, &to, "x()(uint256)", NULL, 0, &e), RC_UNSUPPORTED, &e, "");
    arena_clear(&a);
    chain_client_free(c);
    node_stop(&n);
}

/* Nonces are dense, are taken back on demand, and a price out of this world is not paid. */
TEST(signed_transactions)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct chain_price price;
    unsigned calls;
    struct secp_key key = a_key();
    struct chain_send s = {.to = &(struct address){{2}}, .value = u256_from_u64(7)};
    struct chain_client *c;
    struct arena a = {0};
    struct address from, who;
    struct hash32 hash;
    struct node n;
    struct err e;
    struct tx tx;

    node_start(&n);
    chain_basics(&n);
    c = chain_client_new(http_server_url(n.http));
    secp_key_address(&from, &key);
    for (uint64_t want = 5; want < 8; want++) {
        buf_reset(&raw);
        CHECK_OK(chain_sign(c, &raw, &hash, &key, &s, &e), &e);
        CHECK_OK(tx_decode(&tx, &a, buf_bytes(&raw), &e), &e);
        CHECK_INT(tx.nonce, want);
        CHECK_INT(tx.chain_id, 31337);
        CHECK_INT(tx.gas_limit, 21000 + 21000 / 4);
        CHECK_OK(tx_sender(&who, &tx, &e), &e);
        CHECK_MEM(BYTES_OF(&who), BYTES_OF(&from));
    }
    chain_nonce_reset(c, &from);
    buf_reset(&raw);
    CHECK_OK(chain_sign(c, &raw, &hash, &key, &s, &e), &e);
    CHECK_OK(tx_decode(&tx, &a, buf_bytes(&raw), &e), &e);
    CHECK_INT(tx.nonce, 5);

    /* With a price that was asked for before, signing asks for nothing. */
    CHECK_OK(chain_ask_price(c, &price, &from, &s, &e), &e);
    CHECK_INT(price.gas, 21000 + 21000 / 4);
    s.price = &price;
    calls = n.calls;
    buf_reset(&raw);
    CHECK_OK(chain_sign(c, &raw, &hash, &key, &s, &e), &e);
    CHECK_INT(n.calls, calls);
    CHECK_OK(tx_decode(&tx, &a, buf_bytes(&raw), &e), &e);
    CHECK_INT(tx.nonce, 6);
    CHECK_INT(tx.gas_limit, 21000 + 21000 / 4);
    CHECK_TRUE(u256_cmp(&tx.max_fee_wei, &price.max_fee_wei) == 0);
    s.price = NULL;

    on(&n, "eth_maxPriorityFeePerGas", "\"0xffffffffffffffff\"");
    CHECK_RC(chain_sign(c, &raw, &hash, &key, &s, &e), RC_RANGE, &e, "not paying");
    arena_clear(&a);
    chain_client_free(c);
    node_stop(&n);
}

/* A node of ours is asked once and answers when there is something to tell; another one is asked
 * again and again, and is not tried with our method a second time. */
TEST(receipts_are_waited_for)
{
    static const char included[] =
        "{\"status\":\"0x1\",\"blockNumber\":\"0x9\",\"gasUsed\":\"0x5208\",\"logs\":[],"
        "\"transactionHash\":"
        "\"0x0000000000000000000000000000000000000000000000000000000000000007\"}";
    const struct hash32 hash = {{7}};
    struct chain_receipt receipt;
    struct chain_client *c;
    struct arena a = {0};
    struct node n;
    struct err e;

    node_start(&n);
    on(&n, "cloister_waitReceipt", included);
    c = chain_client_new(http_server_url(n.http));
    CHECK_OK(chain_receipt_wait(c, &receipt, &a, &hash, 1000, &e), &e);
    CHECK_INT(receipt.height, 9);
    CHECK_INT(n.calls, 1);
    on(&n, "cloister_waitReceipt", "null");
    CHECK_RC(chain_receipt_wait(c, &receipt, &a, &hash, 20, &e), RC_TIMEOUT, &e, "20 ms");
    chain_client_free(c);

    on(&n, "cloister_waitReceipt", "error:{\"code\":-32601,\"message\":\"no such method\"}");
    on(&n, "eth_getTransactionReceipt", included);
    c = chain_client_new(http_server_url(n.http));
    n.calls = 0;
    for (int i = 0; i < 2; i++)
        CHECK_OK(chain_receipt_wait(c, &receipt, &a, &hash, 1000, &e), &e);
    CHECK_INT(n.calls, 3);
    on(&n, "eth_getTransactionReceipt", "null");
    CHECK_RC(chain_receipt_wait(c, &receipt, &a, &hash, 20, &e), RC_TIMEOUT, &e, "20 ms");
    CHECK_TRUE(n.calls > 4);
    arena_clear(&a);
    chain_client_free(c);
    node_stop(&n);
}

/* The node forgets the transaction (it was restarted): the same bytes are sent again. */
TEST(lost_transactions_are_sent_again)
{
    struct secp_key key = a_key();
    struct chain_send s = {.to = &(struct address){{2}}};
    struct chain_receipt receipt;
    struct chain_client *c;
    struct arena a = {0};
    struct node n;
    struct err e;

    node_start(&n);
    chain_basics(&n);
    on(&n, "eth_sendRawTransaction", "\"0x00\"");
    on(&n, "eth_getTransactionReceipt",
       "{\"status\":\"0x1\",\"blockNumber\":\"0x9\",\"gasUsed\":\"0x5208\",\"logs\":[]}");
    c = chain_client_new(http_server_url(n.http));
    CHECK_OK(chain_transact(c, &receipt, &a, &key, &s, &e), &e);
    CHECK_INT(receipt.height, 9);
    CHECK_INT(n.n_sent, 1);

    /* Refused, but it stands in a block: sent before, that is what was wanted. */
    on(&n, "eth_sendRawTransaction", "error:{\"code\":-32000,\"message\":\"nonce too low\"}");
    CHECK_OK(chain_send_raw(c, bytes_str("raw"), &e), &e);
    on(&n, "eth_getTransactionReceipt", "null");
    CHECK_RC(chain_send_raw(c, bytes_str("raw"), &e), RC_MALFORMED, &e, "nonce too low");
    on(&n, "eth_sendRawTransaction", "error:{\"code\":-32000,\"message\":\"already known\"}");
    CHECK_OK(chain_send_raw(c, bytes_str("raw"), &e), &e);
    arena_clear(&a);
    chain_client_free(c);
    node_stop(&n);
}
