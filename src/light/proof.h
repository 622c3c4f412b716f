/* light/proof.h - state, read with proof: natural keys, the account record, a value or its absence
 * under a verified header's app_hash. Pure. Trust: the header was verified (light/verify.h); values
 * and proofs are hostile. docs/protocol.md §7. Thread-safe. */
#pragma once

#include "base/u256.h"
#include "chain/commit.h"
#include "chain/state_proof.h"

#define LIGHT_STORAGE_KEY_MAX 128 /* bytes of a contract's own key */
#define LIGHT_VALUE_MAX 65536     /* bytes of a storage value */
#define LIGHT_PROOFS_MAX 256      /* keys in one answer */

/* A natural key by value: 0x01|address, or 0x02|address|storage key. n 0: a storage key that was
 * too long, which no proof fits. */
struct light_key {
    uint8_t b[21 + LIGHT_STORAGE_KEY_MAX];
    size_t n;
};
struct light_key light_key_account(const struct address *a);
/* key.n in 1..LIGHT_STORAGE_KEY_MAX (else n is 0). */
struct light_key light_key_storage(const struct address *contract, struct bytes key);
static inline struct bytes light_key_bytes(const struct light_key *k)
{
    return bytes_of(k->b, k->n);
}

struct light_account {
    uint64_t nonce;
    struct u256 balance_wei;
    struct hash32 code_hash; /* keccak256 of the ELF; zero: no code */
};
/* value.p NULL (proved absent) is the empty account. RC_MALFORMED unless 72 bytes. */
enum rc light_account_decode(struct light_account *out, struct bytes value, struct err *e);

/* One proved value. Borrows from the arena it was read into. */
struct light_value {
    struct light_key key;
    struct bytes value; /* p NULL: absent */
    struct state_proof proof;
};
/* The value (or its absence) stands under the header's app_hash: it is the state after block
 * header.height - 1. RC_DENIED, RC_MALFORMED. */
enum rc light_value_verify(const struct header *h, const struct light_value *v, struct err *e);

/* An answer of cloister_getProofs (docs/rpc.md): the values of `keys`, in that order, and the
 * header they are under with its commit. Nothing is verified yet, but that the keys are those asked
 * for. Without values: they are those under the app hash that was shown, says the node, and the
 * header tells whether it is that one. */
struct light_proofs {
    uint64_t height; /* the state's; header.height - 1 */
    struct header header;
    struct bytes header_raw; /* encodings, in the arena */
    struct bytes commit_raw;
    struct light_value *values; /* NULL: those known */
    size_t n;
};
/* RC_MALFORMED, RC_LIMIT, RC_DENIED (another key, header or height than it says). */
enum rc light_proofs_from_json(struct light_proofs *out, struct arena *a, const json_t *v,
                               const struct light_key *keys, size_t n, struct err *e);

/* An answer of cloister_getTransactionProof: a transaction is in the block of this header. */
struct light_tx_proof {
    uint64_t height;
    struct header header;
    struct bytes commit_raw;
    struct merkle_proof proof; /* under header.data_hash; the leaf is SHA-256 of the raw bytes */
};
/* Nothing is verified yet. RC_MALFORMED, RC_LIMIT, RC_DENIED (header of another height). */
enum rc light_tx_proof_from_json(struct light_tx_proof *out, struct arena *a, const json_t *v,
                                 struct err *e);
/* The transaction with these raw bytes stands in the header's block. RC_DENIED, RC_MALFORMED. */
enum rc light_tx_proof_verify(const struct light_tx_proof *p, struct bytes raw, struct err *e);
