#include "base/hex.h"
#include "chain/abi_sig.h"
#include "chain/tx.h"
#include "codec/json.h"
#include "crypto/secp256k1.h"
#include "lib/t.h"

/* EIP-155, "Example". */
#define EIP155                                                                                     \
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028" \
    "ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b38" \
    "00ccf555c9f3dc64214b297fb1966a3b6d83"

TEST(tx_eip155_example)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(secp_key) struct secp_key key;
    struct tx tx = {.type = TX_LEGACY,
                    .has_chain_id = true,
                    .chain_id = 1,
                    .nonce = 9,
                    .gas_price_wei = u256_from_u64(20000000000),
                    .gas_limit = 21000,
                    .value_wei = u256_from_u64(1000000000000000000)},
              back;
    struct address from, want;
    struct hash32 h;
    uint8_t secret[32];
    struct err e;

    memset(secret, 0x46, sizeof(secret));
    memset(tx.to.b, 0x35, sizeof(tx.to.b));
    CHECK_OK(secp_key_from_bytes(&key, secret, &e), &e);
    tx_signing_hash(&h, &tx);
    CHECK_HEX(BYTES_OF(&h), "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    CHECK_OK(tx_sign(&tx, &key, &e), &e);
    tx_encode(&b, &tx);
    CHECK_HEX(buf_bytes(&b), EIP155);
    CHECK_OK(tx_decode(&back, &a, buf_bytes(&b), &e), &e);
    CHECK_INT(back.chain_id, 1);
    CHECK_OK(tx_sender(&from, &back, &e), &e);
    secp_key_address(&want, &key);
    CHECK_MEM(BYTES_OF(&from), BYTES_OF(&want));
    CHECK_OK(tx_check_chain(&back, 1, false, &e), &e);
    CHECK_RC(tx_check_chain(&back, 2, false, &e), RC_DENIED, &e, "have 1 want 2");
}

static void sign_and_read(struct tx *tx)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    AUTO_CLEAR(secp_key) struct secp_key key;
    uint8_t secret[32];
    struct address from, want;
    struct tx back;
    struct err e;

    memset(secret, 7, sizeof(secret));
    CHECK_OK(secp_key_from_bytes(&key, secret, &e), &e);
    secp_key_address(&want, &key);
    CHECK_OK(tx_sign(tx, &key, &e), &e);
    tx_encode(&b, tx);
    CHECK_OK(tx_decode(&back, &a, buf_bytes(&b), &e), &e);
    CHECK_OK(tx_sender(&from, &back, &e), &e);
    CHECK_MEM(BYTES_OF(&from), BYTES_OF(&want));
    tx_encode(&again, &back);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&b));
}

TEST(tx_every_type_round_trips)
{
    struct hash32 keys[2] = {{{1}}, {{2}}};
    struct tx_access access[2] = {{.address = {{3}}, .keys = keys, .n_keys = 2},
                                  {.address = {{4}}}};
    struct tx tx = {.chain_id = 31337,
                    .has_chain_id = true,
                    .gas_price_wei = u256_from_u64(9),
                    .max_fee_wei = u256_from_u64(9),
                    .max_priority_wei = u256_from_u64(8),
                    .gas_limit = 100000,
                    .is_create = true,
                    .data = bytes_str("code")};

    sign_and_read(&tx);
    tx.has_chain_id = false; /* before EIP-155 */
    sign_and_read(&tx);
    tx.has_chain_id = true;
    tx.access = access;
    tx.n_access = 2;
    tx.type = TX_ACCESS_LIST;
    sign_and_read(&tx);
    tx.type = TX_DYNAMIC_FEE;
    sign_and_read(&tx);
}

TEST(tx_refuses)
{
    static const struct {
        const char *hex;
        enum rc rc;
        const char *piece;
    } cases[] = {
        {"", RC_MALFORMED, "empty"},
        {"03c0", RC_UNSUPPORTED, "EIP-4844"},
        {"04c0", RC_UNSUPPORTED, "EIP-7702"},
        {"7f", RC_UNSUPPORTED, "0x7f"},
        {EIP155 "00", RC_MALFORMED, "trailing"},
        /* the example with s replaced by n - s */
        {"f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000802"
         "6a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a0983416276680"
         "89e51348fccfb4c7ff3265588947710410c14e4ed35e59e2d3be",
         RC_MALFORMED, "high s"},
        /* v = 26 */
        {"f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000801"
         "aa028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb"
         "703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
         RC_MALFORMED, "signature v"},
        /* type 2 with priority 5 above fee 4 */
        {"02d6018005048252088080"
         "80c0808401020304"
         "8401020304",
         RC_RANGE, "priority"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        AUTO_CLEAR(buf) struct buf b = {0};
        struct tx tx;
        struct err e;

        CHECK_OK(hex_decode(&b, bytes_str(cases[i].hex), 1000, &e), &e);
        CHECK_RC(tx_decode(&tx, &a, buf_bytes(&b), &e), cases[i].rc, &e, cases[i].piece);
    }
}

TEST(tx_prices)
{
    struct tx tx = {.max_fee_wei = u256_from_u64(100),
                    .max_priority_wei = u256_from_u64(10),
                    .gas_limit = 3,
                    .value_wei = u256_from_u64(5)};
    struct u256 fee = u256_from_u64(50), out;
    struct err e;

    CHECK_OK(tx_effective_gas_price(&out, &tx, &fee, &e), &e);
    CHECK_INT(out.w[0], 60);
    fee = u256_from_u64(95);
    CHECK_OK(tx_effective_gas_price(&out, &tx, &fee, &e), &e);
    CHECK_INT(out.w[0], 100);
    fee = u256_from_u64(101);
    CHECK_RC(tx_effective_gas_price(&out, &tx, &fee, &e), RC_RANGE, &e, "100 < 101");
    CHECK_OK(tx_max_cost(&out, &tx, &e), &e);
    CHECK_INT(out.w[0], 305);
}

/* Find the reply with this id in one response or a batch. */
static const json_t *reply(const json_t *response, const json_t *id)
{
    if (!json_is_array(response))
        return json_object_get(response, "result");
    for (size_t i = 0; i < json_array_size(response); i++) {
        const json_t *r = json_array_get(response, i);

        if (json_equal(json_object_get(r, "id"), id))
            return json_object_get(r, "result");
    }
    return NULL;
}

static size_t check_request(const json_t *q, const json_t *response)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    const json_t *result = reply(response, json_object_get(q, "id"));
    const char *method = json_string_value(json_object_get(q, "method"));
    const char *text = json_string_value(json_array_get(json_object_get(q, "params"), 0));
    struct hash32 want, got;
    struct address from;
    struct tx tx;
    struct err e;

    if (method == NULL || strncmp(method, "eth_sendRawTransaction", 22) != 0 || text == NULL ||
        !json_is_string(result))
        return 0;
    CHECK_OK(hex_decode(&raw, bytes_str(text), TX_MAX_SIZE, &e), &e);
    CHECK_OK(hex_decode_fixed(want.b, 32, bytes_str(json_string_value(result)), &e), &e);
    tx_hash(&got, buf_bytes(&raw));
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
    CHECK_OK(tx_decode(&tx, &a, buf_bytes(&raw), &e), &e);
    tx_encode(&again, &tx);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&raw));
    CHECK_OK(tx_sender(&from, &tx, &e), &e);
    /* The test accounts of anvil 1.7.1 ("test test … junk"). */
    CHECK_TRUE(
        memcmp(from.b, "\xf3\x9f\xd6\xe5", 4) == 0 || memcmp(from.b, "\x70\x99\x79\x70", 4) == 0 ||
        memcmp(from.b, "\x3c\x44\xcd\xdd", 4) == 0 || memcmp(from.b, "\x90\xf7\x9b\xf6", 4) == 0);
    return 1;
}

/* Raw transactions of real clients, recorded against anvil. */
TEST(tx_of_real_clients)
{
    static const char *const files[] = {
        "cast_deploy",      "cast_send_legacy",  "cast_send",
        "ethers_al2930_tx", "ethers_legacy_tx",  "ethers_deploy_wait",
        "viem_write_2930",  "viem_write_legacy", "ethers_contract_write_wait",
        "viem_deploy_wait"};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO_CLEAR(buf) struct buf name = {0};
        json_t *doc, *entries;
        struct err e;

        buf_printf(&name, "../captures/rpc/%s.json", files[i]);
        CHECK_OK(json_parse(&doc, t_vector(buf_cstr(&name)), JSON_MAX_SIZE, &e), &e);
        CHECK_OK(json_arr(&entries, doc, "entries", 1000, &e), &e);
        for (size_t k = 0; k < json_array_size(entries); k++) {
            const json_t *entry = json_array_get(entries, k);
            const json_t *q = json_object_get(entry, "request");
            const json_t *r = json_object_get(entry, "response");

            if (!json_is_array(q))
                n += check_request(q, r);
            for (size_t m = 0; m < json_array_size(q); m++)
                n += check_request(json_array_get(q, m), r);
        }
        json_decref(doc);
    }
    CHECK_TRUE(n >= 8);
}

/* Solidity documentation: selectors of f and g; ERC-20 transfer and Transfer. */
TEST(abi_selectors_and_topics)
{
    uint8_t sel[4];
    struct hash32 topic;
    struct err e;

    CHECK_OK(abi_selector(sel, bytes_str("f(uint,uint32[],bytes10,bytes)"), &e), &e);
    CHECK_HEX(BYTES_OF(&sel), "8be65246");
    CHECK_OK(abi_selector(sel, bytes_str("g(uint256[][],string[])"), &e), &e);
    CHECK_HEX(BYTES_OF(&sel), "2289b18c");
    CHECK_OK(abi_selector(sel, bytes_str("transfer(address to, uint256 amount)"), &e), &e);
    CHECK_HEX(BYTES_OF(&sel), "a9059cbb");
    CHECK_OK(abi_topic(&topic, bytes_str("event Transfer(address indexed a,address,uint)"), &e),
             &e);
    CHECK_HEX(BYTES_OF(&topic), "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

static void check_error(const char *hex, const char *want)
{
    static const struct contract_error table[] = {{"NotOwner(address)"},
                                                  {"InsufficientBalance(uint256,uint256)"}};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct err e;

    CHECK_OK(hex_decode(&data, bytes_str(hex), 1000, &e), &e);
    contract_error_text(&text, buf_bytes(&data), table, ARRAY_LEN(table));
    CHECK_STR(buf_cstr(&text), want);
}

TEST(contract_errors_as_text)
{
    check_error("", "reverted without a reason");
    /* Solidity documentation, "revert": "Not enough Ether provided." */
    check_error("08c379a0"
                "0000000000000000000000000000000000000000000000000000000000000020"
                "000000000000000000000000000000000000000000000000000000000000001a"
                "4e6f7420656e6f7567682045746865722070726f76696465642e000000000000",
                "Not enough Ether provided.");
    check_error("4e487b710000000000000000000000000000000000000000000000000000000000000011",
                "panic 0x11 (arithmetic overflow)");
    /* InsufficientBalance: selector cf479181 (OpenZeppelin and Solidity docs use this error) */
    check_error("cf479181"
                "0000000000000000000000000000000000000000000000000000000000000001"
                "0000000000000000000000000000000000000000000000000000000000000002",
                "InsufficientBalance(1, 2)");
    check_error("deadbeef", "reverted with 0xdeadbeef");
}
