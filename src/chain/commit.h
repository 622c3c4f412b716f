/* chain/commit.h - validators, votes and commits of CometBFT 0.38 (ed25519 keys). Pure;
 * thread-safe. */
#pragma once

#include "base/arena.h"
#include "chain/header.h"

#define VALIDATORS_MAX 10000
#define COMMIT_MAX_SIZE (2u << 20)

struct validator {
    uint8_t pub_key[32]; /* ed25519 */
    uint64_t power;      /* total of a set <= INT64_MAX / 8 */
};

struct validator_set {
    struct validator *v; /* sorted: power descending, then address ascending */
    size_t n;
};

/* First 20 bytes of SHA-256 of the key. */
void validator_address(struct address *out, const uint8_t pub_key[32]);
/* Bring a set into its order. */
void validator_set_sort(struct validator_set *set);
/* RC_RANGE above the limit, RC_MALFORMED for an empty set or zero power. */
enum rc validator_set_total(uint64_t *out, const struct validator_set *set, struct err *e);
/* header.validators_hash; the set must be sorted. */
void validator_set_hash(struct hash32 *out, const struct validator_set *set);
/* Index by address, or -1. */
ptrdiff_t validator_set_find(const struct validator_set *set, const struct address *a);

enum { COMMIT_ABSENT = 1, COMMIT_FOR_BLOCK = 2, COMMIT_NIL = 3 };
enum { VOTE_PREVOTE = 1, VOTE_PRECOMMIT = 2 };

struct commit_sig {
    uint8_t flag; /* COMMIT_* */
    struct address validator;
    struct chain_time time;
    uint8_t signature[64];
    uint8_t signature_size; /* 64, or 0 when absent */
};

struct commit {
    uint64_t height;
    uint32_t round;
    struct block_id block_id;
    struct commit_sig *sigs; /* in the order of the validator set */
    size_t n_sigs;
};

/* Append the length-prefixed CanonicalVote that a validator signs. */
void vote_sign_bytes(struct buf *out, const char *chain_id, int type, uint64_t height,
                     uint32_t round, const struct block_id *id, const struct chain_time *time);
/* header.last_commit_hash of the next block. */
void commit_hash(struct hash32 *out, const struct commit *c);
void commit_encode(struct buf *out, const struct commit *c);
/* Signatures go to the arena. RC_MALFORMED, RC_LIMIT. */
enum rc commit_decode(struct commit *out, struct arena *a, struct bytes in, struct err *e);
/* Every signature for the block is checked (ZIP-215 rule) against the validator at its index; the
 * power behind the block must exceed 2/3 of the total. RC_DENIED with the reason, RC_MALFORMED. */
enum rc commit_verify(const struct commit *c, const struct validator_set *set, const char *chain_id,
                      uint64_t height, const struct block_id *id, struct err *e);
