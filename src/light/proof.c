#include "light/proof.h"

#include "base/reader.h"
#include "crypto/hash.h"

#define KIND_ACCOUNT 1
#define KIND_STORAGE 2
#define ACCOUNT_SIZE 72

struct light_key light_key_account(const struct address *a)
{
    struct light_key k = {.b = {KIND_ACCOUNT}, .n = 21};

    memcpy(k.b + 1, a->b, sizeof(a->b));
    return k;
}

struct light_key light_key_storage(const struct address *contract, struct bytes key)
{
    struct light_key k = {.b = {KIND_STORAGE}};

    if (key.n == 0 || key.n > LIGHT_STORAGE_KEY_MAX)
        return (struct light_key){0};
    memcpy(k.b + 1, contract->b, sizeof(contract->b));
    memcpy(k.b + 21, key.p, key.n);
    k.n = 21 + key.n;
    return k;
}

enum rc light_account_decode(struct light_account *out, struct bytes value, struct err *e)
{
    struct reader r = reader_init(value);
    uint8_t balance[32];

    *out = (struct light_account){0};
    if (value.p == NULL)
        return RC_OK;
    if (value.n != ACCOUNT_SIZE)
        return err_set(e, RC_MALFORMED, "account record of %zu bytes, expected %d", value.n,
                       ACCOUNT_SIZE);
    out->nonce = reader_u64be(&r);
    reader_copy(&r, balance, sizeof(balance));
    out->balance_wei = u256_from_be(balance);
    reader_copy(&r, out->code_hash.b, sizeof(out->code_hash.b));
    return reader_done(&r, "account record", e);
}

enum rc light_value_verify(const struct header *h, const struct light_value *v, struct err *e)
{
    struct hash32 root;

    if (h->app_hash_size != sizeof(root.b))
        return err_set(e, RC_MALFORMED, "app hash of %u bytes, expected 32", h->app_hash_size);
    if (v->key.n == 0)
        return err_set(e, RC_MALFORMED, "no state key");
    memcpy(root.b, h->app_hash, sizeof(root.b));
    if (v->value.p == NULL)
        return state_proof_verify_absent(&root, light_key_bytes(&v->key), &v->proof, e);
    return state_proof_verify(&root, light_key_bytes(&v->key), v->value, &v->proof, e);
}

/* ---- the answer of a node ---- */

static enum rc raw_of(struct bytes *out, struct arena *a, const json_t *v, const char *name,
                      size_t max, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};

    TRY(json_hex(&raw, v, name, max, e));
    *out = arena_dup(a, buf_bytes(&raw));
    return RC_OK;
}

static enum rc value_from_json(struct light_value *out, struct arena *a, const json_t *v,
                               const struct light_key *key, struct err *e)
{
    AUTO_CLEAR(buf) struct buf got = {0};

    out->key = *key;
    TRY(json_hex(&got, v, "key", sizeof(key->b), e));
    if (!bytes_eq(buf_bytes(&got), light_key_bytes(key)))
        return err_set(e, RC_DENIED, "the answer is about another state key");
    if (!json_is_null(json_object_get(v, "value"))) {
        TRY(raw_of(&out->value, a, v, "value", LIGHT_VALUE_MAX, e));
        /* An empty value is never stored: it would read as absent without being proved so. */
        if (out->value.n == 0)
            return err_set(e, RC_MALFORMED, "an empty value");
    }
    return state_proof_from_json(&out->proof, a, json_object_get(v, "proof"), e);
}

static enum rc from_json(struct light_proofs *out, struct arena *a, const json_t *v,
                         const struct light_key *keys, size_t n, struct err *e)
{
    json_t *list;

    TRY(json_u64(&out->height, v, "height", INT64_MAX - 1, e));
    TRY(raw_of(&out->header_raw, a, v, "header", HEADER_MAX_SIZE, e));
    TRY(header_decode(&out->header, out->header_raw, e));
    TRY(raw_of(&out->commit_raw, a, v, "commit", COMMIT_MAX_SIZE, e));
    if (out->header.height != out->height + 1)
        return err_set(e, RC_DENIED, "state of height %llu comes with header %llu",
                       (unsigned long long)out->height, (unsigned long long)out->header.height);
    if (json_is_null(json_object_get(v, "values")))
        return RC_OK;
    TRY(json_arr(&list, v, "values", LIGHT_PROOFS_MAX, e));
    if (json_array_size(list) != n)
        return err_set(e, RC_DENIED, "the answer has %zu values, %zu were asked for",
                       json_array_size(list), n);
    out->values = arena_array(a, n + 1, sizeof(*out->values));
    for (out->n = 0; out->n < n; out->n++)
        TRY(value_from_json(&out->values[out->n], a, json_array_get(list, out->n), &keys[out->n],
                            e));
    return RC_OK;
}

enum rc light_proofs_from_json(struct light_proofs *out, struct arena *a, const json_t *v,
                               const struct light_key *keys, size_t n, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (n > LIGHT_PROOFS_MAX)
        return err_set(e, RC_LIMIT, "%zu keys, limit %d", n, LIGHT_PROOFS_MAX);
    rc = from_json(out, a, v, keys, n, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* ---- transactions ---- */

static enum rc tx_from_json(struct light_tx_proof *out, struct arena *a, const json_t *v,
                            struct err *e)
{
    struct bytes header;
    json_t *aunts;

    TRY(json_u64(&out->height, v, "height", INT64_MAX, e));
    TRY(raw_of(&header, a, v, "header", HEADER_MAX_SIZE, e));
    TRY(header_decode(&out->header, header, e));
    TRY(raw_of(&out->commit_raw, a, v, "commit", COMMIT_MAX_SIZE, e));
    if (out->header.height != out->height)
        return err_set(e, RC_DENIED, "transaction of height %llu comes with header %llu",
                       (unsigned long long)out->height, (unsigned long long)out->header.height);
    TRY(json_u64(&out->proof.total, v, "total", UINT32_MAX, e));
    TRY(json_u64(&out->proof.index, v, "index", UINT32_MAX, e));
    TRY(json_arr(&aunts, v, "aunts", MERKLE_MAX_AUNTS, e));
    for (; out->proof.n_aunts < json_array_size(aunts); out->proof.n_aunts++)
        TRY(json_value_hex_fixed(out->proof.aunts[out->proof.n_aunts].b, 32,
                                 json_array_get(aunts, out->proof.n_aunts), "aunt", e));
    return RC_OK;
}

enum rc light_tx_proof_from_json(struct light_tx_proof *out, struct arena *a, const json_t *v,
                                 struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = tx_from_json(out, a, v, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

enum rc light_tx_proof_verify(const struct light_tx_proof *p, struct bytes raw, struct err *e)
{
    struct hash32 digest;

    sha256(&digest, raw);
    return merkle_verify(&p->header.data_hash, BYTES_OF(&digest), &p->proof, e);
}
