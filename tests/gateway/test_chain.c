/* Blocks, fees, accounts, transactions on their way. */
#include "rig.h"

#include <pthread.h>

#define BOB "0x00000000000000000000000000000000000000b0"

static const struct address bob = {{[19] = 0xb0}};

TEST(what_the_chain_says_of_itself)
{
    struct rig r;

    rig_init(&r);
    CHECK_STR(rig_text(&r, "net_version", "[]"), "7771");
    CHECK_TRUE(json_is_true(rig_ask(&r, "net_listening", "[]")));
    CHECK_TRUE(json_is_false(rig_ask(&r, "eth_syncing", "[]")));
    CHECK_TRUE(strncmp(rig_text(&r, "web3_clientVersion", "[]"), "cloister/v", 10) == 0);
    CHECK_INT(json_array_size(rig_ask(&r, "eth_accounts", "[]")), 0);
    CHECK_STR(rig_str(rig_ask(&r, "rpc_modules", "[]"), "eth"), "1.0");
    /* Keccak-256 of "": as in every Ethereum empty code hash. */
    CHECK_STR(rig_text(&r, "web3_sha3", "[\"0x\"]"),
              "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    rig_refused(&r, "web3_sha3", "[\"0x1\"]", -32602, "data");
    rig_refused(&r, "web3_sha3", "[]", -32602, "missing parameter 1");
    CHECK_STR(rig_text(&r, "eth_gasPrice", "[]"), "0x4190ab00");
    CHECK_STR(rig_text(&r, "eth_maxPriorityFeePerGas", "[]"), "0x5f5e100");
    CHECK_STR(rig_str(rig_ask(&r, "txpool_status", "[]"), "pending"), "0x0");
    rig_clear(&r);
}

TEST(fee_history)
{
    const json_t *h;
    struct hash32 hash;
    struct rig r;

    rig_init(&r);
    hash = net_send(r.en, &r.n, 0, &bob, 0, 5);
    net_until(r.en, net_wait(r.en, &hash) + 1);
    h = rig_ask(&r, "eth_feeHistory", "[\"0xa\",\"latest\",[20,50.5]]");
    CHECK_STR(rig_str(h, "oldestBlock"), "0x0");
    CHECK_INT(json_array_size(json_object_get(h, "baseFeePerGas")),
              json_array_size(json_object_get(h, "gasUsedRatio")) + 1);
    CHECK_INT(json_array_size(json_object_get(h, "reward")),
              json_array_size(json_object_get(h, "gasUsedRatio")));
    CHECK_INT(json_array_size(json_array_get(json_object_get(h, "reward"), 0)), 2);
    h = rig_ask(&r, "eth_feeHistory", "[2,\"0x2\"]");
    CHECK_TRUE(json_object_get(h, "reward") == NULL);
    CHECK_INT(json_array_size(json_object_get(h, "gasUsedRatio")), 2);
    /* 21,000 of 100,000,000 in block 2 */
    CHECK_TRUE(json_real_value(json_array_get(json_object_get(h, "gasUsedRatio"), 1)) > 0.0002);
    h = rig_ask(&r, "eth_feeHistory", "[\"0xffffffffffffffff\",\"0x1\",[]]");
    CHECK_INT(json_array_size(json_object_get(h, "gasUsedRatio")), 2);
    rig_refused(&r, "eth_feeHistory", "[]", -32602, "missing parameter 1");
    rig_refused(&r, "eth_feeHistory", "[1,\"0x99\"]", -32000, "not there yet");
    rig_refused(&r, "eth_feeHistory", "[1,\"latest\",[50,20]]", -32602, "percentiles");
    rig_refused(&r, "eth_feeHistory", "[1,\"latest\",[101]]", -32602, "percentiles");
    rig_refused(&r, "eth_feeHistory", "[1,\"latest\",[\"20\"]]", -32602, "percentiles");
    rig_refused(&r, "eth_feeHistory", "[1,\"latest\",\"20\"]", -32602, "percentiles");
    rig_clear(&r);
}

/* Keys that viem, alloy and ethers want in a block. */
static void check_block(const json_t *b)
{
    static const struct {
        const char *key;
        size_t digits;
    } fixed[] = {{"hash", 64},
                 {"parentHash", 64},
                 {"stateRoot", 64},
                 {"receiptsRoot", 64},
                 {"transactionsRoot", 64},
                 {"mixHash", 64},
                 {"sha3Uncles", 64},
                 {"nonce", 16},
                 {"logsBloom", 512},
                 {"miner", 40}};
    static const char *const quantities[] = {"number", "timestamp",  "gasLimit",     "gasUsed",
                                             "size",   "difficulty", "baseFeePerGas"};

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        CHECK_INT(strlen(rig_str(b, fixed[i].key)), fixed[i].digits + 2);
    for (size_t i = 0; i < ARRAY_LEN(quantities); i++) {
        const char *q = rig_str(b, quantities[i]);

        CHECK_TRUE(q[0] == '0' && q[1] == 'x' && (q[2] != '0' || q[3] == 0) && q[2] != 0);
    }
    CHECK_STR(rig_str(b, "extraData"), "0x");
    CHECK_INT(json_array_size(json_object_get(b, "uncles")), 0);
    CHECK_TRUE(json_is_array(json_object_get(b, "transactions")));
}

TEST(blocks_link_from_genesis_on)
{
    AUTO_FREE char *parent = NULL;
    struct hash32 hash;
    uint64_t top;
    struct rig r;

    rig_init(&r);
    hash = net_send(r.en, &r.n, 0, &bob, 0, 5);
    top = net_wait(r.en, &hash);
    for (uint64_t h = 0; h <= top; h++) {
        AUTO_FREE char *by_height = xasprintf("[\"0x%llx\",false]", (unsigned long long)h);
        AUTO_FREE char *by_hash = NULL;
        const json_t *b = rig_ask(&r, "eth_getBlockByNumber", by_height);
        json_auto_t *first = json_deep_copy(b);

        check_block(b);
        if (h > 0)
            CHECK_STR(rig_str(b, "parentHash"), parent);
        free(parent);
        parent = xstrdup(rig_str(b, "hash"));
        by_hash = xasprintf("[\"%s\",false]", parent);
        CHECK_TRUE(json_equal(first, rig_ask(&r, "eth_getBlockByHash", by_hash)));
        CHECK_INT(json_array_size(rig_ask(&r, "eth_getBlockReceipts", by_height)), h == top);
        CHECK_STR(rig_text(&r, "eth_getBlockTransactionCountByNumber", by_height),
                  h == top ? "0x1" : "0x0");
        CHECK_STR(rig_text(&r, "eth_getBlockTransactionCountByHash", by_hash),
                  h == top ? "0x1" : "0x0");
    }
    CHECK_STR(rig_str(rig_ask(&r, "eth_getBlockByNumber", "[\"earliest\"]"), "number"), "0x0");
    check_block(rig_ask(&r, "eth_getBlockByNumber", "[\"latest\",true]"));
    check_block(rig_ask(&r, "eth_getBlockByNumber", "[\"pending\",false]"));
    check_block(rig_ask(&r, "eth_getBlockByNumber", "[]"));
    CHECK_TRUE(json_is_null(rig_ask(&r, "eth_getBlockByNumber", "[\"0xffff\",false]")));
    CHECK_TRUE(json_is_null(rig_ask(&r, "eth_getBlockReceipts", "[\"0xffff\"]")));
    CHECK_TRUE(json_is_null(rig_ask(&r, "eth_getBlockTransactionCountByNumber", "[\"0xffff\"]")));
    CHECK_TRUE(json_is_null(
        rig_ask(&r, "eth_getBlockByHash",
                "[\"0x1111111111111111111111111111111111111111111111111111111111111111\",false]")));
    rig_refused(&r, "eth_getBlockByHash", "[\"0x11\",false]", -32602, "hash");
    rig_refused(&r, "eth_getBlockByHash", "[]", -32602, "missing parameter 1");
    rig_refused(&r, "eth_getBlockByNumber", "[\"newest\",false]", -32602, "block number");
    rig_refused(&r, "eth_getBlockByNumber", "[\"0x\",false]", -32602, "block number");
    rig_refused(&r, "eth_getBlockByNumber", "[-1,false]", -32602, "block number");
    rig_refused(&r, "eth_getBlockByNumber", "[\"0x1ffffffffffffffff\",false]", -32602, "block");
    rig_refused(&r, "eth_getBlockByNumber", "[\"latest\",\"true\"]", -32602, "true or false");
    rig_clear(&r);
}

TEST(account_reads_at_heights)
{
    AUTO_FREE char *at_hash = NULL;
    struct hash32 hash;
    struct rig r;

    rig_init(&r);
    hash = net_send(r.en, &r.n, 0, &bob, 0, 5);
    CHECK_INT(net_wait(r.en, &hash), 2);
    CHECK_STR(rig_text(&r, "eth_getBalance", "[\"" BOB "\",\"latest\"]"), "0x5");
    CHECK_STR(rig_text(&r, "eth_getBalance", "[\"" BOB "\"]"), "0x5");
    CHECK_STR(rig_text(&r, "eth_getBalance", "[\"" BOB "\",\"0x1\"]"), "0x0");
    CHECK_STR(rig_text(&r, "eth_getBalance", "[\"" BOB "\",\"earliest\"]"), "0x0");
    CHECK_STR(rig_text(&r, "eth_getBalance", "[\"" BOB "\",{\"blockNumber\":\"0x2\"}]"), "0x5");
    CHECK_STR(rig_text(&r, "eth_getCode", "[\"" BOB "\",\"latest\"]"), "0x");
    CHECK_STR(rig_text(&r, "eth_getTransactionCount", "[\"" BOB "\",\"latest\"]"), "0x0");
    {
        AUTO_FREE char *h1 =
            xstrdup(rig_str(rig_ask(&r, "eth_getBlockByNumber", "[\"0x1\",false]"), "hash"));

        at_hash = xasprintf("[\"" BOB "\",{\"blockHash\":\"%s\",\"requireCanonical\":true}]", h1);
        CHECK_STR(rig_text(&r, "eth_getBalance", at_hash), "0x0");
    }
    CHECK_INT(strlen(rig_text(&r, "eth_getStorageAt", "[\"" BOB "\",\"0x0\",\"latest\"]")), 66);
    rig_refused(&r, "eth_getBalance", "[\"" BOB "\",\"0x9999\"]", -32000, "39321");
    rig_refused(&r, "eth_getBalance", "[\"" BOB "\",{}]", -32602, "blockHash");
    rig_refused(&r, "eth_getBalance", "[\"" BOB "\",{\"blockNumber\":{\"blockNumber\":1}}]", -32602,
                "blockNumber");
    rig_refused(
        &r, "eth_getBalance",
        "[\"" BOB
        "\",{\"blockHash\":\"0x1111111111111111111111111111111111111111111111111111111111111111\"}"
        "]",
        -32000, "block");
    rig_refused(&r, "eth_getBalance", "[]", -32602, "missing parameter 1");
    rig_refused(&r, "eth_getBalance", "[\"0x12\"]", -32602, "address");
    rig_refused(&r, "eth_getBalance", "[12]", -32602, "address");
    rig_refused(&r, "eth_getStorageAt", "[\"" BOB "\"]", -32602, "missing parameter 2");
    rig_refused(&r, "eth_getStorageAt", "[\"" BOB "\",\"0xzz\"]", -32602, "storage slot");
    rig_clear(&r);
}

TEST(transactions_in_blocks)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_FREE char *send = NULL;
    AUTO_FREE char *by_hash = NULL;
    const json_t *t, *receipt;
    json_auto_t *tx = NULL;
    struct hash32 want;
    struct rig r;
    char hex[67] = "0x";

    rig_init(&r);
    net_transfer(&raw, &r.n, 0, &bob, 0, 77);
    keccak256(&want, buf_bytes(&raw));
    hex_encode(hex + 2, BYTES_OF(&want));
    send = rig_hex_param(buf_bytes(&raw), "");
    by_hash = rig_hex_param(BYTES_OF(&want), "");
    CHECK_STR(rig_text(&r, "eth_sendRawTransaction", send), hex);
    (void)net_wait(r.en, &want);
    t = rig_ask(&r, "eth_getTransactionByHash", by_hash);
    tx = json_deep_copy(t);
    CHECK_STR(rig_str(t, "hash"), hex);
    CHECK_STR(rig_str(t, "type"), "0x2");
    CHECK_STR(rig_str(t, "chainId"), "0x1e5b");
    CHECK_STR(rig_str(t, "value"), "0x4d");
    CHECK_STR(rig_str(t, "to"), BOB);
    CHECK_STR(rig_str(t, "input"), "0x");
    CHECK_STR(rig_str(t, "blockNumber"), "0x2");
    CHECK_STR(rig_str(t, "transactionIndex"), "0x0");
    CHECK_STR(rig_str(t, "gasPrice"), "0x3b9aca00"); /* base fee, no tip */
    CHECK_STR(rig_str(t, "maxFeePerGas"), "0x174876e800");
    CHECK_STR(rig_str(t, "v"), rig_str(t, "yParity"));
    CHECK_TRUE(json_equal(
        tx, rig_ask(&r, "eth_getTransactionByBlockNumberAndIndex", "[\"0x2\",\"0x0\"]")));
    {
        AUTO_FREE char *at = xasprintf("[\"%s\",\"0x0\"]", rig_str(tx, "blockHash"));

        CHECK_TRUE(json_equal(tx, rig_ask(&r, "eth_getTransactionByBlockHashAndIndex", at)));
    }
    t = rig_ask(&r, "eth_getBlockByNumber", "[\"0x2\",true]");
    CHECK_TRUE(json_equal(tx, json_array_get(json_object_get(t, "transactions"), 0)));
    receipt = rig_ask(&r, "eth_getTransactionReceipt", by_hash);
    CHECK_STR(rig_str(receipt, "status"), "0x1");
    CHECK_STR(rig_str(receipt, "gasUsed"), "0x5208");
    CHECK_STR(rig_str(receipt, "cumulativeGasUsed"), "0x5208");
    CHECK_STR(rig_str(receipt, "effectiveGasPrice"), "0x3b9aca00");
    CHECK_STR(rig_str(receipt, "blockHash"), rig_str(tx, "blockHash"));
    CHECK_TRUE(json_is_null(json_object_get(receipt, "contractAddress")));
    CHECK_INT(json_array_size(json_object_get(receipt, "logs")), 0);
    rig_refused(&r, "eth_getTransactionByBlockNumberAndIndex", "[\"0x2\"]", -32602, "parameter 2");
    CHECK_TRUE(
        json_is_null(rig_ask(&r, "eth_getTransactionByBlockNumberAndIndex", "[\"0x2\",\"0x1\"]")));
    CHECK_TRUE(
        json_is_null(rig_ask(&r, "eth_getTransactionByBlockNumberAndIndex", "[\"0x0\",\"0x0\"]")));
    hex[2] = hex[2] == '0' ? '1' : '0';
    {
        AUTO_FREE char *unknown = xasprintf("[\"%s\"]", hex);

        CHECK_TRUE(json_is_null(rig_ask(&r, "eth_getTransactionByHash", unknown)));
        CHECK_TRUE(json_is_null(rig_ask(&r, "eth_getTransactionReceipt", unknown)));
    }
    rig_clear(&r);
}

static void transfer_param(struct rig *r, char **out, unsigned from, uint64_t nonce, uint64_t wei)
{
    AUTO_CLEAR(buf) struct buf raw = {0};

    net_transfer(&raw, &r->n, from, &bob, nonce, wei);
    *out = rig_hex_param(buf_bytes(&raw), "");
}

/* The words ethers, viem and wallets look for. */
TEST(refused_transactions)
{
    static const uint8_t blob[] = {0x03, 0xc0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_FREE char *first = NULL, *same = NULL, *gap = NULL, *other = NULL, *poor = NULL,
                   *type3 = rig_hex_param(bytes_of(blob, 2), "");
    struct hash32 hash;
    struct tx tx = {.type = TX_LEGACY,
                    .has_chain_id = true,
                    .chain_id = 1,
                    .gas_limit = 21000,
                    .gas_price_wei = u256_from_u64(100000000000ull),
                    .max_fee_wei = u256_from_u64(100000000000ull),
                    .max_priority_wei = u256_from_u64(100000000000ull)};
    struct err e;
    struct rig r;

    rig_init(&r);
    hash = net_send(r.en, &r.n, 0, &bob, 0, 5);
    (void)net_wait(r.en, &hash);
    transfer_param(&r, &first, 0, 0, 6);
    rig_refused(&r, "eth_sendRawTransaction", first, -32000, "nonce too low");
    transfer_param(&r, &gap, 0, 3, 6);
    (void)rig_text(&r, "eth_sendRawTransaction", gap);
    rig_refused(&r, "eth_sendRawTransaction", gap, -32000, "already known");
    transfer_param(&r, &other, 0, 3, 7);
    rig_refused(&r, "eth_sendRawTransaction", other, -32000, "replacement transaction underpriced");
    transfer_param(&r, &same, 0, 1, 1);
    CHECK_INT(strlen(rig_text(&r, "eth_sendRawTransaction", same)), 66);
    {
        AUTO_CLEAR(buf) struct buf big = {0};
        struct tx rich = {.type = TX_DYNAMIC_FEE,
                          .has_chain_id = true,
                          .chain_id = NET_CHAIN_ID,
                          .gas_limit = 21000,
                          .to = bob,
                          .value_wei = U256_ZERO,
                          .max_fee_wei = u256_from_u64(100000000000ull)};

        rich.value_wei.w[2] = 1;
        CHECK_OK(tx_sign(&rich, &r.n.keys[1], &e), &e);
        tx_encode(&big, &rich);
        poor = rig_hex_param(buf_bytes(&big), "");
    }
    rig_refused(&r, "eth_sendRawTransaction", poor, -32000,
                "insufficient funds for gas * price + value");
    CHECK_OK(tx_sign(&tx, &r.n.keys[1], &e), &e);
    tx_encode(&raw, &tx);
    free(poor);
    poor = rig_hex_param(buf_bytes(&raw), "");
    rig_refused(&r, "eth_sendRawTransaction", poor, -32000, "chain");
    rig_refused(&r, "eth_sendRawTransaction", type3, -32000, "type");
    rig_refused(&r, "eth_sendRawTransaction", "[\"0x00\"]", -32000, "");
    rig_refused(&r, "eth_sendRawTransaction", "[\"0x\"]", -32000, "");
    rig_refused(&r, "eth_sendRawTransaction", "[\"0x0\"]", -32602, "transaction");
    rig_refused(&r, "eth_sendRawTransaction", "[5]", -32602, "transaction");
    rig_refused(&r, "eth_sendRawTransaction", "[]", -32602, "missing parameter 1");
    rig_clear(&r);
}

TEST(waiting_transactions)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_FREE char *by_hash = NULL, *send = NULL, *count = NULL, *sync = NULL, *wait = NULL;
    const json_t *t, *error;
    struct hash32 hash;
    struct rig r;

    rig_init(&r);
    CHECK_STR(rig_text(&r, "eth_newPendingTransactionFilter", "[]"),
              json_string_value(json_object_get(r.last, "result")));
    {
        AUTO_FREE char *filter =
            xasprintf("[\"%s\"]", json_string_value(json_object_get(r.last, "result")));

        CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", filter)), 0);
        net_transfer(&raw, &r.n, 0, &bob, 1, 9);
        tx_hash(&hash, buf_bytes(&raw));
        send = rig_hex_param(buf_bytes(&raw), "");
        by_hash = rig_hex_param(BYTES_OF(&hash), "");
        count = rig_hex_param(BYTES_OF(&r.n.who[0]), ",\"pending\"");
        (void)rig_text(&r, "eth_sendRawTransaction", send);
        t = rig_ask(&r, "eth_getFilterChanges", filter);
        CHECK_INT(json_array_size(t), 1);
        CHECK_INT(strlen(json_string_value(json_array_get(t, 0))), 66);
        CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", filter)), 0);
        rig_refused(&r, "eth_getFilterLogs", filter, -32602, "not a log filter");
    }
    t = rig_ask(&r, "eth_getTransactionByHash", by_hash);
    CHECK_TRUE(json_is_null(json_object_get(t, "blockHash")));
    CHECK_TRUE(json_is_null(json_object_get(t, "blockNumber")));
    CHECK_TRUE(json_is_null(json_object_get(t, "transactionIndex")));
    CHECK_STR(rig_str(t, "nonce"), "0x1");
    CHECK_STR(rig_str(t, "gasPrice"), rig_str(t, "maxFeePerGas"));
    CHECK_TRUE(json_is_null(rig_ask(&r, "eth_getTransactionReceipt", by_hash)));
    wait = rig_hex_param(BYTES_OF(&hash), ",50");
    CHECK_TRUE(json_is_null(rig_ask(&r, "cloister_waitReceipt", wait)));
    CHECK_STR(rig_str(rig_ask(&r, "txpool_status", "[]"), "queued"), "0x1");
    CHECK_STR(rig_text(&r, "eth_getTransactionCount", count), "0x0");
    /* The gap closes: both go in. */
    net_transfer(&raw, &r.n, 1, &bob, 1, 9); /* appended: a second one that waits */
    raw.n = 0;
    net_transfer(&raw, &r.n, 1, &bob, 1, 9);
    sync = rig_hex_param(buf_bytes(&raw), ",50");
    error = rig_refused(&r, "eth_sendRawTransactionSync", sync, 4, "50 ms");
    tx_hash(&hash, buf_bytes(&raw));
    {
        AUTO_FREE char *want = rig_hex_param(BYTES_OF(&hash), "");

        CHECK_TRUE(strstr(want, rig_str(error, "data")) != NULL);
    }
    rig_refused(&r, "eth_sendRawTransactionSync", sync, -32000, "already known");
    free(sync);
    transfer_param(&r, &sync, 0, 0, 9);
    CHECK_STR(rig_str(rig_ask(&r, "eth_sendRawTransactionSync", sync), "status"), "0x1");
    CHECK_STR(rig_text(&r, "eth_getTransactionCount", count), "0x2");
    CHECK_STR(rig_str(rig_ask(&r, "cloister_waitReceipt", wait), "status"), "0x1");
    rig_clear(&r);
}

struct waiting {
    struct rig *r;
    char *params;
    struct http_reply reply;
};

static void *wait_receipt(void *arg)
{
    struct waiting *w = arg;
    AUTO_FREE char *body =
        xasprintf("{\"id\":1,\"method\":\"cloister_waitReceipt\",\"params\":%s}", w->params);
    struct err e;

    CHECK_OK(http_post(&w->reply, gateway_url(w->r->g), "application/json", bytes_str(body),
                       1 << 20, 20000, &e),
             &e);
    return NULL;
}

/* Who waits for a receipt is answered when the transaction goes in, and at once where it never
 * will. */
TEST(receipts_are_waited_for)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct waiting w = {0};
    struct hash32 hash;
    char *send;
    pthread_t thread;
    struct rig r;

    rig_init(&r);
    net_transfer(&raw, &r.n, 0, &bob, 1, 9);
    tx_hash(&hash, buf_bytes(&raw));
    w.r = &r;
    w.params = rig_hex_param(BYTES_OF(&hash), "");
    CHECK_TRUE(json_is_null(rig_ask(&r, "cloister_waitReceipt", w.params)));
    send = rig_hex_param(buf_bytes(&raw), "");
    (void)rig_text(&r, "eth_sendRawTransaction", send);
    free(w.params);
    w.params = rig_hex_param(BYTES_OF(&hash), ",15000");
    CHECK_INT(pthread_create(&thread, NULL, wait_receipt, &w), 0);
    (void)usleep(50000); /* it waits by now */
    free(send);
    transfer_param(&r, &send, 0, 0, 9);
    (void)rig_text(&r, "eth_sendRawTransaction", send);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_TRUE(strstr(buf_cstr(&w.reply.body), "\"status\":\"0x1\"") != NULL);
    rig_refused(&r, "cloister_waitReceipt", "[\"0x12\"]", -32602, "");
    free(send);
    free(w.params);
    http_reply_clear(&w.reply);
    rig_clear(&r);
}

static void *wait_long(void *arg)
{
    struct rig *r = arg;
    AUTO_CLEAR(http_reply) struct http_reply reply = {0};
    AUTO_FREE char *p = NULL;
    AUTO_FREE char *body = NULL;
    struct err e;

    transfer_param(r, &p, 0, 1, 1);
    p[strlen(p) - 1] = 0;
    body = xasprintf("{\"id\":1,\"method\":\"eth_sendRawTransactionSync\",\"params\":%s,3000]}", p);
    CHECK_OK(http_post(&reply, gateway_url(r->g), "application/json", bytes_str(body), 1 << 20,
                       10000, &e),
             &e);
    CHECK_TRUE(strstr(buf_cstr(&reply.body), "after 3000 ms") != NULL);
    return NULL;
}

/* Threads that wait for blocks leave room for others: of two, one. */
TEST(few_may_wait)
{
    AUTO_FREE char *p = NULL;
    pthread_t thread;
    struct rig r;

    rig_init_with(&r, NULL, 2);
    CHECK_INT(pthread_create(&thread, NULL, wait_long, &r), 0);
    while (strcmp(rig_str(rig_ask(&r, "txpool_status", "[]"), "queued"), "0x1") != 0)
        (void)usleep(1000);
    (void)usleep(50000); /* from the pool to the wait */
    transfer_param(&r, &p, 1, 1, 1);
    rig_refused(&r, "eth_sendRawTransactionSync", p, 4, "1 calls wait for a block already");
    CHECK_STR(rig_str(rig_ask(&r, "txpool_status", "[]"), "queued"), "0x2");
    CHECK_INT(pthread_join(thread, NULL), 0);
    rig_clear(&r);
}
