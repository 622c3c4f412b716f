#include "chain/tx.h"

#include "codec/rlp.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"

/* Order of secp256k1 and half of it, big-endian (SEC 2, section 2.4.1; EIP-2). */
static const uint8_t ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                  0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
static const uint8_t HALF_ORDER[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

/* EIP-155: v = chain id * 2 + 35 + parity, which must fit 64 bits. */
#define MAX_LEGACY_CHAIN_ID ((UINT64_MAX - 36) / 2)

static enum rc read_access(struct tx *tx, struct arena *a, struct reader *r, struct err *e)
{
    struct reader list = rlp_list_open(r), count = list;
    size_t n = 0, total_keys = 0;

    while (reader_ok(&count) && count.left != 0 && n <= TX_MAX_ACCESS) {
        (void)rlp_raw(&count);
        n++;
    }
    if (n > TX_MAX_ACCESS)
        return err_set(e, RC_LIMIT, "transaction access list has more than %d entries",
                       TX_MAX_ACCESS);
    if (n != 0)
        tx->access = arena_array(a, n, sizeof(tx->access[0]));
    for (; reader_ok(&list) && list.left != 0; tx->n_access++) {
        struct reader entry = rlp_list_open(&list), keys;
        struct tx_access *acc;

        if (tx->n_access >= n)
            break; /* the count stopped at a fault, which is met here too */
        acc = &tx->access[tx->n_access];
        acc->address = rlp_address(&entry);
        keys = rlp_list_open(&entry);
        acc->n_keys = keys.left / 33; /* each is a string of 32 bytes */
        total_keys += acc->n_keys;
        if (total_keys > TX_MAX_ACCESS_KEYS)
            return err_set(e, RC_LIMIT, "transaction access list has more than %d keys",
                           TX_MAX_ACCESS_KEYS);
        if (acc->n_keys != 0)
            acc->keys = arena_array(a, acc->n_keys, sizeof(acc->keys[0]));
        for (size_t i = 0; i < acc->n_keys; i++)
            rlp_fixed(&keys, acc->keys[i].b, sizeof(acc->keys[i].b));
        rlp_list_close(&entry, &keys);
        rlp_list_close(&list, &entry);
    }
    rlp_list_close(r, &list);
    return RC_OK;
}

static void read_scalar(struct reader *r, uint8_t out32[32])
{
    struct u256 v = rlp_u256(r);

    u256_to_be(out32, &v);
}

static void read_common(struct tx *tx, struct reader *r)
{
    tx->gas_limit = rlp_u64(r);
    tx->is_create = !rlp_address_opt(r, &tx->to);
    tx->value_wei = rlp_u256(r);
    tx->data = rlp_string(r);
}

static void read_legacy(struct tx *tx, struct reader *r)
{
    uint64_t v;

    tx->nonce = rlp_u64(r);
    tx->gas_price_wei = rlp_u256(r);
    tx->max_fee_wei = tx->max_priority_wei = tx->gas_price_wei;
    read_common(tx, r);
    v = rlp_u64(r);
    if (v == 27 || v == 28) {
        tx->y_parity = (uint8_t)(v - 27);
    } else if (v >= 35) {
        tx->has_chain_id = true;
        tx->chain_id = (v - 35) / 2;
        tx->y_parity = (uint8_t)((v - 35) % 2);
    } else {
        reader_fail(r, "signature v is not 27, 28 or from 35 on");
    }
    read_scalar(r, tx->r);
    read_scalar(r, tx->s);
}

static enum rc read_typed(struct tx *tx, struct arena *a, struct reader *r, struct err *e)
{
    uint64_t parity;

    tx->has_chain_id = true;
    tx->chain_id = rlp_u64(r);
    tx->nonce = rlp_u64(r);
    if (tx->type == TX_DYNAMIC_FEE) {
        tx->max_priority_wei = rlp_u256(r);
        tx->max_fee_wei = rlp_u256(r);
        tx->gas_price_wei = tx->max_fee_wei;
    } else {
        tx->gas_price_wei = rlp_u256(r);
        tx->max_fee_wei = tx->max_priority_wei = tx->gas_price_wei;
    }
    read_common(tx, r);
    TRY(read_access(tx, a, r, e));
    parity = rlp_u64(r);
    if (parity > 1)
        reader_fail(r, "signature parity is not 0 or 1");
    tx->y_parity = (uint8_t)(parity & 1);
    read_scalar(r, tx->r);
    read_scalar(r, tx->s);
    return RC_OK;
}

static enum rc check(const struct tx *tx, struct err *e)
{
    static const uint8_t zero[32];

    if (memcmp(tx->r, zero, 32) == 0 || memcmp(tx->s, zero, 32) == 0 ||
        memcmp(tx->r, ORDER, 32) >= 0 || memcmp(tx->s, ORDER, 32) >= 0)
        return err_set(e, RC_MALFORMED, "transaction signature: r or s out of range");
    if (memcmp(tx->s, HALF_ORDER, 32) > 0)
        return err_set(e, RC_MALFORMED, "transaction signature: high s (EIP-2), use n - s");
    if (u256_cmp(&tx->max_priority_wei, &tx->max_fee_wei) > 0)
        return err_set(e, RC_RANGE,
                       "max priority fee per gas higher than max fee per gas in transaction");
    return RC_OK;
}

static enum rc decode(struct tx *tx, struct arena *a, struct bytes raw, struct err *e)
{
    struct reader r, body;

    if (raw.n == 0)
        return err_set(e, RC_MALFORMED, "transaction is empty");
    if (raw.n > TX_MAX_SIZE)
        return err_set(e, RC_LIMIT, "transaction of %zu bytes, limit %u", raw.n, TX_MAX_SIZE);
    r = reader_init(raw);
    if (raw.p[0] >= 0xc0) {
        tx->type = TX_LEGACY;
        body = rlp_list_open(&r);
        read_legacy(tx, &body);
    } else if (raw.p[0] == TX_ACCESS_LIST || raw.p[0] == TX_DYNAMIC_FEE) {
        tx->type = reader_u8(&r);
        body = rlp_list_open(&r);
        TRY(read_typed(tx, a, &body, e));
    } else if (raw.p[0] == 3 || raw.p[0] == 4) {
        return err_set(e, RC_UNSUPPORTED,
                       "transaction type %d (%s) is not supported: use type 0, 1 or 2", raw.p[0],
                       raw.p[0] == 3 ? "blobs, EIP-4844" : "set code, EIP-7702");
    } else {
        return err_set(e, RC_UNSUPPORTED, "transaction type 0x%02x is unknown", raw.p[0]);
    }
    rlp_list_close(&r, &body);
    TRY(reader_done(&r, "transaction", e));
    return check(tx, e);
}

enum rc tx_decode(struct tx *out, struct arena *a, struct bytes raw, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = decode(out, a, raw, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

static void put_access(struct buf *out, const struct tx *tx)
{
    size_t list = rlp_list_begin(out);

    for (size_t i = 0; i < tx->n_access; i++) {
        const struct tx_access *acc = &tx->access[i];
        size_t entry = rlp_list_begin(out), keys;

        rlp_put_address(out, &acc->address);
        keys = rlp_list_begin(out);
        for (size_t k = 0; k < acc->n_keys; k++)
            rlp_put_string(out, BYTES_OF(&acc->keys[k]));
        rlp_list_end(out, keys);
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, list);
}

/* The fields before the signature. */
static void put_fields(struct buf *out, const struct tx *tx)
{
    if (tx->type != TX_LEGACY)
        rlp_put_u64(out, tx->chain_id);
    rlp_put_u64(out, tx->nonce);
    if (tx->type == TX_DYNAMIC_FEE) {
        rlp_put_u256(out, &tx->max_priority_wei);
        rlp_put_u256(out, &tx->max_fee_wei);
    } else {
        rlp_put_u256(out, &tx->gas_price_wei);
    }
    rlp_put_u64(out, tx->gas_limit);
    if (tx->is_create)
        rlp_put_string(out, (struct bytes){0});
    else
        rlp_put_address(out, &tx->to);
    rlp_put_u256(out, &tx->value_wei);
    rlp_put_string(out, tx->data);
    if (tx->type != TX_LEGACY)
        put_access(out, tx);
}

void tx_encode(struct buf *out, const struct tx *tx)
{
    struct u256 r = u256_from_be(tx->r), s = u256_from_be(tx->s);
    size_t list;

    if (tx->type != TX_LEGACY)
        buf_u8(out, tx->type);
    list = rlp_list_begin(out);
    put_fields(out, tx);
    if (tx->type != TX_LEGACY)
        rlp_put_u64(out, tx->y_parity);
    else if (tx->has_chain_id)
        rlp_put_u64(out, tx->chain_id * 2 + 35 + tx->y_parity);
    else
        rlp_put_u64(out, UINT64_C(27) + tx->y_parity);
    rlp_put_u256(out, &r);
    rlp_put_u256(out, &s);
    rlp_list_end(out, list);
}

void tx_signing_bytes(struct buf *out, const struct tx *tx)
{
    size_t list;

    if (tx->type != TX_LEGACY)
        buf_u8(out, tx->type);
    list = rlp_list_begin(out);
    put_fields(out, tx);
    if (tx->type == TX_LEGACY && tx->has_chain_id) { /* EIP-155 */
        rlp_put_u64(out, tx->chain_id);
        rlp_put_u64(out, 0);
        rlp_put_u64(out, 0);
    }
    rlp_list_end(out, list);
}

void tx_signing_hash(struct hash32 *out, const struct tx *tx)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    tx_signing_bytes(&b, tx);
    keccak256(out, buf_bytes(&b));
}

void tx_hash(struct hash32 *out, struct bytes raw)
{
    keccak256(out, raw);
}

enum rc tx_sign(struct tx *tx, const struct secp_key *key, struct err *e)
{
    struct secp_sig sig;
    struct hash32 digest;

    if (tx->type > TX_DYNAMIC_FEE)
        return err_set(e, RC_UNSUPPORTED, "transaction type %d cannot be signed", tx->type);
    if (tx->type == TX_LEGACY && tx->chain_id > MAX_LEGACY_CHAIN_ID)
        return err_set(e, RC_RANGE, "chain id %llu is too large for a legacy transaction",
                       (unsigned long long)tx->chain_id);
    tx_signing_hash(&digest, tx);
    secp_sign(&sig, key, &digest);
    memcpy(tx->r, sig.b, 32);
    memcpy(tx->s, sig.b + 32, 32);
    tx->y_parity = (uint8_t)(sig.b[64] - 27);
    return RC_OK;
}

enum rc tx_sender(struct address *out, const struct tx *tx, struct err *e)
{
    struct hash32 digest;
    uint8_t sig[65];
    enum rc rc;

    tx_signing_hash(&digest, tx);
    memcpy(sig, tx->r, 32);
    memcpy(sig + 32, tx->s, 32);
    sig[64] = tx->y_parity;
    rc = secp_recover_address(out, &digest, sig, SECP_S_LOW, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "transaction sender");
}

enum rc tx_check_chain(const struct tx *tx, uint64_t chain_id, bool allow_unbound, struct err *e)
{
    if (!tx->has_chain_id) {
        if (allow_unbound)
            return RC_OK;
        return err_set(e, RC_DENIED,
                       "only replay-protected (EIP-155) transactions allowed: sign for chain %llu",
                       (unsigned long long)chain_id);
    }
    if (tx->chain_id != chain_id)
        return err_set(e, RC_DENIED, "invalid chain id for signer: have %llu want %llu",
                       (unsigned long long)tx->chain_id, (unsigned long long)chain_id);
    return RC_OK;
}

enum rc tx_effective_gas_price(struct u256 *out, const struct tx *tx,
                               const struct u256 *base_fee_wei, struct err *e)
{
    struct u256 sum;

    *out = U256_ZERO;
    if (u256_cmp(&tx->max_fee_wei, base_fee_wei) < 0) {
        char fee[U256_DEC_SIZE], base[U256_DEC_SIZE];

        u256_to_dec(fee, &tx->max_fee_wei);
        u256_to_dec(base, base_fee_wei);
        return err_set(e, RC_RANGE, "max fee per gas less than block base fee: %s < %s wei", fee,
                       base);
    }
    if (!u256_add(&sum, base_fee_wei, &tx->max_priority_wei) ||
        u256_cmp(&sum, &tx->max_fee_wei) > 0)
        sum = tx->max_fee_wei;
    *out = sum;
    return RC_OK;
}

enum rc tx_max_cost(struct u256 *out, const struct tx *tx, struct err *e)
{
    struct u256 gas = u256_from_u64(tx->gas_limit), cost;

    *out = U256_ZERO;
    if (!u256_mul(&cost, &gas, &tx->max_fee_wei) || !u256_add(&cost, &cost, &tx->value_wei))
        return err_set(e, RC_RANGE, "gas limit times max fee plus value overflows 256 bits");
    *out = cost;
    return RC_OK;
}
