#include "ledger/state.h"

#include "base/reader.h"

struct state_key state_key_account(const struct address *a)
{
    struct state_key k = {.n = 21};

    k.b[0] = STATE_ACCOUNT;
    memcpy(k.b + 1, a->b, sizeof(a->b));
    return k;
}

struct state_key state_key_storage(const struct address *a, struct bytes key)
{
    struct state_key k = {.n = 21 + key.n};

    CHECK(key.n >= 1 && key.n <= STATE_STORAGE_KEY_MAX);
    k.b[0] = STATE_STORAGE;
    memcpy(k.b + 1, a->b, sizeof(a->b));
    memcpy(k.b + 21, key.p, key.n);
    return k;
}

struct state_key state_key_code(const struct hash32 *code_hash)
{
    struct state_key k = {.n = 33};

    k.b[0] = STATE_CODE;
    memcpy(k.b + 1, code_hash->b, sizeof(code_hash->b));
    return k;
}

bool account_is_empty(const struct account *a)
{
    return a->nonce == 0 && u256_is_zero(&a->balance) && !account_has_code(a);
}

void account_encode(uint8_t out[STATE_ACCOUNT_SIZE], const struct account *a)
{
    store_u64be(out, a->nonce);
    u256_to_be(out + 8, &a->balance);
    memcpy(out + 40, a->code_hash.b, sizeof(a->code_hash.b));
}

enum rc account_decode(struct account *out, struct bytes value, struct err *e)
{
    memset(out, 0, sizeof(*out));
    if (value.p == NULL)
        return RC_OK;
    if (value.n != STATE_ACCOUNT_SIZE)
        return err_set(e, RC_CORRUPT, "state: account record has %zu bytes, not %d", value.n,
                       STATE_ACCOUNT_SIZE);
    out->nonce = load_u64be(value.p);
    out->balance = u256_from_be(value.p + 8);
    memcpy(out->code_hash.b, value.p + 40, sizeof(out->code_hash.b));
    return RC_OK;
}

enum rc state_account(const struct state_source *s, const struct address *a, struct account *out,
                      struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_key k = state_key_account(a);
    struct bytes v;

    memset(out, 0, sizeof(*out));
    TRY(s->get(s->data, state_key_bytes(&k), &mem, &v, e));
    return account_decode(out, v, e);
}

enum rc state_storage(const struct state_source *s, const struct address *a, struct bytes key,
                      struct arena *mem, struct bytes *value, struct err *e)
{
    struct state_key k;

    *value = bytes_of(NULL, 0);
    if (key.n == 0 || key.n > STATE_STORAGE_KEY_MAX)
        return RC_OK;
    k = state_key_storage(a, key);
    return s->get(s->data, state_key_bytes(&k), mem, value, e);
}

enum rc state_code(const struct state_source *s, const struct hash32 *code_hash, struct arena *mem,
                   struct bytes *code, struct err *e)
{
    struct state_key k = state_key_code(code_hash);

    *code = bytes_of(NULL, 0);
    if (hash32_is_zero(code_hash))
        return RC_OK;
    return s->get(s->data, state_key_bytes(&k), mem, code, e);
}
