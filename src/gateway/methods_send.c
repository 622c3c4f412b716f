/* Taking transactions. */
#include "chain/tx.h"
#include "gateway/internal/rpc.h"
#include "os/clock.h"

#include <stdatomic.h>

static enum rc submit(struct rpc_call *c, struct hash32 *hash, struct err *e)
{
    struct bytes raw;
    enum rc rc;

    if (rpc_param(c, 0) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: a raw transaction");
    TRY(rpc_bytes_of(c, rpc_param(c, 0), "transaction", ENGINE_MAX_TX_SIZE, &raw, e));
    rc = engine_submit(c->g->engine, raw, hash, e);
    /* What the pool refuses, it refuses for good: geth's code, on which clients read the text. */
    if (rc != RC_OK && rc != RC_CLOSED && rc != RC_IO && rc != RC_CORRUPT)
        c->code = RPC_SERVER;
    return rc;
}

enum rc rpc_eth_sendRawTransaction(struct rpc_call *c, struct err *e)
{
    struct hash32 hash;

    TRY(submit(c, &hash, e));
    rpc_put_hex(c->out, BYTES_OF(&hash));
    return RC_OK;
}

static enum rc late(struct rpc_call *c, const struct hash32 *hash)
{
    c->code = RPC_SYNC_LATE;
    buf_put_bytes(&c->error_data, BYTES_OF(hash));
    return RC_TIMEOUT;
}

/* How long a call may wait for a block: parameter 2, the limit, or what is left of its batch. */
static enum rc wait_ms(struct rpc_call *c, uint64_t *ms, struct err *e)
{
    uint64_t now = clock_mono_ms();

    *ms = RPC_SYNC_TIMEOUT_MS;
    if (rpc_param(c, 1) != NULL)
        TRY(rpc_bad(json_value_u64(ms, rpc_param(c, 1), "timeout", UINT64_MAX, e)));
    if (*ms > RPC_SYNC_TIMEOUT_MS)
        *ms = RPC_SYNC_TIMEOUT_MS;
    if (now + *ms > c->deadline_ms)
        *ms = c->deadline_ms > now ? c->deadline_ms - now : 0;
    return RC_OK;
}

/* engine_wait, if no more threads wait than may; else RC_TIMEOUT. */
static enum rc wait_for_block(struct gateway *g, const struct hash32 *hash, uint64_t ms,
                              struct engine_block **b, uint32_t *index, struct err *e)
{
    enum rc rc;

    if (atomic_fetch_add(&g->waiting, 1) < g->waiting_max)
        rc = engine_wait(g->engine, hash, ms, b, index, e);
    else
        rc = err_set(e, RC_TIMEOUT,
                     "the transaction is in the pool, but %u calls wait for a block already",
                     g->waiting_max);
    (void)atomic_fetch_sub(&g->waiting, 1);
    return rc;
}

/* EIP-7966: answer with the receipt. */
enum rc rpc_eth_sendRawTransactionSync(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    struct hash32 hash;
    uint32_t index;
    uint64_t ms;
    enum rc rc;

    TRY(wait_ms(c, &ms, e));
    TRY(submit(c, &hash, e));
    rc = wait_for_block(c->g, &hash, ms, &b, &index, e);
    if (rc == RC_TIMEOUT)
        return late(c, &hash);
    TRY(rc);
    rpc_put_receipt(c->out, b, index);
    return RC_OK;
}

/* eth_getTransactionReceipt of a transaction that is in the pool, without asking again and again.
 */
enum rc rpc_cloister_waitReceipt(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    struct hash32 hash;
    uint32_t index;
    uint64_t ms;
    enum rc rc;

    TRY(rpc_param_hash(c, 0, &hash, e));
    TRY(wait_ms(c, &ms, e));
    rc = engine_tx_find(c->g->engine, &hash, &b, &index, e);
    if (rc == RC_NOTFOUND)
        rc = wait_for_block(c->g, &hash, ms, &b, &index, e);
    if (rc == RC_TIMEOUT || rc == RC_NOTFOUND) {
        buf_put_str(c->out, "null");
        return RC_OK;
    }
    TRY(rc);
    rpc_put_receipt(c->out, b, index);
    return RC_OK;
}

/* The fees that the object leaves open. */
static enum rc fill_fees(struct rpc_call *c, const json_t *v, struct tx *tx, struct err *e)
{
    bool has_max = rpc_has(v, "maxFeePerGas"), has_tip = rpc_has(v, "maxPriorityFeePerGas");
    struct engine_fees fees;

    engine_fees(c->g->engine, &fees);
    tx->max_priority_wei = fees.priority_fee;
    if (rpc_has(v, "gasPrice") && (has_max || has_tip))
        return err_set(e, RC_MALFORMED,
                       "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
    if (has_tip)
        TRY(rpc_bad(json_u256(&tx->max_priority_wei, v, "maxPriorityFeePerGas", e)));
    if (rpc_has(v, "gasPrice"))
        TRY(rpc_bad(json_u256(&tx->max_fee_wei, v, "gasPrice", e)));
    else if (has_max)
        TRY(rpc_bad(json_u256(&tx->max_fee_wei, v, "maxFeePerGas", e)));
    else if (!u256_add(&tx->max_fee_wei, &fees.base_fee, &tx->max_priority_wei) ||
             (tx->type == TX_DYNAMIC_FEE &&
              !u256_add(&tx->max_fee_wei, &tx->max_fee_wei, &fees.base_fee)))
        return err_set(e, RC_MALFORMED, "fees overflow");
    if (u256_cmp(&tx->max_fee_wei, &tx->max_priority_wei) < 0) {
        if (has_tip && has_max)
            return err_set(e, RC_MALFORMED, "maxFeePerGas is below maxPriorityFeePerGas");
        tx->max_priority_wei = tx->max_fee_wei;
    }
    tx->gas_price_wei = tx->max_fee_wei;
    return RC_OK;
}

/* Nonce, gas and fees that the object leaves open. */
static enum rc fill(struct rpc_call *c, const json_t *v, struct ledger_tx *t, struct err *e)
{
    uint64_t type = TX_DYNAMIC_FEE;
    struct tx *tx = &t->tx;

    if (!rpc_has(v, "nonce"))
        TRY(engine_pending_nonce(c->g->engine, &t->sender, &tx->nonce, e));
    if (rpc_has(v, "gasPrice"))
        type = rpc_has(v, "accessList") ? TX_ACCESS_LIST : TX_LEGACY;
    if (rpc_has(v, "type"))
        TRY(rpc_bad(json_u64(&type, v, "type", TX_DYNAMIC_FEE, e)));
    tx->type = (uint8_t)type;
    TRY(fill_fees(c, v, tx, e));
    if (type == TX_LEGACY)
        tx->n_access = 0;
    if (tx->gas_limit == 0)
        TRY(rpc_estimate(c, t, &tx->gas_limit, e));
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
