/* chain/block.h - a whole block: encoding, part set, the hashes the header carries of it.
 * CometBFT 0.38 layout, so that BlockID names the bytes a CometBFT node would gossip. Pure. */
#pragma once

#include "base/arena.h"
#include "chain/commit.h"

#define BLOCK_PART_SIZE 65536
#define BLOCK_MAX_SIZE (64u << 20)
#define BLOCK_MAX_TXS 200000

/* Evidence is always empty on our chains and refused when decoding. */
struct block {
    struct header header;
    struct bytes *txs; /* raw transactions */
    size_t n_txs;
    struct commit last_commit; /* zero for the first block */
};

/* Root over SHA-256 of each transaction. */
void block_data_hash(struct hash32 *out, const struct bytes *txs, size_t n);
/* Root of an empty list: data_hash, evidence_hash, last_results_hash of a block without any. */
void block_empty_hash(struct hash32 *out);
/* Append the encoding. */
void block_encode(struct buf *out, const struct block *b);
/* Transactions borrow from in, the rest lives in the arena. Canonical; RC_MALFORMED, RC_LIMIT,
 * RC_UNSUPPORTED (evidence). Does not compare hashes: see block_check(). */
enum rc block_decode(struct block *out, struct arena *a, struct bytes in, struct err *e);
/* Count and root of the 64 KiB parts of an encoded block. */
void block_part_set(uint32_t *total, struct hash32 *root, struct bytes encoded);
/* BlockID of a block whose encoding is `encoded`. */
void block_id_of(struct block_id *out, const struct header *h, struct bytes encoded);
/* header_check() and: data_hash, last_commit_hash, evidence_hash agree with the content. RC_DENIED.
 */
enum rc block_check(const struct block *b, struct err *e);
/* The header's data_hash proof of transaction `index`. */
NODISCARD bool block_prove_tx(struct merkle_proof *out, const struct block *b, size_t index);
