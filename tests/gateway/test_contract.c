/* A contract through JSON-RPC: deploy, calls, reverts, estimates, logs, filters, proofs. The
 * contract does what its calldata says (ledger/guest.h). */
#include "chain/commit.h"
#include "chain/header.h"
#include "chain/state_proof.h"
#include "ledger/state.h"
#include "rig.h"

/* {"to": the guest, "data": …<more>}; free it. */
static char *call_param(const struct rig *r, struct bytes data, const char *more, const char *rest)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    buf_put_str(&b, "[{\"to\":\"");
    hex_put_0x(&b, BYTES_OF(&r->guest));
    buf_put_str(&b, "\",\"data\":\"");
    hex_put_0x(&b, data);
    buf_printf(&b, "\"%s}%s]", more, rest);
    return xstrdup(buf_cstr(&b));
}

TEST(deploy_code_storage)
{
    static const uint8_t slot[32] = {[31] = 5};
    AUTO_CLEAR(buf) struct buf elf = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *code = NULL, *want = NULL, *at = NULL;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    guest_elf(&elf, 0, NULL, 0);
    code = rig_hex_param(BYTES_OF(&r.guest), ",\"latest\"");
    want = rig_hex_param(buf_bytes(&elf), "");
    want[strlen(want) - 2] = 0; /* without the quote */
    CHECK_STR(rig_text(&r, "eth_getCode", code), want + 2);
    guest_store(&data, BYTES_OF(&slot), bytes_of("\x12\x34", 2));
    CHECK_STR(rig_str(rig_run(&r, &r.guest, buf_bytes(&data)), "status"), "0x1");
    at = rig_hex_param(BYTES_OF(&r.guest), ",\"0x5\",\"latest\"");
    CHECK_STR(rig_text(&r, "eth_getStorageAt", at),
              "0x0000000000000000000000000000000000000000000000000000000000001234");
    rig_clear(&r);
}

TEST(calls_and_reverts)
{
    /* Error(string) "no": selector, offset, length, text */
    static const uint8_t reason[100] = {
        0x08, 0xc3, 0x79, 0xa0, [35] = 32, [67] = 2, [68] = 'n', [69] = 'o'};
    static const uint8_t custom[4] = {1, 2, 3, 4};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *p = NULL;
    const json_t *error;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    guest_end(&data, HOST_RETURN, bytes_str("hello"));
    p = call_param(&r, buf_bytes(&data), "", ",\"latest\"");
    CHECK_STR(rig_text(&r, "eth_call", p), "0x68656c6c6f");
    free(p);
    p = call_param(&r, buf_bytes(&data), ",\"gas\":\"0xffffffffffffffff\",\"nonce\":\"0x7\"", "");
    CHECK_STR(rig_text(&r, "eth_call", p), "0x68656c6c6f");
    free(p);
    p = call_param(&r, buf_bytes(&data), ",\"chainId\":\"0x1\"", "");
    rig_refused(&r, "eth_call", p, -32602, "chainId is 1");
    free(p);
    p = call_param(&r, buf_bytes(&data), ",\"value\":\"0x1\"", "");
    rig_refused(&r, "eth_call", p, -32000, "insufficient funds");
    free(p);
    p = call_param(&r, buf_bytes(&data), "", ",\"0x1\"");
    CHECK_STR(rig_text(&r, "eth_call", p), "0x"); /* no contract there at that height */
    free(p);
    p = call_param(&r, buf_bytes(&data), "", ",\"0x9999\"");
    rig_refused(&r, "eth_call", p, -32000, "39321");

    buf_reset(&data);
    guest_end(&data, HOST_REVERT, BYTES_OF(&reason));
    free(p);
    p = call_param(&r, buf_bytes(&data), "", ",\"latest\"");
    error = rig_refused(&r, "eth_call", p, 3, "execution reverted: no");
    CHECK_INT(strlen(rig_str(error, "data")), 202);
    (void)rig_refused(&r, "eth_estimateGas", p, 3, "execution reverted: no");
    (void)rig_refused(&r, "eth_fillTransaction", p, 3, "execution reverted: no");
    (void)rig_refused(&r, "eth_createAccessList", p, 3, "execution reverted: no");

    buf_reset(&data);
    guest_end(&data, HOST_REVERT, BYTES_OF(&custom));
    free(p);
    p = call_param(&r, buf_bytes(&data), "", "");
    error = rig_refused(&r, "eth_call", p, 3, "execution reverted");
    CHECK_STR(rig_str(error, "data"), "0x01020304");
    CHECK_STR(rig_str(error, "message"), "execution reverted");
    CHECK_STR(rig_str(rig_run(&r, &r.guest, buf_bytes(&data)), "status"), "0x0");

    buf_reset(&data);
    guest_step(&data, GUEST_ILLEGAL, 0, 0, 0, 0, 0, 0, 0);
    free(p);
    p = call_param(&r, buf_bytes(&data), "", "");
    rig_refused(&r, "eth_call", p, -32000, "");
    error = rig_refused(&r, "eth_call", "[{\"data\":\"0x6001\"}]", 3, "execution reverted");
    CHECK_STR(rig_str(error, "data"), "0x");
    rig_refused(&r, "eth_call", "[]", -32602, "transaction object");
    rig_refused(&r, "eth_call", "[{\"to\":\"0x1\"}]", -32602, "to");
    rig_refused(&r, "eth_call", "[{\"data\":\"0x1\"}]", -32602, "data");
    rig_refused(&r, "eth_call", "[{\"value\":\"-1\"}]", -32602, "value");
    rig_refused(&r, "eth_call", "[{\"accessList\":5}]", -32602, "accessList");
    rig_refused(&r, "eth_call", "[{\"accessList\":[5]}]", -32602, "address");
    rig_clear(&r);
}

/* Text of a contract's that is no UTF-8, and too long for an error. */
TEST(hostile_reason)
{
    uint8_t revert[68 + 640] = {0x08, 0xc3, 0x79, 0xa0, [35] = 32, [66] = 2, [67] = 128};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *p = NULL;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    for (size_t i = 68; i < sizeof(revert); i++)
        revert[i] = i % 3 == 0 ? 0xff : '"';
    guest_end(&data, HOST_REVERT, bytes_of(revert, sizeof(revert)));
    p = call_param(&r, buf_bytes(&data), "", "");
    CHECK_INT(strlen(rig_str(rig_refused(&r, "eth_call", p, 3, "execution reverted"), "data")),
              2 + 2 * sizeof(revert));
    rig_clear(&r);
}

TEST(estimates_are_enough)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *p = NULL;
    const json_t *filled;
    uint64_t gas, more;
    struct err e;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    guest_store(&data, bytes_str("key"), bytes_str("value"));
    p = call_param(&r, buf_bytes(&data), "", "");
    CHECK_OK(json_value_u64(&gas, rig_ask(&r, "eth_estimateGas", p), "gas", UINT64_MAX, &e), &e);
    {
        AUTO_CLEAR(buf) struct buf raw = {0};
        AUTO_FREE char *send = NULL;
        struct tx tx = {.type = TX_ACCESS_LIST,
                        .has_chain_id = true,
                        .chain_id = NET_CHAIN_ID,
                        .nonce = r.nonce[0]++,
                        .gas_limit = gas,
                        .to = r.guest,
                        .data = buf_bytes(&data),
                        .gas_price_wei = u256_from_u64(100000000000ull),
                        .max_fee_wei = u256_from_u64(100000000000ull),
                        .max_priority_wei = u256_from_u64(100000000000ull)};

        CHECK_OK(tx_sign(&tx, &r.n.keys[0], &e), &e);
        tx_encode(&raw, &tx);
        send = rig_hex_param(buf_bytes(&raw), "");
        filled = rig_ask(&r, "eth_sendRawTransactionSync", send);
        CHECK_STR(rig_str(filled, "status"), "0x1");
        CHECK_STR(rig_str(filled, "type"), "0x1");
    }
    free(p);
    p = call_param(&r, buf_bytes(&data),
                   ",\"accessList\":[{\"address\":\"0x00000000000000000000000000000000000000aa\","
                   "\"storageKeys\":[\"0x00000000000000000000000000000000000000000000000000000000"
                   "000000aa\"]}]",
                   ",\"pending\"");
    CHECK_OK(json_value_u64(&gas, rig_ask(&r, "eth_estimateGas", p), "gas", UINT64_MAX, &e), &e);
    free(p);
    p = call_param(&r, buf_bytes(&data), "", "");
    CHECK_OK(json_value_u64(&more, rig_ask(&r, "eth_estimateGas", p), "gas", UINT64_MAX, &e), &e);
    CHECK_INT(gas, more + 2400 + 1900);
    filled = rig_ask(&r, "eth_createAccessList", p);
    CHECK_INT(json_array_size(json_object_get(filled, "accessList")), 0);
    CHECK_OK(json_u64(&gas, filled, "gasUsed", UINT64_MAX, &e), &e);
    CHECK_INT(gas, more);
    CHECK_STR(rig_text(&r, "eth_estimateGas",
                       "[{\"to\":\"0x00000000000000000000000000000000000000b0\"}]"),
              "0x5208");
    rig_clear(&r);
}

TEST(fill_transaction)
{
    AUTO_FREE char *from = NULL;
    const json_t *tx;
    struct rig r;

    rig_init(&r);
    from = rig_hex_param(BYTES_OF(&r.n.who[0]), "");
    from[strlen(from) - 1] = 0;
    for (int i = 0; i < 4; i++) {
        static const struct {
            const char *more, *type, *price;
        } cases[] = {
            /* twice the base fee of 1 gwei and the tip of a tenth */
            {"", "0x2", "0x7d2b7500"},
            {",\"gasPrice\":\"0x77359400\"", "0x0", "0x77359400"},
            {",\"type\":\"0x1\"", "0x1", "0x4190ab00"},
            {",\"maxFeePerGas\":\"0x3b9aca01\"", "0x2", "0x3b9aca01"},
        };
        AUTO_FREE char *p = xasprintf(
            "[{\"from\":%s,\"to\":\"0x00000000000000000000000000000000000000b0\",\"value\":1%s}]",
            from + 1, cases[i].more);
        const json_t *filled = rig_ask(&r, "eth_fillTransaction", p);

        tx = json_object_get(filled, "tx");
        CHECK_STR(rig_str(tx, "type"), cases[i].type);
        CHECK_STR(rig_str(tx, "gasPrice"), cases[i].price);
        CHECK_STR(rig_str(tx, "nonce"), "0x0");
        CHECK_STR(rig_str(tx, "gas"), "0x5208");
        CHECK_TRUE(json_is_null(json_object_get(tx, "blockHash")));
        CHECK_TRUE(strncmp(rig_str(filled, "raw"), "0x", 2) == 0);
    }
    rig_refused(&r, "eth_fillTransaction", "[{\"type\":\"0x3\"}]", -32602, "type");
    rig_refused(&r, "eth_fillTransaction", "[{\"gasPrice\":1,\"maxFeePerGas\":1}]", -32602, "both");
    rig_refused(&r, "eth_fillTransaction", "[{\"maxPriorityFeePerGas\":2,\"maxFeePerGas\":1}]",
                -32602, "maxFeePerGas");
    rig_clear(&r);
}

static void log_query(struct rig *r, const char *query, size_t want)
{
    AUTO_FREE char *p = xasprintf("[%s]", query);
    const json_t *logs = rig_ask(r, "eth_getLogs", p);

    if (json_array_size(logs) != want)
        t_fail(__FILE__, __LINE__, "%s: %zu logs, expected %zu", query, json_array_size(logs),
               want);
}

#define T1 "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
#define T2 "\"0x2222222222222222222222222222222222222222222222222222222222222222\""

TEST(logs)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *address = NULL, *hash = NULL, *q = NULL;
    const json_t *receipt, *log;
    json_auto_t *first = NULL;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    address = rig_hex_param(BYTES_OF(&r.guest), "");
    guest_log(&data, 2, "two");
    receipt = rig_run(&r, &r.guest, buf_bytes(&data));
    log = json_array_get(json_object_get(receipt, "logs"), 0);
    first = json_deep_copy(log);
    CHECK_STR(rig_str(log, "data"), "0x74776f");
    CHECK_INT(json_array_size(json_object_get(log, "topics")), 2);
    CHECK_STR(rig_str(log, "logIndex"), "0x0");
    CHECK_TRUE(json_is_false(json_object_get(log, "removed")));
    CHECK_STR(rig_str(log, "transactionHash"), rig_str(receipt, "transactionHash"));
    CHECK_TRUE(strspn(rig_str(receipt, "logsBloom"), "0x") < 514);
    hash = xstrdup(rig_str(log, "blockHash"));
    buf_reset(&data);
    guest_log(&data, 0, "");
    (void)rig_run(&r, &r.guest, buf_bytes(&data));

    q = xasprintf("[{\"blockHash\":\"%s\"}]", hash);
    CHECK_TRUE(json_equal(json_array_get(rig_ask(&r, "eth_getLogs", q), 0), first));
    free(q);
    q = xasprintf("{\"fromBlock\":\"earliest\",\"address\":%s}", address);
    log_query(&r, q, 2);
    free(q);
    address[strlen(address) - 1] = 0;
    q = xasprintf("{\"fromBlock\":\"0x0\",\"toBlock\":\"latest\",\"address\":%s}", address + 1);
    log_query(&r, q, 2);
    log_query(&r, "{\"fromBlock\":\"0x0\"}", 2);
    log_query(&r, "{\"fromBlock\":0,\"topics\":[" T1 "]}", 1);
    log_query(&r, "{\"fromBlock\":0,\"topics\":[null," T2 "]}", 1);
    log_query(&r, "{\"fromBlock\":0,\"topics\":[[" T2 "," T1 "]]}", 1);
    log_query(&r, "{\"fromBlock\":0,\"topics\":[" T2 "]}", 0);
    log_query(&r, "{\"fromBlock\":0,\"topics\":[null,null,null]}", 0);
    log_query(&r, "{\"fromBlock\":0,\"topics\":null,\"address\":null}", 2);
    log_query(&r, "{\"fromBlock\":0,\"address\":\"0x00000000000000000000000000000000000000b0\"}",
              0);
    log_query(&r, "{\"fromBlock\":\"0xffff\"}", 0);
    log_query(&r, "{\"fromBlock\":\"0xffff\",\"toBlock\":\"0xfffff\"}", 0);
    rig_refused(&r, "eth_getLogs", "[{\"fromBlock\":\"0x2\",\"toBlock\":\"0x1\"}]", -32602,
                "above toBlock");
    rig_refused(&r, "eth_getLogs", "[{\"fromBlock\":1,\"blockHash\":" T1 "}]", -32602, "excludes");
    rig_refused(&r, "eth_getLogs", "[{\"blockHash\":" T1 "}]", -32000, "block");
    rig_refused(&r, "eth_getLogs", "[{\"topics\":[1]}]", -32602, "topic");
    rig_refused(&r, "eth_getLogs", "[{\"topics\":{}}]", -32602, "topics");
    rig_refused(&r, "eth_getLogs", "[{\"topics\":[[null]]}]", -32602, "topic");
    rig_refused(&r, "eth_getLogs", "[{\"address\":\"0x1\"}]", -32602, "address");
    rig_refused(&r, "eth_getLogs", "[]", -32602, "filter object");
    rig_clear(&r);
}

TEST(polled_filters)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *logs = NULL, *ended = NULL, *blocks = NULL;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    logs = xasprintf("[\"%s\"]", rig_text(&r, "eth_newFilter", "[{\"topics\":[" T1 "]}]"));
    ended = xasprintf("[\"%s\"]", rig_text(&r, "eth_newFilter", "[{\"toBlock\":\"0x1\"}]"));
    blocks = xasprintf("[\"%s\"]", rig_text(&r, "eth_newBlockFilter", "[]"));
    CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", logs)), 0);
    guest_log(&data, 1, "x");
    (void)rig_run(&r, &r.guest, buf_bytes(&data));
    (void)rig_run(&r, &r.guest, buf_bytes(&data));
    CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", logs)), 2);
    CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", logs)), 0);
    CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", ended)), 0);
    CHECK_TRUE(json_array_size(rig_ask(&r, "eth_getFilterChanges", blocks)) >= 2);
    rig_refused(&r, "eth_getFilterLogs", blocks, -32602, "not a log filter");
    (void)rig_run(&r, &r.guest, buf_bytes(&data));
    CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterChanges", logs)), 1);
    /* json_is_true() takes its argument twice. */
    CHECK_INT(json_typeof(rig_ask(&r, "eth_uninstallFilter", logs)), JSON_TRUE);
    CHECK_INT(json_typeof(rig_ask(&r, "eth_uninstallFilter", logs)), JSON_FALSE);
    rig_refused(&r, "eth_getFilterChanges", logs, -32000, "filter not found");
    rig_refused(&r, "eth_getFilterLogs", logs, -32000, "filter not found");
    free(logs);
    logs = xasprintf("[\"%s\"]",
                     rig_text(&r, "eth_newFilter", "[{\"fromBlock\":0,\"topics\":[" T1 "]}]"));
    CHECK_INT(json_array_size(rig_ask(&r, "eth_getFilterLogs", logs)), 3);
    rig_refused(&r, "eth_newFilter", "[{\"address\":5}]", -32602, "address");
    rig_refused(&r, "eth_getFilterChanges", "[\"0xzz\"]", -32602, "filter id");
    rig_refused(&r, "eth_uninstallFilter", "[]", -32602, "missing parameter 1");
    rig_clear(&r);
}

TEST(filters_are_bounded)
{
    struct rig r;

    rig_init(&r);
    for (int i = 0; i < 1024; i++)
        (void)rig_text(&r, "eth_newBlockFilter", "[]");
    rig_refused(&r, "eth_newBlockFilter", "[]", -32000, "uninstall some");
    rig_clear(&r);
}

static void hex_of(struct buf *out, const json_t *object, const char *key)
{
    struct err e;

    buf_reset(out);
    CHECK_OK(json_hex(out, object, key, 1 << 20, &e), &e);
}

/* What a light client does with cloister_getProof: header signed, root in it, value under it. */
static void check_proof(struct rig *r, const char *params, bool present)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf header_bytes = {0}, commit_bytes = {0}, key = {0}, value = {0};
    const json_t *p = rig_ask(r, "cloister_getProof", params);
    struct state_proof proof;
    struct validator v = {.power = 1};
    struct validator_set set = {.v = &v, .n = 1};
    struct header header;
    struct commit commit;
    struct hash32 root;
    struct err e;

    CHECK_OK(engine_validator_key(r->n.dir, v.pub_key, &e), &e);
    hex_of(&header_bytes, p, "header");
    hex_of(&commit_bytes, p, "commit");
    hex_of(&key, p, "key");
    CHECK_OK(header_decode(&header, buf_bytes(&header_bytes), &e), &e);
    CHECK_OK(commit_decode(&commit, &mem, buf_bytes(&commit_bytes), &e), &e);
    CHECK_OK(commit_verify(&commit, &set, "test-1", commit.height, &commit.block_id, &e), &e);
    header_hash(&root, &header);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&commit.block_id.hash));
    memcpy(root.b, header.app_hash, sizeof(root.b));
    CHECK_OK(state_proof_from_json(&proof, &mem, json_object_get(p, "proof"), &e), &e);
    CHECK_INT(json_is_null(json_object_get(p, "value")), !present);
    if (present) {
        hex_of(&value, p, "value");
        CHECK_OK(state_proof_verify(&root, buf_bytes(&key), buf_bytes(&value), &proof, &e), &e);
        value.p[0] ^= 1;
        CHECK_TRUE(state_proof_verify(&root, buf_bytes(&key), buf_bytes(&value), &proof, &e) !=
                   RC_OK);
    } else {
        CHECK_OK(state_proof_verify_absent(&root, buf_bytes(&key), &proof, &e), &e);
    }
}

TEST(proofs)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_FREE char *account = NULL, *stored = NULL, *absent = NULL, *old = NULL, *future = NULL;
    uint64_t height;
    struct err e;
    struct rig r;

    rig_init(&r);
    rig_deploy(&r);
    guest_store(&data, bytes_str("k"), bytes_str("value"));
    CHECK_OK(
        json_u64(&height, rig_run(&r, &r.guest, buf_bytes(&data)), "blockNumber", UINT64_MAX, &e),
        &e);
    net_until(r.en, height + 1);
    account = rig_hex_param(BYTES_OF(&r.guest), "");
    stored = rig_hex_param(BYTES_OF(&r.guest), ",\"0x6b\",\"latest\"");
    absent = rig_hex_param(BYTES_OF(&r.guest), ",\"0x6c\"");
    old = rig_hex_param(BYTES_OF(&r.guest), ",\"0x6b\",\"0x1\"");
    future = rig_hex_param(BYTES_OF(&r.guest), ",null,\"0x9999\"");
    check_proof(&r, account, true);
    check_proof(&r, stored, true);
    check_proof(&r, absent, false);
    check_proof(&r, old, false);
    rig_refused(&r, "cloister_getProof", future, -32000, "not there yet");
    rig_refused(&r, "cloister_getProof", "[]", -32602, "missing parameter 1");
    free(absent);
    absent = rig_hex_param(BYTES_OF(&r.guest), ",\"0x\"");
    rig_refused(&r, "cloister_getProof", absent, -32602, "storage key is empty");
    CHECK_STR(rig_str(rig_ask(&r, "cloister_getCommit", "[\"0x1\"]"), "height"), "0x1");
    CHECK_TRUE(json_is_null(rig_ask(&r, "cloister_getCommit", "[\"0x9999\"]")));
    CHECK_TRUE(json_is_null(rig_ask(&r, "cloister_getCommit", "[\"0x0\"]")));
    rig_clear(&r);
}
