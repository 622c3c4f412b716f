/* Ethereum's JSON objects as a view over our blocks. Clients recompute none of the hashes but the
 * transaction's. */
#include "chain/header.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "gateway/internal/rpc.h"
#include "ledger/genesis.h"

/* Keccak-256 of the RLP of an empty list: "no uncles". */
#define NO_UNCLES "\"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347\""

static void key(struct buf *out, const char *name)
{
    if (out->n > 0 && out->p[out->n - 1] != '{')
        buf_u8(out, ',');
    buf_printf(out, "\"%s\":", name);
}

static void field_hex(struct buf *out, const char *name, struct bytes v)
{
    key(out, name);
    rpc_put_hex(out, v);
}

static void field_quantity(struct buf *out, const char *name, uint64_t v)
{
    key(out, name);
    rpc_put_quantity(out, v);
}

static void field_u256(struct buf *out, const char *name, const struct u256 *v)
{
    key(out, name);
    rpc_put_u256(out, v);
}

static void field_raw(struct buf *out, const char *name, const char *json)
{
    key(out, name);
    buf_put_str(out, json);
}

/* A 32-byte word without its leading zero bytes, as a quantity. */
static void field_word(struct buf *out, const char *name, const uint8_t word[32])
{
    struct u256 v = u256_from_be(word);

    field_u256(out, name, &v);
}

static void put_position(struct buf *out, const struct engine_block *b, uint32_t index)
{
    field_hex(out, "blockHash", BYTES_OF(&b->hash));
    field_quantity(out, "blockNumber", b->height);
    field_quantity(out, "transactionIndex", index);
}

static void put_access_list(struct buf *out, const struct tx *tx)
{
    key(out, "accessList");
    buf_u8(out, '[');
    for (size_t i = 0; i < tx->n_access; i++) {
        buf_put_str(out, i == 0 ? "{" : ",{");
        field_hex(out, "address", BYTES_OF(&tx->access[i].address));
        key(out, "storageKeys");
        buf_u8(out, '[');
        for (size_t k = 0; k < tx->access[i].n_keys; k++) {
            if (k != 0)
                buf_u8(out, ',');
            rpc_put_hex(out, BYTES_OF(&tx->access[i].keys[k]));
        }
        buf_put_str(out, "]}");
    }
    buf_u8(out, ']');
}

void rpc_put_tx(struct buf *out, const struct engine_block *b, uint32_t index)
{
    const struct engine_tx *t = &b->txs[index];
    const struct tx *tx = t->tx;
    uint64_t v = tx->y_parity;

    if (tx->type == TX_LEGACY)
        v += tx->has_chain_id ? tx->chain_id * 2 + 35 : 27;
    buf_u8(out, '{');
    put_position(out, b, index);
    field_hex(out, "hash", BYTES_OF(&t->hash));
    field_hex(out, "from", BYTES_OF(&t->from));
    field_quantity(out, "type", tx->type);
    field_quantity(out, "nonce", tx->nonce);
    field_quantity(out, "gas", tx->gas_limit);
    field_u256(out, "gasPrice", &t->receipt->gas_price_wei);
    if (tx->type == TX_DYNAMIC_FEE) {
        field_u256(out, "maxFeePerGas", &tx->max_fee_wei);
        field_u256(out, "maxPriorityFeePerGas", &tx->max_priority_wei);
    }
    if (tx->is_create)
        field_raw(out, "to", "null");
    else
        field_hex(out, "to", BYTES_OF(&tx->to));
    field_u256(out, "value", &tx->value_wei);
    field_hex(out, "input", tx->data);
    if (tx->has_chain_id)
        field_quantity(out, "chainId", tx->chain_id);
    if (tx->type != TX_LEGACY) {
        put_access_list(out, tx);
        field_quantity(out, "yParity", tx->y_parity);
    }
    field_quantity(out, "v", v);
    field_word(out, "r", tx->r);
    field_word(out, "s", tx->s);
    buf_u8(out, '}');
}

void rpc_put_log(struct buf *out, const struct engine_block *b, uint32_t tx_index,
                 uint32_t log_in_tx)
{
    const struct engine_tx *t = &b->txs[tx_index];
    const struct log *log = &t->receipt->logs[log_in_tx];

    buf_u8(out, '{');
    field_hex(out, "address", BYTES_OF(&log->address));
    key(out, "topics");
    buf_u8(out, '[');
    for (size_t i = 0; i < log->n_topics; i++) {
        if (i != 0)
            buf_u8(out, ',');
        rpc_put_hex(out, BYTES_OF(&log->topics[i]));
    }
    buf_u8(out, ']');
    field_hex(out, "data", log->data);
    put_position(out, b, tx_index);
    field_hex(out, "transactionHash", BYTES_OF(&t->hash));
    field_quantity(out, "logIndex", (uint64_t)t->first_log + log_in_tx);
    field_quantity(out, "blockTimestamp", (uint64_t)b->header->time.s);
    field_raw(out, "removed", "false");
    buf_u8(out, '}');
}

void rpc_put_receipt(struct buf *out, const struct engine_block *b, uint32_t index)
{
    const struct engine_tx *t = &b->txs[index];
    const struct receipt *r = t->receipt;
    struct bloom bloom;

    receipt_bloom(&bloom, r);
    buf_u8(out, '{');
    field_quantity(out, "type", r->tx_type);
    field_quantity(out, "status", r->code == 0);
    field_hex(out, "transactionHash", BYTES_OF(&t->hash));
    put_position(out, b, index);
    field_hex(out, "from", BYTES_OF(&r->from));
    if (r->is_create)
        field_raw(out, "to", "null");
    else
        field_hex(out, "to", BYTES_OF(&r->to));
    if (r->is_create && r->code == 0)
        field_hex(out, "contractAddress", BYTES_OF(&r->contract));
    else
        field_raw(out, "contractAddress", "null");
    field_quantity(out, "cumulativeGasUsed", r->cumulative_gas);
    field_quantity(out, "gasUsed", r->gas_used);
    field_u256(out, "effectiveGasPrice", &r->gas_price_wei);
    key(out, "logs");
    buf_u8(out, '[');
    for (uint32_t i = 0; i < r->n_logs; i++) {
        if (i != 0)
            buf_u8(out, ',');
        rpc_put_log(out, b, index, i);
    }
    buf_u8(out, ']');
    field_hex(out, "logsBloom", BYTES_OF(&bloom));
    buf_u8(out, '}');
}

/* What a header of Ethereum has and ours has not. */
static void put_constants(struct buf *out)
{
    static const uint8_t zero32[32];

    field_raw(out, "sha3Uncles", NO_UNCLES);
    field_raw(out, "difficulty", "\"0x0\"");
    field_raw(out, "totalDifficulty", "\"0x0\"");
    field_raw(out, "extraData", "\"0x\"");
    field_raw(out, "nonce", "\"0x0000000000000000\"");
    field_hex(out, "mixHash", BYTES_OF(&zero32));
    field_raw(out, "uncles", "[]");
}

/* Left open. */
static void put_header(struct rpc_call *c, const struct engine_block *b)
{
    struct receipt *receipts = arena_array(&c->mem, b->n_txs, sizeof(*receipts));
    struct buf *out = c->out;
    struct hash32 receipts_hash;

    for (size_t i = 0; i < b->n_txs; i++)
        receipts[i] = *b->txs[i].receipt;
    receipts_root(&receipts_hash, receipts, b->n_txs);
    buf_u8(out, '{');
    field_hex(out, "hash", BYTES_OF(&b->hash));
    /* The first header has no parent; for clients genesis is one. */
    field_hex(out, "parentHash",
              b->height == 1 ? BYTES_OF(engine_genesis_hash(c->g->engine))
                             : BYTES_OF(&b->header->last_block_id.hash));
    field_quantity(out, "number", b->height);
    field_quantity(out, "timestamp", (uint64_t)b->header->time.s);
    field_hex(out, "miner", BYTES_OF(&b->header->proposer_address));
    field_hex(out, "stateRoot", BYTES_OF(&b->app_hash));
    field_hex(out, "transactionsRoot", BYTES_OF(&b->header->data_hash));
    field_hex(out, "receiptsRoot", BYTES_OF(&receipts_hash));
    field_hex(out, "logsBloom", BYTES_OF(&b->bloom));
    field_quantity(out, "gasLimit", b->gas_limit);
    field_quantity(out, "gasUsed", b->gas_used);
    field_u256(out, "baseFeePerGas", &b->base_fee);
    field_quantity(out, "size", b->encoded.n);
    put_constants(out);
}

void rpc_put_head(struct rpc_call *c, const struct engine_block *b)
{
    put_header(c, b);
    buf_u8(c->out, '}');
}

void rpc_put_block(struct rpc_call *c, const struct engine_block *b, bool full)
{
    struct buf *out = c->out;

    put_header(c, b);
    key(out, "transactions");
    buf_u8(out, '[');
    for (uint32_t i = 0; i < b->n_txs; i++) {
        if (i != 0)
            buf_u8(out, ',');
        if (full)
            rpc_put_tx(out, b, i);
        else
            rpc_put_hex(out, BYTES_OF(&b->txs[i].hash));
    }
    buf_put_str(out, "]}");
}

enum rc rpc_put_genesis_block(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *first = NULL;
    const struct genesis *g = engine_genesis(c->g->engine);
    static const uint8_t zeros[256];
    struct buf *out = c->out;

    TRY(engine_block_at(c->g->engine, 1, &first, e));
    buf_u8(out, '{');
    field_hex(out, "hash", BYTES_OF(engine_genesis_hash(c->g->engine)));
    field_hex(out, "parentHash", bytes_of(zeros, 32));
    field_quantity(out, "number", 0);
    field_quantity(out, "timestamp", g->time_s);
    field_hex(out, "miner", bytes_of(zeros, 20));
    field_hex(out, "stateRoot", bytes_of(first->header->app_hash, 32));
    field_hex(out, "transactionsRoot", bytes_of(zeros, 32));
    field_hex(out, "receiptsRoot", bytes_of(zeros, 32));
    field_hex(out, "logsBloom", bytes_of(zeros, 256));
    field_quantity(out, "gasLimit", g->block_gas_limit);
    field_quantity(out, "gasUsed", 0);
    field_u256(out, "baseFeePerGas", &g->base_fee_wei);
    field_quantity(out, "size", 0);
    put_constants(out);
    field_raw(out, "transactions", "[]");
    buf_u8(out, '}');
    return RC_OK;
}
