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
    TRY(json_value_u256(&slot, rpc_param(c, 1), "storage slot", e));
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
    AUTO_CLEAR(buf) struct buf data = {0};
    const char *name = json_is_string(json_object_get(v, "input")) ? "input" : "data";

    *out = (struct bytes){0};
    if (json_is_null(json_object_get(v, name)) || json_object_get(v, name) == NULL)
        return RC_OK;
    TRY(json_hex(&data, v, name, RPC_BODY_MAX, e));
    *out = arena_dup(&c->mem, buf_bytes(&data));
    return RC_OK;
}

static bool has(const json_t *v, const char *name)
{
    const json_t *m = json_object_get(v, name);

    return m != NULL && !json_is_null(m);
}

enum rc rpc_call_object(struct rpc_call *c, const json_t *v, struct ledger_tx *out, struct err *e)
{
    struct tx *tx = &out->tx;

    *out = (struct ledger_tx){.decoded = TX_OK};
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "missing parameter 1: a transaction object");
    tx->type = TX_DYNAMIC_FEE;
    tx->has_chain_id = true;
    tx->chain_id = engine_chain_id(c->g->engine);
    tx->is_create = !has(v, "to");
    if (has(v, "from"))
        TRY(json_hex_fixed(out->sender.b, 20, v, "from", e));
    if (!tx->is_create)
        TRY(json_hex_fixed(tx->to.b, 20, v, "to", e));
    if (has(v, "value"))
        TRY(json_u256(&tx->value_wei, v, "value", e));
    if (has(v, "gas"))
        TRY(json_u64(&tx->gas_limit, v, "gas", UINT64_MAX, e));
    if (has(v, "nonce"))
        TRY(json_u64(&tx->nonce, v, "nonce", UINT64_MAX, e));
    return call_data(c, v, &tx->data, e);
}

/* The block a call pretends to be in: the one at that height. */
static enum rc env_at(struct rpc_call *c, uint64_t height, struct block_env *env, struct err *e)
{
    const struct genesis *g = engine_genesis(c->g->engine);
    struct address proposer = {0};
    struct engine_block *b = NULL;

    if (height == 0) {
        *env = genesis_block_env(g, 0, g->time_s, 0, &proposer);
    } else {
        TRY(engine_block_at(c->g->engine, height, &b, e));
        *env = genesis_block_env(g, height, (uint64_t)b->header->time.s,
                                 (uint32_t)b->header->time.ns, &b->header->proposer_address);
        engine_block_unref(b);
    }
    return RC_OK;
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
    if (r->output.n == 0)
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
    TRY(env_at(c, height, &env, e));
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
    TRY(env_at(c, engine_height(c->g->engine), &env, e));
    TRY(engine_snapshot_open(c->g->engine, env.height, &s, e));
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
    AUTO_CLEAR(buf) struct buf storage_key = {0};
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
        json_auto_t *holder = json_pack("{s:O}", "key", key_param);

        TRY(json_hex(&storage_key, holder, "key", STATE_STORAGE_KEY_MAX, e));
        if (storage_key.n == 0)
            return err_set(e, RC_MALFORMED, "storage key is empty");
        key = state_key_storage(&who, buf_bytes(&storage_key));
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
