/* keys/recover.h - a keeper that lost its share regains it from t others (PROTOCOL P9), and nobody,
 * itself included, learns more than that share. Each helper splits its weighted share into random
 * pieces, one a helper; each helper adds up the pieces it got; the sums add up to the lost share.
 * Pieces are committed to, so a liar is named. The messages between helpers may pass through the
 * restarted keeper: they are sealed. That its evidence is fresh is the helpers' own check, before.
 * Pure; thread-safe. */
#pragma once

#include "crypto/hpke.h"
#include "keys/keyset.h"

#define RECOVERY_SPLIT_MAX (1 + 1 + KEYS_MAX_THRESHOLD * (32 + 32 + HPKE_OVERHEAD))
#define RECOVERY_SUM_SIZE (32 + HPKE_OVERHEAD)

struct recovery {
    const struct keyset *keys;
    uint32_t who;           /* keeper whose share is lost */
    uint32_t helpers;       /* bit i - 1: keeper i helps; exactly t, without `who` */
    struct hash32 evidence; /* hash of the fresh evidence and nonce: one use */
};
/* RC_RANGE: not t helpers out of the keyset, or `who` among them. */
enum rc recovery_check(const struct recovery *r, struct err *e);
/* SHA-256(lp(label) | lp(keyset hash) | lp(u64be who) | lp(u64be helpers) | lp(evidence)) */
void recovery_id(struct hash32 *out, const struct recovery *r);

/* What the keeper that lost its share asks with; its evidence is over the hash. Version 1, keyset
 * hash, u8 who, u32be helpers, X25519 key (its registered one), nonce. */
#define RECOVERY_REQUEST_SIZE (1 + 32 + 1 + 4 + 32 + 32)
struct recovery_request {
    struct hash32 keyset;
    uint32_t who, helpers;
    uint8_t receive32[32];
    uint8_t nonce[32]; /* random: one use */
};
void recovery_request_encode(struct buf *out, const struct recovery_request *q);
enum rc recovery_request_decode(struct recovery_request *out, struct bytes in, struct err *e);
/* SHA-256(lp(label) | lp(encoding)) */
void recovery_request_hash(struct hash32 *out, const struct recovery_request *q);
/* What goes into struct recovery: SHA-256(lp(label) | lp(request hash) | lp(evidence)). */
void recovery_evidence_hash(struct hash32 *out, const struct hash32 *request,
                            struct bytes evidence);

/* Step 1, helper `me`: version 1, u8 me, then for each helper in order: element of its piece, the
 * piece sealed to its key (keys[i - 1], X25519). RC_DENIED: the share is not keeper me's. RC_RANGE:
 * not a helper. RC_MALFORMED: a key of small order. */
enum rc recovery_split(struct buf *out, const struct recovery *r, uint32_t me,
                       const struct ristretto_scalar *share, const uint8_t (*keys)[32],
                       const struct rng *rng, struct err *e);
/* What anyone can tell of helper `from`'s split: its form, and that the pieces it committed to add
 * up to its share. RC_MALFORMED, RC_DENIED: it lies. */
enum rc recovery_check_split(const struct recovery *r, uint32_t from, struct bytes split,
                             struct err *e);
/* Step 2, helper `me`, with the splits of all helpers (splits[i - 1]): the sum of its pieces,
 * sealed to the restarted keeper. RC_MALFORMED, RC_DENIED: names the helper whose split is bad,
 * also in *liar (may be NULL). */
enum rc recovery_sum(struct buf *out, const struct recovery *r, uint32_t me,
                     const struct secret32 *key, const struct bytes *splits,
                     const uint8_t restarted32[32], const struct rng *rng, uint32_t *liar,
                     struct err *e);
/* Step 3, the restarted keeper: splits and sums by helper, as above. RC_MALFORMED, RC_DENIED: names
 * the helper to do without, also in *liar (may be NULL). */
enum rc recovery_combine(struct ristretto_scalar *out, const struct recovery *r,
                         const struct secret32 *key, const struct bytes *splits,
                         const struct bytes *sums, uint32_t *liar, struct err *e);
