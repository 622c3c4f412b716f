/* Reads of state and calls that are thrown away. */
#include "chain/abi_sig.h"
#include "chain/commit.h"
#include "chain/header.h"
#include "chain/tx.h"
#include "gateway/internal/rpc.h"
#include "ledger/genesis.h"

/* Fetch an account as of the height in parameter i. */
static enum rc account_at(struct rpc_call *c, size_t i, struct account *out, struct err *e)
{
    struct engine_snapshot *s = NULL;
    struct address who;
    uint64_t height;
    enum rc rc;

    *out = (struct account){0};
    TRY(rpc_param_address(c, 0, &who, e));
    TRY(rpc_param_height(c, i, &height, e));
    TRY(engine_snapshot_open(c->g->engine, height, &s, e));
    rc = state_account(engine_snapshot_source(s), &who, out, e);
    engine_snapshot_close(s);
    return rc;
}

enum rc rpc_eth_getBalance(struct rpc_call *c, struct err *e)
{
    struct account a;

    TRY(account_at(c, 1, &a, e));
    rpc_put_u256(c->out, &a.balance);
    return RC_OK;
}

enum rc rpc_eth_getTransactionCount(struct rpc_call *c, struct err *e)
{
    const char *tag = json_string_value(rpc_param(c, 1));
    struct account a;

    if (tag != NULL && strcmp(tag, "pending") == 0) {
        struct address who;

        TRY(rpc_param_address(c, 0, &who, e));
        TRY(engine_pending_nonce(c->g->engine, &who, &a.nonce, e));
    } else {
        TRY(account_at(c, 1, &a, e));
    }
    rpc_put_quantity(c->out, a.nonce);
    return RC_OK;
}

enum rc rpc_eth_getCode(struct rpc_call *c, struct err *e)
{
    struct engine_snapshot *s = NULL;
    struct account a = {0};
    struct bytes code = {0};
    struct address who;
    uint64_t height;
    enum rc rc;

    TRY(rpc_param_address(c, 0, &who, e));
    TRY(rpc_param_height(c, 1, &height, e));
    TRY(engine_snapshot_open(c->g->engine, height, &s, e));
    rc = state_account(engine_snapshot_source(s), &who, &a, e);
    if (rc == RC_OK && account_has_code(&a))
        rc = state_code(engine_snapshot_source(s), &a.code_hash, &c->mem, &code, e);
    if (rc == RC_OK)
        rpc_put_hex(c->out, code);
    engine_snapshot_close(s);
    return rc;
}

/* Our storage keys are byte strings of their contract's own making; a 32-byte slot is looked up as
 * such a key, and a value of up to 32 bytes is shown as a word. */
enum rc rpc_eth_getStorageAt(struct rpc_call *c, struct err *e)
{
    struct engine_snapshot *s = NULL;
    struct bytes value = {0};
    struct address who;
    struct u256 slot;
    uint8_t key[32];
    uint8_t word[32] = {0};
    uint64_t height;
    enum rc rc;

    TRY(rpc_param_address(c, 0, &who, e));
    if (rpc_param(c, 1) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 2: a storage slot");
    TRY(rpc_bad(json_value_u256(&slot, rpc_param(c, 1), "storage slot", e)));
    TRY(rpc_param_height(c, 2, &height, e));
    u256_to_be(key, &slot);
    TRY(engine_snapshot_open(c->g->engine, height, &s, e));
    rc = state_storage(engine_snapshot_source(s), &who, BYTES_OF(&key), &c->mem, &value, e);
    if (rc == RC_OK && value.n <= sizeof(word) && value.n != 0)
        memcpy(word + sizeof(word) - value.n, value.p, value.n);
    if (rc == RC_OK)
        rpc_put_hex(c->out, BYTES_OF(&word));
    engine_snapshot_close(s);
    return rc;
}

/* ---- calls ---- */

static enum rc call_data(struct rpc_call *c, const json_t *v, struct bytes *out, struct err *e)
{
    const char *name = rpc_has(v, "input") ? "input" : "data";

    *out = (struct bytes){0};
    if (!rpc_has(v, name))
        return RC_OK;
    return rpc_bytes_of(c, json_object_get(v, name), name, RPC_BODY_MAX, out, e);
}

/* [{address, storageKeys}]: counts in the intrinsic gas. */
static enum rc call_access(struct rpc_call *c, const json_t *list, struct tx *tx, struct err *e)
{
    size_t n_keys = 0;

    if (!json_is_array(list) || json_array_size(list) > TX_MAX_ACCESS)
        return err_set(e, RC_MALFORMED, "accessList is not an array of at most %d", TX_MAX_ACCESS);
    tx->n_access = json_array_size(list);
    tx->access = arena_array(&c->mem, tx->n_access, sizeof(*tx->access));
    for (size_t i = 0; i < tx->n_access; i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *keys = json_object_get(item, "storageKeys");
        struct tx_access *a = &tx->access[i];

        TRY(rpc_bad(json_hex_fixed(a->address.b, 20, item, "address", e)));
        a->n_keys = json_array_size(keys);
        n_keys += a->n_keys;
        if (n_keys > TX_MAX_ACCESS_KEYS)
            return err_set(e, RC_MALFORMED, "accessList has more than %d storage keys",
                           TX_MAX_ACCESS_KEYS);
        a->keys = arena_array(&c->mem, a->n_keys, sizeof(*a->keys));
        for (size_t k = 0; k < a->n_keys; k++)
            TRY(rpc_bad(
                json_value_hex_fixed(a->keys[k].b, 32, json_array_get(keys, k), "storage key", e)));
    }
    return RC_OK;
}

enum rc rpc_call_object(struct rpc_call *c, const json_t *v, struct ledger_tx *out, struct err *e)
{
    struct tx *tx = &out->tx;

    *out = (struct ledger_tx){.decoded = TX_OK};
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "parameter 1 is not a transaction object");
    tx->type = TX_DYNAMIC_FEE;
    tx->has_chain_id = true;
    tx->chain_id = engine_chain_id(c->g->engine);
    tx->is_create = !rpc_has(v, "to");
    if (rpc_has(v, "from"))
        TRY(rpc_bad(json_hex_fixed(out->sender.b, 20, v, "from", e)));
    if (!tx->is_create)
        TRY(rpc_bad(json_hex_fixed(tx->to.b, 20, v, "to", e)));
    if (rpc_has(v, "value"))
        TRY(rpc_bad(json_u256(&tx->value_wei, v, "value", e)));
    if (rpc_has(v, "gas"))
        TRY(rpc_bad(json_u64(&tx->gas_limit, v, "gas", UINT64_MAX, e)));
    if (rpc_has(v, "nonce"))
        TRY(rpc_bad(json_u64(&tx->nonce, v, "nonce", UINT64_MAX, e)));
    if (rpc_has(v, "accessList"))
        TRY(call_access(c, json_object_get(v, "accessList"), tx, e));
    if (rpc_has(v, "chainId")) {
        uint64_t id;

        TRY(rpc_bad(json_u64(&id, v, "chainId", UINT64_MAX, e)));
        if (id != tx->chain_id)
            return err_set(e, RC_MALFORMED, "chainId is %llu, this chain is %llu",
                           (unsigned long long)id, (unsigned long long)tx->chain_id);
    }
    return call_data(c, v, &tx->data, e);
}

/* Error(string) and Panic(uint256) have words; geth says no more of the others. */
static bool has_reason(struct bytes revert)
{
    static const uint8_t error[4] = {0x08, 0xc3, 0x79, 0xa0};
    static const uint8_t panic[4] = {0x4e, 0x48, 0x7b, 0x71};

    return revert.n >= 4 && (memcmp(revert.p, error, 4) == 0 || memcmp(revert.p, panic, 4) == 0);
}

/* Fill in the error of a call that did not succeed. */
static enum rc call_failed(struct rpc_call *c, const struct exec_result *r, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    if (r->code != TX_REVERTED) {
        c->code = RPC_SERVER;
        return err_set(e, RC_DENIED, "%s%s%s", tx_code_text(r->code), r->why[0] == 0 ? "" : ": ",
                       r->why);
    }
    c->code = RPC_REVERT;
    buf_put_bytes(&c->error_data, r->output);
    if (!has_reason(r->output))
        return err_set(e, RC_DENIED, "execution reverted");
    contract_error_text(&text, r->output, NULL, 0);
    return err_set(e, RC_DENIED, "execution reverted: %s", buf_cstr(&text));
}

enum rc rpc_eth_call(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(journal) struct journal j = {0};
    struct engine_snapshot *s = NULL;
    struct exec_result result;
    struct block_env env;
    struct ledger_tx tx;
    struct executor *x;
    uint64_t height;
    enum rc rc;

    TRY(rpc_call_object(c, rpc_param(c, 0), &tx, e));
    TRY(rpc_param_height(c, 1, &height, e));
    TRY(engine_block_env(c->g->engine, height, &env, e));
    TRY(engine_snapshot_open(c->g->engine, height, &s, e));
    journal_init(&j, *engine_snapshot_source(s));
    x = executors_take(c->g->executors);
    rc = ledger_call(x, &j, &env, &tx, &c->mem, &result, e);
    executors_give(c->g->executors, x);
    if (rc == RC_OK && result.code != TX_OK)
        rc = call_failed(c, &result, e);
    else if (rc == RC_OK)
        rpc_put_hex(c->out, result.output);
    engine_snapshot_close(s);
    return rc;
}

enum rc rpc_estimate(struct rpc_call *c, const struct ledger_tx *tx, uint64_t *gas, struct err *e)
{
    struct engine_snapshot *s = NULL;
    struct exec_result result;
    struct block_env env;
    struct executor *x;
    enum rc rc;

    *gas = 0;
    /* On the newest state, but in the block to come: on an idle chain the newest one may be old,
     * and what waits for a time to pass would never be estimated to succeed. */
    TRY(engine_block_env(c->g->engine, UINT64_MAX, &env, e));
    TRY(engine_snapshot_open(c->g->engine, UINT64_MAX, &s, e));
    x = executors_take(c->g->executors);
    rc = ledger_estimate(x, *engine_snapshot_source(s), &env, tx, &c->mem, gas, &result, e);
    executors_give(c->g->executors, x);
    if (rc == RC_OK && result.code != TX_OK)
        rc = call_failed(c, &result, e);
    engine_snapshot_close(s);
    return rc;
}

enum rc rpc_eth_estimateGas(struct rpc_call *c, struct err *e)
{
    struct ledger_tx tx;
    uint64_t gas;

    TRY(rpc_call_object(c, rpc_param(c, 0), &tx, e));
    TRY(rpc_estimate(c, &tx, &gas, e));
    rpc_put_quantity(c->out, gas);
    return RC_OK;
}

/* An access list saves nothing here, so the best one is empty. */
enum rc rpc_eth_createAccessList(struct rpc_call *c, struct err *e)
{
    struct ledger_tx tx;
    uint64_t gas;

    TRY(rpc_call_object(c, rpc_param(c, 0), &tx, e));
    TRY(rpc_estimate(c, &tx, &gas, e));
    buf_put_str(c->out, "{\"accessList\":[],\"gasUsed\":");
    rpc_put_quantity(c->out, gas);
    buf_u8(c->out, '}');
    return RC_OK;
}

/* ---- proofs ---- */

static void put_encoded(struct rpc_call *c, const char *name, const struct buf *b)
{
    buf_printf(c->out, ",\"%s\":", name);
    rpc_put_hex(c->out, buf_bytes(b));
}

/* [address, storage key or null (the account itself), height]: the value and its proof under the
 * app_hash that the next header carries, with that header and its commit in CometBFT's encoding. */
enum rc rpc_cloister_getProof(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *next = NULL;
    AUTO_CLEAR(buf) struct buf value = {0};
    struct bytes storage_key;
    AUTO_CLEAR(buf) struct buf encoded = {0};
    const json_t *key_param = rpc_param(c, 1);
    json_auto_t *proof_json = NULL;
    struct state_proof proof;
    struct state_key key;
    struct address who;
    uint64_t height = UINT64_MAX;
    uint64_t proven;
    bool found;

    TRY(rpc_param_address(c, 0, &who, e));
    key = state_key_account(&who);
    if (key_param != NULL) {
        TRY(rpc_bytes_of(c, key_param, "storage key", STATE_STORAGE_KEY_MAX, &storage_key, e));
        if (storage_key.n == 0)
            return err_set(e, RC_MALFORMED, "storage key is empty");
        key = state_key_storage(&who, storage_key);
    }
    if (rpc_param(c, 2) != NULL && !(json_is_string(rpc_param(c, 2)) &&
                                     strcmp(json_string_value(rpc_param(c, 2)), "latest") == 0))
        TRY(rpc_param_height(c, 2, &height, e));
    TRY(engine_prove(c->g->engine, height, state_key_bytes(&key), &c->mem, &proof, &found, &proven,
                     &value, &next, e));
    buf_put_str(c->out, "{\"height\":");
    rpc_put_quantity(c->out, proven);
    buf_put_str(c->out, ",\"key\":");
    rpc_put_hex(c->out, state_key_bytes(&key));
    buf_put_str(c->out, ",\"value\":");
    if (!found)
        buf_put_str(c->out, "null");
    else
        rpc_put_hex(c->out, buf_bytes(&value));
    buf_put_str(c->out, ",\"appHash\":");
    rpc_put_hex(c->out, bytes_of(next->header->app_hash, 32));
    proof_json = state_proof_to_json(&proof);
    buf_put_str(c->out, ",\"proof\":");
    json_put(c->out, proof_json);
    header_encode(&encoded, next->header);
    put_encoded(c, "header", &encoded);
    buf_reset(&encoded);
    commit_encode(&encoded, next->commit);
    put_encoded(c, "commit", &encoded);
    buf_u8(c->out, '}');
    return RC_OK;
}
