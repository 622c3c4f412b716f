/* What light clients ask for: light blocks, and many proofs under one header. */
#include "chain/block.h"
#include "chain/state_proof.h"
#include "gateway/internal/rpc.h"
#include "ledger/genesis.h"
#include "light/proof.h"
#include "light/verify.h"

#define PROOF_WAIT_MS 1000 /* a block takes some milliseconds */

/* The newest where absent or "latest": UINT64_MAX. */
static enum rc height_or_newest(struct rpc_call *c, size_t i, uint64_t *out, struct err *e)
{
    const json_t *v = rpc_param(c, i);

    *out = UINT64_MAX;
    if (v == NULL || (json_is_string(v) && strcmp(json_string_value(v), "latest") == 0))
        return RC_OK;
    return rpc_param_height(c, i, out, e);
}

/* The set with this hash: genesis's, while no block has changed it. */
static enum rc validators_of(struct rpc_call *c, const struct hash32 *want,
                             struct validator_set *out, struct err *e)
{
    const struct genesis *g = engine_genesis(c->g->engine);
    struct hash32 got;

    out->n = g->n_validators;
    out->v = arena_array(&c->mem, out->n + 1, sizeof(out->v[0]));
    for (size_t i = 0; i < out->n; i++) {
        memcpy(out->v[i].pub_key, g->validators[i].pub_key, sizeof(out->v[i].pub_key));
        out->v[i].power = g->validators[i].power;
    }
    validator_set_sort(out);
    validator_set_hash(&got, out);
    if (!hash32_eq(&got, want))
        return err_set(e, RC_NOTFOUND, "the validators of this height are not known here");
    return RC_OK;
}

/* [height or latest]: header, commit, validators of this height and of the next. */
enum rc rpc_cloister_lightBlock(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    struct light_block lb = {0};
    json_auto_t *v = NULL;
    uint64_t height;

    TRY(height_or_newest(c, 0, &height, e));
    if (height == UINT64_MAX)
        TRY(engine_head(c->g->engine, &b, e));
    else
        TRY(engine_block_at(c->g->engine, height, &b, e));
    lb.header = *b->header;
    lb.commit = *b->commit;
    TRY(validators_of(c, &lb.header.validators_hash, &lb.validators, e));
    TRY(validators_of(c, &lb.header.next_validators_hash, &lb.next_validators, e));
    v = light_block_to_json(&lb);
    json_put(c->out, v);
    return RC_OK;
}

/* [address, storage key or null] */
static enum rc key_of(struct rpc_call *c, const json_t *v, struct light_key *out, struct err *e)
{
    const json_t *key = json_array_get(v, 1);
    struct address who;
    struct bytes raw;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > 2)
        return err_set(e, RC_MALFORMED, "a key is not [address, storage key or null]");
    TRY(rpc_bad(json_value_hex_fixed(who.b, sizeof(who.b), json_array_get(v, 0), "address", e)));
    *out = light_key_account(&who);
    if (key == NULL || json_is_null(key))
        return RC_OK;
    TRY(rpc_bytes_of(c, key, "storage key", LIGHT_STORAGE_KEY_MAX, &raw, e));
    if (raw.n == 0)
        return err_set(e, RC_MALFORMED, "storage key is empty");
    *out = light_key_storage(&who, raw);
    return RC_OK;
}

/* Prove the key; *next becomes the block whose header carries the root. */
static enum rc put_value(struct rpc_call *c, const struct light_key *key, uint64_t *height,
                         struct engine_block **next, struct err *e)
{
    AUTO_CLEAR(buf) struct buf value = {0};
    json_auto_t *proof_json = NULL;
    struct state_proof proof;
    uint64_t proven;
    bool found;

    engine_block_unref(*next);
    *next = NULL;
    TRY(engine_prove(c->g->engine, *height, light_key_bytes(key), &c->mem, &proof, &found, &proven,
                     &value, next, e));
    *height = proven;
    buf_put_str(c->out, "{\"key\":");
    rpc_put_hex(c->out, light_key_bytes(key));
    buf_put_str(c->out, ",\"value\":");
    if (found)
        rpc_put_hex(c->out, buf_bytes(&value));
    else
        buf_put_str(c->out, "null");
    buf_put_str(c->out, ",\"proof\":");
    proof_json = state_proof_to_json(&proof);
    json_put(c->out, proof_json);
    buf_u8(c->out, '}');
    return RC_OK;
}

/* ,"header":…,"commit":…} */
static void put_signed_header(struct rpc_call *c, const struct engine_block *b)
{
    AUTO_CLEAR(buf) struct buf encoded = {0};

    buf_put_str(c->out, ",\"header\":");
    header_encode(&encoded, b->header);
    rpc_put_hex(c->out, buf_bytes(&encoded));
    buf_reset(&encoded);
    commit_encode(&encoded, b->commit);
    buf_put_str(c->out, ",\"commit\":");
    rpc_put_hex(c->out, buf_bytes(&encoded));
    buf_u8(c->out, '}');
}

/* The state after block `minimum` is wanted and only its proof is missing: that is made now. What
 * comes of it stands in the answer's height. */
static enum rc await_minimum(struct rpc_call *c, struct err *e)
{
    uint64_t minimum;
    struct err why;

    if (rpc_param(c, 2) == NULL)
        return RC_OK;
    TRY(rpc_param_height(c, 2, &minimum, e));
    if (engine_await_proof(c->g->engine, minimum, PROOF_WAIT_MS, &why) == RC_CLOSED)
        return err_set(e, RC_CLOSED, "%s", why.msg);
    return RC_OK;
}

/* [[[address, storage key or null], …], height or latest, minimum, app hash known]: all under one
 * header. Who has the values under the app hash that is there now gets only the header. */
enum rc rpc_cloister_getProofs(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *next = NULL;
    const json_t *keys = rpc_param(c, 0);
    size_t n = json_array_size(keys), start;
    struct hash32 known = {{0}};
    uint64_t height;
    bool same = false;

    if (!json_is_array(keys) || n == 0 || n > LIGHT_PROOFS_MAX)
        return err_set(e, RC_MALFORMED, "parameter 1 is not a list of 1 to %d keys",
                       LIGHT_PROOFS_MAX);
    TRY(height_or_newest(c, 1, &height, e));
    TRY(await_minimum(c, e));
    if (rpc_param(c, 3) != NULL)
        TRY(rpc_param_hash(c, 3, &known, e));
    buf_put_str(c->out, "{\"values\":");
    start = c->out->n;
    buf_u8(c->out, '[');
    for (size_t i = 0; i < n && !same; i++) {
        struct light_key key;

        if (i > 0)
            buf_u8(c->out, ',');
        TRY(key_of(c, json_array_get(keys, i), &key, e));
        TRY(put_value(c, &key, &height, &next, e));
        same = bytes_eq(bytes_of(next->header->app_hash, 32), BYTES_OF(&known));
    }
    if (same) {
        c->out->n = start;
        buf_put_str(c->out, "null");
    } else {
        buf_u8(c->out, ']');
    }
    buf_put_str(c->out, ",\"height\":");
    rpc_put_quantity(c->out, height);
    buf_put_str(c->out, ",\"appHash\":");
    rpc_put_hex(c->out, bytes_of(next->header->app_hash, 32));
    put_signed_header(c, next);
    return RC_OK;
}

/* [hash]: the transaction is in the block of this header. null while it is in none. */
enum rc rpc_cloister_getTransactionProof(struct rpc_call *c, struct err *e)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    struct block blk = {0};
    struct merkle_proof p;
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
    TRY(block_decode(&blk, &c->mem, b->encoded, e));
    CHECK(block_prove_tx(&p, &blk, index));
    buf_put_str(c->out, "{\"height\":");
    rpc_put_quantity(c->out, b->height);
    buf_put_str(c->out, ",\"index\":");
    rpc_put_quantity(c->out, p.index);
    buf_put_str(c->out, ",\"total\":");
    rpc_put_quantity(c->out, p.total);
    buf_put_str(c->out, ",\"aunts\":[");
    for (size_t i = 0; i < p.n_aunts; i++) {
        if (i > 0)
            buf_u8(c->out, ',');
        rpc_put_hex(c->out, BYTES_OF(&p.aunts[i]));
    }
    buf_u8(c->out, ']');
    put_signed_header(c, b);
    return RC_OK;
}
