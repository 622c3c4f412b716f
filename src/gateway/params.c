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
    return rpc_bad(json_value_hex_fixed(out->b, 20, v, "address", e));
}

enum rc rpc_param_hash(const struct rpc_call *c, size_t i, struct hash32 *out, struct err *e)
{
    const json_t *v = rpc_param(c, i);

    if (v == NULL)
        return missing(i, "a 32-byte hash", e);
    return rpc_bad(json_value_hex_fixed(out->b, 32, v, "hash", e));
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

bool rpc_has(const json_t *v, const char *name)
{
    const json_t *m = json_object_get(v, name);

    return m != NULL && !json_is_null(m);
}

enum rc rpc_bytes_of(struct rpc_call *c, const json_t *v, const char *what, size_t max,
                     struct bytes *out, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    json_auto_t *holder = json_object();

    *out = (struct bytes){0};
    CHECK(json_object_set_nocheck(holder, what, (json_t *)(uintptr_t)v) == 0);
    TRY(rpc_bad(json_hex(&data, holder, what, max, e)));
    *out = arena_dup(&c->mem, buf_bytes(&data));
    return RC_OK;
}

static enum rc height_of_hash(struct rpc_call *c, const json_t *v, uint64_t *out, struct err *e)
{
    struct engine_block *b = NULL;
    struct hash32 h;
    enum rc rc;

    *out = 0;
    TRY(rpc_bad(json_value_hex_fixed(h.b, 32, v, "blockHash", e)));
    if (memcmp(h.b, engine_genesis_hash(c->g->engine)->b, sizeof(h.b)) == 0)
        return RC_OK;
    rc = engine_block_by_hash(c->g->engine, &h, &b, e);
    if (rc == RC_OK)
        *out = b->height;
    engine_block_unref(b);
    return rc;
}

enum rc rpc_height_of(struct rpc_call *c, const json_t *v, uint64_t *out, struct err *e)
{
    const char *tag = json_string_value(v);

    *out = engine_height(c->g->engine);
    if (v == NULL || json_is_null(v))
        return RC_OK;
    if (json_is_object(v)) {
        if (rpc_has(v, "blockHash"))
            return height_of_hash(c, json_object_get(v, "blockHash"), out, e);
        v = json_object_get(v, "blockNumber");
        if (v == NULL || json_is_object(v))
            return err_set(e, RC_MALFORMED, "neither blockHash nor blockNumber in the object");
        return rpc_height_of(c, v, out, e);
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
    return rpc_bad(json_value_u64(out, v, "block number", UINT64_MAX - 1, e));
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
