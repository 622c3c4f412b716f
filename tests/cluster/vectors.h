/* tests/cluster/vectors.h - vectors.json, made by tests/clients/protocol/cluster.py from
 * docs/confidential.md alone. */
#pragma once

#include "base/arena.h"
#include "base/hex.h"
#include "cluster/keys.h"
#include "codec/json.h"
#include "lib/t.h"

static struct arena v_mem;

static inline json_t *v_all(void)
{
    static json_t *all;
    struct err e;

    if (all == NULL)
        CHECK_OK(json_parse(&all, t_file("tests/cluster/vectors.json"), JSON_MAX_SIZE, &e), &e);
    return all;
}

static inline json_t *v_of(const json_t *obj, const char *key)
{
    json_t *v = json_object_get(obj, key);

    if (v == NULL)
        t_fail(__FILE__, __LINE__, "vectors: no %s", key);
    return v;
}

/* Bytes of a value; null: p NULL. */
static inline struct bytes v_bytes(const json_t *v)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct err e;

    if (json_is_null(v))
        return (struct bytes){0};
    CHECK_OK(hex_decode(&b, bytes_str(json_string_value(v)), JSON_MAX_SIZE, &e), &e);
    return arena_dup(&v_mem, buf_bytes(&b));
}

static inline struct bytes v_hex(const json_t *obj, const char *key)
{
    return v_bytes(v_of(obj, key));
}

static inline void v_fixed(void *out, size_t n, const json_t *obj, const char *key)
{
    struct bytes b = v_hex(obj, key);

    CHECK_INT(b.n, n);
    memcpy(out, b.p, n);
}
#define V_FIXED(ptr, obj, key) v_fixed((ptr), sizeof(*(ptr)), (obj), (key))

static inline uint64_t v_u64(const json_t *obj, const char *key)
{
    uint64_t v = 0;
    struct err e;

    CHECK_OK(json_u64(&v, obj, key, UINT64_MAX, &e), &e);
    return v;
}

static inline struct contract_keys v_keys(size_t i)
{
    const json_t *x = json_array_get(v_of(v_all(), "keys"), i);
    struct contract_keys k;
    struct address contract;
    struct secret32 ikm;

    V_FIXED(&contract, x, "contract");
    V_FIXED(&ikm, x, "k");
    contract_keys_derive(&k, &contract, v_u64(x, "epoch"), &ikm);
    return k;
}

static inline struct hash32 v_genesis(void)
{
    struct hash32 h;

    V_FIXED(&h, v_all(), "genesis");
    return h;
}
