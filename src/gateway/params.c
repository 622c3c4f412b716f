/* Parameters of a call and the small JSON values of answers. */
#include "base/hex.h"
#include "gateway/internal/rpc.h"

size_t rpc_n_params(const struct rpc_call *c)
{
    return json_array_size(c->params);
}

const json_t *rpc_param(const struct rpc_call *c, size_t i)
{
    const json_t *v = json_array_get(c->params, i);

    return v == NULL || json_is_null(v) ? NULL : v;
}

static enum rc missing(size_t i, const char *what, struct err *e)
{
    return err_set(e, RC_MALFORMED, "missing parameter %zu: %s", i + 1, what);
}

enum rc rpc_param_address(const struct rpc_call *c, size_t i, struct address *out, struct err *e)
{
    const json_t *v = rpc_param(c, i);

    if (v == NULL)
        return missing(i, "an address", e);
    return json_value_hex_fixed(out->b, 20, v, "address", e);
}

enum rc rpc_param_hash(const struct rpc_call *c, size_t i, struct hash32 *out, struct err *e)
{
    const json_t *v = rpc_param(c, i);

    if (v == NULL)
        return missing(i, "a 32-byte hash", e);
    return json_value_hex_fixed(out->b, 32, v, "hash", e);
}

enum rc rpc_param_bool(const struct rpc_call *c, size_t i, bool dflt, bool *out, struct err *e)
{
    const json_t *v = rpc_param(c, i);

    *out = dflt;
    if (v == NULL)
        return RC_OK;
    if (!json_is_boolean(v))
        return err_set(e, RC_MALFORMED, "parameter %zu is not true or false", i + 1);
    *out = json_is_true(v);
    return RC_OK;
}

enum rc rpc_height_of(struct rpc_call *c, const json_t *v, uint64_t *out, struct err *e)
{
    const char *tag = json_string_value(v);

    *out = engine_height(c->g->engine);
    if (v == NULL || json_is_null(v))
        return RC_OK;
    if (json_is_object(v)) {
        const json_t *hash = json_object_get(v, "blockHash");
        struct engine_block *b = NULL;
        struct hash32 h;
        enum rc rc;

        if (hash == NULL)
            return rpc_height_of(c, json_object_get(v, "blockNumber"), out, e);
        TRY(json_value_hex_fixed(h.b, 32, hash, "blockHash", e));
        rc = engine_block_by_hash(c->g->engine, &h, &b, e);
        if (rc == RC_OK)
            *out = b->height;
        engine_block_unref(b);
        return rc;
    }
    if (tag != NULL) {
        static const char *const newest[] = {"latest", "pending", "safe", "finalized"};

        for (size_t i = 0; i < ARRAY_LEN(newest); i++)
            if (strcmp(tag, newest[i]) == 0)
                return RC_OK;
        if (strcmp(tag, "earliest") == 0) {
            *out = 0;
            return RC_OK;
        }
    }
    return json_value_u64(out, v, "block number", UINT64_MAX - 1, e);
}

enum rc rpc_param_height(struct rpc_call *c, size_t i, uint64_t *out, struct err *e)
{
    return rpc_height_of(c, rpc_param(c, i), out, e);
}

void rpc_put_quantity(struct buf *out, uint64_t v)
{
    buf_printf(out, "\"0x%llx\"", (unsigned long long)v);
}

void rpc_put_hex(struct buf *out, struct bytes data)
{
    buf_u8(out, '"');
    hex_put_0x(out, data);
    buf_u8(out, '"');
}

void rpc_put_u256(struct buf *out, const struct u256 *v)
{
    buf_u8(out, '"');
    u256_put_hex(out, v);
    buf_u8(out, '"');
}
