/* chain/header.h - CometBFT 0.38 block header and its hash (types/block.go;
 * spec/core/data_structures). Values; pure; thread-safe. A hash of all zeros stands for an absent
 * one and is written as empty. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "chain/merkle.h"

struct proto_reader;

#define CHAIN_ID_MAX 50 /* characters of a chain's name */
#define HEADER_BLOCK_VERSION 11
#define HEADER_MAX_SIZE 2048 /* bytes of the encoding */

/* Seconds since 1970 and nanoseconds [0, 1e9). */
struct chain_time {
    int64_t s;
    int32_t ns;
};

/* Go's zero time.Time, which absent votes carry. */
#define CHAIN_TIME_NONE ((struct chain_time){.s = -62135596800, .ns = 0})

int chain_time_cmp(const struct chain_time *a, const struct chain_time *b);
/* RFC 3339 UTC text with up to 9 decimals: "2023-05-17T14:12:53.605374524Z". RC_MALFORMED. */
enum rc chain_time_parse(struct chain_time *out, struct bytes text, struct err *e);
void chain_time_put(struct buf *out, const struct chain_time *t);

/* Name of a block: header hash and the root of its 64 KiB parts. All zero: nil. */
struct block_id {
    struct hash32 hash;
    uint32_t parts_total;
    struct hash32 parts_hash;
};

bool block_id_eq(const struct block_id *a, const struct block_id *b);
bool block_id_is_nil(const struct block_id *id);

struct header {
    uint64_t version_block; /* HEADER_BLOCK_VERSION */
    uint64_t version_app;
    char chain_id[CHAIN_ID_MAX + 1];
    uint64_t height;
    struct chain_time time;
    struct block_id last_block_id;
    struct hash32 last_commit_hash;
    struct hash32 data_hash;
    struct hash32 validators_hash;
    struct hash32 next_validators_hash;
    struct hash32 consensus_hash;
    uint8_t app_hash[32];  /* state root after the block before this one */
    uint8_t app_hash_size; /* 32 on our chains; other applications use less */
    struct hash32 last_results_hash;
    struct hash32 evidence_hash;
    struct address proposer_address;
};

#define HEADER_LEAVES 14
#define HEADER_LEAF_APP_HASH 10

void header_hash(struct hash32 *out, const struct header *h);
/* Proof that leaf `index` (ledger order: 10 is app_hash) belongs to the header hash. `leaf` gets
 * the leaf's bytes. */
void header_prove(struct merkle_proof *out, struct buf *leaf, const struct header *h,
                  unsigned index);
/* Append the protobuf encoding of the header (no outer tag). */
void header_encode(struct buf *out, const struct header *h);
/* Whole input, canonical. RC_MALFORMED. */
enum rc header_decode(struct header *out, struct bytes in, struct err *e);
/* What CometBFT's ValidateBasic demands of a header that was signed: version, chain id, height,
 * hashes present. RC_MALFORMED. */
enum rc header_check(const struct header *h, struct err *e);

/* Shared message parts. */
void block_id_encode(struct buf *out, const struct block_id *id);
void block_id_read(struct proto_reader *r, struct block_id *out);
void chain_time_encode(struct buf *out, const struct chain_time *t);
void chain_time_read(struct proto_reader *r, struct chain_time *out);
/* SHA-256 of {block_max_bytes, block_max_gas}: the header's consensus_hash. */
void consensus_params_hash(struct hash32 *out, int64_t block_max_bytes, int64_t block_max_gas);
