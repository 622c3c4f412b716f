/* Taking transactions. */
#include "chain/tx.h"
#include "gateway/internal/rpc.h"

static enum rc submit(struct rpc_call *c, struct hash32 *hash, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    json_auto_t *holder = NULL;

    if (rpc_param(c, 0) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: a raw transaction");
    holder = json_pack("{s:O}", "transaction", rpc_param(c, 0));
    TRY(json_hex(&raw, holder, "transaction", ENGINE_MAX_TX_SIZE, e));
    /* What the pool refuses, it refuses for good: geth's code, on which clients read the text. */
    c->code = RPC_SERVER;
    TRY(engine_submit(c->g->engine, buf_bytes(&raw), hash, e));
    c->code = 0;
    return RC_OK;
}

enum rc rpc_eth_sendRawTransaction(struct rpc_call *c, struct err *e)
{
    struct hash32 hash;

    TRY(submit(c, &hash, e));
    rpc_put_hex(c->out, BYTES_OF(&hash));
    return RC_OK;
}

/* EIP-7966: answer with the receipt. */
enum rc rpc_eth_sendRawTransactionSync(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    uint64_t timeout = RPC_SYNC_TIMEOUT_MS;
    struct hash32 hash;
    uint32_t index;

    if (rpc_param(c, 1) != NULL)
        TRY(json_value_u64(&timeout, rpc_param(c, 1), "timeout", RPC_SYNC_TIMEOUT_MS, e));
    TRY(submit(c, &hash, e));
    c->code = 4; /* EIP-7966: the transaction is in the pool, but not in a block in time */
    TRY(engine_wait(c->g->engine, &hash, timeout, &b, &index, e));
    c->code = 0;
    rpc_put_receipt(c->out, b, index);
    return RC_OK;
}

static bool has(const json_t *v, const char *name)
{
    const json_t *m = json_object_get(v, name);

    return m != NULL && !json_is_null(m);
}

/* Nonce, gas and fees that the object leaves open. */
static enum rc fill(struct rpc_call *c, const json_t *v, struct ledger_tx *t, struct err *e)
{
    struct engine_fees fees;
    struct tx *tx = &t->tx;
    uint64_t type = TX_DYNAMIC_FEE;

    if (!has(v, "nonce"))
        TRY(engine_pending_nonce(c->g->engine, &t->sender, &tx->nonce, e));
    if (tx->gas_limit == 0)
        TRY(rpc_estimate(c, t, &tx->gas_limit, e));
    TRY(json_u64_opt(&type, v, "type", TX_DYNAMIC_FEE,
                     has(v, "gasPrice") ? TX_LEGACY : TX_DYNAMIC_FEE, e));
    engine_fees(c->g->engine, &fees);
    tx->type = (uint8_t)(type & 3);
    tx->max_priority_wei = fees.priority_fee;
    if (has(v, "maxPriorityFeePerGas"))
        TRY(json_u256(&tx->max_priority_wei, v, "maxPriorityFeePerGas", e));
    if (has(v, "gasPrice"))
        TRY(json_u256(&tx->max_fee_wei, v, "gasPrice", e));
    else if (has(v, "maxFeePerGas"))
        TRY(json_u256(&tx->max_fee_wei, v, "maxFeePerGas", e));
    else if (!u256_add(&tx->max_fee_wei, &fees.base_fee, &fees.base_fee) ||
             !u256_add(&tx->max_fee_wei, &tx->max_fee_wei, &tx->max_priority_wei))
        return err_set(e, RC_RANGE, "fees overflow");
    tx->gas_price_wei = tx->max_fee_wei;
    return RC_OK;
}

enum rc rpc_eth_fillTransaction(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *object = NULL;
    struct ledger_tx t;
    struct receipt receipt = {0};
    struct engine_tx etx;
    struct engine_block block = {0};
    static const char *const unknown[] = {"blockHash", "blockNumber", "transactionIndex"};

    TRY(rpc_call_object(c, rpc_param(c, 0), &t, e));
    TRY(fill(c, rpc_param(c, 0), &t, e));
    tx_encode(&raw, &t.tx);
    receipt.gas_price_wei = t.tx.gas_price_wei;
    etx = (struct engine_tx){.from = t.sender, .tx = &t.tx, .receipt = &receipt};
    tx_hash(&etx.hash, buf_bytes(&raw));
    block.txs = &etx;
    block.n_txs = 1;
    rpc_put_tx(&text, &block, 0);
    TRY(json_parse(&object, buf_bytes(&text), RPC_BODY_MAX, e));
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        CHECK(json_object_set_new(object, unknown[i], json_null()) == 0);
    buf_put_str(c->out, "{\"raw\":");
    rpc_put_hex(c->out, buf_bytes(&raw));
    buf_put_str(c->out, ",\"tx\":");
    json_put(c->out, object);
    buf_u8(c->out, '}');
    return RC_OK;
}

enum rc rpc_txpool_status(struct rpc_call *c, struct err *e)
{
    struct engine_pool_status s;

    (void)e;
    engine_pool_status(c->g->engine, &s);
    buf_put_str(c->out, "{\"pending\":");
    rpc_put_quantity(c->out, s.n_ready);
    buf_put_str(c->out, ",\"queued\":");
    rpc_put_quantity(c->out, s.n_parked);
    buf_u8(c->out, '}');
    return RC_OK;
}
