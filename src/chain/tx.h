/* chain/tx.h - signed transactions: legacy (EIP-155 and before), EIP-2930 (type 1), EIP-1559
 * (type 2). Canonical RLP only, low s only (EIP-2). Types 3 and 4 are refused by name. Pure;
 * thread-safe. A decoded tx borrows from its input and the arena. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"

struct secp_key;

#define TX_MAX_SIZE (2u << 20)  /* bytes of a raw transaction: an ELF of 1 MiB and room */
#define TX_MAX_ACCESS 1024      /* addresses in an access list */
#define TX_MAX_ACCESS_KEYS 8192 /* storage keys in an access list, together */

enum { TX_LEGACY = 0, TX_ACCESS_LIST = 1, TX_DYNAMIC_FEE = 2 };

struct tx_access {
    struct address address;
    struct hash32 *keys;
    size_t n_keys;
};

struct tx {
    uint8_t type;      /* TX_* */
    bool has_chain_id; /* false only for legacy before EIP-155 */
    uint64_t chain_id;
    uint64_t nonce;
    struct u256 gas_price_wei;    /* legacy, type 1; type 2: equal to max_fee_wei */
    struct u256 max_fee_wei;      /* type 2; else equal to gas_price_wei */
    struct u256 max_priority_wei; /* type 2; else equal to gas_price_wei */
    uint64_t gas_limit;
    bool is_create; /* no `to` */
    struct address to;
    struct u256 value_wei;
    struct bytes data;
    struct tx_access *access;
    size_t n_access;
    uint8_t y_parity; /* 0 or 1 */
    uint8_t r[32];
    uint8_t s[32];
};

/* Parse a signed raw transaction. RC_MALFORMED (bytes, signature out of range or high s), RC_LIMIT
 * (size, access list), RC_UNSUPPORTED (type 3, 4 or unknown), RC_RANGE (priority above max fee). */
enum rc tx_decode(struct tx *out, struct arena *a, struct bytes raw, struct err *e);
/* Append the signed encoding (what eth_sendRawTransaction takes). */
void tx_encode(struct buf *out, const struct tx *tx);
/* Append the bytes whose Keccak-256 is signed. */
void tx_signing_bytes(struct buf *out, const struct tx *tx);
void tx_signing_hash(struct hash32 *out, const struct tx *tx);
/* Transaction hash: Keccak-256 of the signed encoding. */
void tx_hash(struct hash32 *out, struct bytes raw);
/* Fill r, s, y_parity. RC_MALFORMED for an unusable key. */
enum rc tx_sign(struct tx *tx, const struct secp_key *key, struct err *e);
/* Who signed. RC_DENIED if the signature has no key. */
enum rc tx_sender(struct address *out, const struct tx *tx, struct err *e);
/* RC_DENIED unless tx is bound to this chain; legacy without chain id passes only if allow_unbound.
 */
enum rc tx_check_chain(const struct tx *tx, uint64_t chain_id, bool allow_unbound, struct err *e);
/* Price per gas paid at this base fee: min(max_fee, base + priority). RC_RANGE if max_fee is below
 * base_fee. */
enum rc tx_effective_gas_price(struct u256 *out, const struct tx *tx,
                               const struct u256 *base_fee_wei, struct err *e);
/* value + gas_limit * max_fee: what the sender must own. RC_RANGE on overflow. */
enum rc tx_max_cost(struct u256 *out, const struct tx *tx, struct err *e);
