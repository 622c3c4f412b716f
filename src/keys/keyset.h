/* keys/keyset.h - the public half of a sharing: who holds which share of which secret. The secret s
 * itself exists nowhere; keeper i (from 1) holds s_i = f(i), f of degree t - 1 with f(0) = s. Pure;
 * values; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "crypto/ristretto.h"

#define KEYS_MAX_KEEPERS 32
#define KEYS_MAX_THRESHOLD 16 /* n >= 2t - 1 */
#define KEYS_MIN_THRESHOLD 2  /* with 1 the key would be in one place */
#define KEYSET_MAX_SIZE (1 + 32 + 8 + 8 + 2 + 32 + KEYS_MAX_KEEPERS * (20 + 32))

struct keyset_member {
    struct address who;          /* the keeper's chain account */
    struct ristretto commitment; /* s_i * RISTRETTO_BASE */
};

struct keyset {
    struct hash32 genesis;       /* hash of the network's genesis */
    uint64_t generation;         /* of the secret; a new one only after a compromise */
    uint64_t round;              /* of the sharing; rises with every refresh or change of keepers */
    uint32_t t, n;               /* t of n */
    struct ristretto public_key; /* s * RISTRETTO_BASE: the same in every round of a generation */
    struct keyset_member members[KEYS_MAX_KEEPERS]; /* keeper i is members[i - 1] */
};

/* RC_RANGE unless 2 <= t <= 16 and 2t - 1 <= n <= 32. */
enum rc keys_check_threshold(uint32_t t, uint32_t n, struct err *e);
/* True, and the keeper's index (1 to n), if the account is one of the members. */
bool keyset_find(const struct keyset *k, const struct address *who, uint32_t *index);
bool keyset_eq(const struct keyset *a, const struct keyset *b);

/* Binary: version 1, genesis, u64be generation, u64be round, u8 t, u8 n, public key, members in
 * order (address, commitment). */
void keyset_encode(struct buf *out, const struct keyset *k);
/* RC_MALFORMED; RC_RANGE: a threshold that is not allowed. Members are distinct. Does not yet mean
 * that the commitments fit together: see keyset_verify. */
enum rc keyset_decode(struct keyset *out, struct bytes in, struct err *e);
/* SHA-256(lp(KEYS_LABEL_KEYSET) | encoding) */
void keyset_hash(struct hash32 *out, const struct keyset *k);
/* All commitments lie on one polynomial of degree t - 1 whose value at 0 is the public key: any t
 * shares give the same. RC_DENIED, naming the keeper. About n * t multiplications (70 us each). */
enum rc keyset_verify(const struct keyset *k, struct err *e);

/* Weight of share `index` when the polynomial is taken at `at` from the shares in `mask` (bit i - 1
 * for keeper i; it contains index; at is not in it, 0 is usual). */
void lagrange_weight(struct ristretto_scalar *out, uint32_t mask, uint32_t index, uint32_t at);
