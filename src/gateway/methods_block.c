/* Blocks, transactions, receipts, logs, and what the chain says of itself. */
#include "base/hex.h"
#include "chain/commit.h"
#include "chain/header.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "crypto/hash.h"
#include "gateway/internal/rpc.h"

#ifndef CLOISTER_VERSION
#define CLOISTER_VERSION "0.1.0"
#endif

enum rc rpc_eth_chainId(struct rpc_call *c, struct err *e)
{
    (void)e;
    rpc_put_quantity(c->out, engine_chain_id(c->g->engine));
    return RC_OK;
}

enum rc rpc_net_version(struct rpc_call *c, struct err *e)
{
    (void)e;
    buf_printf(c->out, "\"%llu\"", (unsigned long long)engine_chain_id(c->g->engine));
    return RC_OK;
}

enum rc rpc_net_listening(struct rpc_call *c, struct err *e)
{
    (void)e;
    buf_put_str(c->out, "true");
    return RC_OK;
}

enum rc rpc_web3_clientVersion(struct rpc_call *c, struct err *e)
{
    (void)e;
    buf_put_str(c->out, "\"cloister/v" CLOISTER_VERSION "\"");
    return RC_OK;
}

enum rc rpc_web3_sha3(struct rpc_call *c, struct err *e)
{
    struct bytes data;
    struct hash32 h;

    if (rpc_param(c, 0) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: data");
    TRY(rpc_bytes_of(c, rpc_param(c, 0), "data", RPC_BODY_MAX, &data, e));
    keccak256(&h, data);
    rpc_put_hex(c->out, BYTES_OF(&h));
    return RC_OK;
}

enum rc rpc_rpc_modules(struct rpc_call *c, struct err *e)
{
    (void)e;
    buf_put_str(c->out, "{\"cloister\":\"1.0\",\"eth\":\"1.0\",\"net\":\"1.0\",\"rpc\":\"1.0\","
                        "\"txpool\":\"1.0\",\"web3\":\"1.0\"}");
    return RC_OK;
}

enum rc rpc_eth_blockNumber(struct rpc_call *c, struct err *e)
{
    (void)e;
    rpc_put_quantity(c->out, engine_height(c->g->engine));
    return RC_OK;
}

enum rc rpc_eth_syncing(struct rpc_call *c, struct err *e)
{
    (void)e;
    buf_put_str(c->out, "false");
    return RC_OK;
}

enum rc rpc_eth_accounts(struct rpc_call *c, struct err *e)
{
    (void)e;
    buf_put_str(c->out, "[]");
    return RC_OK;
}

enum rc rpc_eth_gasPrice(struct rpc_call *c, struct err *e)
{
    struct engine_fees fees;
    struct u256 price;

    engine_fees(c->g->engine, &fees);
    if (!u256_add(&price, &fees.base_fee, &fees.priority_fee))
        return err_set(e, RC_RANGE, "fees overflow");
    rpc_put_u256(c->out, &price);
    return RC_OK;
}

enum rc rpc_eth_maxPriorityFeePerGas(struct rpc_call *c, struct err *e)
{
    struct engine_fees fees;

    (void)e;
    engine_fees(c->g->engine, &fees);
    rpc_put_u256(c->out, &fees.priority_fee);
    return RC_OK;
}

/* ---- blocks ---- */

static enum rc put_block_at(struct rpc_call *c, uint64_t height, bool full, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    enum rc rc;

    if (height == 0)
        return rpc_put_genesis_block(c, e);
    rc = engine_block_at(c->g->engine, height, &b, e);
    if (rc == RC_NOTFOUND) {
        buf_put_str(c->out, "null");
        return RC_OK;
    }
    TRY(rc);
    rpc_put_block(c, b, full);
    return RC_OK;
}

/* What parameter 1 names; height 0 has no block. */
struct found {
    struct engine_block *b; /* NULL when there is none */
    bool genesis;
};

static void found_clear(struct found *f)
{
    engine_block_unref(f->b);
}

static enum rc block_by_hash(struct rpc_call *c, struct found *f, struct err *e)
{
    struct hash32 hash;
    enum rc rc;

    *f = (struct found){0};
    TRY(rpc_param_hash(c, 0, &hash, e));
    f->genesis = memcmp(hash.b, engine_genesis_hash(c->g->engine)->b, sizeof(hash.b)) == 0;
    if (f->genesis)
        return RC_OK;
    rc = engine_block_by_hash(c->g->engine, &hash, &f->b, e);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc block_by_height(struct rpc_call *c, struct found *f, struct err *e)
{
    uint64_t height;
    enum rc rc;

    *f = (struct found){0};
    TRY(rpc_param_height(c, 0, &height, e));
    f->genesis = height == 0;
    if (f->genesis)
        return RC_OK;
    rc = engine_block_at(c->g->engine, height, &f->b, e);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc rpc_eth_getBlockByNumber(struct rpc_call *c, struct err *e)
{
    uint64_t height;
    bool full;

    TRY(rpc_param_height(c, 0, &height, e));
    TRY(rpc_param_bool(c, 1, false, &full, e));
    return put_block_at(c, height, full, e);
}

enum rc rpc_eth_getBlockByHash(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};
    bool full;

    TRY(rpc_param_bool(c, 1, false, &full, e));
    TRY(block_by_hash(c, &f, e));
    if (f.genesis)
        return rpc_put_genesis_block(c, e);
    if (f.b == NULL)
        buf_put_str(c->out, "null");
    else
        rpc_put_block(c, f.b, full);
    return RC_OK;
}

static void put_tx_count(struct rpc_call *c, const struct found *f)
{
    if (f->genesis || f->b != NULL)
        rpc_put_quantity(c->out, f->b != NULL ? f->b->n_txs : 0);
    else
        buf_put_str(c->out, "null");
}

enum rc rpc_eth_getBlockTransactionCountByNumber(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};

    TRY(block_by_height(c, &f, e));
    put_tx_count(c, &f);
    return RC_OK;
}

enum rc rpc_eth_getBlockTransactionCountByHash(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};

    TRY(block_by_hash(c, &f, e));
    put_tx_count(c, &f);
    return RC_OK;
}

enum rc rpc_eth_getBlockReceipts(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};

    TRY(block_by_height(c, &f, e));
    if (f.b == NULL && !f.genesis) {
        buf_put_str(c->out, "null");
        return RC_OK;
    }
    buf_u8(c->out, '[');
    for (uint32_t i = 0; f.b != NULL && i < f.b->n_txs; i++) {
        if (i != 0)
            buf_u8(c->out, ',');
        rpc_put_receipt(c->out, f.b, i);
    }
    buf_u8(c->out, ']');
    return RC_OK;
}

/* [height]: header and commit of a block in CometBFT's encoding, for light clients. */
enum rc rpc_cloister_getCommit(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};
    AUTO_CLEAR(buf) struct buf encoded = {0};
    const struct engine_block *b;

    TRY(block_by_height(c, &f, e));
    b = f.b;
    if (b == NULL) {
        buf_put_str(c->out, "null");
        return RC_OK;
    }
    buf_put_str(c->out, "{\"height\":");
    rpc_put_quantity(c->out, b->height);
    buf_put_str(c->out, ",\"header\":");
    header_encode(&encoded, b->header);
    rpc_put_hex(c->out, buf_bytes(&encoded));
    buf_reset(&encoded);
    commit_encode(&encoded, b->commit);
    buf_put_str(c->out, ",\"commit\":");
    rpc_put_hex(c->out, buf_bytes(&encoded));
    buf_u8(c->out, '}');
    return RC_OK;
}

/* ---- transactions ---- */

/* One that is in the pool: no block yet. */
static enum rc put_pending(struct rpc_call *c, const struct hash32 *hash, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct header header = {0};
    struct receipt receipt = {0};
    struct engine_tx etx = {.hash = *hash, .receipt = &receipt};
    struct engine_block block = {.header = &header, .n_txs = 1, .txs = &etx};
    json_auto_t *object = NULL;
    size_t start = c->out->n;
    struct tx tx;

    TRY(engine_pending_tx(c->g->engine, hash, &raw, &etx.from, e));
    TRY(tx_decode(&tx, &c->mem, buf_bytes(&raw), e));
    receipt.gas_price_wei = tx.gas_price_wei;
    etx.tx = &tx;
    rpc_put_tx(c->out, &block, 0);
    TRY(json_parse(&object, bytes_of(c->out->p + start, c->out->n - start), RPC_BODY_MAX, e));
    CHECK(json_object_set_new(object, "blockHash", json_null()) == 0);
    CHECK(json_object_set_new(object, "blockNumber", json_null()) == 0);
    CHECK(json_object_set_new(object, "transactionIndex", json_null()) == 0);
    c->out->n = start;
    json_put(c->out, object);
    return RC_OK;
}

enum rc rpc_eth_getTransactionByHash(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    struct hash32 hash;
    uint32_t index;
    enum rc rc;

    TRY(rpc_param_hash(c, 0, &hash, e));
    rc = engine_tx_find(c->g->engine, &hash, &b, &index, e);
    if (rc == RC_OK) {
        rpc_put_tx(c->out, b, index);
        return RC_OK;
    }
    if (rc == RC_NOTFOUND)
        rc = put_pending(c, &hash, e);
    if (rc != RC_NOTFOUND)
        return rc;
    /* It may have gone from the pool to a block between the two looks. */
    rc = engine_tx_find(c->g->engine, &hash, &b, &index, e);
    if (rc == RC_OK)
        rpc_put_tx(c->out, b, index);
    else if (rc == RC_NOTFOUND)
        buf_put_str(c->out, "null");
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc rpc_eth_getTransactionReceipt(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    struct hash32 hash;
    uint32_t index;
    enum rc rc;

    TRY(rpc_param_hash(c, 0, &hash, e));
    rc = engine_tx_find(c->g->engine, &hash, &b, &index, e);
    if (rc == RC_NOTFOUND) {
        buf_put_str(c->out, "null");
        return RC_OK;
    }
    TRY(rc);
    rpc_put_receipt(c->out, b, index);
    return RC_OK;
}

static enum rc put_tx_at(struct rpc_call *c, const struct engine_block *b, struct err *e)
{
    uint64_t index;

    if (rpc_param(c, 1) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 2: an index");
    TRY(rpc_bad(json_value_u64(&index, rpc_param(c, 1), "index", UINT32_MAX, e)));
    if (b == NULL || index >= b->n_txs)
        buf_put_str(c->out, "null");
    else
        rpc_put_tx(c->out, b, (uint32_t)index);
    return RC_OK;
}

enum rc rpc_eth_getTransactionByBlockNumberAndIndex(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};

    TRY(block_by_height(c, &f, e));
    return put_tx_at(c, f.b, e);
}

enum rc rpc_eth_getTransactionByBlockHashAndIndex(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(found) struct found f = {0};

    TRY(block_by_hash(c, &f, e));
    return put_tx_at(c, f.b, e);
}

enum rc rpc_eth_getLogs(struct rpc_call *c, struct err *e)
{
    struct engine_log_filter f;

    TRY(rpc_log_filter(c, rpc_param(c, 0), &f, e));
    return rpc_put_logs(c, &f, e);
}

/* ---- fee history ---- */

struct tip {
    struct u256 wei;
    uint64_t gas;
};

static int tip_order(const void *a, const void *b)
{
    const struct tip *x = a;
    const struct tip *y = b;

    return u256_cmp(&x->wei, &y->wei);
}

/* One row of `reward`: the tips at the given percentiles of the block's gas. */
static void put_rewards(struct rpc_call *c, const struct engine_block *b, const double *percentiles,
                        size_t n)
{
    struct tip *tips = arena_array(&c->mem, b->n_txs, sizeof(*tips));

    for (size_t i = 0; i < b->n_txs; i++) {
        tips[i].gas = b->txs[i].receipt->gas_used;
        if (!u256_sub(&tips[i].wei, &b->txs[i].receipt->gas_price_wei, &b->base_fee))
            tips[i].wei = U256_ZERO;
    }
    if (b->n_txs != 0)
        qsort(tips, b->n_txs, sizeof(*tips), tip_order);
    buf_u8(c->out, '[');
    for (size_t p = 0; p < n; p++) {
        double want = (double)b->gas_used * percentiles[p] / 100;
        uint64_t sum = 0;
        size_t i = 0;

        while (i + 1 < b->n_txs && (double)(sum += tips[i].gas) < want)
            i++;
        if (p != 0)
            buf_u8(c->out, ',');
        rpc_put_u256(c->out, b->n_txs == 0 ? &U256_ZERO : &tips[i].wei);
    }
    buf_u8(c->out, ']');
}

static enum rc percentiles_of(struct rpc_call *c, double **out, size_t *n, struct err *e)
{
    const json_t *list = rpc_param(c, 2);

    *n = json_array_size(list);
    if (list != NULL && !json_is_array(list))
        return err_set(e, RC_MALFORMED, "percentiles are not an array");
    if (*n > 100)
        return err_set(e, RC_MALFORMED, "%zu percentiles exceed 100", *n);
    *out = arena_array(&c->mem, *n, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = json_number_value(json_array_get(list, i));
        if (!json_is_number(json_array_get(list, i)) || !((*out)[i] >= 0 && (*out)[i] <= 100) ||
            (i > 0 && (*out)[i] < (*out)[i - 1]))
            return err_set(e, RC_MALFORMED, "percentiles must rise from 0 to 100");
    }
    return RC_OK;
}

enum rc rpc_eth_feeHistory(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(buf) struct buf ratios = {0};
    struct engine_fees fees;
    double *percentiles = NULL;
    size_t n_percentiles = 0;
    uint64_t newest, count, oldest;

    if (rpc_param(c, 0) == NULL)
        return err_set(e, RC_MALFORMED, "missing parameter 1: how many blocks");
    TRY(rpc_bad(json_value_u64(&count, rpc_param(c, 0), "block count", UINT64_MAX, e)));
    TRY(rpc_param_height(c, 1, &newest, e));
    TRY(percentiles_of(c, &percentiles, &n_percentiles, e));
    if (newest > engine_height(c->g->engine))
        return err_set(e, RC_RANGE, "block %llu is not there yet", (unsigned long long)newest);
    count = count > RPC_FEE_BLOCKS_MAX ? RPC_FEE_BLOCKS_MAX : count;
    count = count > newest + 1 ? newest + 1 : count;
    oldest = newest + 1 - count;
    engine_fees(c->g->engine, &fees);
    buf_put_str(c->out, "{\"oldestBlock\":");
    rpc_put_quantity(c->out, oldest);
    buf_put_str(c->out, ",\"baseFeePerGas\":[");
    for (uint64_t i = 0; i <= count; i++) {
        if (i != 0)
            buf_u8(c->out, ',');
        rpc_put_u256(c->out, &fees.base_fee);
    }
    buf_put_str(c->out, n_percentiles == 0 ? "]" : "],\"reward\":[");
    for (uint64_t h = oldest; h < oldest + count; h++) {
        AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
        static const struct engine_block none;

        if (h != 0)
            TRY(engine_block_at(c->g->engine, h, &b, e));
        if (n_percentiles != 0) {
            if (h != oldest)
                buf_u8(c->out, ',');
            put_rewards(c, b == NULL ? &none : b, percentiles, n_percentiles);
        }
        buf_printf(&ratios, "%s%.6f", h == oldest ? "" : ",",
                   b == NULL || b->gas_limit == 0 ? 0.0
                                                  : (double)b->gas_used / (double)b->gas_limit);
    }
    if (n_percentiles != 0)
        buf_u8(c->out, ']');
    buf_printf(c->out, ",\"gasUsedRatio\":[%s]}", buf_cstr(&ratios));
    return RC_OK;
}
