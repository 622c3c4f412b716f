/* chain/merkle.h - CometBFT's Merkle tree (RFC 6962 shape, SHA-256): leaf SHA256(00|x), inner
 * SHA256(01|l|r), split at the largest power of two below n, empty SHA256(""). Pure; thread-safe.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define MERKLE_MAX_AUNTS 32

struct merkle_proof {
    uint64_t total;
    uint64_t index;
    struct hash32 aunts[MERKLE_MAX_AUNTS]; /* bottom up */
    size_t n_aunts;
};

void merkle_leaf_hash(struct hash32 *out, struct bytes leaf);
void merkle_root(struct hash32 *out, const struct bytes *leaves, size_t n);
/* Root over leaf hashes already made. */
void merkle_root_of_hashes(struct hash32 *out, const struct hash32 *hashes, size_t n);
/* Proof for leaf index < n; false if n is 0 or too large. */
NODISCARD bool merkle_prove(struct merkle_proof *out, const struct bytes *leaves, size_t n,
                            size_t index);
/* RC_DENIED unless leaf stands at proof->index under root; RC_MALFORMED for a proof whose shape
 * does not fit its total. */
enum rc merkle_verify(const struct hash32 *root, struct bytes leaf,
                      const struct merkle_proof *proof, struct err *e);
